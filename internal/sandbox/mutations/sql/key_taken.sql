-- A payment takes the key of another one, on another day.
UPDATE :table SET id = 'pay-0263' WHERE id = 'pay-0174' AND source = 'payroll';
