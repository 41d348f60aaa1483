// Package redshift is the one door to the warehouse: it connects, quotes,
// sends statements and COPY, reads the catalog, and turns every error of the
// server or the network into one kind of failure.
//
// A Conn is one owned session, because temp tables, pg_last_copy_count() and
// locks belong to sessions: there is no pool. The package knows the dialect
// and the protocol, and nothing of windows, ledgers or money. publish and the
// jobs use it.
package redshift

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"backfill/internal/fail"
)

const (
	defaultConnectTimeout = 30 * time.Second
	closeTimeout          = 5 * time.Second
	cancelTimeout         = 5 * time.Second // for the server's answer to a cancelled statement
)

// Login is where the warehouse is and as whom to log in.
type Login struct {
	Host     string
	Port     uint16
	Database string
	User     string
	Password string // not part of any message
}

// Config says where to connect and how the session behaves.
type Config struct {
	Login            func(context.Context) (Login, error) // asked for every attempt: minted credentials are short-lived
	TLS              TLS
	ApplicationName  string              // shown in the warehouse's session views; may be empty
	QueryGroup       string              // SET query_group, for queues and query history; may be empty
	StatementTimeout time.Duration       // per statement, whole milliseconds, time in queues included; 0: the server's
	LockWait         time.Duration       // longest wait of a LOCK; 0: as long as a statement may take
	ConnectTimeout   time.Duration       // of one attempt, from name resolution to login; 0: 30 s
	KeepAlive        net.KeepAliveConfig // zero: 200 s, 200 s, 5 probes, so that firewalls keep the session during a long COPY
	Connecting       Retry               // zero fields: 6 tries within 3 minutes, pauses of 1 to 30 s
	Copying          Retry               // zero fields: 6 tries within 20 minutes, pauses of 2 to 120 s
	OnNotice         func(string)        // gets the server's notices; may be nil
	OnRetry          func(Repeat)        // called before each pause; may be nil
}

// Repeat is a failure that is tried again after Pause.
type Repeat struct {
	What  string // "connecting", "COPY"
	Try   int    // that failed, from 1
	Tries int    // all that there may be
	Pause time.Duration
	Err   error
}

var (
	connecting = Retry{Tries: 6, Within: 3 * time.Minute, First: time.Second, Most: 30 * time.Second}
	copying    = Retry{Tries: 6, Within: 20 * time.Minute, First: 2 * time.Second, Most: 2 * time.Minute}
)

// Conn is one session. It is not safe for concurrent use.
type Conn struct {
	pg       *pgx.Conn
	config   Config
	lastCopy int64         // query id of the newest COPY that was looked at
	patience time.Duration // for the view of load errors, which lags
}

// Connect opens a session. Time is UTC in it. What a moment may mend (a server
// that starts, too many connections, a broken network) is tried again, each
// time with a new login. Errors never hold the password.
func Connect(ctx context.Context, c Config) (*Conn, error) {
	if c.Login == nil {
		return nil, fail.New(fail.Internal, "connecting without a login")
	}
	try := c.Connecting.or(connecting).start()
	for {
		conn, err, again := c.attempt(ctx)
		if err == nil {
			return conn, nil
		}
		pause, left := try.pause()
		if !again || !left {
			return nil, err
		}
		c.repeat(Repeat{What: "connecting", Try: try.tries, Tries: try.limit.Tries, Pause: pause, Err: err})
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func (c Config) repeat(r Repeat) {
	if c.OnRetry != nil {
		c.OnRetry(r)
	}
}

// attempt is one try; again says that another may succeed.
func (c Config) attempt(ctx context.Context) (conn *Conn, err error, again bool) {
	login, err := c.Login(ctx)
	if err != nil {
		return nil, err, false // the SDK has tried again by itself
	}
	config, err := c.driver(login)
	if err != nil {
		return nil, err, false
	}
	pg, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		f, again := classify(err)
		return nil, f.At("%s", net.JoinHostPort(login.Host, strconv.Itoa(int(login.Port)))), again && ctx.Err() == nil
	}
	conn = &Conn{pg: pg, config: c, patience: loadErrorWait}
	if err := conn.configure(ctx); err != nil {
		conn.close()
		return nil, err, fail.Is(err, fail.Network) && ctx.Err() == nil
	}
	return conn, nil, false
}

// driver returns the driver's configuration. Everything that the driver would
// take from PG* variables of the environment is overwritten.
func (c Config) driver(login Login) (*pgx.ConnConfig, error) {
	tlsConfig, err := c.TLS.config(login.Host)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig("host=localhost user=none dbname=none sslmode=disable default_query_exec_mode=exec")
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "preparing the connection")
	}
	config.Host, config.Port, config.User, config.Database = login.Host, login.Port, login.User, login.Database
	config.Password = login.Password
	config.TLSConfig = tlsConfig
	config.Fallbacks = nil // never a second try without TLS
	config.ValidateConnect = nil
	config.RequireAuth = ""
	config.MinProtocolVersion, config.MaxProtocolVersion = "3.0", "3.0"
	config.ConnectTimeout = c.ConnectTimeout
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = defaultConnectTimeout
	}
	// Redshift refuses start-up parameters that it does not know.
	config.RuntimeParams = map[string]string{}
	if c.ApplicationName != "" {
		config.RuntimeParams["application_name"] = c.ApplicationName
	}
	// Statements prepared earlier break when another session changes a table.
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.DialFunc = c.dialer().DialContext
	// A stopped program stops its statement, too: a COPY would go on for an hour.
	config.BuildContextWatcherHandler = func(pg *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: pg, DeadlineDelay: cancelTimeout}
	}
	if c.OnNotice != nil {
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { c.OnNotice(n.Message) }
	}
	return config, nil
}

// dialer keeps idle connections known to firewalls: AWS advises 200 s.
func (c Config) dialer() *net.Dialer {
	keep := c.KeepAlive
	if keep == (net.KeepAliveConfig{}) {
		keep = net.KeepAliveConfig{Enable: true, Idle: 200 * time.Second, Interval: 200 * time.Second, Count: 5}
	}
	return &net.Dialer{KeepAliveConfig: keep}
}

// configure sets what start-up parameters can't.
func (c *Conn) configure(ctx context.Context) error {
	// GETDATE() gives the session's local time; the ledger holds UTC.
	statements := []string{"SET timezone TO 'UTC'"}
	if c.config.QueryGroup != "" {
		group, err := QuoteLiteral(c.config.QueryGroup)
		if err != nil {
			return err
		}
		statements = append(statements, "SET query_group TO "+group)
	}
	if ms := c.config.StatementTimeout.Milliseconds(); ms > 0 {
		statements = append(statements, "SET statement_timeout TO "+strconv.FormatInt(ms, 10))
	}
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
