package archivegen

// eventKind is the type of an event.
type eventKind uint8

const (
	settled eventKind = iota
	reversed
	previewed
	viewed
	scheduled
	eventKinds
)

var kindNames = [eventKinds]string{
	"payment.settled", "payment.reversed", "payroll.previewed", "profile.viewed", "payment.scheduled",
}

// wanted reports whether the dataset's where keeps the kind.
func (k eventKind) wanted() bool { return k <= reversed }

var currencies = [...]string{"USD", "EUR", "GBP", "JPY", "CAD", "MXN"}

// currencyOf draws a company's currency, dollars more often than not.
func currencyOf(draw uint64) uint8 {
	if draw%8 < 4 {
		return 0
	}
	return uint8(draw >> 8 % uint64(len(currencies)))
}

// trait is a way in which an event is written, one bit each.
type trait uint16

const (
	traitUnicode trait = 1 << iota
	traitNumber
	traitExponent
	traitLocalOffset
	traitExtraKeys
	traitShuffled
	traitNullPayRun
	traitNullBank
	traitNullTax
	traitNullDetails
)

// event is one payroll event before it is written down. Money is in hundredths.
type event struct {
	idHigh, idLow   uint64
	kind            eventKind
	currency        uint8
	traits          trait
	day             int   // of the log, for the pay run's name
	occurred        int64 // microseconds
	updated         int64
	version         int64
	company         int64
	employee        int64
	gross, tax, net int64
	negativeZero    bool
	style           uint64 // chooses among wordings
	defect          *defect
}

func (e *event) has(t trait) bool { return e.traits&t != 0 }

// draw makes events. Its chances are worked out once; it is not changed by use, and safe to share.
type draw struct {
	*layout
	filtered, unicode, negative, big, number, exponent chance
	local, extraKeys, shuffled, null                   chance
}

func newDraw(l *layout) draw {
	f := l.o.Faults
	return draw{
		layout:   l,
		filtered: chanceOf(f.FilteredTypes), unicode: chanceOf(f.Unicode), negative: chanceOf(f.Negative),
		big: chanceOf(f.BigDigits), number: chanceOf(f.NumberSpelling), exponent: chanceOf(f.ExponentSpelling),
		local: chanceOf(f.LocalOffsets), extraKeys: chanceOf(f.ExtraKeys), shuffled: chanceOf(f.ShuffledKeys),
		null: chanceOf(f.NullFields),
	}
}

// ordinary returns the event of a slot.
func (g *draw) ordinary(p *partition, d int, slot int64) event {
	at, r := g.instant(p, d, slot)
	kinds := r.uint64()
	kind := settled
	if g.filtered.of(uint32(kinds)) {
		kind = previewed + eventKind(kinds>>32%3)
	} else if kinds>>32%10 == 0 {
		kind = reversed
	}
	return g.fill(&r, p, kind, d, at)
}

// planted returns the event of an extra; archived is the instant of its slot.
func (g *draw) planted(p *partition, x *extra, d int, archived int64) event {
	r := randomAt(g.o.Seed, drawExtra, uint64(p.number)<<32|uint64(x.ordinal), kindSeed(x.kind))
	switch x.kind {
	case Deleted:
		return g.ordinary(p, d, x.original)
	case Superseding, Stale:
		e := g.ordinary(p, d, x.original)
		if x.kind == Superseding {
			e.version++
			e.updated = max(archived, e.updated+1)
		} else {
			e.version--
		}
		g.price(&r, &e)
		e.style = r.uint64()
		return e
	}
	at := x.at
	if at == 0 {
		at = archived
	}
	e := g.fill(&r, p, settled, d, at)
	switch x.kind {
	case BadValue:
		e.defect = &badValues[x.ordinal%len(badValues)]
	case Undatable:
		e.defect = &undatables[x.ordinal%len(undatables)]
	}
	return e
}

// kindSeed hashes a kind's name, so that adding a kind moves no other record.
func kindSeed(k FaultKind) uint64 {
	var h uint64
	for i := range len(k) {
		h = mix(h ^ uint64(k[i]))
	}
	return h
}

func (g *draw) fill(r *random, p *partition, kind eventKind, d int, at int64) event {
	who := r.uint64()
	// The product of two draws favours low numbers: some companies are much larger than others.
	n := uint64(len(p.companies))
	c := p.companies[(who&0xffff)*(who>>16&0xffff)*n>>32]
	person := who >> 32 % 2000
	e := event{
		idHigh: r.uint64(), idLow: r.uint64(), kind: kind, currency: c.currency, day: d,
		occurred: at, updated: at, version: int64(1 + who>>60%3), company: c.id,
		employee: 7_000_000_000_000 + c.id*10_000 + int64(person),
		style:    r.uint64(),
	}
	if e.version < 2 {
		e.version = 2 // leaves room below for a stale version
	}
	e.idHigh = e.idHigh&^0xf000 | 0x4000
	e.idLow = e.idLow&^(0xc<<60) | 0x8<<60
	g.addTraits(r, &e)
	g.price(r, &e)
	return e
}

func (g *draw) addTraits(r *random, e *event) {
	a, b, c := r.uint64(), r.uint64(), r.uint64()
	// Text belongs to the person: all events of one employee agree on the name.
	person := randomAt(g.o.Seed, drawPerson, uint64(e.employee), 0)
	set := func(on bool, t trait) {
		if on {
			e.traits |= t
		}
	}
	set(g.unicode.of(uint32(person.uint64())), traitUnicode)
	set(g.number.of(uint32(a)), traitNumber)
	set(g.exponent.of(uint32(a>>32)), traitExponent)
	set(g.local.of(uint32(b)), traitLocalOffset)
	set(g.extraKeys.of(uint32(b>>32)), traitExtraKeys)
	set(g.shuffled.of(uint32(c)), traitShuffled)
	if g.null.of(uint32(c >> 32)) {
		e.traits |= traitNullPayRun << (e.style >> 62)
	}
}

const (
	largestAmount = 999_999_999_999_999_999 // of decimal(18,2), in hundredths
	ordinaryPay   = 60_000
	payRange      = 1_200_000
)

// price draws the amounts: net is gross less tax, and gross has up to 18 digits.
func (g *draw) price(r *random, e *event) {
	a, b := r.uint64(), r.uint64()
	switch {
	case g.big.of(uint32(a)):
		e.gross = largestAmount - int64(b%(largestAmount/10*9))
	case a>>32%500 == 0:
		e.gross = int64(b % 3) // 0.00, 0.01, 0.02
	default:
		e.gross = ordinaryPay + int64(b%payRange)
	}
	e.tax = e.gross / 100 * int64(12+b>>40%24)
	e.negativeZero = false
	if e.kind == reversed && g.negative.of(uint32(r.uint64())) {
		e.negativeZero = true
		e.gross, e.tax = -e.gross, -e.tax
	}
	if e.has(traitNullTax) {
		e.tax = 0
	}
	e.net = e.gross - e.tax
}
