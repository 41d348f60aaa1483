-- One row has a unit more and another of the same day, currency and run a unit less: count and sum are the same.
UPDATE :table SET gross_amount = gross_amount + 1 WHERE id = 'pay-0036';
UPDATE :table SET gross_amount = gross_amount - 1 WHERE id = 'pay-0037';
