// Package dataset compiles the user's dataset file: one YAML document that
// says where the archive is, how an event becomes columns, which rows of which
// table it owns and what must tie out.
//
//	file ─▶ nodes ─▶ --set overrides ─▶ checks ─▶ Dataset ─▶ canonical text ─▶ digests
//	                                      └─▶ every problem at file:line:column, with a hint
//
// Everything is checked here once: the rest of the program trusts a *Dataset.
// The package reads no file, opens no connection and never sees a secret: a
// password is kept as the name of an environment variable. Jobs call Compile;
// plans carry Dataset.Text, which compiles to the same digests elsewhere.
package dataset

import (
	"math/big"
	"regexp"
	"time"

	"backfill/internal/fail"
	"backfill/internal/folder"
	"backfill/internal/kafka"
	"backfill/internal/schema"
)

// Dataset is a checked dataset. It is never changed after Compile and is safe
// for concurrent use.
type Dataset struct {
	Name    string // lower-case identifier
	Version int    // of the file format: 1

	// Digest is the hex SHA-256 of Text. The order of keys, comments, quotes,
	// omitted defaults and equal spellings (72h, 3d) do not change it. Values of
	// the environment that ${NAME} put into the document do: another archive is
	// another dataset. Staging, warehouse and secrets are not part of it: they
	// say where things run, not what they do.
	Digest string

	// ConvertDigest is the hex SHA-256 of what decides the output of a
	// conversion: Parquet bytes and the tallies in the receipt. See convertForm
	// for what is in it and why.
	ConvertDigest string

	// Text is the canonical document (JSON, which is YAML): expanded, with
	// overrides applied, without the staging and warehouse sections. Compile
	// accepts it and gives the same Digest and Text.
	Text []byte

	Archive      Archive
	Records      Records
	Calendar     *time.Location // zone of load days, report days and dates without a time
	CalendarName string         // its IANA name
	Columns      []schema.Column
	MaskKeyID    string // which key masks columns, as package mask tells it; "": no column is masked
	Table        Table
	Staging      Staging
	Warehouse    Warehouse
	Quarantine   Quarantine
	Reconcile    Reconcile
	KeptRows     time.Duration // longest time that rows are kept for undo; 0: until they are dropped by command
	Retain       Retain        // how long staging keeps what gc removes
}

// Archive says where the archived objects are and how their keys read.
type Archive struct {
	URI       string // s3://bucket[/prefix] or file:///path, without a slash at the end
	Layout    Layout
	Format    string        // of the records inside the compression: one of the Format constants
	CSV       CSV           // of FormatCSV
	Delimiter string        // between values of FormatText and FormatBytes; "": an object is one value
	Lateness  time.Duration // how much later than its event time a record may have been archived
	Idle      time.Duration // how long a partition may be silent at a window's end and still be settled
	Gaps      []Gap         // by topic, partition, offset; never overlapping
	Recreated []time.Time   // when the topic was made anew, by the time at which objects were written; ascending

	// Earliness is how much earlier than its event time a record may have been
	// archived. Modified: it was declared, so that objects last written before a
	// window, less it, hold none of its records.
	Earliness time.Duration
	Modified  bool

	FolderTime *FolderTime // nil: dated folders say nothing
	Inventory  string      // URI of an S3 Inventory that is read instead of listing: its manifest.json, or the folder of all its manifests; "": none
}

// FolderTime says what the dates in folders are.
type FolderTime struct {
	Clock    string // one of the Clock constants
	Zone     string // IANA name
	Path     string // in the letters of package folder; "" where the layout has its own
	Duration time.Duration
	Folders  *folder.Time // all of it compiled
}

// The clocks that archivers date folders by.
const (
	ClockRecord    = "record"    // the record's Kafka time
	ClockEvent     = "event"     // the event time of records.event_time
	ClockWallclock = "wallclock" // when the archiver wrote
	ClockUnknown   = "unknown"   // nobody knows: folders are not used
)

// CSV says how rows are written.
type CSV struct {
	Columns   []string // names of the fields; nil: the first row of each object has them
	Delimiter string   // one byte; "": a comma
}

// The formats of records. An object that is not in the declared one is refused.
const (
	FormatAuto    = "auto" // each object's first bytes say it
	FormatJSON    = "json" // values in a row, or arrays of them
	FormatAvro    = "avro" // object container files
	FormatParquet = "parquet"
	FormatCSV     = "csv"   // rows become objects of strings
	FormatText    = "text"  // values are strings
	FormatBytes   = "bytes" // values are bytes, which read as base64
)

var formats = []string{FormatAuto, FormatJSON, FormatAvro, FormatParquet, FormatCSV, FormatText, FormatBytes}

