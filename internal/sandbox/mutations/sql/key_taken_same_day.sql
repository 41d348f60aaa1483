-- A payment takes the key of another one of its day.
UPDATE :table SET id = 'pay-0263' WHERE id = 'pay-0264' AND source = 'payroll';
