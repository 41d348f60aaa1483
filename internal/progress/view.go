package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// widest is the number of columns that a frame fills at most: longer lines are
// harder to read, not better.
const widest = 100

// Frame draws where the work stands as lines of at most columns−1 characters: the
// kinds of work so far, the present one with its bar and time left, and its
// amounts. Blocks and ticks are ASCII when plain.
func Frame(s Standing, passed []Passed, columns int, plain bool) []string {
	width := max(1, min(columns-1, widest))
	tick := "✓"
	if plain {
		tick = "done:"
	}
	var lines, parts []string
	for _, p := range passed {
		if p.Took >= time.Second { // shorter ones are noise
			parts = append(parts, tick+" "+p.Work+" "+clock(p.Took))
		}
	}
	if parts != nil {
		lines = append(lines, fit(parts, "  ", width))
	}
	if !s.Measured {
		step := s.Work
		if s.Step != "" {
			step += ": " + s.Step
		}
		return append(lines, fit([]string{step, clock(s.For)}, "  ", width))
	}
	lines = append(lines, headline(s, width, plain))
	if facts := s.facts(); len(facts) > 0 {
		lines = append(lines, fit(facts, separator(plain), width))
	}
	if s.Step != "" {
		lines = append(lines, fit([]string{s.Step, clock(s.For)}, "  ", width))
	}
	return lines
}

// headline is the work with its bar, percentage and time left; the bar takes the
// room that is there, and goes first when there is none.
func headline(s Standing, width int, plain bool) string {
	parts := []string{s.Work, fmt.Sprintf("%3d %%", s.Percent)}
	if s.Left > 0 {
		parts = append(parts, "about "+Roughly(s.Left)+" left")
	}
	const least, most = 8, 40
	room := min(width-utf8.RuneCountInString(strings.Join(parts, "  "))-2, most)
	if room < least {
		return fit(parts, "  ", width)
	}
	full, empty := "█", "░"
	if plain {
		full, empty = "#", "-"
	}
	n := room * int(s.Percent) / 100
	bar := strings.Repeat(full, n) + strings.Repeat(empty, room-n)
	return strings.Join(append([]string{parts[0], bar}, parts[1:]...), "  ")
}

// facts are the amounts, what matters most first.
func (s Standing) facts() (facts []string) {
	facts = append(facts, fmt.Sprintf("%d of %d %s", s.Count, s.All, s.Items))
	if s.Sized {
		facts = append(facts, fmt.Sprintf("%d rows", s.Rows))
	}
	if s.Quarantined > 0 {
		facts = append(facts, fmt.Sprintf("%d quarantined", s.Quarantined))
	}
	if s.Sized {
		facts = append(facts, fmt.Sprintf("%.1f of %.1f MB", float64(s.Amount)/1e6, float64(s.Total)/1e6))
		if s.Rate > 0 {
			facts = append(facts, fmt.Sprintf("%.1f MB/s", s.Rate/1e6))
		}
	}
	return facts
}

func separator(plain bool) string {
	if plain {
		return ", "
	}
	return " · "
}

// fit joins as many parts as there is room for, from the first; a first part that
// is too long is cut.
func fit(parts []string, between string, width int) string {
	line := ""
	for i, p := range parts {
		next := p
		if i > 0 {
			next = line + between + p
		}
		if utf8.RuneCountInString(next) > width {
			break
		}
		line = next
	}
	if line == "" && len(parts) > 0 {
		line = string([]rune(parts[0])[:width])
	}
	return line
}

// clock gives a duration as minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
