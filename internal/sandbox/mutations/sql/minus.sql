-- A sign is lost.
UPDATE :table SET gross_amount = -gross_amount WHERE id = 'pay-0110';
