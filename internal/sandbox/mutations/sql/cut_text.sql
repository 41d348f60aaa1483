-- A text is cut.
UPDATE :table SET note = 'Overt' WHERE id = 'pay-0006';
