-- NULL stands where the empty text was.
UPDATE :table SET note = NULL WHERE id = 'pay-0028';
