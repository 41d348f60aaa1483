-- A row is missing.
DELETE FROM :table WHERE id = 'pay-0100';
