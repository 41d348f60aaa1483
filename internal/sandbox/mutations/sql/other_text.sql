-- A text that no class explains.
UPDATE :table SET note = 'see ticket' WHERE id = 'pay-0031';
