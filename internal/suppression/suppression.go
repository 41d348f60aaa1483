// Package suppression reads the list of people who were erased: their records
// are read, counted and go nowhere. The list says whom by a value, such as an
// employee's number, as it is or as its HMAC-SHA-256 with the mask key, so that
// the list itself tells nobody's name.
//
//	backfill-suppressions 1
//	version: 2026-03-17, request 12
//	form: hmac_sha256
//	key_id: 0123456789abcdef
//
//	fb7550ef450a42f9793895882c76414db5b8ce65eb788735d187f5d4b49bda99
//
// After an empty line stands one value a line; with `form: plain` as the column
// has it, and then there is no key_id. A list is identified by the SHA-256 of its
// bytes. The package does no I/O. scan and reconcile ask it of every value.
package suppression

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"backfill/internal/fail"
	"backfill/internal/mask"
)

// Limits of a list.
const (
	MaxBytes  = 64 << 20
	MaxValues = 500_000 // about 30 MB in memory
	maxValue  = 1024    // bytes
	maxHeader = 256     // bytes of a header's text
)

// Form says how the list has its values.
type Form string

// The forms.
const (
	Plain Form = "plain"       // as they stand in the column
	HMAC  Form = "hmac_sha256" // as package mask masks them, 64 lower-case hexadecimal digits
)

const (
	magic      = "backfill-suppressions 1"
	versionKey = "version: "
	formKey    = "form: "
	keyIDKey   = "key_id: "
)

// List is a list as it was written.
type List struct {
	SHA256  string // hex, of all bytes
	Version string // as its keepers call it
	Form    Form
	KeyID   string // of HMAC: which mask key
	values  [][]byte
}

// Len returns the number of values.
func (l *List) Len() int { return len(l.values) }

// Parse reads a list. at names it in messages, which tell lines and never values.
func Parse(at string, body []byte) (*List, error) {
	sum := sha256.Sum256(body)
	l := &List{SHA256: hex.EncodeToString(sum[:])}
	line := 0
	wrong := func(hint, format string, args ...any) error {
		return fail.New(fail.BadDataset, format, args...).At("%s:%d", at, line).Try("%s", hint)
	}
	header := true
	for raw := range bytes.Lines(body) {
		line++
		text, ended := bytes.CutSuffix(raw, []byte("\n"))
		switch {
		case !utf8.Valid(text) || bytes.ContainsAny(text, "\r\x00"):
			return nil, wrong("save it as UTF-8 with line feeds", "the line is no UTF-8 text without carriage returns")
		case header:
			if problem := l.head(line, string(text)); problem != "" {
				return nil, wrong("a list begins with: "+magic+", version: TEXT, form: plain or hmac_sha256, for the latter key_id: ID, and an empty line", "%s", problem)
			}
			header = len(text) > 0
		default:
			if problem := l.add(text); problem != "" {
				return nil, wrong("write one value a line, and none twice", "%s", problem)
			}
		}
		if !ended && header {
			break
		}
	}
	switch {
	case header || l.Version == "" || l.Form == "" || (l.Form == HMAC) != (l.KeyID != ""):
		return nil, wrong("a list begins with: "+magic+", version: TEXT, form: plain or hmac_sha256, for the latter key_id: ID, and an empty line", "the list's head is not complete")
	case len(l.values) > MaxValues:
		return nil, wrong("", "the list has %d values, more than %d", len(l.values), MaxValues)
	}
	return l, nil
}

// head reads a line of the head and returns what is wrong with it.
func (l *List) head(line int, text string) string {
	value := func(key string) string { return strings.TrimSpace(strings.TrimPrefix(text, key)) }
	switch {
	case len(text) > maxHeader:
		return "the line of the head is too long"
	case line == 1 && text != magic:
		return "this is no list of suppressions of a version that is known"
	case line == 1, text == "":
	case strings.HasPrefix(text, versionKey):
		l.Version = value(versionKey)
	case strings.HasPrefix(text, formKey):
		if l.Form = Form(value(formKey)); l.Form != Plain && l.Form != HMAC {
			return "the form is neither plain nor hmac_sha256"
		}
	case strings.HasPrefix(text, keyIDKey):
		l.KeyID = value(keyIDKey)
	default:
		return "the head has a line that is not known"
	}
	return ""
}

func (l *List) add(text []byte) string {
	switch {
	case len(text) == 0:
		return "a line is empty"
	case len(text) > maxValue:
		return "the value is too long"
	case l.Form == HMAC:
		if _, ok := digits(text); !ok {
			return "the value is no HMAC: 64 lower-case hexadecimal digits"
		}
	}
	l.values = append(l.values, bytes.Clone(text))
	return ""
}

type digest [sha256.Size]byte

func digits(text []byte) (d digest, ok bool) {
	if len(text) != mask.Size || bytes.ContainsAny(text, "ABCDEF") {
		return d, false
	}
	_, err := hex.Decode(d[:], text)
	return d, err == nil
}

// Set answers whether a value of a column is on the list. It is safe for
// concurrent use; each goroutine asks through a Matcher of its own.
type Set struct {
	List   *List
	has    map[digest]struct{}
	key    *mask.Key
	masked bool // the column has HMACs
}

// Set prepares the list for a column: masked says that its values are masked. A
// list or a column with HMACs needs the key that they were made with, unless both
// have them.
func (l *List) Set(key *mask.Key, masked bool) (*Set, error) {
	s := &Set{List: l, has: make(map[digest]struct{}, len(l.values)), key: key, masked: masked}
	switch {
	case l.Form == Plain && !masked || l.Form == HMAC && masked && (key == nil || key.ID() == l.KeyID):
	case key == nil:
		return nil, fail.New(fail.Credentials, "the suppression list can't be compared without the mask key").Try("set BACKFILL_MASK_KEY or BACKFILL_MASK_KEY_FILE, from a secret")
	case l.Form == HMAC && key.ID() != l.KeyID:
		return nil, fail.New(fail.Credentials, "the suppression list was made with the mask key %s, and this one is %s", l.KeyID, key.ID()).Try("give that key, or make the list with this one")
	}
	m := s.Matcher()
	for _, v := range l.values {
		d, _ := digits(v) // of HMAC: Parse checked it
		if l.Form == Plain {
			d = m.digest(v, masked)
		}
		s.has[d] = struct{}{}
	}
	return s, nil
}

// Matcher asks for one value after another. It is owned by one goroutine.
type Matcher struct {
	set  *Set
	mask *mask.Masker
	text []byte
}

// Matcher returns a matcher with its own memory.
func (s *Set) Matcher() *Matcher {
	m := &Matcher{set: s, text: make([]byte, 0, mask.Size)}
	if s.key != nil {
		m.mask = s.key.NewMasker()
	}
	return m
}

// digest is what the set holds of a plain value.
func (m *Matcher) digest(value []byte, hmac bool) digest {
	if !hmac {
		return sha256.Sum256(value)
	}
	m.text = m.mask.Append(m.text[:0], value)
	d, _ := digits(m.text)
	return d
}

// Has reports whether the column's value is on the list. It allocates nothing.
func (m *Matcher) Has(value []byte) bool {
	s := m.set
	if len(s.has) == 0 {
		return false
	}
	if s.masked {
		d, ok := digits(value)
		_, has := s.has[d]
		return ok && has
	}
	_, has := s.has[m.digest(value, s.List.Form == HMAC)]
	return has
}
