-- A row that nobody archived.
INSERT INTO :table (id, v, happened_at, employee_id, legal_entity, gross_amount, net_amount, currency, pay_run, note, source)
VALUES ('ghost-1', 1, '2026-03-10 12:00:00', 7099, 'US1', 10.01, 7.71, 'USD', '2026-03-1', 'nobody', 'payroll');
