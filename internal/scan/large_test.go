package scan

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"backfill/internal/dataset"
	"backfill/internal/schema"
)

// A value that SUPER can't hold leaves NULL, and its overflow column says where
// it stands; all other rows have NULL there.
func TestOverflow(t *testing.T) {
	text := strings.Replace(fmt.Sprintf(datasetText, derivedOffsets, 1), "  - {name: note,     type: varchar(65535),   from: value.note}",
		"  - {name: note,     type: super,   from: value.note, overflow: note_overflow}\n  - {name: note_overflow, type: varchar(384)}", 1)
	ds, err := dataset.Compile("events.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	long := `["` + strings.Repeat("y", schema.MaxVarchar) + `"]`
	with := func(id, note string) string { return strings.TrimSuffix(event(id), "}") + `,"note":` + note + "}" }
	a := newArchive().add("A", 5, lines(with("a", "1"), with("b", long), with("c", `{"k":2}`), with("d", long))).add("B", 9, lines(event("e")))
	got := scanAll(t, ds, a, a.cut(0))
	where := fmt.Sprintf(`NULL|"sha256:%x bytes:%d pay/3/`, sha256.Sum256([]byte(long)), len(long))
	for i, want := range []string{`"1"|NULL|`, where + `6"|`, `"{\"k\":2}"|NULL|`, where + `8"|`, `NULL|NULL|`} {
		if i >= len(got.rows) || !strings.Contains(got.rows[i].text, `"USD"|`+want+`"pay"|3|`) {
			t.Errorf("row %d of %d lacks %s", i, len(got.rows), want)
		}
	}
	if len(got.rejects) != 0 {
		t.Errorf("%d rejects", len(got.rejects))
	}
	// Without a proven offset the text says so.
	b := newArchive().add("A", 5, lines(with("a", long))).add("B", 7, lines(event("b")))
	if got := scanAll(t, ds, b, b.cut(0)); !strings.Contains(got.rows[0].text, ` pay/3/unproven"|"pay"|3|NULL|`) {
		t.Errorf("%.400s", got.rows[0].text)
	}
	if most := len("sha256:") + 64 + len(" bytes:16777216 ") + 249 + len("/2147483647/9223372036854775807"); most > schema.OverflowBytes {
		t.Errorf("a text may have %d bytes", most)
	}
}
