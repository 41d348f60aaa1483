-- A key in other case is another key.
UPDATE :table SET id = 'PAY-0051' WHERE id = 'pay-0051';
