package archivegen

import (
	"fmt"
	"strings"
)

// DatasetYAML returns the dataset file of the archive that Generate makes of o. Two places are left open
// for the caller to fill: {{archive}}, the URI of the bucket or folder that the keys are below, and
// {{staging}}; neither ends in a slash. The warehouse is left out: the environment names it.
//
// The quarantine allows for three times the planted rejects, since copies of objects repeat them.
func DatasetYAML(o Options) string {
	o = o.withDefaults()
	var b strings.Builder
	fmt.Fprintf(&b, `version: 1
name: payroll_events
archive:
  uri: "{{archive}}/%s/%s"
  layout: confluent
  format: auto
  lateness: 72h
records:
  envelope: none
  where: 'value.type in ["payment.settled", "payment.reversed"]'
  event_time: value.occurred_at
`, o.Prefix, o.Topic)
	if o.BodyOffsets {
		b.WriteString(`  partition: value._kafka.partition
  offset: value._kafka.offset
  timestamp: value._kafka.timestamp
`)
	}
	rejects := 3 * (o.Faults.MalformedJSON + o.Faults.BadValues)
	rate := max(0.001, float64(rejects)/float64(max(o.Events, 1)))
	fmt.Fprintf(&b, datasetTail, o.Zone, max(100, rejects), min(rate, 1))
	return b.String()
}

const datasetTail = `calendar: %s
columns:
  - {name: event_id,     type: varchar(36),     from: value.event_id, required: true}
  - {name: type,         type: varchar(32),     from: value.type, required: true}
  - {name: employee_id,  type: bigint,          from: value.employee.id, required: true}
  - {name: company_id,   type: bigint,          from: value.company_id}
  - {name: gross_amount, type: "decimal(18,2)", from: value.gross_amount}
  - {name: tax_amount,   type: "decimal(18,2)", from: value.tax_amount}
  - {name: net_amount,   type: "decimal(18,2)", from: value.net_amount}
  - {name: currency,     type: char(3),         from: value.currency}
  - {name: pay_run_id,   type: varchar(36),     from: value.pay_run_id}
  - {name: occurred_at,  type: timestamp,       from: value.occurred_at, required: true, fraction: reject}
  - {name: version,      type: integer,         from: value.version, required: true}
  - {name: bank_account, type: varchar(64),     from: value.bank_account}
  - {name: details,      type: super,           from: value.details}
  - {name: source,       type: varchar(16),     const: payroll}
table:
  name: payroll.events
  mode: replace_window
  scope: "source = 'payroll'"
  window_column: occurred_at
  key: [event_id]
  latest_by: [version]
  provenance: true
staging: {uri: "{{staging}}"}
quarantine: {max_records: %d, max_rate: %.6f}
reconcile: {totals: [gross_amount, tax_amount, net_amount], by: [currency], show: [event_id]}
`