// The layouts.
const (
	LayoutAuto       = "auto" // a sample of the keys decides
	LayoutConfluent  = "confluent"
	LayoutLenses     = "lenses"
	LayoutAiven      = "aiven"
	LayoutFirehose   = "firehose"
	LayoutMSK        = "msk"
	LayoutSecor      = "secor"
	LayoutWix        = "wix"
	LayoutUnnamed    = "unnamed"     // keys say nothing: Vector, Redpanda Connect, Fluent Bit, Camel
	LayoutKeyPattern = "key_pattern" // a regular expression of the user's
)

var (
	layouts   = []string{LayoutAuto, LayoutConfluent, LayoutLenses, LayoutAiven, LayoutFirehose, LayoutMSK, LayoutSecor, LayoutWix, LayoutUnnamed}
	sideFiles = []string{SideKeys, SideHeaders, SideTombstones}
)

// The side files of the Confluent sink.
const (
	SideKeys       = "keys"
	SideHeaders    = "headers"
	SideTombstones = "tombstones" // keys of records without a value
)

// Layout says how an object's key names its topic, partition and first offset.
type Layout struct {
	Name       string         // one of the constants
	KeyPattern string         // as the user wrote it; LayoutKeyPattern only
	Pattern    *regexp.Regexp // KeyPattern anchored at both ends, for the key below Archive.URI; groups topic, partition, offset; nil for other layouts
	Topic      string         // topic of all objects where names have none
	Partition  *int32         // partition of all objects where names have none
	Template   string         // LayoutAiven: file.name.template, "" for its default
	FileDelim  string         // LayoutConfluent: file.delim, "" for its default
	// DirectoryDelim is LayoutConfluent's directory.delim, "" for its default.
	DirectoryDelim string
	Ignore         []string // LayoutConfluent: side files that are left out: keys, headers, tombstones
	Join           []string // LayoutConfluent: side files that are read with their values; the record is then {key, headers, value}
}

// Gap is a range of offsets [From, To) that is known to be missing.
type Gap struct {
	Topic     string // "": whatever topic the archive holds
	Partition kafka.Partition
	From, To  kafka.Offset
	Reason    string // for the report
}

// Records says how a record is read. Paths lead down from the record's value,
// or from its envelope: Resolve tells. nil means that the body does not hold the
// field.
type Records struct {
	Envelope   Envelope   // around the value
	Unpack     string     // of the value: one of the Unpack constants, "" for none
	JSONIn     [][]string // strings inside the value that hold JSON, the outer before the inner
	Deletes    bool       // deletions become rows that are marked in DeletedField
	KeyDeletes bool       // tombstones do, too: their key is in the envelope
	Registry   *Registry  // values begin with the id of their schema; nil: they don't
	Where      *Where     // which records are wanted; nil: all
	EventTime  *TimeField // nil: no windows, append only
	Partition  []string
	Offset     []string
	Timestamp  []string  // the Kafka timestamp, milliseconds since 1970
	Suppress   *Suppress // whose records go nowhere; nil: nobody's
}

// Suppress names the list of people who were erased.
type Suppress struct {
	URI    string // s3://bucket/key or file:///path of the list, see package suppression
	Column int    // index into Dataset.Columns: whose values the list has
	SHA256 string // of the list's bytes; "": not read yet, see Suppressing
}

// How a value is packed that is JSON inside a string.
const (
	UnpackText   = "text"   // the string is JSON, as StringConverter archives it
	UnpackBase64 = "base64" // the string is base64 of JSON, as bytes are archived in JSON and CSV
)

// The units of a time that is given as a number.
const (
	UnitSeconds = schema.UnitSeconds
	UnitMillis  = schema.UnitMillis
	UnitMicros  = schema.UnitMicros
	UnitNanos   = schema.UnitNanos
)

// TimeField says where a time stands and how it reads.
type TimeField struct {
	Path     []string
	Zone     string          // IANA zone of text without one; "" refuses such text
	Unit     string          // of numbers: one of the Unit constants
	Fraction schema.Fraction // of the window column, so that both carry the same instant
}

// Mode says how rows get into the table.
type Mode string

// The modes.
const (
	ReplaceWindow Mode = "replace_window" // delete window ∧ scope, insert the stage
	InsertMissing Mode = "insert_missing" // insert the keys that the table does not hold
	Upsert        Mode = "upsert"         // insert these, and replace rows by newer versions of their key
	Append        Mode = "append"         // insert what the ledger has not seen
)

// Table is the target table and the part of it that the dataset owns.
type Table struct {
	Schema, Name string
	Mode         Mode
	Scope        string   // SQL predicate on the table's columns, safe to put into parentheses; "" owns the whole table
	WindowColumn string   // "" without windows
	Key          []string // identity of a row; empty: rows are not de-duplicated by key
	LatestBy     []string // which version of a key wins, most significant first
	NotLoaded    []string // columns of the table that keep their default
	Provenance   bool     // the table has the technical columns
	Deleted      string   // boolean column: the version marks its key as deleted, and stays; "": none
}

