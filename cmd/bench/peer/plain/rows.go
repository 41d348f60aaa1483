package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// event is the archived record.
type event struct {
	EventID       string       `json:"event_id"`
	EventType     string       `json:"event_type"`
	SchemaVersion int64        `json:"schema_version"`
	Sequence      int64        `json:"sequence"`
	OccurredAt    time.Time    `json:"occurred_at"`
	IngestedAt    int64        `json:"ingested_at"`
	CompanyID     int64        `json:"company_id"`
	Employee      employee     `json:"employee"`
	PayRunID      string       `json:"pay_run_id"`
	PayPeriod     payPeriod    `json:"pay_period"`
	Gross         string       `json:"gross_amount"`
	Tax           string       `json:"tax_amount"`
	Net           string       `json:"net_amount"`
	Bonus         *json.Number `json:"bonus"`
	Currency      string       `json:"currency"`
	Hours         *json.Number `json:"hours"`
	IsCorrection  bool         `json:"is_correction"`
	Batch         int64        `json:"batch"`
	Note          *string      `json:"note"`

	Metadata json.RawMessage `json:"metadata"`
}

type employee struct {
	ID int64 `json:"id"`
}

type payPeriod struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// eventParquet is the row of the file.
type eventParquet struct {
	EventID       string    `parquet:"event_id"`
	EventType     string    `parquet:"event_type,dict"`
	SchemaVersion int64     `parquet:"schema_version"`
	Sequence      int64     `parquet:"sequence"`
	OccurredAt    time.Time `parquet:"occurred_at,timestamp(microsecond:local)"`
	IngestedAt    time.Time `parquet:"ingested_at,timestamp(microsecond:local)"`
	CompanyID     int64     `parquet:"company_id"`
	EmployeeID    int64     `parquet:"employee_id"`
	PayRunID      string    `parquet:"pay_run_id,dict"`
	PeriodStart   int32     `parquet:"period_start,date"`
	PeriodEnd     int32     `parquet:"period_end,date"`
	Gross         int64     `parquet:"gross_amount,decimal(2:18)"`
	Tax           int64     `parquet:"tax_amount,decimal(2:18)"`
	Net           int64     `parquet:"net_amount,decimal(2:18)"`
	Bonus         *int64    `parquet:"bonus,optional,decimal(2:18)"`
	Currency      string    `parquet:"currency,dict"`
	Hours         *int32    `parquet:"hours,optional,decimal(4:9)"`
	IsCorrection  bool      `parquet:"is_correction"`
	Batch         int64     `parquet:"batch"`
	Note          *string   `parquet:"note,optional"`
	Metadata      string    `parquet:"metadata"`
}

func eventRow(line []byte) (row eventParquet, err error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return row, err
	}
	row = eventParquet{
		EventID: e.EventID, EventType: e.EventType, SchemaVersion: e.SchemaVersion, Sequence: e.Sequence, OccurredAt: e.OccurredAt,
		IngestedAt: time.UnixMilli(e.IngestedAt).UTC(), CompanyID: e.CompanyID, EmployeeID: e.Employee.ID, PayRunID: e.PayRunID, Currency: e.Currency,
		IsCorrection: e.IsCorrection, Batch: e.Batch, Note: e.Note, Metadata: string(e.Metadata),
	}
	for _, d := range []struct {
		text string
		to   *int32
	}{{e.PayPeriod.Start, &row.PeriodStart}, {e.PayPeriod.End, &row.PeriodEnd}} {
		if *d.to, err = day(d.text); err != nil {
			return row, err
		}
	}
	for _, d := range []struct {
		text string
		to   *int64
	}{{e.Gross, &row.Gross}, {e.Tax, &row.Tax}, {e.Net, &row.Net}} {
		if *d.to, err = decimal(d.text, 2); err != nil {
			return row, err
		}
	}
	if e.Bonus != nil {
		n, err := decimal(e.Bonus.String(), 2)
		if err != nil {
			return row, err
		}
		row.Bonus = &n
	}
	if e.Hours != nil {
		n, err := decimal(e.Hours.String(), 4)
		if err != nil {
			return row, err
		}
		hours := int32(n)
		row.Hours = &hours
	}
	return row, nil
}

// numbersRecord is the archived record of five numbers.
type numbersRecord struct {
	ID      int64       `json:"id"`
	At      int64       `json:"at"`
	Amount  json.Number `json:"amount"`
	Units   int64       `json:"units"`
	Account int64       `json:"account"`
}

type numbersParquet struct {
	ID      int64     `parquet:"id"`
	At      time.Time `parquet:"at,timestamp(microsecond:local)"`
	Amount  int64     `parquet:"amount,decimal(2:18)"`
	Units   int64     `parquet:"units"`
	Account int64     `parquet:"account"`
}

func numbersRow(line []byte) (row numbersParquet, err error) {
	var n numbersRecord
	if err := json.Unmarshal(line, &n); err != nil {
		return row, err
	}
	row = numbersParquet{ID: n.ID, At: time.UnixMilli(n.At).UTC(), Units: n.Units, Account: n.Account}
	row.Amount, err = decimal(n.Amount.String(), 2)
	return row, err
}

func day(text string) (int32, error) {
	t, err := time.Parse(time.DateOnly, text)
	return int32(t.Unix() / 86400), err
}

// decimal reads an amount exactly, as an integer of its smallest unit.
func decimal(text string, scale int) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > scale {
		return 0, fmt.Errorf("%q has more than %d decimals", text, scale)
	}
	return strconv.ParseInt(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10, 64)
}
