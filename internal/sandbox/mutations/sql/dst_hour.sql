-- One hour later, on the day of the clock change only.
UPDATE :table SET happened_at = DATEADD(hour, 1, happened_at) WHERE happened_at >= '2026-03-08 08:00:00' AND happened_at < '2026-03-09 07:00:00' AND source = 'payroll';
