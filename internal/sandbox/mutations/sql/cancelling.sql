-- A row is missing and an extra one has its amounts: no total shows it.
DELETE FROM :table WHERE id = 'pay-0045';
INSERT INTO :table (id, v, happened_at, employee_id, legal_entity, gross_amount, net_amount, currency, pay_run, note, source)
VALUES ('ghost-3', 1, '2026-03-05 04:51:14.999985', 7045, 'US1', 4564.57, 3514.72, 'USD', '2026-03-1', 'Salary March', 'payroll');
