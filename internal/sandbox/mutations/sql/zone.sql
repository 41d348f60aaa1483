-- Local time stands where UTC should.
UPDATE :table SET happened_at = DATEADD(hour, -8, happened_at) WHERE id = 'pay-0023';
