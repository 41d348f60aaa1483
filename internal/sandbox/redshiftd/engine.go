package redshiftd

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/duckdb/duckdb-go/v2"
)

// database is the name of the engine's database; every emitted table name begins with it.
const engineDatabase = "warehouse"

// engine is the open database file.
type engine struct {
	db      *sql.DB
	file    string // of the database
	scratch string // folder for downloaded files, the only one that the engine may read
}

// macros are the small functions that emitted SQL uses. Errors carry a mark that engineError reads.
var macros = []string{
	`rs_fit(x,n) AS CASE WHEN x IS NULL OR strlen(x)<=n THEN x WHEN strlen(rtrim(x,' '))<=n
		THEN rtrim(x,' ')||repeat(' ',n-strlen(rtrim(x,' '))) ELSE error('rs:22001:value too long for type character varying('||n||')'||chr(3)) END`,
	`rs_fit_char(x,n) AS CASE WHEN strlen(x)>n THEN error('rs:22001:value too long for type character('||n||')'||chr(3))
		WHEN strlen(x)<>length(x) THEN error('rs:22021:multibyte characters are not supported in CHAR'||chr(3)) ELSE x END`,
	`rs_integer(x) AS CASE WHEN x IS NULL OR regexp_full_match(x,'\s*[+-]?[0-9]+\s*') THEN x
		ELSE error('rs:22P02:invalid input syntax for integer: "'||x||'"'||chr(3)) END`,
	`rs_decimal(x) AS CASE WHEN x IS NULL OR regexp_full_match(x,'\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*') THEN x
		ELSE error('rs:22P02:invalid input syntax for type numeric: "'||x||'"'||chr(3)) END`,
	`rs_bool(x) AS CASE WHEN x IS NULL THEN NULL WHEN lower(trim(x)) IN ('t','true','y','yes','1') THEN true
		WHEN lower(trim(x)) IN ('f','false','n','no','0') THEN false
		ELSE error('rs:22P02:invalid input syntax for type boolean: "'||x||'"'||chr(3)) END`,
	`rs_nonzero(x) AS CASE WHEN x=0 THEN error('rs:22012:division by zero'||chr(3)) ELSE x END`,
	`rs_known(x) AS CASE WHEN x IS NULL THEN error('rs:0A000:FNV_HASH of NULL is not supported (stand-in strictness)'||chr(3)) ELSE x END`,
	`rs_left(x,n) AS CASE WHEN n<0 THEN error('rs:0A000:LEFT with a negative length is not supported (stand-in strictness)'||chr(3)) ELSE left(x,n) END`,
	`rs_right(x,n) AS CASE WHEN n<0 THEN error('rs:0A000:RIGHT with a negative length is not supported (stand-in strictness)'||chr(3)) ELSE right(x,n) END`,
	`rs_time(x) AS CASE WHEN x IS NULL OR regexp_full_match(x,'\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T]+[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,6})?)?\s*([+-][0-9]{1,2}(:?[0-9]{2})?|[zZ]|(utc|UTC|gmt|GMT))?)?\s*') THEN x
		ELSE error('rs:0A000:the form of the date "'||x||'" is not supported (stand-in strictness)'||chr(3)) END`,
	`rs_substring(x,a,n) AS CASE WHEN n<0 THEN error('rs:22011:negative substring length not allowed'||chr(3))
		ELSE substring(x,greatest(a,1),greatest(n+least(a,1)-1,0)) END`,
	`rs_listagg(x) AS CASE WHEN strlen(x)>65535 THEN error('rs:54000:Result size exceeds LISTAGG limit'||chr(3)) ELSE x END`,
}

// openEngine opens or creates the database in the folder of c and prepares its macros, functions and catalog.
func openEngine(ctx context.Context, c Config) (*engine, error) {
	e := &engine{file: filepath.Join(c.Dir, engineDatabase+".duckdb"), scratch: filepath.Join(c.Dir, "scratch")}
	temp := filepath.Join(c.Dir, "temp")
	if err := os.RemoveAll(e.scratch); err != nil {
		return nil, fmt.Errorf("clearing scratch folder: %w", err)
	}
	for _, d := range []string{e.scratch, temp} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("creating folder: %w", err)
		}
	}
	scratch, err := filepath.Abs(e.scratch)
	if err != nil {
		return nil, fmt.Errorf("resolving folder: %w", err)
	}
	e.scratch = scratch
	q := url.Values{}
	for k, v := range map[string]string{"memory_limit": c.MemoryLimit, "threads": strconv.Itoa(c.Threads), "temp_directory": temp,
		"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "preserve_insertion_order": "false", "checkpoint_threshold": c.LogLimit} {
		q.Set(k, v)
	}
	conn, err := duckdb.NewConnector(e.file+"?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	e.db = sql.OpenDB(conn)
	e.db.SetMaxIdleConns(0) // a closed session's connection, with its temporary tables, goes away
	if err := e.prepare(ctx); err != nil {
		return nil, fmt.Errorf("preparing database: %w", joinClose(err, e.db))
	}
	return e, nil
}

func joinClose(err error, db *sql.DB) error {
	if cerr := db.Close(); cerr != nil {
		return fmt.Errorf("%w (closing: %v)", err, cerr)
	}
	return err
}

func (e *engine) prepare(ctx context.Context) error {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := registerFunctions(conn); err != nil {
		return err
	}
	stmts := []string{"SET GLOBAL TimeZone='UTC'", "SET disabled_compression_methods='fsst,dict_fsst,zstd'"} // a third of the size, twice the time
	for _, m := range macros {
		stmts = append(stmts, "CREATE OR REPLACE MACRO main."+m)
	}
	stmts = append(stmts, catalogSchema...)
	stmts = append(stmts, "SET allowed_directories=["+quoteText(e.scratch+"/")+"]", "SET enable_external_access=false",
		"SET lock_configuration=true")
	for _, s := range stmts {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", firstWords(s), err)
		}
	}
	return nil
}

// fileBytes is the size of the database file.
func (e *engine) fileBytes() int64 {
	info, err := os.Stat(e.file)
	if err != nil {
		return 0
	}
	return info.Size()
}

func firstWords(s string) string { return s[:min(len(s), 60)] }

// close writes everything to the database file and closes it.
func (e *engine) close() error {
	_, err := e.db.Exec("CHECKPOINT")
	if cerr := e.db.Close(); err == nil {
		err = cerr
	}
	return err
}

// write runs statements outside every session's transaction.
func (e *engine) write(stmts ...string) error {
	for _, q := range stmts {
		if _, err := e.db.Exec(q); err != nil {
			return fmt.Errorf("writing load views: %w", err)
		}
	}
	return nil
}
