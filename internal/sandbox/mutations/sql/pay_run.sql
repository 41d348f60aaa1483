-- An off-cycle payment stands in the regular run.
UPDATE :table SET pay_run = '2026-03-1' WHERE id = 'pay-0083';
