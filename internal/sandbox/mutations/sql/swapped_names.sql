-- Two payments have each other's employee.
UPDATE :table SET employee_id = 7002 WHERE id = 'pay-0001';
UPDATE :table SET employee_id = 7001 WHERE id = 'pay-0002';
