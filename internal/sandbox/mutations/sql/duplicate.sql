-- A row stands twice.
INSERT INTO :table SELECT * FROM :table WHERE id = 'pay-0102';
