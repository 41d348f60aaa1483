package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/account"
	"backfill/internal/objstore"
	"backfill/internal/scan"
)

// TestQuarantine: every line is JSON whose fields come back as they were.
func TestQuarantine(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	store, err := objstore.Open(ctx, objstore.URI{Scheme: objstore.SchemeFile, Key: dir[1:]}, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	up, err := store.Create(ctx, "q")
	if err != nil {
		t.Fatal(err)
	}
	q, err := newQuarantine(up, "q")
	if err != nil {
		t.Fatal(err)
	}
	list := []scan.Rejected{
		{Object: "plain+0+7.json", Row: 7, Offset: 1007, Disposition: account.Rejected, Reason: "out_of_range", Column: "amount", Detail: `"1e99" for decimal(18,2)`, Raw: []byte(`{"amount":"1e99"}`)},
		{Object: "plain+0+7.json", Row: 8, Offset: -1, Disposition: account.Unreadable, Reason: "malformed_json", Detail: "at byte 3", Raw: []byte("\xff\x00\n"), Truncated: true},
		{Object: "ünï \"quoted\"\t\u2028.json", Row: 0, Offset: 0, Disposition: account.Rejected, Reason: "x", Detail: "a\nb\x7f<é>", Raw: nil},
	}
	for i := range list {
		if err := q.add(&list[i]); err != nil {
			t.Fatal(err)
		}
	}
	file, err := q.close(ctx)
	if err != nil || file.Rows != 3 {
		t.Fatalf("%+v, %v", file, err)
	}
	packed, err := os.ReadFile(filepath.Join(dir, "q"))
	if err != nil || int64(len(packed)) != file.Size {
		t.Fatalf("%d bytes, the receipt says %d, %v", len(packed), file.Size, err)
	}
	r, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := json.NewDecoder(r)
	for _, want := range list {
		var got struct {
			Object, Disposition, Reason, Column, Detail string
			Row, Offset                                 int64
			Raw                                         []byte
			Truncated                                   bool
		}
		if err := lines.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Object != want.Object || got.Disposition != want.Disposition.String() || got.Reason != want.Reason || got.Column != want.Column ||
			got.Detail != want.Detail || got.Row != want.Row || got.Offset != int64(want.Offset) || !bytes.Equal(got.Raw, want.Raw) || got.Truncated != want.Truncated {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if err := lines.Decode(&struct{}{}); err != io.EOF {
		t.Errorf("behind the last line: %v", err)
	}
}
