-- The first version of a row that was corrected.
UPDATE :table SET v = 1, gross_amount = gross_amount - 1, net_amount = 1075.67 WHERE id = 'pay-0005';
