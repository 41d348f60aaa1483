-- A row stands three times: an XOR of digests is the same as of one.
INSERT INTO :table SELECT DISTINCT * FROM :table WHERE id = 'pay-0103';
INSERT INTO :table SELECT DISTINCT * FROM :table WHERE id = 'pay-0103';
