// Package probe asks a Redshift endpoint what it accepts and what it refuses, and compares its answers with those of
// the stand-in. It is the way to settle, on a real cluster or workgroup, what the stand-in could only assume.
//
// A [Case] is a row of a table: some preparation, one statement, and what Redshift is documented or reported to answer.
// [Run] runs cases against one [Target]; [Compare] runs them against a target and against a fresh stand-in side by
// side. Everything a run creates lies in one schema and below one prefix, both of a random name, and is removed
// afterwards. Answers are stripped of secrets, names and ids before they are kept.
//
// It imports nothing of the product. The sandbox command and tests call it.
package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	caseTimeout  = 2 * time.Minute
	sweepTimeout = time.Minute
	maxRows      = 20 // of an answer that are kept
)

// Target is an endpoint and the bucket that its COPY reads.
type Target struct {
	// Login is how to connect. It is copied for each session; RuntimeParams and OnNotice are replaced.
	Login *pgconn.Config
	S3    *s3.Client
	// Bucket and Prefix are where objects are put; Prefix has no slash at its end and may be empty.
	Bucket, Prefix string
	Role           string // ARN that COPY uses
}

// Case is one question.
type Case struct {
	Name    string // unique
	Section string // of the reference: "9.2" accepted, "9.3.16" refused, "9.5" open
	Setup   []string
	SQL     string
	Then    string // a query whose rows belong to the answer if SQL succeeds
	// Args are sent as text by the extended protocol; nil means the simple protocol.
	Args []string
	// Startup are parameters of the startup message; the login itself is then the question if SQL is empty.
	Startup map[string]string
	// Files are Parquet files, by key; Manifest lists them. Other objects are put as they are.
	Files    []file
	Manifest []entry
	Objects  map[string]string
	Want     Want
}

// anyError wants an error, whatever its SQLSTATE.
const anyError = "*"

// Want is what Redshift answers as far as that is known: the beginning of the SQLSTATE ("" is success, "*" any error),
// and a text that stands in the message, the detail, the tag, the rows or the notices. An unknown answer is Open.
type Want struct {
	State string
	Text  string
	Open  bool
}

// Outcome is an answer.
type Outcome struct {
	State   string   `json:"sqlstate,omitempty"`
	Message string   `json:"message,omitempty"`
	Detail  string   `json:"detail,omitempty"` // code and context of the compute nodes' envelope, or the detail
	Tag     string   `json:"tag,omitempty"`
	Rows    []string `json:"rows,omitempty"` // values with | between them
	Notices []string `json:"notices,omitempty"`
	Broken  string   `json:"broken,omitempty"` // the question could not be asked: why
}

// String is the answer on one line.
func (o Outcome) String() string {
	var parts []string
	switch {
	case o.Broken != "":
		return "not asked: " + o.Broken
	case o.State != "":
		parts = append(parts, o.State+" "+o.Message)
	default:
		parts = append(parts, strings.TrimSpace("ok "+o.Tag))
	}
	if o.Detail != "" {
		parts = append(parts, "detail: "+o.Detail)
	}
	if len(o.Rows) > 0 {
		parts = append(parts, "rows: "+strings.Join(o.Rows, ", "))
	}
	if len(o.Notices) > 0 {
		parts = append(parts, "notices: "+strings.Join(o.Notices, ", "))
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), "\n", " ")
}

// Meets tells whether an answer is the wanted one. A refusal by the stand-in's own strictness meets every want of a
// refusal.
func (w Want) Meets(o Outcome) bool {
	strict := strings.Contains(o.Message+o.Detail+o.Broken, "(stand-in strictness)")
	if w.Open || o.Broken != "" {
		return o.Broken == "" || strict
	}
	if w.State != "" && strict {
		return true
	}
	if (w.State == "") != (o.State == "") || w.State != anyError && !strings.HasPrefix(o.State, w.State) {
		return false
	}
	return strings.Contains(strings.Join(append([]string{o.Message, o.Detail, o.Tag}, append(o.Rows, o.Notices...)...), "\n"), w.Text)
}

// run is one run of cases against one target.
type run struct {
	target Target
	schema string
	prefix string // of the objects, with a slash at its end
	clean  *cleaner
}

// Run asks all cases and gives their outcomes in the same order. done is called after each, and may be nil. An error
// means that the target could not be prepared or cleaned up; outcomes that are there are given with it.
func Run(ctx context.Context, t Target, cases []Case, done func(int)) (outcomes []Outcome, err error) {
	id := strings.ToLower(rand.Text()[:10])
	r := &run{target: t, schema: "probe_" + id, prefix: strings.TrimPrefix(t.Prefix+"/probe-"+id+"/", "/")}
	r.clean = newCleaner(r)
	if err := r.admin(ctx, "CREATE SCHEMA "+r.schema); err != nil {
		return nil, fmt.Errorf("creating the probe's schema: %w", err)
	}
	defer func() { err = errors.Join(err, r.sweep(ctx)) }()
	for i, c := range cases {
		if ctx.Err() != nil {
			return outcomes, context.Cause(ctx)
		}
		outcomes = append(outcomes, r.clean.outcome(r.ask(ctx, i, c)))
		if done != nil {
			done(i)
		}
	}
	return outcomes, nil
}