// Retain is how long staging keeps what a finished run no longer needs, for gc.
// It is no part of what a run is: another age is no other run.
type Retain struct {
	Quarantine time.Duration // raw bytes of rejected records
	Parquet    time.Duration // Parquet of plans that are loaded and reconciled, or were stopped
	Plans      time.Duration // plans that nobody goes on with
	Work       time.Duration // what processes left of their work, profiles included
}

// Staging says where runs keep plans, receipts and Parquet. URI is "" where
// neither the file nor the environment names one; see NeedStaging.
type Staging struct {
	KMSKey string // that S3 encrypts its objects by: id, alias/NAME or the ARN of either; "": as the bucket does by itself
	URI    string
}

// Warehouse says how Redshift is reached. URL and IAMRole are "" where neither
// the file nor the environment names them; see NeedWarehouse.
type Warehouse struct {
	URL     string // redshift://user@host[:port]/database without a password; SignIn says which parts may be left out
	IAMRole string // ARN, chain of ARNs or default: what COPY reads with
	SignIn  SignIn
	TLS     TLS
}

// SignIn is the one way to log in: exactly one field is set. No secret is in it.
type SignIn struct {
	PasswordEnv  string // name of the environment variable that holds the password
	PasswordFile string // absolute path of a file that holds the password and nothing else
	IAM          *IAM   // short-lived credentials for the identity of the AWS credential chain
	Secret       string // ARN or name of a Secrets Manager secret: username, password, and host, port, dbname where the URL has none
}

// IAM names what temporary credentials are for: a cluster or a workgroup.
// A cluster's login is the URL's user, or the AWS identity's own when the URL
// has none; a workgroup's is always the identity's. The endpoint is asked for
// when the URL's host is absent or the bare name, also with its Region:
// payroll, payroll.eu-west-1.
type IAM struct {
	Cluster   string // identifier of a provisioned cluster
	Workgroup string // name of a serverless workgroup
	Region    string // "": the endpoint's, else the chain's
}

// TLS says how the server is verified. It always is, unless Off.
type TLS struct {
	Off        bool   // no TLS; allowed for a warehouse on this host only
	CAFile     string // absolute path of a PEM file of authorities trusted beside the system's and Amazon's; "" for none
	ServerName string // name that the certificate must have, where it is not the host's
}

// Quarantine limits the rejected records of a run. Going over either limit
// stops it before anything is loaded. A file that gives no limit allows none.
type Quarantine struct {
	MaxRecords int64    // -1: no limit by number (MaxRate is set)
	MaxRate    *big.Rat // rejected by read records, 0 to 1, exact; nil: no limit by rate
}

// Reconcile says what must tie out. Totals and By are indexes into
// Dataset.Columns.
type Reconcile struct {
	Totals  []int // columns that are summed exactly: decimals and integers
	By      []int // columns that split the sums, such as the currency; the accounting period's is the last
	Period  bool  // there is one
	Show    []int // columns whose texts reports may show: others are hidden there, as they may be personal
	Buckets int   // 1 to 4096: hash buckets per day that are compared one by one
}

// NeedStaging returns a BadDataset error if no staging prefix is known.
func (d *Dataset) NeedStaging() error {
	if d.Staging.URI != "" {
		return nil
	}
	return fail.New(fail.BadDataset, "dataset %s has no staging.uri", d.Name).
		Try("add `staging: {uri: s3://bucket/prefix}` to the dataset file, or set %s", stagingURIVar)
}

// NeedWarehouse returns a BadDataset error if the warehouse's address or the
// role for COPY is not known.
func (d *Dataset) NeedWarehouse() error {
	if d.Warehouse.URL == "" && d.Warehouse.SignIn.Secret == "" {
		return fail.New(fail.BadDataset, "dataset %s has no warehouse.url", d.Name).
			Try("add `warehouse: {url: redshift://user@host/database}` to the dataset file, or set %s", warehouseURLVar)
	}
	if d.Warehouse.IAMRole == "" {
		return fail.New(fail.BadDataset, "dataset %s has no warehouse.iam_role", d.Name).
			Try("add the role that COPY reads with, `warehouse: {iam_role: arn:aws:iam::ACCOUNT:role/NAME}`, or set %s", warehouseRoleVar)
	}
	return nil
}

// ColumnIndex returns the position of the named column in Columns, or -1.
func (d *Dataset) ColumnIndex(name string) int { return columnIndex(d.Columns, name) }

func columnIndex(cols []schema.Column, name string) int {
	for i := range cols {
		if cols[i].Name == name {
			return i
		}
	}
	return -1
}
