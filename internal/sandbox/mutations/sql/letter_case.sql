-- Other case.
UPDATE :table SET note = UPPER(note) WHERE id = 'pay-0027';
