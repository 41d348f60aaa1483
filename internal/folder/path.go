// Package folder reads dated folders: which stretch of time the records of
// year=2026/month=03/day=05/hour=01 have, in the zone that the archiver wrote
// folders in, hours that a clock change repeats or skips included.
//
// It reads names only and does no I/O. dataset checks paths with it; archive
// walks an archive with it and lists only the folders that a window needs.
package folder

import (
	"fmt"
	"strings"
)

// unit is a part of a local time, in the order of significance.
type unit uint8

const (
	year unit = iota
	month
	day
	hour
	minute
	units
)

// Path is the form of dated folders. It is immutable.
type Path struct {
	segments [][]part // of each folder
	last     unit     // the finest unit
}

// part is a text, or a number of digits digits; 0: one or two.
type part struct {
	text   string
	unit   unit
	digits int
	number bool
}

// letters are what a path may hold outside of quotes, as Joda-Time and Java
// spell them.
var letters = map[byte]unit{'y': year, 'Y': year, 'M': month, 'd': day, 'H': hour, 'm': minute}

// misread are letters that people write for others.
var misread = map[byte]string{
	'h': "h is the hour from 1 to 12, so that mornings and evenings share folders",
	'K': "K is the hour from 0 to 11, so that mornings and evenings share folders",
	'D': "D is the day of the year",
	'x': "x is the year of weeks",
	'w': "w is the week of the year",
}

// Parse reads a path in the letters of Joda-Time and Java, the sink's path.format:
// yyyy or YYYY, MM or M, dd or d, HH or H, mm or m, other letters in single
// quotes, a slash between folders. The units must be there from the year on,
// each once. The error is one clause for people.
func Parse(text string) (*Path, error) {
	p := &Path{}
	var seen [units]bool
	for _, segment := range split(strings.Trim(text, "/")) {
		parts, err := parseSegment(segment, &seen)
		if err != nil {
			return nil, err
		}
		p.segments = append(p.segments, parts)
	}
	if !seen[year] {
		return nil, fmt.Errorf("the path has no year (yyyy)")
	}
	for u := year; u < units; u++ {
		if seen[u] && u > 0 && !seen[u-1] {
			return nil, fmt.Errorf("the path skips a unit: years, months, days, hours and minutes must be there from the year on")
		}
		if seen[u] {
			p.last = u
		}
	}
	return p, nil
}

// split cuts a path at slashes outside of quotes.
func split(text string) []string {
	var segments []string
	quoted, start := false, 0
	for i := range len(text) {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case text[i] == '/' && !quoted:
			segments = append(segments, text[start:i])
			start = i + 1
		}
	}
	return append(segments, text[start:])
}

func parseSegment(s string, seen *[units]bool) ([]part, error) {
	var parts []part
	literal := func(text string) {
		if n := len(parts); n > 0 && !parts[n-1].number {
			parts[n-1].text += text
		} else {
			parts = append(parts, part{text: text})
		}
	}
	if s == "" {
		return nil, fmt.Errorf("the path has an empty folder")
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\'':
			text, after, err := quoted(s, i)
			if err != nil {
				return nil, err
			}
			literal(text)
			i = after
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			end := i
			for end < len(s) && s[end] == c {
				end++
			}
			n, err := number(s[i:end], seen)
			if err != nil {
				return nil, err
			}
			if k := len(parts); k > 0 && parts[k-1].number && (parts[k-1].digits == 0 || n.digits == 0) {
				return nil, fmt.Errorf("%s follows a number without anything between", s[i:end])
			}
			parts = append(parts, n)
			i = end
		default:
			literal(string(c))
			i++
		}
	}
	return parts, nil
}

// quoted returns the text between quotes that begin at i, and where it goes on.
// Two quotes are one.
func quoted(s string, i int) (text string, after int, err error) {
	if strings.HasPrefix(s[i+1:], "'") {
		return "'", i + 2, nil
	}
	for j := i + 1; j < len(s); j++ {
		if s[j] != '\'' {
			text += s[j : j+1]
			continue
		}
		if !strings.HasPrefix(s[j+1:], "'") {
			return text, j + 1, nil
		}
		text += "'"
		j++
	}
	return "", 0, fmt.Errorf("a quote is not closed")
}

func number(text string, seen *[units]bool) (part, error) {
	c := text[0]
	u, known := letters[c]
	switch {
	case !known && misread[c] != "":
		return part{}, fmt.Errorf("%s can't be read: %s", text, misread[c])
	case !known:
		return part{}, fmt.Errorf("%s is no unit: use yyyy, MM, dd, HH and mm, and put other letters into single quotes", text)
	case u == year && len(text) != 4, len(text) > 2 && u != year:
		return part{}, fmt.Errorf("%s can't be read: use yyyy, MM, dd, HH and mm, and put other letters into single quotes", text)
	case seen[u]:
		return part{}, fmt.Errorf("%s is there twice", text)
	}
	seen[u] = true
	n := part{unit: u, number: true, digits: len(text)}
	if len(text) == 1 {
		n.digits = 0
	}
	return n, nil
}

// Place is how far the folders above a key follow the path. The zero Place is
// above all dated folders.
type Place struct {
	depth  int // segments that matched
	fields [units]int
	known  unit // fields from the year on that are known
	have   [units]bool
	named  bool // a text of the path was matched, or a second number
	off    bool // a folder below dated ones does not follow the path
}

// Enter returns the place in the folder of that name. Above the dates any name
// may stand; below a folder that does not follow the path nothing is known.
func (p *Path) Enter(at Place, name string) Place {
	if at.off || at.depth == len(p.segments) {
		return at
	}
	next := at
	rest := name
	for _, part := range p.segments[at.depth] {
		var ok bool
		if rest, ok = part.cut(rest, &next); !ok {
			at.off = at.depth > 0
			return at
		}
	}
	if rest != "" {
		at.off = at.depth > 0
		return at
	}
	next.depth++
	next.named = next.named || next.depth > 1
	for next.known < units && next.have[next.known] {
		next.known++
	}
	return next
}

// cut takes the part off the front of the name.
func (p part) cut(name string, to *Place) (rest string, ok bool) {
	if !p.number {
		to.named = true
		return strings.CutPrefix(name, p.text)
	}
	n, value := 0, 0
	most := p.digits
	if most == 0 {
		most = 2
	}
	for n < len(name) && n < most && name[n] >= '0' && name[n] <= '9' {
		value = value*10 + int(name[n]-'0')
		n++
	}
	if n == 0 || p.digits > 0 && n != p.digits {
		return "", false
	}
	to.fields[p.unit], to.have[p.unit] = value, true
	return name[n:], true
}

// Below reports whether the place lies in folders that follow the path to its
// end, or no longer: nothing more is to be learned from folders in it.
func (p *Path) Below(at Place) bool { return at.off || at.depth == len(p.segments) }
