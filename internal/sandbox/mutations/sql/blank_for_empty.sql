-- A blank stands where the empty text was.
UPDATE :table SET note = ' ' WHERE id = 'pay-0103';
