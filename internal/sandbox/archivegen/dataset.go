package archivegen

import (
	"fmt"
	"strings"

	"backfill/internal/sandbox/archiver"
)

// DatasetYAML returns the dataset file of the archive that Generate makes of o. Two places are left open
// for the caller to fill: {{archive}}, the URI of the bucket or folder that the keys are below, and
// {{staging}}; neither ends in a slash. The warehouse is left out: the environment names it.
//
// The quarantine allows for three times the planted rejects, since copies of objects repeat them. o must
// be Options that Generate takes; of others the text is empty.
func DatasetYAML(o Options) string {
	o = o.withDefaults()
	root, s, err := o.facts()
	if err != nil {
		return ""
	}
	facts := s.facts
	var b strings.Builder
	b.WriteString("version: 1\nname: payroll_events\narchive:\n")
	fmt.Fprintf(&b, "  uri: %q\n", strings.TrimSuffix("{{archive}}/"+root, "/"))
	writeLines(&b, facts.Archive)
	b.WriteString("  lateness: 72h\nrecords:\n")
	writeLines(&b, s.lines(o))
	b.WriteString(`  where: '` + s.path("value.type") + ` in ["payment.settled", "payment.reversed"]'
  event_time: ` + s.path("value.occurred_at") + "\n")
	if o.BodyOffsets {
		b.WriteString(`  partition: value._kafka.partition
  offset: value._kafka.offset
  timestamp: value._kafka.timestamp
`)
	}
	rejects := 3 * (o.Faults.MalformedJSON + o.Faults.BadValues)
	rate := max(0.001, float64(rejects)/float64(max(o.Events, 1)))
	tail := datasetTail
	for _, columns := range []map[string]string{facts.Columns, s.values.Columns} {
		for name, more := range columns {
			tail = addToColumn(tail, name, more)
		}
	}
	if o.deletes() {
		tail = strings.Replace(tail, "  - {name: source,", "  - {name: gone,         type: boolean,         from: value.__deleted}\n"+
			"  - {name: position,     type: bigint,          from: "+s.position()+", required: true}\n  - {name: source,", 1)
		tail = strings.Replace(tail, "mode: replace_window", "mode: upsert\n  deleted: gone", 1)
		tail = strings.Replace(tail, "latest_by: [version]", "latest_by: [version, position]", 1)
	}
	for usual, path := range s.values.Paths {
		tail = strings.ReplaceAll(tail, "from: "+usual+",", "from: "+path+",")
	}
	fmt.Fprintf(&b, tail, o.Zone, max(100, rejects), min(rate, 1))
	return b.String()
}

// facts returns the folder of the keys and how the archive is to be read.
func (o Options) facts() (root string, s shaped, err error) {
	if o.Layout == "" {
		s.facts = archiver.Facts{Archive: []string{"layout: confluent", "format: auto"}, Records: []string{"envelope: none"}}
		return o.Prefix + "/" + o.Topic, s, nil
	}
	s, err = o.openShaped()
	return s.facts.Root, s, err
}

// path is where a field stands, by its path in plain values.
func (s shaped) path(usual string) string {
	if path, ok := s.values.Paths[usual]; ok {
		return path
	}
	return usual
}

func writeLines(b *strings.Builder, lines []string) {
	for _, line := range lines {
		b.WriteString("  " + line + "\n")
	}
}

// addToColumn puts more keys into the line of a column.
func addToColumn(text, name, more string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  - {name: "+name+",") {
			lines[i] = strings.TrimSuffix(line, "}") + ", " + more + "}"
		}
	}
	return strings.Join(lines, "\n")
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
