-- The empty text stands where nothing was.
UPDATE :table SET note = '' WHERE id = 'pay-0029';
