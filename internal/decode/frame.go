package decode

// framing is where the stream stands between two records. Whether the records
// are values in a row or the elements of an array is told by the stream's
// first byte.
type framing uint8

const (
	begin        framing = iota
	inRow                // values one after another
	arrayStart           // behind [
	arrayComma           // behind an element's comma
	arrayElement         // behind an element
	arrayAny             // behind a line that could not be read
	afterArray           // behind ]
)

// open reports whether an array waits for its end.
func (f framing) open() bool { return f == arrayStart || f == arrayComma || f == arrayElement }

// afterValue returns the framing behind a value that was read.
func (f framing) afterValue() framing {
	if f == begin || f == inRow {
		return inRow
	}
	return arrayElement
}

// afterSkip returns the framing behind a line that was stepped over.
func (f framing) afterSkip() framing {
	switch f {
	case begin, inRow:
		return inRow
	case afterArray:
		return afterArray
	}
	return arrayAny
}

// position is what frame found.
type position uint8

const (
	atEnd      position = iota // of the block
	atValue                    // a value begins at pos
	atNonsense                 // neither a value nor punctuation of the array, see stop
)

// frame steps over white space and the punctuation of an array.
func (s *Scanner) frame() position {
	for {
		s.pos = s.space(s.pos)
		if s.pos >= s.end {
			return atEnd
		}
		c := s.buf[s.pos]
		if s.framing == begin {
			s.framing = inRow
			if c == '[' {
				s.framing = afterArray
			}
		}
		switch {
		case s.framing == inRow:
			return atValue
		case s.framing == afterArray && c == '[':
			s.framing = arrayStart
		case s.framing == afterArray:
			s.fail(s.pos, "only another array may follow the array")
			return atNonsense
		case c == ']':
			if s.framing == arrayComma {
				s.fail(s.pos, "an element must follow the comma")
				s.framing = afterArray
				return atNonsense
			}
			s.framing = afterArray
		case c == ',' && s.framing == arrayElement:
			s.framing = arrayComma
		case c == ',' && s.framing == arrayAny:
		case s.framing == arrayElement:
			s.fail(s.pos, "a comma or ] must follow the element")
			return atNonsense
		default:
			return atValue
		}
		s.pos++
	}
}

// checkBehind checks that a number, literal or string outside all objects ends
// where it seems to; it returns end, or -1.
func (s *Scanner) checkBehind(start, end int) int {
	switch s.buf[start] {
	case '{', '[':
		return end
	}
	if end >= s.end {
		if s.eof {
			return end
		}
		return s.fail(end, "")
	}
	switch c := s.buf[end]; c {
	case ' ', '\t', '\r', '\n':
		return end
	case '{', '[', '"':
		if s.framing == inRow {
			return end
		}
	case ',', ']':
		if s.framing != inRow {
			return end
		}
	}
	return s.fail(end, "nothing of this kind may follow the value")
}
