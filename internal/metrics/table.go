package metrics

import (
	"fmt"
	"io"
	"strings"
)

// Name is the name of a metric.
type Name string

// The metrics.
const (
	Heartbeat   Name = "backfill.heartbeat"
	StageTime   Name = "backfill.stage.time"
	StageBytes  Name = "backfill.stage.bytes"
	StageRows   Name = "backfill.stage.rows"
	CPU         Name = "backfill.cpu.time"
	Heap        Name = "backfill.memory.heap"
	RSS         Name = "backfill.memory.rss"
	Goroutines  Name = "backfill.goroutines"
	Commands    Name = "backfill.commands"
	CommandTime Name = "backfill.command.time"
	Records     Name = "backfill.records"
	Chunks      Name = "backfill.chunks"
	Quarantined Name = "backfill.quarantined"
	Rows        Name = "backfill.rows"
	Verdicts    Name = "backfill.verdicts"
	Breaks      Name = "backfill.breaks"
	VerifiedAge Name = "backfill.verified.age"
)

// Kind is how values of a metric go together.
type Kind string

// The kinds.
const (
	Count        Kind = "count"        // values add up
	Gauge        Kind = "gauge"        // the last one holds
	Distribution Kind = "distribution" // percentiles over all processes
)

// Metric is one row of the table.
type Metric struct {
	Name    Name
	Kind    Kind
	Unit    string
	Meaning string
	Tags    []string // besides those of every metric
}

// CommonTags are on every metric. env, service and version come from DD_ENV,
// DD_SERVICE and DD_VERSION; dataset and table are there once they are known.
func CommonTags() []string {
	return []string{"command", "dataset", "table", "env", "service", "version"}
}

// Table lists all metrics. No tag holds an object, a run or a time: the number
// of series stays bounded.
func Table() []Metric {
	return []Metric{
		{Heartbeat, Count, "beat", "one per interval (10 s) while a command works, and one at its end", nil},
		{StageTime, Count, "millisecond", "time in a stage, of the clock; workers add up; state is busy or waiting; stage:copy is COPY", []string{"stage", "state"}},
		{StageBytes, Count, "byte", "bytes through a stage: compressed ones of fetch, plain ones of decompress, Parquet of upload", []string{"stage"}},
		{StageRows, Count, "row", "records or rows through a stage", []string{"stage"}},
		{CPU, Count, "millisecond", "user and system time of the process, by getrusage", nil},
		{Heap, Gauge, "byte", "live and not yet collected objects of the Go heap", nil},
		{RSS, Gauge, "byte", "most resident memory of the process so far", nil},
		{Goroutines, Gauge, "goroutine", "goroutines of the process", nil},
		{Commands, Count, "command", "commands that ended, by exit code", []string{"exit"}},
		{CommandTime, Distribution, "millisecond", "how long a command took, by exit code", []string{"exit"}},
		{Records, Count, "record", "archived records that converting put into their disposition, those of reused receipts included", []string{"disposition"}},
		{Chunks, Count, "chunk", "chunks: converted, or reused from an earlier try", []string{"state"}},
		{Quarantined, Count, "record", "records that went to quarantine by chunks converted now, by reason code", []string{"reason"}},
		{Rows, Count, "row", "rows of the table: staged, inserted, deleted; kept are rows that no archived record explains", []string{"state"}},
		{Verdicts, Count, "report", "reports by verdict", []string{"verdict"}},
		{Breaks, Gauge, "break", "breaks of the last report", nil},
		{VerifiedAge, Gauge, "second", "age of the dataset's watermark, when a command saw it: from the end of the last verified day to now", nil},
	}
}

