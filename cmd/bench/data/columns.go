package data

import "fmt"

// columns returns what a shape's records become.
func columns(w Workload) []Column {
	switch w.Shape {
	case Wide:
		return wideColumns()
	case Numbers:
		return []Column{
			{Name: "id", Kind: Int, Path: path("id")},
			{Name: "at", Kind: Millis, Path: path("at")},
			{Name: "amount", Kind: Decimal, Path: path("amount"), Precision: 18, Scale: 2, Number: true},
			{Name: "units", Kind: Int, Path: path("units")},
			{Name: "account", Kind: Int, Path: path("account")},
		}
	}
	bad := w.RejectRate > 0
	return []Column{
		{Name: "event_id", Kind: Text, Path: path("event_id"), Length: 36},
		{Name: "event_type", Kind: Text, Path: path("event_type"), Length: 32},
		{Name: "schema_version", Kind: Int, Path: path("schema_version")},
		{Name: "sequence", Kind: Int, Path: path("sequence")},
		{Name: "occurred_at", Kind: Timestamp, Path: path("occurred_at")},
		{Name: "ingested_at", Kind: Millis, Path: path("ingested_at")},
		{Name: "company_id", Kind: Int, Path: path("company_id")},
		{Name: "employee_id", Kind: Int, Path: path("employee.id"), Bad: bad},
		{Name: "pay_run_id", Kind: Text, Path: path("pay_run_id"), Length: 36},
		{Name: "period_start", Kind: Date, Path: path("pay_period.start")},
		{Name: "period_end", Kind: Date, Path: path("pay_period.end")},
		{Name: "gross_amount", Kind: Decimal, Path: path("gross_amount"), Precision: 18, Scale: 2, Bad: bad},
		{Name: "tax_amount", Kind: Decimal, Path: path("tax_amount"), Precision: 18, Scale: 2},
		{Name: "net_amount", Kind: Decimal, Path: path("net_amount"), Precision: 18, Scale: 2},
		{Name: "bonus", Kind: Decimal, Path: path("bonus"), Precision: 18, Scale: 2, Number: true, Nullable: true},
		{Name: "currency", Kind: Text, Path: path("currency"), Length: 3},
		{Name: "hours", Kind: Decimal, Path: path("hours"), Precision: 9, Scale: 4, Number: true, Nullable: true},
		{Name: "is_correction", Kind: Bool, Path: path("is_correction")},
		{Name: "batch", Kind: Int, Path: path("batch")},
		{Name: "note", Kind: Text, Path: path("note"), Length: 256, Nullable: true},
		{Name: "metadata", Kind: RawJSON, Path: path("metadata")},
	}
}

// wideColumns are three that every dataset needs and 117 in the usual mix of
// a denormalised table: half of them numbers, some empty.
func wideColumns() []Column {
	list := []Column{
		{Name: "event_id", Kind: Text, Path: path("event_id"), Length: 36},
		{Name: "occurred_at", Kind: Timestamp, Path: path("occurred_at")},
		{Name: "currency", Kind: Text, Path: path("currency"), Length: 3},
	}
	for i := range 117 {
		name := fmt.Sprintf("c%03d", i)
		c := Column{Name: name, Path: path(name), Nullable: i%3 == 0}
		switch i % 9 {
		case 0, 1, 2:
			c.Kind = Int
		case 3, 4:
			c.Kind, c.Precision, c.Scale = Decimal, 18, 2
		case 5, 6:
			c.Kind, c.Length = Text, 64
		case 7:
			c.Kind = Bool
		case 8:
			c.Kind = Date
		}
		list = append(list, c)
	}
	return list
}
