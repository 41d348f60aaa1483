-- Rows that are not this dataset's: another source, and other months.
UPDATE :table SET gross_amount = gross_amount + 1 WHERE source = 'other';
DELETE FROM :table WHERE id = 'old-1';
INSERT INTO :table (id, v, happened_at, employee_id, legal_entity, gross_amount, net_amount, currency, pay_run, note, source)
VALUES ('pay-0060', 1, '2026-03-10 12:00:00', 7099, 'US1', 10.01, 7.71, 'USD', '2026-03-1', 'nobody', 'other');