// WritePage writes the table for people, as Markdown.
func WritePage(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Metrics\n\nWritten by `make metrics` from the program. backfill sends DogStatsD when `--statsd`, `DD_DOGSTATSD_URL` or `DD_AGENT_HOST` is set: over UDP (`udp://host:8125`)\nor a unix socket (`unix:///var/run/datadog/dsd.socket`). Counts are sent every 10 s and at the end, on failure and SIGTERM, too. An agent that is not there slows and fails nothing.\n\n")
	fmt.Fprintf(&b, "Every metric has the tags `%s`; `dataset` and `table` once they are known,\n`env`, `service` and `version` from `DD_ENV`, `DD_SERVICE` and `DD_VERSION`. No tag holds an object, a run or a time.\n\n", strings.Join(CommonTags(), "`, `"))
	b.WriteString("| metric | kind | unit | more tags | meaning |\n|---|---|---|---|---|\n")
	for _, m := range Table() {
		tags := ""
		if len(m.Tags) > 0 {
			tags = "`" + strings.Join(m.Tags, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, tags, m.Meaning)
	}
	b.WriteString(monitors + logs)
	_, err := io.WriteString(w, b.String())
	return err
}

// logs say how log lines find their metrics.
const logs = `
## Logs beside them

Lines of ` + "`--log-format json`" + ` are joined with metrics and results by the same names; text lines, for people, carry none of it.

| field | on | what |
|---|---|---|
| ` + "`timestamp`, `level`, `message`" + ` | every line | by these names Datadog reads time and status without a pipeline |
| ` + "`dd.env`, `dd.service`, `dd.version`" + ` | every line, where ` + "`DD_ENV`, `DD_SERVICE`, `DD_VERSION`" + ` are set | unified service tags |
| ` + "`command`, `dataset`, `table`" + ` | every line from when they are known | as the metrics' tags |
| ` + "`run`, `seq`" + ` | likewise | the run's id and the plan's number of its table, as in the result; no tags of metrics, which stay few |
| ` + "`dd.trace_id`, `dd.span_id`" + ` | every line, where ` + "`TRACEPARENT`" + ` (W3C Trace Context) is set and sound | the span that started the process; backfill makes no spans, so it invents no ids |
| ` + "`exit`, `code`, `hint`, `go_on_with`" + ` | the record of a failure, the last one | exit code, error code, what to do, and the command to type where trying again helps |
`

// monitors say why their thresholds are what they are.
const monitors = `
## Monitors

Each message ends with the commands to type. Import ` + "`datadog-monitors.json`" + ` one by one, and add whom to notify. F stands for the dataset file.

| monitor | fires at | why there |
|---|---|---|
| NOT RECONCILED | the first one | money; one is too many |
| a command failed for good | the first exit code 1, 2, 4, 5 or 6 | no try again ends it |
| the environment fails again and again | 4 exit codes 3 in an hour | Airflow's tries absorb a few; a fourth says that they don't get through |
| records go to quarantine | the first | each is money that no table has yet; raise it where some are known to be bad |
| what is verified grows old | 3 days | the usual ` + "`lateness: 72h`" + `: younger days can't be settled yet. Set it to lateness and a day |
| little memory is left | 1.8 GB | nine tenths of a limit of 2 GB; set it to nine tenths of yours. The runtime's own limit is at eight tenths, so more is not the heap |
| nothing was proven for a day | none in 24 h | for daily runs; mute it for others |
| loads wait for each other | 10 min in 15 min, of all loads of a table | the usual ` + "`--lock-timeout`" + `: from there on loads give up. A wait counts when it ends |

Throttling and retries have no count of their own: the SDK tries again inside a request, and it shows as waiting of stages for S3, then as exit code 3.
A queue in front of Airflow's pool is Airflow's own metric (` + "`airflow.pool.queued_slots`" + `); what waits inside is the lock.

## OpenTelemetry

Not built in: the OTLP exporter over HTTP with its SDK made an empty HTTP client 8.7 MB larger (gRPC and protobuf come along: more than a dozen indirect modules) and would say the same a second time.
The Datadog agent takes DogStatsD as it is, and so does the OpenTelemetry collector by its ` + "`statsd`" + ` receiver, which sends it on as OTLP.
`