// connect opens a session. Notices go to the list.
func (r *run) connect(ctx context.Context, params map[string]string, notices *[]string) (*pgconn.PgConn, error) {
	config := r.target.Login.Copy()
	config.RuntimeParams = params
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if notices != nil && len(*notices) < maxRows {
			*notices = append(*notices, n.Severity+": "+strings.TrimSpace(n.Message))
		}
	}
	return pgconn.ConnectConfig(ctx, config)
}

// admin runs statements in a session of their own.
func (r *run) admin(ctx context.Context, statements ...string) error {
	conn, err := r.connect(ctx, nil, nil)
	if err != nil {
		return r.clean.err(err)
	}
	defer conn.Close(ctx)
	for _, q := range statements {
		if _, err := conn.Exec(ctx, q).ReadAll(); err != nil {
			return r.clean.err(err)
		}
	}
	return nil
}

// ask asks one case in a session of its own.
func (r *run) ask(ctx context.Context, i int, c Case) (o Outcome) {
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	names := r.names(i)
	if err := r.put(ctx, i, c); err != nil {
		return Outcome{Broken: "putting its objects: " + err.Error()}
	}
	conn, err := r.connect(ctx, c.Startup, &o.Notices)
	if err != nil {
		if c.Startup == nil {
			return Outcome{Broken: "connecting: " + err.Error()}
		}
		o.fail(err)
		return o
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, q := range c.Setup {
		if _, err := conn.Exec(ctx, names.Replace(q)).ReadAll(); err != nil {
			return Outcome{Broken: "preparing with " + q + ": " + err.Error()}
		}
	}
	o.Notices = nil
	if c.SQL == "" {
		o.Tag = "connected"
		return o
	}
	o.read(r.send(ctx, conn, names.Replace(c.SQL), c.Args))
	if c.Then != "" && o.State == "" {
		tag := o.Tag
		if o.read(r.send(ctx, conn, names.Replace(c.Then), nil)); o.State == "" {
			o.Tag = tag
		}
	}
	return o
}

func (r *run) send(ctx context.Context, conn *pgconn.PgConn, query string, args []string) ([]*pgconn.Result, error) {
	if args == nil {
		return conn.Exec(ctx, query).ReadAll()
	}
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	result := conn.ExecParams(ctx, query, values, nil, nil, nil).Read()
	return []*pgconn.Result{result}, result.Err
}

// names are what stands for the run's own names in statements: {t} and {u} are tables of the case, {s3} is its folder.
func (r *run) names(i int) *strings.Replacer {
	return strings.NewReplacer("{schema}", r.schema, "{t}", fmt.Sprintf("%s.t%d", r.schema, i), "{u}", fmt.Sprintf("%s.u%d", r.schema, i),
		"{s3}", fmt.Sprintf("s3://%s/%s%d", r.target.Bucket, r.prefix, i), "{role}", r.target.Role)
}

// fail notes an error as the server told it.
func (o *Outcome) fail(err error) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		o.State, o.Message = "lost", err.Error()
		return
	}
	o.State, o.Message, o.Detail = pg.Code, pg.Message, essence(pg.Detail)
}

func (o *Outcome) read(results []*pgconn.Result, err error) {
	for _, result := range results {
		if result.Err != nil {
			continue // err says it
		}
		o.Tag = result.CommandTag.String()
		for _, row := range result.Rows[:min(len(result.Rows), maxRows)] {
			cells := make([]string, len(row))
			for i, v := range row {
				if cells[i] = string(v); v == nil {
					cells[i] = "NULL"
				}
			}
			o.Rows = append(o.Rows, strings.Join(cells, "|"))
		}
	}
	if err != nil {
		o.Tag = ""
		o.fail(err)
	}
}

// sweep removes what the run has made, also after its context has ended.
func (r *run) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTimeout)
	defer cancel()
	return errors.Join(r.dropSchema(ctx), r.removeObjects(ctx))
}

func (r *run) dropSchema(ctx context.Context) error {
	conn, err := r.connect(ctx, nil, nil)
	if err != nil {
		return fmt.Errorf("removing schema %s: %w", r.schema, r.clean.err(err))
	}
	defer conn.Close(ctx)
	results, err := conn.Exec(ctx, "SELECT TRIM(table_name) FROM svv_tables WHERE table_schema = '"+r.schema+"'").ReadAll()
	var drops []string
	if err == nil {
		for _, row := range results[0].Rows {
			drops = append(drops, "DROP TABLE "+r.schema+"."+string(row[0]))
		}
	}
	for _, q := range append(drops, "DROP SCHEMA "+r.schema) {
		if err == nil {
			_, err = conn.Exec(ctx, q).ReadAll()
		}
	}
	if err != nil {
		return fmt.Errorf("removing schema %s: %w", r.schema, r.clean.err(err))
	}
	return nil
}
