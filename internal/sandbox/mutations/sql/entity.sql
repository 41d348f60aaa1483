-- Booked on another legal entity.
UPDATE :table SET legal_entity = 'DE1' WHERE id = 'pay-0010';
