CREATE TABLE "payroll"."events" (
  "event_id" VARCHAR(36) NOT NULL,
  "gross_amount" DECIMAL(18,2),
  "currency" CHAR(3),
  "occurred_at" TIMESTAMP NOT NULL,
  "details" SUPER,
  "source" VARCHAR(16) NOT NULL
);
