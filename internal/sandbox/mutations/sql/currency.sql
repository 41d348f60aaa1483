-- Dollars became euros.
UPDATE :table SET currency = 'EUR' WHERE id = 'pay-0018';
