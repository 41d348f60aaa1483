// Package archiver is the seam between the log that the sandbox generates and the programs that archive
// Kafka: what a record is, what an archiver makes of the log of a partition, and what a reader of its
// objects has to be told. An archiver is a package beside this one, written from the archiver's
// documentation alone; archivegen lists them, feeds them the log, and works out the truth.
package archiver

// Record is one Kafka record of the log. Its slices are not to be changed.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	Timestamp int64    // Kafka's, in milliseconds since the epoch; -1: the producer gave none
	Arrived   int64    // milliseconds since the epoch: the archiver's clock when it got the record; never falls within a partition
	Event     int64    // event time in microseconds since the epoch, if HasEvent
	HasEvent  bool     // Value has a usable event time
	Key       []byte   // the company's number as text; nil: null
	Headers   []Header // may be empty
	Value     []byte   // JSON, or text that is no JSON where such was planted; nil: a tombstone
	Bytes     bool     // Value is bytes, as of a ByteArraySerializer: JSON has it in base64
}

// Header is a record's header.
type Header struct {
	Key, Value string
	Binary     bool // Value is bytes, not text
}

// Object is one object of an archive.
type Object struct {
	Key     string // below the bucket
	Body    []byte // valid until put returns
	Rows    []int  // its records as indexes into the log, in row order; nil for side files, which have the rows of another object
	Codec   string // of the whole body; what is compressed inside is none
	Members int    // gzip members or zstd frames; else 1
	Checked bool   // every reader notices when half of the body is missing
}

// Identity says what proves the offset of an archived record.
type Identity string

// The identities.
const (
	Body     Identity = "body"     // it stands in the record
	Derived  Identity = "derived"  // first offset of the name and row
	Unproven Identity = "unproven" // nothing does: the record's place is all there is
)

// Settings are an archiver's own, by its names for them.
type Settings map[string]string

// Layout is an archiver with a key layout and a format.
type Layout struct {
	Name     string
	Line     string   // for --help
	Settings Settings // all that may be overridden, as this layout has them
	// Open refuses settings that do not go together, and says why.
	Open func(Config) (Archiver, error)
}

// Config is what a layout is opened with.
type Config struct {
	Topic       string
	Prefix      string   // first folders of the keys
	Zone        string   // IANA name of the calendar's zone
	Size        int      // records per object, where the archiver counts records
	Codec       string   // "": the archiver's own default
	BodyOffsets bool     // values hold partition, offset and timestamp already
	Seed        uint64   // of what the archiver draws, such as UUIDs in names
	Settings    Settings // all of Layout.Settings
}

// Archiver writes the log as one archiver does. The same log gives the same bytes.
type Archiver interface {
	Facts() Facts
	// Archive puts the objects that the log of one partition becomes (Facts.Together: of all partitions, by
	// arrival), in the order of upload. It plants as many of the retries as fit.
	Archive(log []Record, r Retries, put func(Object) error) error
}

// Retries asks for objects written again after a crash before the offsets were committed.
type Retries struct {
	Duplicates int // whole objects once more
	Overlaps   int // objects that hold a part of others
}

// Facts are what an archive holds and how it is to be read.
type Facts struct {
	Identity Identity
	Together bool              // Archive wants the log of all partitions at once
	Root     string            // folder of the keys, which the dataset's archive.uri names
	Archive  []string          // lines of the dataset's archive section, without uri and lateness
	Records  []string          // lines of its records section, without where, event time, and what BodyOffsets needs
	Columns  map[string]string // more keys of a column, by its name
	Cannot   map[string]string // faults that can't be planted, by their names in Options, and why
	Lost     func(Record) bool // records that are never archived; nil: all are
	Fixed    string            // why values must be payroll events as JSON objects; "": any JSON is archived as it is
	Bytes    bool              // values that are bytes are archived, too
	Headers  string            // the dataset's path to the headers; "": they are not archived, or not to be read by name
}
