-- Amounts cut to whole units: 2030.47 became 2030.00, 1563.47 became 1563.40.
UPDATE :table SET gross_amount = 2030.00, net_amount = 1563.40 WHERE id = 'pay-0013';
