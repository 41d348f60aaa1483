package clients

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden texts anew")

func TestMain(m *testing.M) {
	// Inside the S3 gateway fasthttp keeps a clock for ever and ends its workers' cleaner some seconds after the server.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// compare holds a text against the golden one, line by line.
func compare(t *testing.T, golden, got string) {
	t.Helper()
	path := filepath.Join("testdata", golden)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	is, want := strings.Split(got, "\n"), strings.Split(string(text), "\n")
	for i := range max(len(is), len(want)) {
		var a, b string
		if i < len(is) {
			a = is[i]
		}
		if i < len(want) {
			b = want[i]
		}
		if a != b {
			t.Errorf("%s, line %d:\n got %s\nwant %s", path, i+1, a, b)
		}
	}
}
