-- A row stands twice, once with another amount.
INSERT INTO :table (id, v, happened_at, employee_id, legal_entity, gross_amount, net_amount, currency, pay_run, note, source)
SELECT id, v, happened_at, employee_id, legal_entity, gross_amount, net_amount + 0.01, currency, pay_run, note, source FROM :table WHERE id = 'pay-0112';
