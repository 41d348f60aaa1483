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
	"crypto/tls"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"backfill/internal/fail"
)

// The values of Config.TLS.
const (
	TLSVerifyFull = "verify-full"
	TLSOff        = "off"
)

const (
	defaultPort           = 5439
	defaultConnectTimeout = 30 * time.Second
	closeTimeout          = 5 * time.Second
	cancelTimeout         = 5 * time.Second // for the server's answer to a cancelled statement
)

// Config says where to connect and how the session behaves.
type Config struct {
	URL              string              // redshift://user@host:port/database; never a password
	Password         string              // of the login; not part of any message
	TLS              string              // TLSVerifyFull (also ""), or TLSOff for a loopback host only
	ApplicationName  string              // shown in the warehouse's session views; may be empty
	QueryGroup       string              // SET query_group, for queues and query history; may be empty
	StatementTimeout time.Duration       // per statement, whole milliseconds, time in queues included; 0: the server's
	ConnectTimeout   time.Duration       // name resolution to login; 0: 30 s
	KeepAlive        net.KeepAliveConfig // zero: 200 s, 200 s, 5 probes, so that firewalls keep the session during a long COPY
	OnNotice         func(string)        // gets the server's notices; may be nil
}

// Conn is one session. It is not safe for concurrent use.
type Conn struct {
	pg *pgx.Conn
}

// Connect opens a session. Time is UTC in it. Errors never hold the password.
func Connect(ctx context.Context, c Config) (*Conn, error) {
	config, err := c.driver()
	if err != nil {
		return nil, err
	}
	pg, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, classify(err).At("%s", net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))))
	}
	conn := &Conn{pg: pg}
	if err := conn.configure(ctx, c); err != nil {
		conn.close()
		return nil, err
	}
	return conn, nil
}

// driver returns the driver's configuration. Everything that the driver would
// take from PG* variables of the environment is overwritten.
func (c Config) driver() (*pgx.ConnConfig, error) {
	at, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := c.tls(at.host)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig("host=localhost user=none dbname=none sslmode=disable default_query_exec_mode=exec")
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "preparing the connection")
	}
	config.Host, config.Port, config.User, config.Database = at.host, at.port, at.user, at.database
	config.Password = c.Password
	config.TLSConfig = tlsConfig
	config.Fallbacks = nil
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

func (c Config) dialer() *net.Dialer {
	keep := c.KeepAlive
	if keep == (net.KeepAliveConfig{}) {
		keep = net.KeepAliveConfig{Enable: true, Idle: 200 * time.Second, Interval: 200 * time.Second, Count: 5}
	}
	return &net.Dialer{KeepAliveConfig: keep}
}

func (c Config) tls(host string) (*tls.Config, error) {
	switch c.TLS {
	case "", TLSVerifyFull:
		return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}, nil
	case TLSOff:
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fail.New(fail.Usage, "TLS can be off only for a warehouse on this host, not for %s", host).
				Try("set warehouse.tls to %s", TLSVerifyFull)
		}
		return nil, nil
	}
	return nil, fail.New(fail.Usage, "TLS mode %q is not known", c.TLS).Try("use %s or %s", TLSVerifyFull, TLSOff)
}

type address struct {
	user, host, database string
	port                 uint16
}

func parseURL(text string) (address, error) {
	const form = "redshift://user@host:port/database"
	refuse := func(what string) (address, error) {
		return address{}, fail.New(fail.Usage, "the warehouse URL %s", what).Try("write it as %s", form)
	}
	u, err := url.Parse(text)
	if err != nil {
		return refuse("can't be read") // the cause would repeat the text, which may hold a password
	}
	if u.Scheme != "redshift" {
		return refuse("does not begin with redshift://")
	}
	if u.User == nil || u.User.Username() == "" {
		return refuse("names no user")
	}
	if _, secret := u.User.Password(); secret {
		return address{}, fail.New(fail.Usage, "the warehouse URL holds a password").
			Try("remove it and name an environment variable in warehouse.password")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return refuse("has parameters, none are known")
	}
	database := strings.TrimPrefix(u.Path, "/")
	if u.Hostname() == "" || database == "" || strings.Contains(database, "/") {
		return refuse("names no host or no database")
	}
	port := uint64(defaultPort)
	if p := u.Port(); p != "" {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil || port == 0 {
			return refuse("has a port that is not a number from 1 to 65535")
		}
	}
	return address{user: u.User.Username(), host: u.Hostname(), database: database, port: uint16(port)}, nil
}

// configure sets what start-up parameters can't.
func (c *Conn) configure(ctx context.Context, config Config) error {
	// GETDATE() gives the session's local time; the ledger holds UTC.
	statements := []string{"SET timezone TO 'UTC'"}
	if config.QueryGroup != "" {
		group, err := QuoteLiteral(config.QueryGroup)
		if err != nil {
			return err
		}
		statements = append(statements, "SET query_group TO "+group)
	}
	if ms := config.StatementTimeout.Milliseconds(); ms > 0 {
		statements = append(statements, "SET statement_timeout TO "+strconv.FormatInt(ms, 10))
	}
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
