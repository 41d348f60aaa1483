package progress

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Screen keeps a view below everything else that is written to a terminal. What
// is written through it, log and results, goes above the view and stays. The view
// leaves nothing behind: it is taken away by Close, and it hides no cursor and
// sets no mode, so that a killed process leaves a usable terminal.
//
// It uses three control sequences that every terminal since the VT100 knows:
// carriage return, cursor up, erase to the end of the screen. It is safe for
// concurrent use.
type Screen struct {
	mu      sync.Mutex
	out     io.Writer
	columns func() int // asked at each drawing, since windows change their size
	plain   bool
	drawn   []string
	midline bool // what was written last ended no line
	closed  bool
}

// NewScreen returns a screen on the terminal out, as wide as columns says.
// Plain ones use ASCII only.
func NewScreen(out io.Writer, columns func() int, plain bool) *Screen {
	return &Screen{out: out, columns: columns, plain: plain}
}

// Run draws what the pulse says once per interval until ctx ends.
func (s *Screen) Run(ctx context.Context, p *Pulse, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.Draw(p)
		}
	}
}

// Draw draws where the pulse's work stands, in place of what was drawn before.
func (s *Screen) Draw(p *Pulse) {
	standing, passed, ok := p.Standing()
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.midline {
		return
	}
	columns := s.columns()
	lines := Frame(standing, passed, columns, s.plain)
	// One write, so that no half frame is seen.
	_, _ = io.WriteString(s.out, s.erasing(columns)+strings.Join(lines, "\n"))
	s.drawn = lines
}

// Write implements io.Writer for the terminal itself.
func (s *Screen) Write(b []byte) (int, error) { return s.write(s.out, b) }

// Through returns a writer to another stream that may show on the same terminal:
// the view is taken away before something is written to it.
func (s *Screen) Through(out io.Writer) io.Writer { return through{s, out} }

type through struct {
	s   *Screen
	out io.Writer
}

func (t through) Write(b []byte) (int, error) { return t.s.write(t.out, b) }

func (s *Screen) write(out io.Writer, b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.erase(); err != nil {
		return 0, err
	}
	if len(b) > 0 {
		s.midline = b[len(b)-1] != '\n'
	}
	return out.Write(b)
}

// Close takes the view away for good; what is written later goes through as it is.
func (s *Screen) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.erase()
}

func (s *Screen) erase() error {
	if s.drawn == nil {
		return nil
	}
	_, err := io.WriteString(s.out, s.erasing(s.columns()))
	s.drawn = nil
	return err
}

// erasing returns what takes the drawn lines away. In a window that became
// narrower they take more rows than lines.
func (s *Screen) erasing(columns int) string {
	if s.drawn == nil {
		return ""
	}
	rows := 0
	for _, line := range s.drawn {
		rows += max(1, (utf8.RuneCountInString(line)+columns-1)/max(1, columns))
	}
	if rows == 1 {
		return "\r\x1b[J"
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", rows-1)
}
