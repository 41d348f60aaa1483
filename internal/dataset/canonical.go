package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"backfill/internal/schema"
)

// The canonical document is written from the compiled dataset, so that two
// files that mean the same give the same bytes. What equals its default is left
// out: a key that a later version adds does not change the digests of files
// that do not use it.
type document struct {
	Version    int             `json:"version"`
	Name       string          `json:"name"`
	Archive    archiveForm     `json:"archive"`
	Records    recordsForm     `json:"records"`
	Calendar   string          `json:"calendar"`
	Columns    []columnForm    `json:"columns"`
	Table      tableForm       `json:"table"`
	Quarantine *quarantineForm `json:"quarantine,omitempty"`
	Reconcile  *reconcileForm  `json:"reconcile,omitempty"`
	MaskKeyID  string          `json:"mask_key_id,omitempty"`
	Retain     *retainForm     `json:"retain,omitempty"`
}

type retainForm struct {
	KeptRows string `json:"kept_rows"`
}

type archiveForm struct {
	URI      string    `json:"uri"`
	Layout   any       `json:"layout"`
	Format   any       `json:"format,omitempty"`
	Topic    string    `json:"topic,omitempty"`
	Part     *int32    `json:"partition,omitempty"`
	Lateness string    `json:"lateness,omitempty"`
	Idle     string    `json:"idle,omitempty"`
	Gaps     []gapForm `json:"gaps,omitempty"`
	Ignore   []string  `json:"ignore,omitempty"`
	Join     []string  `json:"join,omitempty"`

	Recreated []string `json:"recreated,omitempty"`

	Earliness  string         `json:"earliness,omitempty"` // "0s" says something, too
	FolderTime *folderForm    `json:"folder_time,omitempty"`
	Inventory  *inventoryForm `json:"inventory,omitempty"`
}

type folderForm struct {
	Clock    string `json:"clock"`
	Zone     string `json:"zone"`
	Path     string `json:"path,omitempty"`
	Duration string `json:"duration,omitempty"`
}

type inventoryForm struct {
	URI string `json:"uri"`
}

type gapForm struct {
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
	Reason    string `json:"reason"`
}

type recordsForm struct {
	Envelope   any           `json:"envelope,omitempty"`
	Unpack     string        `json:"unpack,omitempty"`
	Registry   *registryForm `json:"registry,omitempty"`
	JSONIn     []string      `json:"json_in,omitempty"`
	Tombstones string        `json:"tombstones,omitempty"`
	Where      string        `json:"where,omitempty"`
	EventTime  string        `json:"event_time"`
	Zone       string        `json:"event_time_zone,omitempty"`
	Unit       string        `json:"event_time_unit,omitempty"`
	Partition  string        `json:"partition,omitempty"`
	Offset     string        `json:"offset,omitempty"`
	Timestamp  string        `json:"timestamp,omitempty"`

	Suppress *suppressForm `json:"suppress,omitempty"`
}

type suppressForm struct {
	URI    string `json:"uri,omitempty"` // not of a conversion: the list is what its digest says
	Column string `json:"column"`
	SHA256 string `json:"sha256,omitempty"`
}

type columnForm struct {
	Name     string  `json:"name"`
	Type     string  `json:"type"`
	From     string  `json:"from,omitempty"`
	Const    *string `json:"const,omitempty"`
	Required bool    `json:"required,omitempty"`
	Fraction string  `json:"fraction,omitempty"`
	Zone     string  `json:"zone,omitempty"`
	Unit     string  `json:"unit,omitempty"`
	Unscaled *int    `json:"unscaled,omitempty"`
	Overflow string  `json:"overflow,omitempty"`
	Mask     string  `json:"mask,omitempty"`
}

type tableForm struct {
	Name         string   `json:"name"`
	Mode         Mode     `json:"mode"`
	Scope        string   `json:"scope"`
	WindowColumn string   `json:"window_column,omitempty"`
	Key          []string `json:"key,omitempty"`
	LatestBy     []string `json:"latest_by,omitempty"`
	NotLoaded    []string `json:"not_loaded,omitempty"`
	Provenance   bool     `json:"provenance,omitempty"`
	Deleted      string   `json:"deleted,omitempty"`
}

