package main

import (
	"context"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"backfill/internal/progress"
)

// redraw is how often a terminal's view is drawn: calm, and it does not look dead.
const redraw = 250 * time.Millisecond

// usualColumns is the width of a terminal that does not tell it.
const usualColumns = 80

// watch lets a person at a terminal see where the work stands, below the log, or
// writes it into the log once per heartbeat. The returned function ends it and
// takes the view away.
func (p *program) watch(ctx context.Context, cmd command) func() {
	ctx, cancel := context.WithCancel(ctx)
	if p.screen == nil {
		if p.flags.heartbeatTime > 0 {
			go p.pulse.Run(ctx, p.flags.heartbeatTime)
		}
		return cancel
	}
	if !cmd.talks {
		go p.screen.Run(ctx, p.pulse, redraw)
	}
	return func() { cancel(); _ = p.screen.Close() }
}

// openScreen puts a view on stderr where it is a terminal that a person reads;
// from then on stdout and stderr are written through it.
func (p *program) openScreen() {
	if out, ok := p.stdout.(*os.File); ok && isTerminal(out) {
		p.terminal = out
	}
	f, ok := p.stderr.(*os.File)
	view := p.flags.progress == "view"
	if p.flags.progress == "auto" {
		view = ok && isTerminal(f) && p.env("TERM") != "dumb" && p.flags.logFormat == "text"
	}
	if !view || !ok {
		return
	}
	p.screen = progress.NewScreen(f, func() int { return columns(f) }, !p.speaksUTF8())
	p.stderr, p.stdout = p.screen, p.screen.Through(p.stdout)
}

// speaksUTF8 follows the locale's order of precedence.
func (p *program) speaksUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := p.env(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// width is that of the terminal that stdout is; 0: it is none.
func (p *program) width() int {
	if p.terminal == nil {
		return 0
	}
	return columns(p.terminal)
}

// columns returns the width of a terminal's window at this moment.
func columns(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return usualColumns
	}
	return int(size.Col)
}

// longestCommand is the longest command line, in bytes, that is worth printing.
const longestCommand = 2000

// commandLine gives the command as a person types it again; "" for one that
// nobody typed: it holds a whole dataset. What asks for a new plan is left out
// once that stands: asked for again, its work would be done anew.
func (p *program) commandLine() string {
	l := p.labels.Load()
	planned := l != nil && l.seq != 0
	words := []string{"backfill"}
	for i, a := range p.args {
		switch name, _, _ := strings.Cut(a, "="); {
		case strings.HasPrefix(a, "--dataset-text"):
			return ""
		case planned && (name == "--replan" || name == "--reconvert"):
			continue
		}
		if i > 0 { // the command is one word or two
			a = quoted(a)
		}
		words = append(words, a)
	}
	line := strings.Join(words, " ")
	if len(line) > longestCommand {
		return ""
	}
	return line
}

// quoted gives a word as POSIX shells read it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
