-- Microseconds are cut off.
UPDATE :table SET happened_at = '2026-03-10 18:58:36.666000' WHERE id = 'pay-0110';
