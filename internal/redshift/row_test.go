package redshift

import "testing"

func TestScan(t *testing.T) {
	var s string
	var n int64
	var ps *string
	var pn *int64
	row := textRow{[]byte("12.50"), []byte("-7"), nil, nil}
	if err := row.Scan(&s, &n, &ps, &pn); err != nil || s != "12.50" || n != -7 || ps != nil || pn != nil {
		t.Errorf("%v: %q %d %v %v", err, s, n, ps, pn)
	}
	row = textRow{[]byte(""), []byte("9223372036854775807")}
	if err := row.Scan(&ps, &pn); err != nil || *ps != "" || *pn != 9223372036854775807 {
		t.Errorf("%v", err)
	}
	for _, test := range []struct {
		dest any
		text []byte
		want string
	}{
		{&s, nil, "column 1: NULL does not fit *string"},
		{&n, nil, "column 1: NULL does not fit *int64"},
		{&n, []byte("1.0"), `column 1: "1.0" is no 64-bit integer`},
		{&pn, []byte("9223372036854775808"), `column 1: "9223372036854775808" is no 64-bit integer`},
		{new(float64), []byte("1"), "column 1: *float64 is no destination"},
	} {
		if err := (textRow{test.text}).Scan(test.dest); err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	if err := row.Scan(&s); err == nil || err.Error() != "the row has 2 columns, not 1" {
		t.Errorf("%v", err)
	}
}
