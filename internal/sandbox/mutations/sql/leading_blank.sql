-- Blanks before a text.
UPDATE :table SET note = '  ' || note WHERE id = 'pay-0026';
