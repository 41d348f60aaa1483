package redshiftd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// loader is one COPY.
type loader struct {
	s     *session
	r     *running
	st    *copyStmt
	query int64
	rel   *relation
	cols  []columnInfo // of the table, in the file's order
	opts  map[string]string
	store *objectStore // as the COPY's roles see it
	start time.Time

	files     []loadFile
	rows      int64
	bytes     int64
	loaded    int
	file      string // the file at work, as errors name it
	badColumn string
	badCode   int
}

// loadFile is one object to load.
type loadFile struct {
	bucket, key string
	size        int64 // from the manifest; -1 without one
}

var parquetOptions = wordSet("manifest fillrecord acceptinvchars statupdate explicit_ids serializetojson")

// checkOptions refuses what a Parquet COPY does not take.
func (l *loader) checkOptions() error {
	switch {
	case l.st.credentials == 0:
		return errorf("42601", "Must specify credentials: COPY requires IAM_ROLE, CREDENTIALS or ACCESS_KEY_ID")
	case l.st.credentials > 1:
		return errorf("42601", "conflicting or redundant credentials options")
	}
	if !l.st.parquet {
		return strict("COPY in another format than PARQUET is not supported")
	}
	l.opts = map[string]string{}
	for _, o := range l.st.options {
		if !parquetOptions[o.name] {
			return errorf("0A000", "%s argument is not supported for PARQUET based COPY", strings.ToUpper(o.name))
		}
		if _, twice := l.opts[o.name]; twice {
			return errorf("42601", "conflicting or redundant options")
		}
		l.opts[o.name] = o.arg
	}
	return nil
}

func (l *loader) has(option string) bool { _, ok := l.opts[option]; return ok }

// checkRoles refuses roles that are not associated, or may not assume the next one of their chain.
func (l *loader) checkRoles() error {
	roles := slices.Clone(l.st.roles)
	for i, role := range roles {
		if role == "default" && len(l.s.srv.config.Roles) > 0 {
			roles[i] = l.s.srv.config.Roles[0]
		} else if !slices.Contains(l.s.srv.config.Roles, role) && (i == 0 || l.s.srv.config.IAM.Allows == nil) {
			return l.notAssumable("", role)
		}
	}
	l.store = l.s.srv.store.as(roles)
	return l.chain(roles)
}

// resolve finds the table and the columns that the file's columns go to.
func (l *loader) resolve(ctx context.Context) error {
	rel, err := l.s.lookup(ctx, l.st.table)
	if err != nil {
		if e := engineError(ctx, err, l.query); e.code == "42P01" || e.code == "3F000" {
			return errorf("42P01", "Cannot COPY into nonexistent table %s", l.st.table.name)
		}
		return err
	}
	if rel.system {
		return errorf("42501", "permission denied for relation %s", rel.name)
	}
	l.rel = rel
	if l.cols, err = targetColumns(rel, l.st.columns); err != nil {
		return err
	}
	if len(l.st.columns) == 0 && !l.has("explicit_ids") {
		l.cols = slices.DeleteFunc(slices.Clone(l.cols), func(c columnInfo) bool { return c.sequence != "" })
	}
	for _, c := range rel.columns {
		listed := slices.ContainsFunc(l.cols, func(x columnInfo) bool { return x.name == c.name })
		if !listed && c.notNull && c.defaultSQL == "" {
			return errorf("42601", "NOT NULL column without DEFAULT must be included in column list")
		}
		if listed && c.sequence != "" && !c.byDefault && !l.has("explicit_ids") {
			return errorf("0A000", "cannot set an identity column to a value")
		}
		if listed && c.t.kind == kSuper && !l.has("serializetojson") {
			return errorf("XX000", "SUPER column in COPY query requires SERIALIZETOJSON option")
		}
	}
	return nil
}

// runCopy loads Parquet files into a table.
func (s *session) runCopy(ctx context.Context, r *running, st *copyStmt) (*answer, error) {
	l := &loader{s: s, r: r, st: st, query: s.lastQuery, start: time.Now().UTC()}
	if err := l.checkOptions(); err != nil {
		return nil, err
	}
	keys, err := s.lockAll(ctx, []tableName{st.table}, s.appendMode())
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if err := l.resolve(ctx); err != nil {
		return nil, err
	}
	if err := l.checkRoles(); err != nil {
		return nil, err
	}
	if err := s.noteWrites(ctx, st.table, keys, false); err != nil {
		return nil, err
	}
	s.lastCopy = copyResult{0, l.query}
	err = l.load(ctx)
	if rerr := l.record(err); err == nil {
		err = rerr
	}
	if err != nil {
		return nil, err
	}
	s.lastCopy.count = l.rows
	s.notice(fmt.Sprintf(" Load into table '%s' completed, %d record(s) loaded successfully.", l.rel.name, l.rows))
	return &answer{tag: "COPY"}, nil
}

