SELECT COUNT(*)
FROM (
SELECT 1 AS _row
FROM "payroll"."events"
) AS _rows
