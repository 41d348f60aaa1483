package codec

import "math/bits"

// The limits of deflate (RFC 1951).
const (
	maxCodeBits  = 15
	literalCodes = 288
	distCodes    = 32
	lengthCodes  = 19 // of the code for code lengths
	usedLiterals = 286
	usedDists    = 30
	endOfBlock   = 256
)

// entry is a slot of a decoding table. Its low byte is how many bits of input
// it takes in all, the code's own number of bits stands beside it:
//
//	bit 31 … 16    15       14       13   12     11 … 8     7 … 0
//	    value      literal  special  end  table  code bits  all bits
//
// The value is a literal, or the base of a length or distance, to which the
// bits behind the code are added. A special entry is the end of the block, or
// points to a table for the rest of a long code (code bits: how many the table
// looks at), or is none of them: then no code begins so.
type entry = uint32

const (
	isLiteral entry = 1 << 15
	isSpecial entry = 1 << 14
	isEnd     entry = 1 << 13
	isTable   entry = 1 << 12

	valueShift = 16
	codeShift  = 8
	codeMask   = 15
	allMask    = 63
)

// meanings holds what the symbols of the two alphabets stand for, as entries
// without a code.
type meanings struct {
	literals [literalCodes]entry
	dists    [distCodes]entry
	plain    [lengthCodes]entry // the symbol itself
}

func newMeanings() *meanings {
	m := &meanings{}
	for i := range endOfBlock {
		m.literals[i] = isLiteral | entry(i)<<valueShift
	}
	m.literals[endOfBlock] = isSpecial | isEnd
	base := entry(3)
	for i := endOfBlock + 1; i < usedLiterals-1; i++ {
		extra := entry(max(0, (i-261)/4))
		m.literals[i] = base<<valueShift | extra
		base += 1 << extra
	}
	m.literals[usedLiterals-1] = 258 << valueShift
	base = 1
	for i := range usedDists {
		extra := entry(max(0, (i-2)/2))
		m.dists[i] = base<<valueShift | extra
		base += 1 << extra
	}
	for i := usedLiterals; i < literalCodes; i++ {
		m.literals[i] = isSpecial
	}
	for i := usedDists; i < distCodes; i++ {
		m.dists[i] = isSpecial
	}
	for i := range m.plain {
		m.plain[i] = entry(i) << valueShift
	}
	return m
}

// buildTable fills the table of a Huffman code given by the length of each
// symbol's code, 0 for none. Input is looked up by its next root bits; codes
// that are longer go on in tables behind the first 1<<root entries. It reports
// false for lengths that are no whole code; like zlib, it takes none at all,
// and one code of one bit.
func buildTable(table []entry, root int, lengths []uint8, meaning []entry) bool {
	var count [maxCodeBits + 1]int
	longest := 0
	for _, n := range lengths {
		count[n]++
		longest = max(longest, int(n))
	}
	count[0] = 0
	left := 1 // codes that are still free
	for n := 1; n <= longest; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return false
		}
	}
	if left > 0 && longest > 0 && !(longest == 1 && count[1] == 1) {
		return false
	}
	if left > 0 {
		for i := range 1 << root {
			table[i] = isSpecial
		}
	}
	var sorted [literalCodes]uint16 // by length of the code, then by symbol
	var next [maxCodeBits + 2]int
	for n := 1; n <= maxCodeBits; n++ {
		next[n+1] = next[n] + count[n]
	}
	symbols := next[maxCodeBits+1]
	for symbol, n := range lengths {
		if n > 0 {
			sorted[next[n]] = uint16(symbol)
			next[n]++
		}
	}
	b := builder{table: table, root: root, free: 1 << root, prefix: -1, count: count}
	for _, symbol := range sorted[:symbols] {
		b.add(int(lengths[symbol]), meaning[symbol])
	}
	return true
}

// builder assigns codes, which ascend: shorter ones first.
type builder struct {
	table  []entry
	root   int
	free   int // first entry behind all tables
	code   uint32
	length int // of code
	count  [maxCodeBits + 1]int

	prefix int // first root bits of the codes in the last table, -1: none
	start  int // of that table
	bits   int // it looks at
}

// add gives the next code of n bits to the meaning.
func (b *builder) add(n int, meaning entry) {
	b.code <<= n - b.length
	b.length = n
	first := int(bits.Reverse32(b.code) >> (32 - n)) // deflate sends a code's first bit lowest
	if n <= b.root {
		e := meaning + entry(n)<<codeShift + entry(n)
		for i := first; i < 1<<b.root; i += 1 << n {
			b.table[i] = e
		}
	} else {
		if prefix := first & (1<<b.root - 1); prefix != b.prefix {
			b.open(n, prefix)
		}
		rest := n - b.root
		e := meaning + entry(rest)<<codeShift + entry(rest)
		for i := first >> b.root; i < 1<<b.bits; i += 1 << rest {
			b.table[b.start+i] = e
		}
	}
	b.count[n]--
	b.code++
}

// open makes the table for codes of n bits and more that begin with the prefix:
// as small as holds all of them.
func (b *builder) open(n, prefix int) {
	b.prefix, b.start, b.bits = prefix, b.free, n-b.root
	for left := 1 << b.bits; b.root+b.bits < maxCodeBits; left <<= 1 {
		if left -= b.count[b.root+b.bits]; left <= 0 {
			break
		}
		b.bits++
	}
	b.free += 1 << b.bits
	b.table[prefix] = entry(b.start)<<valueShift | isSpecial | isTable | entry(b.bits)<<codeShift | entry(b.root)
}
