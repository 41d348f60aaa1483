package publish

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/redshift"
)

// disks answers the one question of ReadHeadroom.
type disks struct {
	Session
	used, capacity *int64
	err            error
}

// pair is a row of two numbers that may be NULL.
type pair struct{ a, b *int64 }

func (p pair) Scan(dest ...any) error {
	if len(dest) != 2 {
		return fmt.Errorf("%d destinations", len(dest))
	}
	*dest[0].(**int64), *dest[1].(**int64) = p.a, p.b
	return nil
}

func (d disks) Query(_ context.Context, sql string, scan func(redshift.Scanner) error, _ ...any) error {
	if sql != "SELECT SUM(used), SUM(capacity) FROM stv_node_storage_capacity" {
		return fail.New(fail.Internal, "another question: %s", sql)
	}
	if d.err != nil {
		return d.err
	}
	return scan(pair{d.used, d.capacity})
}

func TestReadHeadroom(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	for _, test := range []struct {
		name string
		d    disks
		ok   bool
		code fail.Code
	}{
		{"told", disks{used: n(30), capacity: n(100)}, true, ""},
		{"no rows", disks{}, false, ""},
		{"not a superuser", disks{err: fail.New(fail.Permission, "permission denied for relation stv_node_storage_capacity")}, false, ""},
		{"unknown", disks{err: fail.New(fail.Internal, "no such thing")}, false, ""},
		{"lost", disks{err: fail.New(fail.Network, "gone")}, false, fail.Network},
	} {
		h, ok, err := ReadHeadroom(context.Background(), test.d)
		if ok != test.ok || (err != nil) != (test.code != "") || err != nil && !fail.Is(err, test.code) {
			t.Errorf("%s: %+v, %t, %v", test.name, h, ok, err)
		}
		if ok && h != (Headroom{30 << 20, 100 << 20}) {
			t.Errorf("%s: %+v", test.name, h)
		}
	}
}

func TestHeadroomCheck(t *testing.T) {
	h := Headroom{Used: 90 << 30, Capacity: 100 << 30}
	if warning, err := h.Check(1 << 30); warning != "" || err != nil {
		t.Errorf("%q, %v", warning, err)
	}
	warning, err := h.Check(2 << 30)
	if err != nil || warning != "the warehouse has 10.0 GiB free of 100.0 GiB, and loading 2.0 GiB of Parquet may need up to 12.0 GiB: it may end with a full disk, which changes nothing" {
		t.Errorf("%q, %v", warning, err)
	}
	_, err = h.Check(6 << 30)
	if !fail.Is(err, fail.Disk) || fail.HintOf(err) == "" ||
		err.Error() != "the warehouse has 10.0 GiB free of 100.0 GiB, and loading 6.0 GiB of Parquet needs at least 12.0 GiB for the stage and the new rows; nothing was changed" {
		t.Errorf("%v", err)
	}
	if _, err := (Headroom{Used: 2, Capacity: 1}).Check(1); !fail.Is(err, fail.Disk) || !strings.HasPrefix(err.Error(), "the warehouse has 0 bytes free of 1 bytes, ") {
		t.Errorf("%v", err)
	}
}
