package timing

// Stage is one kind of work of a run.
type Stage uint8

// The stages, in the order in which a run meets them. The first group is timed
// as steps of one goroutine, the second on the lanes of workers.
const (
	List     Stage = iota // the archive is listed
	Receipts              // receipts and manifests are read and written in staging
	Connect               // signing in to the warehouse
	Lock                  // waiting for the ledger's lock
	Copy                  // COPY into the stage
	Check                 // counts, totals and hash lanes by GROUP BY, of the stage and of the table
	Rows                  // single rows and bookkeeping are asked of the warehouse
	Winners               // temp tables: the stage, the newest versions of its keys
	Change                // DELETE, INSERT and UPDATE
	Commit                // COMMIT

	Fetch      // bytes of archived objects come from S3
	Decompress // and are unpacked
	Decode     // records become columns
	Account    // rows are counted, totalled and hashed
	Encode     // columns become Parquet
	Upload     // and are written to staging
	Claim      // a worker asks for its next chunk and its receipt, or publishes one

	Stages // how many there are; no stage
)

// names are the stages as results, metrics and people see them.
var names = [Stages]string{
	List: "list", Receipts: "receipts", Connect: "connect", Lock: "lock", Copy: "copy", Check: "check", Rows: "rows", Winners: "winners", Change: "change", Commit: "commit",
	Fetch: "fetch", Decompress: "decompress", Decode: "decode", Account: "account", Encode: "encode", Upload: "upload", Claim: "claim",
}

// said is how the sentence about the bottleneck calls a stage.
var said = [Stages]string{
	List: "listing the archive", Receipts: "reading receipts", Connect: "signing in to the warehouse", Lock: "waiting for the ledger's lock", Copy: "COPY",
	Check: "checking by GROUP BY in the warehouse", Rows: "asking the warehouse for rows", Winners: "choosing the newest versions in the warehouse",
	Change: "DELETE and INSERT", Commit: "COMMIT", Fetch: "fetching from S3", Decompress: "decompressing", Decode: "decoding records", Account: "counting and totalling rows",
	Encode: "writing Parquet", Upload: "uploading to staging", Claim: "reading and publishing chunk receipts",
}

func (s Stage) String() string {
	if s >= Stages {
		return "none"
	}
	return names[s]
}

// ofWorkers tells the stages that lanes are in.
func (s Stage) ofWorkers() bool { return s >= Fetch }

// remote tells the stages in which this process waits for S3 or the warehouse.
func (s Stage) remote() bool { return s < Fetch || s == Fetch || s == Upload || s == Claim }
