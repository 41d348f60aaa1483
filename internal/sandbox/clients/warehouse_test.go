package clients

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"backfill/internal/sandbox/awsd"
	"backfill/internal/sandbox/redshiftd"
)

const warehouseClients = "requirements.txt"

var programs = []string{"with_psycopg2", "with_psycopg", "with_redshift_connector"}

// passing are the numbers in answers that differ from run to run.
var passing = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`query: +\d+`), "query: N"},
	{regexp.MustCompile(`\[pid=\d+\]`), "[pid=N]"},
	{regexp.MustCompile(`port \d+`), "port N"},
}

func settled(text string) string {
	for _, p := range passing {
		text = p.pattern.ReplaceAllString(text, p.text)
	}
	return text
}

// Every client logs in over TLS that it verifies, loads a manifest, reads every type back, sends every type, and sees
// transactions and errors as Redshift's.
func TestSessions(t *testing.T) {
	interpreter := interpreterOf(t, warehouseClients)
	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			env := s.env("MANIFEST="+s.load(t), "CREATE="+createEverything, "COLUMNS="+columnsOfEverything)
			compare(t, name+".golden", settled(run(t, env, interpreter, filepath.Join("testdata", name+".py"), "session")))
		})
	}
}

// Every client gets in by either kind of password question, and is kept out for the right reason.
func TestLogins(t *testing.T) {
	interpreter := interpreterOf(t, warehouseClients)
	md5 := start(t, nil)
	cleartext := start(t, func(w *redshiftd.Config, _ *awsd.Config) { w.Authentication = redshiftd.Cleartext })
	plain := start(t, func(w *redshiftd.Config, _ *awsd.Config) { w.RequireTLS = false })
	in := `user: "backfill"`
	for _, name := range programs {
		amazon := name == "with_redshift_connector"
		for _, test := range []struct {
			name  string
			stack *stack
			env   []string
			want  string // the last line
			skip  bool
		}{
			{"md5", md5, nil, in, false},
			{"cleartext", cleartext, nil, in, false},
			{"by the certificate's other name", md5, []string{"PGHOST=localhost"}, in, false},
			{"wrong password", md5, []string{"PGPASSWORD=wrong"}, `password authentication failed for user "backfill"`, false},
			{"wrong password in cleartext", cleartext, []string{"PGPASSWORD=wrong"}, `password authentication failed for user "backfill"`, false},
			{"no such user", md5, []string{"PGUSER=nobody"}, `password authentication failed for user "nobody"`, false},
			{"no such database", md5, []string{"PGDATABASE=other"}, `database "other" does not exist`, false},
			{"another authority", md5, []string{"PGSSLROOTCERT=" + plain.caFile, "SSL_CERT_FILE=" + plain.caFile}, "certificate verify failed", false},
			// Amazon's driver takes no plaintext by sslmode.
			{"plaintext", plain, []string{"PGSSLMODE=disable"}, in, amazon},
			{"plaintext refused", md5, []string{"PGSSLMODE=disable"}, "SSL off", amazon},
		} {
			if test.skip {
				continue
			}
			t.Run(name+" "+test.name, func(t *testing.T) {
				t.Parallel()
				out := strings.TrimSpace(run(t, test.stack.env(test.env...), interpreter, filepath.Join("testdata", name+".py")))
				last := out[strings.LastIndex(out, "\n")+1:]
				if test.want == in && last != in || !strings.Contains(last, test.want) {
					t.Errorf("%s\nwant %s", out, test.want)
				}
			})
		}
	}
}

// Amazon's driver mints its login itself, in each of the three ways, and finds the warehouse by DescribeClusters and
// GetWorkgroup.
func TestLoginByIAM(t *testing.T) {
	interpreter := interpreterOf(t, warehouseClients)
	s := start(t, nil)
	for way, user := range map[string]string{"user": "backfill", "identity": "IAM:admin", "workgroup": "IAM:admin"} {
		t.Run(way, func(t *testing.T) {
			out := run(t, s.env("IAM="+way, "PGHOST=", "PGUSER=", "PGPASSWORD="), interpreter, filepath.Join("testdata", "with_redshift_connector.py"))
			if want := "protocol: 2\nuser: \"" + user + "\"\n"; out != want {
				t.Errorf("%s\nwant %s", out, want)
			}
		})
	}
}
