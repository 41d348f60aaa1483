package decode

// space returns the position of the first byte that is not white space.
func (s *Scanner) space(p int) int {
	for {
		switch s.buf[p] {
		case ' ', '\n', '\t', '\r':
			p++
		default:
			return p
		}
	}
}

// colon steps from behind a key to the value.
func (s *Scanner) colon(p int) int {
	if s.buf[p] != ':' {
		if p = s.space(p); s.buf[p] != ':' {
			return s.fail(p, "a colon must follow the key")
		}
	}
	if p++; s.buf[p] <= ' ' {
		p = s.space(p)
	}
	return p
}

// enter steps into the object or array at p.
func (s *Scanner) enter(p int) int {
	if s.depth++; s.depth > s.limits.Depth {
		s.fail(p, "too many objects and arrays are open")
		s.stop.reason = TooDeep
		return -1
	}
	if p++; s.buf[p] <= ' ' {
		p = s.space(p)
	}
	return p
}

// leave steps over the closing bracket at p.
func (s *Scanner) leave(p int) int {
	s.depth--
	return p + 1
}

// skipValue checks the value at p that nobody wants.
func (s *Scanner) skipValue(p int) int {
	switch s.buf[p] {
	case '"':
		end, _ := s.str(p)
		return end
	case '{':
		return s.skipObject(p)
	case '[':
		return s.skipArray(p)
	case 't', 'f', 'n':
		return s.literal(p)
	}
	return s.num(p)
}

func (s *Scanner) skipObject(p int) int {
	if p = s.enter(p); p < 0 {
		return -1
	}
	if s.buf[p] == '}' {
		return s.leave(p)
	}
	for {
		if s.buf[p] != '"' {
			return s.fail(p, "a key must begin here")
		}
		if p, _ = s.str(p); p < 0 {
			return -1
		}
		if p = s.colon(p); p < 0 {
			return -1
		}
		if p = s.skipValue(p); p < 0 {
			return -1
		}
		p = s.space(p)
		switch s.buf[p] {
		case ',':
			p = s.space(p + 1)
		case '}':
			return s.leave(p)
		default:
			return s.fail(p, "a comma or } must follow the value")
		}
	}
}

func (s *Scanner) skipArray(p int) int {
	if p = s.enter(p); p < 0 {
		return -1
	}
	if s.buf[p] == ']' {
		return s.leave(p)
	}
	for {
		if p = s.skipValue(p); p < 0 {
			return -1
		}
		p = s.space(p)
		switch s.buf[p] {
		case ',':
			p = s.space(p + 1)
		case ']':
			return s.leave(p)
		default:
			return s.fail(p, "a comma or ] must follow the value")
		}
	}
}

// literal reads true, false or null by its first letter.
func (s *Scanner) literal(p int) int {
	word := "null"
	switch s.buf[p] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	}
	for i := range len(word) {
		if s.buf[p+i] != word[i] {
			return s.fail(p+i, "neither true, false nor null")
		}
	}
	return p + len(word)
}

// num reads a number; anything else that can't begin a value ends here, too.
func (s *Scanner) num(p int) int {
	first := p
	if s.buf[p] == '-' {
		p++
	}
	switch c := s.buf[p]; {
	case c == '0':
		p++
	case c >= '1' && c <= '9':
		p = s.digits(p)
	case p == first:
		return s.fail(p, "a value must begin here")
	default:
		return s.fail(p, "a digit must follow the sign")
	}
	if s.buf[p] == '.' {
		start := p + 1
		if p = s.digits(start); p == start {
			return s.fail(p, "a digit must follow the point")
		}
	}
	if c := s.buf[p]; c == 'e' || c == 'E' {
		p++
		if c := s.buf[p]; c == '+' || c == '-' {
			p++
		}
		start := p
		if p = s.digits(start); p == start {
			return s.fail(p, "a digit must follow the e")
		}
	}
	return p
}

func (s *Scanner) digits(p int) int {
	for s.buf[p]-'0' <= 9 {
		p++
	}
	return p
}
