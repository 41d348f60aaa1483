package decode

import "backfill/internal/columns"

// The functions of this file and of syntax.go and text.go read at a position
// of the block and return the position behind what they read, or -1 after
// setting stop. They read the block without looking at its end: the zeros
// behind it stop them.

// fail records that the text can't go on at position p.
func (s *Scanner) fail(p int, what string) int {
	s.stop = stop{at: p, reason: MalformedJSON, what: what}
	return -1
}

// starving reports whether stop is only the end of the block.
func (s *Scanner) starving() bool { return s.stop.reason == MalformedJSON && s.stop.at >= s.end }

// token is one value as it stands in the record.
type token struct {
	kind columns.ScalarKind
	raw  []byte // as spelled
	text []byte // a string's characters, else raw
	hurt hurt   // what is wrong with the characters
}

// value reads the value at p and stores it where the place says.
func (s *Scanner) value(pl *place, p int) int {
	if s.met(pl) {
		s.forget(pl)
	}
	var t token
	end := -1
	switch c := s.buf[p]; c {
	case '"':
		var escaped bool
		if end, escaped = s.str(p); end < 0 {
			return -1
		}
		t.kind, t.text = columns.String, s.buf[p+1:end-1:end-1]
		if escaped && pl.text {
			t.text, t.hurt = s.unescaped(t.text)
		}
		t.raw = s.buf[p:end:end]
		s.store(pl, &t)
		return end
	case '{':
		t.kind = columns.Other
		if pl.child != nil {
			end = s.object(pl.child, p)
		} else {
			end = s.skipObject(p)
		}
	case '[':
		t.kind = columns.Other
		end = s.skipArray(p)
	case 't', 'f':
		t.kind = columns.Bool
		end = s.literal(p)
	case 'n':
		t.kind = columns.Null
		end = s.literal(p)
	default:
		t.kind = columns.Number
		end = s.num(p)
	}
	if end < 0 {
		return -1
	}
	t.raw = s.buf[p:end:end]
	t.text = t.raw
	s.store(pl, &t)
	return end
}

// object reads the object at p by its node.
func (s *Scanner) object(n *node, p int) int {
	if p = s.enter(p); p < 0 {
		return -1
	}
	if s.buf[p] == '}' {
		return s.leave(p)
	}
	buf, at := s.buf, int32(0) // field 0 stands for the object's beginning
	for {
		next := n.fields[at].next
		if key := n.fields[next].key; len(key) <= len(buf)-p && string(buf[p:p+len(key)]) == key {
			at, p = next, p+len(key)
		} else if at, p = s.lookUp(n, at, p); p < 0 {
			return -1
		}
		if buf[p] == ':' && buf[p+1] > ' ' {
			p++
		} else if p = s.colon(p); p < 0 {
			return -1
		}
		if to := n.fields[at].to; to != nil {
			p = s.value(to, p)
		} else {
			p = s.skipValue(p)
		}
		if p < 0 {
			return -1
		}
		if buf[p] <= ' ' {
			p = s.space(p)
		}
		switch buf[p] {
		case ',':
			if p++; buf[p] <= ' ' {
				p = s.space(p)
			}
		case '}':
			return s.leave(p)
		default:
			return s.fail(p, "a comma or } must follow the value")
		}
	}
}

// lookUp finds the key at p when it is not the expected one. It returns the
// field, 0 for a key that nobody wants, and the position behind the key.
func (s *Scanner) lookUp(n *node, prev int32, p int) (int32, int) {
	// An absent field is the usual case: then the one after it comes.
	after := n.fields[n.fields[prev].next].next
	if key := n.fields[after].key; len(key) <= len(s.buf)-p && string(s.buf[p:p+len(key)]) == key {
		return after, p + len(key)
	}
	if s.buf[p] != '"' {
		return 0, s.fail(p, "a key must begin here")
	}
	end, escaped := s.str(p)
	if end < 0 {
		return 0, -1
	}
	key := s.buf[p+1 : end-1]
	if escaped {
		var h hurt
		if s.key, h = unescape(s.key[:0], key); h&halfPair != 0 {
			return 0, end
		}
		return n.index[string(s.key)], end
	}
	at, ok := n.index[string(key)]
	if !ok {
		n.learn(prev, key)
		return 0, end
	}
	n.fields[prev].next = at
	return at, end
}

// met notes that the place is there, and reports whether it was before.
func (s *Scanner) met(pl *place) bool {
	word, bit := &s.seen[pl.bit>>6], uint64(1)<<(pl.bit&63)
	before := *word&bit != 0
	*word |= bit
	return before
}

// forget undoes what an earlier value of the same key did: the last one
// counts, with all that is below it.
func (s *Scanner) forget(pl *place) {
	for i := pl.bit; i <= pl.last; i++ {
		s.seen[i>>6] &^= 1 << (i & 63)
		for _, k := range s.tree.places[i].sinks {
			if k.op <= lastColumnOp {
				s.bad[k.index] = Reject{}
			}
		}
	}
	s.met(pl)
}
