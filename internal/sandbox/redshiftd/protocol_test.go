package redshiftd

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func dialect(t *testing.T, s *Server, parameters map[string]string) (*pgconn.PgConn, error) {
	t.Helper()
	config, err := pgconn.ParseConfig("postgres://loader:secret@" + s.Addr() + "/analytics?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams = parameters
	c, err := pgconn.ConnectConfig(t.Context(), config)
	if err == nil {
		t.Cleanup(func() { _ = c.Close(t.Context()) })
	}
	return c, err
}

// Amazon's drivers name themselves and ask for a protocol version; the server answers with what it speaks.
func TestDriverProtocolVersion(t *testing.T) {
	s := startServer(t, nil)
	for asked, want := range map[string]string{"": "0", "0": "0", "1": "1", "2": "2", "9": "2"} {
		parameters := map[string]string{"driver_version": "Redshift Python Driver 2", "os_version": "linux", "driver_discovery_version": "1"}
		if asked != "" {
			parameters["client_protocol_version"] = asked
		}
		c, err := dialect(t, s, parameters)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ParameterStatus("server_protocol_version"); got != want {
			t.Errorf("asked for %q: %q, want %q", asked, got, want)
		}
	}
	if _, err := dialect(t, s, map[string]string{"client_protocol_version": "two"}); err == nil ||
		!strings.Contains(err.Error(), `client_protocol_version "two" is not supported (stand-in strictness)`) {
		t.Error(err)
	}
	c, err := dialect(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "SET driver_version TO 'x'").ReadAll(); err == nil || !strings.Contains(err.Error(), `unrecognized configuration parameter "driver_version"`) {
		t.Error(err)
	}
}

// NUMERIC in binary is a scaled integer, for those who asked for it; all others are refused it.
func TestBinaryNumeric(t *testing.T) {
	s := startServer(t, nil)
	old, err := dialect(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	const one = "SELECT 1.50::DECIMAL(18,2)"
	if _, err := old.ExecParams(t.Context(), one, nil, nil, nil, []int16{1}).Close(); err == nil || !strings.Contains(err.Error(), "numeric in binary format is not supported (stand-in strictness)") {
		t.Error(err)
	}
	// pgconn knows PostgreSQL's descriptions only, and gets by with one column.
	c, err := dialect(t, s, map[string]string{"client_protocol_version": "2"})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"1.50::DECIMAL(18,2)":                                           "0000000000000096",
		"(-1.50)::DECIMAL(18,2)":                                        "ffffffffffffff6a",
		"9223372036854775807::DECIMAL(19,0)":                            "7fffffffffffffff",
		"1.50::DECIMAL(20,2)":                                           "00000000000000000000000000000096",
		"(-99999999999999999999999999999999999999)::DECIMAL(38,0)":      "b4c4b357a5793b85f675ddc000000001",
		"0::DECIMAL(38,37)":                                             "00000000000000000000000000000000",
		"(SELECT SUM(x) FROM (SELECT 1.50::DECIMAL(18,2) AS x) AS one)": "00000000000000000000000000000096",
	} {
		r := c.ExecParams(t.Context(), "SELECT "+value, nil, nil, nil, []int16{1})
		if !r.NextRow() {
			t.Fatalf("%s: no row", value)
		}
		got := hex.EncodeToString(r.Values()[0])
		if _, err := r.Close(); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", value, got, err, want)
		}
	}
	decimal := uint32(1700)
	_, err = c.ExecParams(t.Context(), "SELECT $1", [][]byte{[]byte("1.50")}, []uint32{decimal}, nil, []int16{1}).Close()
	if err == nil || !strings.Contains(err.Error(), "whose scale the parameters settle, is not supported: cast it (stand-in strictness)") {
		t.Error(err)
	}
}

// A described column goes on with four names and its flags.
func TestExtendedRowDescription(t *testing.T) {
	s := &session{protocol: extendedMetadata}
	message, err := s.rowsDescription([]output{{"amount", numeric(18, 2)}, {"n", typ{kind: kInt4}}}, nil).Encode([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	got := message[len("before"):]
	if got[0] != 'T' || int(binary.BigEndian.Uint32(got[1:])) != len(got)-1 || binary.BigEndian.Uint16(got[5:]) != 2 {
		t.Fatalf("%x", got)
	}
	first := append([]byte("amount\x00"), 0, 0, 0, 0, 0, 0, 0, 0, 0x06, 0xa4, 0xff, 0xff, 0, 18, 0, 6, 0, 0, 0, 0, 0, 0, 0x10, 0x01)
	if rest := string(got[7:]); !strings.HasPrefix(rest, string(first)) || !strings.HasPrefix(rest[len(first):], "n\x00") {
		t.Errorf("%x", rest)
	}
	if _, ok := (&session{}).rowsDescription(nil, nil).(*extendedRowDescription); ok {
		t.Error("without a version, the description is PostgreSQL's")
	}
}
