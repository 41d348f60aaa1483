-- An amount is lost.
UPDATE :table SET gross_amount = NULL WHERE id = 'pay-0030';
