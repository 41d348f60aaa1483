package survey

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// text is what the strings of a field look like. Each shape is counted: the
// majority decides, and what does not fit it is named.
type text struct {
	n, bytes int64 // strings; the longest, in bytes
	wide     int64 // with bytes outside ASCII

	uuid, date, zoned, wall int64  // wall: a timestamp without a zone
	fraction                int    // most digits of a timestamp's fraction
	decimal                 number // texts that are numbers
	packed                  int64  // texts that hold a JSON object

	email, iban, ssn, code int64 // code: three capital letters
}

// shapes recognizes texts. They decide what is proposed, not what is accepted: that is decode's.
type shapes struct{ uuid, date, time, decimal, email, iban, ssn, code *regexp.Regexp }

func compiled() *shapes {
	return &shapes{
		uuid:    regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`),
		date:    regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`),
		time:    regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.(\d+))?(Z|z|[+-]\d{2}:?\d{2}|[+-]\d{2})?$`),
		decimal: regexp.MustCompile(`^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$`),
		email:   regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`),
		iban:    regexp.MustCompile(`^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$`),
		ssn:     regexp.MustCompile(`^\d{3}-\d{2}-\d{4}$`),
		code:    regexp.MustCompile(`^[A-Z]{3}$`),
	}
}

// note adds one string.
func (s *shapes) note(t *text, v string) {
	t.n++
	t.bytes = max(t.bytes, int64(len(v)))
	if strings.IndexFunc(v, func(r rune) bool { return r > 127 }) >= 0 {
		t.wide++
	}
	switch m := s.time.FindStringSubmatch(v); {
	case m != nil && m[2] != "":
		t.zoned++
		t.fraction = max(t.fraction, len(m[1]))
	case m != nil:
		t.wall++
		t.fraction = max(t.fraction, len(m[1]))
	case s.date.MatchString(v):
		t.date++
	case s.uuid.MatchString(v):
		t.uuid++
	case s.decimal.MatchString(v):
		t.decimal.add(v)
	case s.code.MatchString(v):
		t.code++
	case s.email.MatchString(v):
		t.email++
	case s.iban.MatchString(v):
		t.iban++
	case s.ssn.MatchString(v):
		t.ssn++
	case strings.HasPrefix(v, "{") && json.Valid([]byte(v)):
		t.packed++
	}
}

// number is what the numbers of a field look like, by their digits: nothing goes
// through a float.
type number struct {
	n        int64
	fraction int64 // with digits behind the point
	noisy    int64 // with so many digits that a binary fraction is likely behind them
	whole    int   // most digits before the point
	scale    int   // most digits behind it, noisy ones left out
	exponent int64 // spelled with an exponent
	least    *big.Int
	most     *big.Int // bounds of the whole parts
}

// noise is from how many digits behind the point a number looks like a binary fraction.
const noise = 10

func (n *number) add(v string) {
	n.n++
	shift := 0
	if i := strings.IndexAny(v, "eE"); i >= 0 {
		n.exponent++
		shift, _ = strconv.Atoi(v[i+1:]) // of a JSON number or what the shape found: digits with a sign
		v = v[:i]
	}
	whole, fraction, _ := strings.Cut(v, ".")
	if shift != 0 {
		whole, fraction = shifted(whole, fraction, shift)
	}
	fraction = strings.TrimRight(fraction, "0")
	if fraction != "" {
		n.fraction++
	}
	if len(fraction) >= noise {
		n.noisy++
	} else {
		n.scale = max(n.scale, len(fraction))
	}
	n.whole = max(n.whole, len(strings.TrimPrefix(whole, "-")))
	i, ok := new(big.Int).SetString(whole, 10)
	if !ok {
		return
	}
	if n.least == nil || i.Cmp(n.least) < 0 {
		n.least = i
	}
	if n.most == nil || i.Cmp(n.most) > 0 {
		n.most = i
	}
}

// shifted moves the point by an exponent, within what a decimal column can hold.
func shifted(whole, fraction string, by int) (string, string) {
	const most = 60
	by = max(-most, min(most, by))
	if by > 0 {
		fraction += strings.Repeat("0", by)
		whole = strings.TrimLeft(whole, "0") + fraction[:by] // "-0" stays as it is: its digits count alike
		return whole, fraction[by:]
	}
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	whole = strings.Repeat("0", -by) + whole
	kept := strings.TrimLeft(whole[:len(whole)+by], "0")
	if kept == "" {
		kept = "0"
	}
	return sign + kept, whole[len(whole)+by:] + fraction
}

// within reports whether all whole parts lie from low to high.
func (n *number) within(low, high int64) bool {
	return n.least != nil && n.exponent == 0 && n.least.Cmp(big.NewInt(low)) >= 0 && n.most.Cmp(big.NewInt(high)) <= 0
}
