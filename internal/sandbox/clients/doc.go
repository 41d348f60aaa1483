// Package clients proves the stand-ins by programs that others wrote: it holds tests alone.
//
// Clients: psql, psycopg2, psycopg 3 and Amazon's redshift_connector log in to the warehouse, load it and read it;
// boto3 makes the calls that mint credentials. Each is a small program in testdata that prints what it finds, and a
// golden text says what it has to find. `go test -update` writes the golden texts anew, to be read before they are kept.
//
// The Python programs run in a virtual environment that the tests make themselves, in the user's cache folder, from the
// pinned versions of testdata/requirements.txt. Where that can't be had the tests fail; SANDBOX_WITHOUT_PYTHON=1 skips
// them.
package clients
