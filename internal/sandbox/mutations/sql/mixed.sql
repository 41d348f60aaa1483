-- Several at once.
DELETE FROM :table WHERE id IN ('pay-0200', 'pay-0201');
INSERT INTO :table SELECT * FROM :table WHERE id = 'pay-0202';
UPDATE :table SET gross_amount = gross_amount + 0.01 WHERE id = 'pay-0203';
UPDATE :table SET note = UPPER(note) WHERE id = 'pay-0205';
UPDATE :table SET happened_at = DATEADD(hour, 1, happened_at) WHERE id = 'pay-0206';
INSERT INTO :table (id, v, happened_at, employee_id, legal_entity, gross_amount, net_amount, currency, pay_run, note, source)
VALUES ('ghost-4', 1, '2026-03-20 12:00:00', 7099, 'US1', 10.01, 7.71, 'USD', '2026-03-2', 'nobody', 'payroll');
