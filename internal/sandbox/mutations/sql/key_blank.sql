-- A blank behind a key: equal to the warehouse, another key to everybody else.
UPDATE :table SET id = 'pay-0050 ' WHERE id = 'pay-0050';
