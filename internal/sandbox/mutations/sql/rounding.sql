-- Amounts rounded to whole units: 1317.76 became 1318.00.
UPDATE :table SET gross_amount = 1318.00, net_amount = 1015.00 WHERE id = 'pay-0004';
