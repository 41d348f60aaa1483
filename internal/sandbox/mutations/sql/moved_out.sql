-- The first row of the month stands in the month before.
UPDATE :table SET happened_at = DATEADD(hour, -8, happened_at) WHERE id = 'pay-0000';
