-- A row stands twice and another is gone: the count is the same.
DELETE FROM :table WHERE id = 'pay-0105';
INSERT INTO :table SELECT * FROM :table WHERE id = 'pay-0106';
