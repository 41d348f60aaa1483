-- Two employees of one pay run have each other's amounts: every total is the same.
UPDATE :table SET gross_amount = 1080.12, net_amount = 831.70 WHERE id = 'pay-0002';
UPDATE :table SET gross_amount = 1159.33, net_amount = 892.69 WHERE id = 'pay-0001';
