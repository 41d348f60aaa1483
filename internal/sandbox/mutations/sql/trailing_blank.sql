-- A blank behind a text, which a comparison by the warehouse does not see.
UPDATE :table SET note = note || ' ' WHERE id = 'pay-0025';
