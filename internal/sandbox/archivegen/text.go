package archivegen

import "strconv"

const hexDigits = "0123456789abcdef"

func appendUUID(buf []byte, high, low uint64) []byte {
	buf = appendHex(append(buf, '"'), high>>32, 8)
	buf = appendHex(append(buf, '-'), high>>16, 4)
	buf = appendHex(append(buf, '-'), high, 4)
	buf = appendHex(append(buf, '-'), low>>48, 4)
	buf = appendHex(append(buf, '-'), low, 12)
	return append(buf, '"')
}

// appendHex appends the low digits of n.
func appendHex(buf []byte, n uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		buf = append(buf, hexDigits[n>>shift&0xf])
	}
	return buf
}

// appendDigits appends n with leading zeros.
func appendDigits(buf []byte, n uint64, digits int) []byte {
	var text [20]byte
	for i := digits - 1; i >= 0; i-- {
		text[i] = byte('0' + n%10)
		n /= 10
	}
	return append(buf, text[:digits]...)
}

func (w *writer) appendPayRun(buf []byte, e *event) []byte {
	if e.has(traitNullPayRun) {
		return append(buf, `"pay_run_id":null`...)
	}
	buf = append(append(buf, `"pay_run_id":"PR-`...), w.cal.days[e.day].compact...)
	buf = strconv.AppendInt(append(buf, '-'), e.company, 10)
	return append(buf, `-1"`...)
}

var departments = [...]string{"Engineering", "Sales", "Support", "Finance", "Operations", "Warehouse", "Legal"}

// Names are made of syllables, so that no archive holds the name of a person.
var (
	plainSyllables   = [...]string{"ka", "ro", "mi", "ten", "lu", "sha", "vor", "el", "dan", "pri", "os", "qui", "ber", "nal", "ty", "wen"}
	unicodeSyllables = [...]string{"zoë", "łu", "ño", "šič", "ø", "mü", "Ж", "на", "ξα", "李", "美咲", "한", "🙂", `\u00e9`, `\ud83d\ude80`, "ạ"}
)

func appendName(buf []byte, e *event) []byte {
	n := mix(uint64(e.employee))
	syllables := &plainSyllables
	for word := range 2 {
		if word == 1 {
			buf = append(buf, ' ')
			if e.has(traitUnicode) {
				syllables = &unicodeSyllables
			}
		}
		for range 3 {
			buf = append(buf, syllables[n&15]...)
			n >>= 4
		}
	}
	return buf
}

func appendEmployee(buf []byte, e *event) []byte {
	if e.kind == viewed {
		return append(buf, `"employee":{"id":null}`...)
	}
	buf = strconv.AppendInt(append(buf, `"employee":{"id":`...), e.employee, 10)
	buf = appendName(append(buf, `,"name":"`...), e)
	buf = append(append(buf, `","department":"`...), departments[uint64(e.employee)%uint64(len(departments))]...)
	return append(buf, `"}`...)
}

func appendBank(buf []byte, e *event) []byte {
	if e.has(traitNullBank) {
		return append(buf, `"bank_account":null`...)
	}
	n := mix(uint64(e.employee) + 1)
	buf = appendDigits(append(buf, `"bank_account":"XX`...), n%100, 2)
	buf = appendDigits(buf, n>>8%1_000_000_000_000_000_000, 18)
	return append(buf, '"')
}

var (
	methods      = [...]string{"direct_deposit", "wire", "paycheck", "card"}
	notes        = [...]string{"regular run", "off-cycle correction", "bonus", "first pay after hire", "retro pay"}
	unicodeNotes = [...]string{
		`Überstunden – 月給, \"netto\" 🙂`, `r\u00e9gularisation \ud83d\udcb6\tC:\\paie\/mars`, `línea 1\nlínea 2`, `zażółć gęślą jaźń \u20ac`,
	}
)

// appendDetails appends the nested object that goes to a SUPER column.
func (w *writer) appendDetails(buf []byte, e *event) []byte {
	if e.has(traitNullDetails) {
		return append(buf, `"details":null`...)
	}
	s := e.style
	buf = append(append(buf, `"details":{"method":"`...), methods[s&3]...)
	buf = append(append(buf, `","batch":"B-`...), w.cal.days[e.day].compact...)
	buf = appendDigits(append(buf, '-'), s>>2%100, 2)
	buf = strconv.AppendUint(append(buf, `","lines":[{"code":"REG","hours":`...), 60+s>>9%30, 10)
	buf = append(buf, `.25,"taxable":true}`...)
	if s>>14&3 == 0 {
		buf = strconv.AppendUint(append(buf, `,{"code":"OT","hours":`...), s>>16%12, 10)
		buf = append(buf, `.5,"taxable":true}`...)
	}
	buf = append(buf, `],"note":"`...)
	if e.has(traitUnicode) {
		buf = append(buf, unicodeNotes[s>>20&3]...)
	} else {
		buf = append(buf, notes[s>>20%uint64(len(notes))]...)
	}
	return append(buf, `","approved":true}`...)
}

func appendExtraKeys(buf []byte, e *event) ([]byte, bool) {
	if !e.has(traitExtraKeys) {
		return buf, false
	}
	buf = appendHex(append(buf, `"trace_id":"`...), e.style*0x9e3779b97f4a7c15, 16)
	return append(buf, `","schema_rev":"2026.3","flags":["a",null,{"b":[]}]`...), true
}