type quarantineForm struct {
	MaxRecords *int64 `json:"max_records,omitempty"`
	MaxRate    string `json:"max_rate,omitempty"`
}

type reconcileForm struct {
	Totals  []string `json:"totals,omitempty"`
	By      []string `json:"by,omitempty"`
	Period  string   `json:"period,omitempty"` // of a conversion it is the last of By
	Show    []string `json:"show,omitempty"`   // not of a conversion
	Buckets int      `json:"buckets,omitempty"`
}

// convertForm is what decides a conversion's output. Beside the Parquet bytes
// that is the receipt: it tallies by load day (calendar), by money column and
// currency (totals, by) and by hash bucket of the key, so reusing a receipt
// after one of these changed would compare sums that were cut differently.
// Scope, mode, quarantine limits, lateness and the like are left out: changing
// them must not convert the archive again. Where objects come from is the
// chunk's business.
type convertForm struct {
	Layout    any            `json:"layout"`
	Format    any            `json:"format,omitempty"`
	Topic     string         `json:"topic,omitempty"`
	Partition *int32         `json:"partition,omitempty"`
	Join      []string       `json:"join,omitempty"`
	Records   recordsForm    `json:"records"`
	Fraction  string         `json:"event_time_fraction,omitempty"`
	Calendar  string         `json:"calendar"`
	Columns   []columnForm   `json:"columns"`
	Reconcile *reconcileForm `json:"reconcile,omitempty"`
	BucketKey []string       `json:"bucket_key,omitempty"`
	MaskKeyID string         `json:"mask_key_id,omitempty"`
}

