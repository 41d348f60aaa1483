package progress_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"backfill/internal/progress"
)

// terminal is a small terminal: rows that wrap, are wrapped anew when the window
// changes, and the control sequences that a screen uses. Others fail the test.
type terminal struct {
	t        *testing.T
	columns  int
	rows     []string
	wrapped  []bool // the row goes on in the next one
	row, col int
	frames   int // erasures and texts that were drawn
}

var control = regexp.MustCompile(`^\x1b\[(\d*)([A-Z])`)

func newTerminal(t *testing.T, columns int) *terminal {
	return &terminal{t: t, columns: columns, rows: []string{""}, wrapped: []bool{false}}
}

func (m *terminal) Write(b []byte) (int, error) {
	m.frames++
	for text := string(b); text != ""; {
		if match := control.FindStringSubmatch(text); match != nil {
			m.control(match[1], match[2])
			text = text[len(match[0]):]
			continue
		}
		r := []rune(text)[0]
		m.put(r)
		text = text[len(string(r)):]
	}
	return len(b), nil
}

func (m *terminal) control(number, letter string) {
	switch letter {
	case "A":
		n, err := strconv.Atoi(number)
		if err != nil || n > m.row {
			m.t.Fatalf("cursor up by %q from row %d", number, m.row)
		}
		m.row -= n
	case "J":
		m.rows[m.row] = string([]rune(m.rows[m.row])[:m.col])
		m.rows, m.wrapped = m.rows[:m.row+1], m.wrapped[:m.row+1]
		m.wrapped[m.row] = false
	default:
		m.t.Fatalf("control sequence %s%s", number, letter)
	}
}

func (m *terminal) put(r rune) {
	switch r {
	case '\r':
		m.col = 0
		return
	case '\n': // the line discipline adds the carriage return
		m.next(false)
		return
	}
	if m.col == m.columns {
		m.next(true)
	}
	line := []rune(m.rows[m.row])
	m.rows[m.row] = string(append(line[:m.col:m.col], r))
	m.col++
}

func (m *terminal) next(wrapped bool) {
	m.wrapped[m.row] = wrapped
	m.row, m.col = m.row+1, 0
	if m.row == len(m.rows) {
		m.rows, m.wrapped = append(m.rows, ""), append(m.wrapped, false)
	}
}

// text joins wrapped rows.
func (m *terminal) text() string {
	var b strings.Builder
	for i, row := range m.rows {
		b.WriteString(row)
		if !m.wrapped[i] {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// resize wraps all rows anew, with the cursor behind the last text.
func (m *terminal) resize(columns int) {
	lines := strings.Split(strings.TrimSuffix(m.text(), "\n"), "\n")
	frames := m.frames
	*m = *newTerminal(m.t, columns)
	for i, line := range lines {
		if i > 0 {
			m.put('\n')
		}
		for _, r := range line {
			m.put(r)
		}
	}
	m.frames = frames
}

// TestScreenLeavesOnlyWhatWasWritten: whatever is drawn, written and resized in
// whatever order, in the end the terminal shows the written text, whole.
func TestScreenLeavesOnlyWhatWasWritten(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		term := newTerminal(t, 10+random.IntN(120))
		screen := progress.NewScreen(term, func() int { return term.columns }, random.IntN(2) == 0)
		c := newClock()
		pulse := progress.NewPulse(c.now, func(string) {})
		m := progress.Sized("converting", "chunks", 1e9, 50, c.now)
		results := screen.Through(term)
		written := ""
		write := func(text string) {
			written += text
			out := []interface{ Write([]byte) (int, error) }{screen, results}[random.IntN(2)]
			if _, err := out.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 60 {
			c.pass(time.Duration(random.IntN(5000)) * time.Millisecond)
			switch random.IntN(6) {
			case 0:
				write(fmt.Sprintf("INFO line %d %s\n", i, strings.Repeat("x", random.IntN(200))))
			case 1:
				write("half ")
			case 2:
				term.resize(10 + random.IntN(120))
			case 3:
				pulse.Step("step %d: reading", i)
			case 4:
				m.Done(random.Int64N(2e7), 1000)
				pulse.Follow(m)
			}
			screen.Draw(pulse)
		}
		if err := screen.Close(); err != nil {
			t.Fatal(err)
		}
		screen.Draw(pulse) // after its end it draws nothing
		if got := strings.TrimRight(term.text(), "\n"); got != strings.TrimRight(written, "\n") {
			t.Fatalf("seed %d: the terminal shows\n%s\nwritten was\n%s", seed, got, written)
		}
	}
}

// TestFrames compares drawn frames with testdata/frames.txt.
func TestFrames(t *testing.T) {
	passed := []progress.Passed{{Work: "planning", Took: 3 * time.Second}, {Work: "listing", Took: time.Millisecond}}
	states := []struct {
		name   string
		s      progress.Standing
		passed []progress.Passed
	}{
		{"listing", progress.Standing{Work: "planning", Step: "listing the archive", For: 4 * time.Second}, nil},
		{"converting", progress.Standing{Work: "converting", Measured: true, Sized: true, Items: "chunks", Count: 3, All: 6, Amount: 142e6, Total: 240858733, Percent: 58,
			Rows: 871204, Quarantined: 27, Rate: 45.2e6, Left: 2200 * time.Millisecond}, passed},
		{"loading", progress.Standing{Work: "loading", Measured: true, Items: "slices", Count: 1, All: 5, Amount: 1, Total: 5, Percent: 20, Step: "changing the next slice",
			For: 75 * time.Second, Left: 5 * time.Minute}, append(passed, progress.Passed{Work: "converting", Took: 4000 * time.Second})},
		{"at its end", progress.Standing{Work: "converting", Measured: true, Sized: true, Items: "chunks", Count: 6, All: 6, Amount: 100, Total: 100, Percent: 100}, nil},
	}
	var b strings.Builder
	for _, state := range states {
		for _, columns := range []int{1, 12, 40, 80, 200} {
			for _, plain := range []bool{false, true} {
				if plain && columns != 80 {
					continue
				}
				fmt.Fprintf(&b, "== %s, %d columns, plain %t\n", state.name, columns, plain)
				for _, line := range progress.Frame(state.s, state.passed, columns, plain) {
					if n := len([]rune(line)); n > max(1, columns-1) {
						t.Errorf("%s: a line of %d characters in %d columns: %s", state.name, n, columns, line)
					}
					fmt.Fprintln(&b, line)
				}
			}
		}
	}
	golden := filepath.Join("testdata", "frames.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("frames differ from %s (UPDATE_GOLDEN=1 writes it):\n%s", golden, b.String())
	}
}
