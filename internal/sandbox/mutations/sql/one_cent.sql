-- One cent more: neither rounded nor cut.
UPDATE :table SET gross_amount = gross_amount + 0.01 WHERE id = 'pay-0012';