// seal fills Text and the digests.
func (d *Dataset) seal() error {
	whole := d.document()
	convert := convertForm{
		Layout: whole.Archive.Layout, Format: whole.Archive.Format, Topic: whole.Archive.Topic, Partition: whole.Archive.Part, Join: whole.Archive.Join,
		Records: whole.Records, Calendar: whole.Calendar, Columns: whole.Columns, Reconcile: d.countedForm(), MaskKeyID: whole.MaskKeyID,
	}
	if s := convert.Records.Suppress; s != nil {
		convert.Records.Suppress = &suppressForm{Column: s.Column, SHA256: s.SHA256}
	}
	convert.Records.Registry = convert.Records.Registry.opening()
	if d.Records.EventTime != nil {
		convert.Fraction = fractionForm(d.Records.EventTime.Fraction)
	}
	if d.Reconcile.Buckets > 1 {
		convert.BucketKey = d.Table.Key
	}
	var err error
	if d.Text, err = canonical(whole); err != nil {
		return err
	}
	part, err := canonical(convert)
	if err != nil {
		return err
	}
	d.Digest, d.ConvertDigest = digest(d.Text), digest(part)
	return nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (d *Dataset) document() document {
	doc := document{
		Version: d.Version, Name: d.Name, Archive: d.Archive.form(), Records: d.Records.form(), Calendar: d.CalendarName,
		Table: tableForm{
			Name: d.Table.Schema + "." + d.Table.Name, Mode: d.Table.Mode, Scope: d.Table.Scope, WindowColumn: d.Table.WindowColumn,
			Key: d.Table.Key, LatestBy: d.Table.LatestBy, NotLoaded: d.Table.NotLoaded, Provenance: d.Table.Provenance,
			Deleted: d.Table.Deleted,
		},
		Quarantine: d.Quarantine.form(), Reconcile: d.reconcileForm(), MaskKeyID: d.MaskKeyID,
	}
	if d.Table.Scope == "" {
		doc.Table.Scope = "all"
	}
	if s := d.Records.Suppress; s != nil {
		doc.Records.Suppress = &suppressForm{URI: s.URI, Column: d.Columns[s.Column].Name, SHA256: s.SHA256}
	}
	if d.KeptRows > 0 {
		doc.Retain = &retainForm{d.KeptRows.String()}
	}
	for _, column := range d.Columns {
		doc.Columns = append(doc.Columns, columnForm{
			Name: column.Name, Type: column.Type.String(), From: pathForm(column.Path), Const: column.Const,
			Required: column.Required, Fraction: fractionForm(column.Fraction), Zone: column.Zone, Unit: column.Unit, Unscaled: column.Unscaled, Overflow: column.Overflow, Mask: string(column.Mask),
		})
	}
	return doc
}

func (a Archive) form() archiveForm {
	f := archiveForm{URI: a.URI, Layout: a.Layout.Name, Topic: a.Layout.Topic, Part: a.Layout.Partition}
	if a.Layout.Name == LayoutKeyPattern {
		f.Layout = map[string]string{LayoutKeyPattern: a.Layout.KeyPattern}
	}
	if t := a.Layout.Template; t != "" {
		f.Layout = map[string]map[string]string{LayoutAiven: {"template": t}}
	}
	delimiters := map[string]string{}
	if d := a.Layout.FileDelim; d != "" {
		delimiters["file_delim"] = d
	}
	if d := a.Layout.DirectoryDelim; d != "" {
		delimiters["directory_delim"] = d
	}
	if len(delimiters) > 0 {
		f.Layout = map[string]any{LayoutConfluent: delimiters}
	}
	f.Ignore, f.Join = a.Layout.Ignore, a.Layout.Join
	for _, at := range a.Recreated {
		f.Recreated = append(f.Recreated, at.Format(time.RFC3339))
	}
	if a.Format != FormatAuto {
		f.Format = a.formatForm()
	}
	if a.Lateness > 0 {
		f.Lateness = a.Lateness.String()
	}
	if a.Idle > 0 {
		f.Idle = a.Idle.String()
	}
	if a.Modified {
		f.Earliness = a.Earliness.String()
	}
	if t := a.FolderTime; t != nil {
		f.FolderTime = &folderForm{Clock: t.Clock, Zone: t.Zone, Path: t.Path}
		if t.Duration > 0 {
			f.FolderTime.Duration = t.Duration.String()
		}
	}
	if a.Inventory != "" {
		f.Inventory = &inventoryForm{a.Inventory}
	}
	for _, gap := range a.Gaps {
		f.Gaps = append(f.Gaps, gapForm{gap.Topic, int32(gap.Partition), int64(gap.From), int64(gap.To), gap.Reason})
	}
	return f
}

func (q Quarantine) form() *quarantineForm {
	if q.MaxRate == nil && q.MaxRecords == 0 {
		return nil
	}
	f := &quarantineForm{}
	if q.MaxRecords >= 0 {
		f.MaxRecords = &q.MaxRecords
	}
	if q.MaxRate != nil {
		f.MaxRate = rateForm(q.MaxRate)
	}
	return f
}

// rateForm spells an exact decimal with no digit too many.
func rateForm(rate *big.Rat) string {
	digits, _ := rate.FloatPrec() // exact: it was read from a decimal
	return rate.FloatString(digits)
}

func (d *Dataset) columnNames(indexes []int) []string {
	var names []string
	for _, i := range indexes {
		names = append(names, d.Columns[i].Name)
	}
	return names
}

func pathForm(path []string) string {
	if path == nil {
		return ""
	}
	if len(path) > 0 && path[0] == envelopeRoot {
		return strings.Join(append([]string{envelopeStart}, path[1:]...), ".")
	}
	return strings.Join(append([]string{pathsStart}, path...), ".")
}

func fractionForm(f schema.Fraction) string {
	if f == schema.FloorFraction {
		return "floor"
	}
	return ""
}

// canonical writes the form as indented JSON that every YAML reader accepts:
// characters that JSON may hold and YAML may not are escaped.
func canonical(form any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(form); err != nil {
		return nil, fmt.Errorf("writing the canonical dataset: %w", err)
	}
	text := make([]byte, 0, b.Len())
	for _, r := range b.String() {
		if r >= 0x7f && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			text = fmt.Appendf(text, `\u%04x`, r)
		} else {
			text = utf8.AppendRune(text, r)
		}
	}
	return text, nil
}