// load fetches, checks and inserts file after file; the next one is fetched while one is inserted.
func (l *loader) load(ctx context.Context) error {
	if err := l.findFiles(ctx); err != nil {
		return err
	}
	if len(l.files) == 0 {
		return nil
	}
	l.loadTwice()
	ctx, cancel := context.WithCancel(ctx)
	next := l.fetch(ctx, 0)
	defer func() {
		cancel()
		for f := range next { // wait for the last download, so that nothing of it is left
			os.Remove(f.path)
		}
	}()
	for i := range l.files {
		f, ok := <-next
		if !ok {
			return ctx.Err()
		}
		if i+1 < len(l.files) {
			next = l.fetch(ctx, i+1)
		}
		if err := l.loadOne(ctx, i, f); err != nil {
			return err
		}
	}
	return nil
}

type fetched struct {
	path string
	size int64
	err  error
}

// fetch downloads one file in the background.
func (l *loader) fetch(ctx context.Context, i int) <-chan fetched {
	out := make(chan fetched, 1)
	f := l.files[i]
	path := filepath.Join(l.s.srv.engine.scratch, fmt.Sprintf("copy-%d-%d.parquet", l.query, i))
	go func() {
		defer close(out)
		n, err := l.store.download(ctx, f.bucket, f.key, path)
		out <- fetched{path, n, err}
	}()
	return out
}

func (l *loader) loadOne(ctx context.Context, i int, f fetched) error {
	defer os.Remove(f.path)
	file := l.files[i]
	l.file = l.store.url(file.bucket, file.key)
	if f.err != nil {
		return l.readError(ctx, f.err)
	}
	if file.size >= 0 && f.size != file.size {
		return l.scanError(15007, "", fmt.Sprintf("File '%s' has %d bytes, its manifest entry says %d (stand-in strictness)", l.file, f.size, file.size))
	}
	cols, rows, err := l.inspect(f.path, file)
	if err != nil {
		return err
	}
	if len(l.files) == 1 {
		if err := l.middle(); err != nil {
			return err
		}
	}
	query, err := l.insertSQL(ctx, f.path, cols)
	if err != nil {
		return err
	}
	res, err := l.s.db.ExecContext(ctx, query)
	if err != nil {
		return l.insertError(ctx, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n != rows {
		return l.scanError(15007, "", fmt.Sprintf("File '%s' gave %d rows, its footer says %d", l.file, n, rows))
	}
	l.rows, l.bytes, l.loaded = l.rows+n, l.bytes+f.size, l.loaded+1
	if i == 0 && len(l.files) > 1 {
		if err := l.middle(); err != nil {
			return err
		}
	}
	return l.recordFile(n, f.size)
}

// middle calls the hook in the middle of the COPY. A cut outside a block lets the COPY run on unseen.
func (l *loader) middle() error {
	action := l.s.hook(l.r, During)
	if e := l.s.injected(action); e != nil {
		return e
	}
	if action == Cut {
		l.s.cut()
		if l.s.tx.block || l.s.tx.implicit {
			return errClosed
		}
	}
	return nil
}

// scanError is an error of the file reader. It remembers what the load views show.
func (l *loader) scanError(code int, column, context string) *pgError {
	l.badColumn, l.badCode = column, code
	return errEnvelope("Spectrum Scan Error", code, context, "dory_util.cpp:1450", l.query)
}

func (l *loader) readError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	status, text := s3Text(err)
	switch status {
	case 404:
		return l.scanError(15001, "", "File not found. "+text+", File name: "+l.file)
	case 429, 503:
		return l.scanError(15001, "", "Access throttled by S3. "+text+", File name: "+l.file)
	case 403, 301:
		return l.scanError(15001, "", text+", File name: "+l.file)
	}
	return l.scanError(15001, "", "Retries exceeded: "+text+", File name: "+l.file)
}

// insertError gives an error of the insert the form it has when COPY meets it.
func (l *loader) insertError(ctx context.Context, err error) error {
	text := err.Error()
	if m := markedError.FindStringSubmatch(text); m != nil && strings.HasPrefix(m[1], "COPY") {
		column, context, _ := strings.Cut(m[2], "\x1f")
		switch m[1] {
		case "COPYL":
			return l.scanError(15007, column, context+", File name: "+l.file)
		case "COPYS":
			l.badColumn, l.badCode = column, 1224
			return errEnvelope("String value exceeds the max size of 65535 bytes", 1224, context, "copy_column.cpp:1", l.query)
		}
	}
	if m := notNullError.FindStringSubmatch(text); m != nil {
		l.badColumn, l.badCode = m[1], 8007
		return errNull(m[1], l.query)
	}
	if strings.Contains(text, "UTF") && strings.Contains(text, "nvalid") {
		return l.scanError(15007, "", "Invalid UTF-8 in a text column (stand-in strictness), File name: "+l.file)
	}
	var pg *pgError
	if errors.As(err, &pg) || ctx.Err() != nil {
		return err
	}
	return l.scanError(15007, "", strings.SplitN(text, "\n", 2)[0]+" (stand-in strictness), File name: "+l.file)
}
