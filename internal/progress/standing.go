package progress

import (
	"fmt"
	"time"
)

// Standing is where one piece of work stands at a moment.
type Standing struct {
	Work string        // what is done, as "converting"
	Step string        // the part of it that is done now; "": none was named
	For  time.Duration // since the step began

	Measured    bool   // the fields below say something
	Sized       bool   // Amount and Total are bytes; otherwise they count items
	Items       string // what items are called
	Count, All  int    // items finished, and all
	Amount      int64  // done, of items under way too
	Total       int64
	Percent     int64 // rounded down; 100 only when all items are finished
	Rows        int64
	Quarantined int64         // records
	Rate        float64       // amount per second; 0: nothing to go by
	Left        time.Duration // 0: nothing to go by
}

// Line says it in one line, for logs.
func (s Standing) Line() string {
	if !s.Measured {
		return s.step()
	}
	line := fmt.Sprintf("%s %d%%, %d of %d %s", s.Work, s.Percent, s.Count, s.All, s.Items)
	if s.Sized {
		line += fmt.Sprintf(", %d rows", s.Rows)
		if s.Rate > 0 {
			line += fmt.Sprintf(", %.1f MB/s", s.Rate/1e6)
		}
	}
	if s.Left > 0 {
		line += ", about " + Roughly(s.Left) + " left"
	}
	if s.Step != "" {
		line += ": " + s.Step + ", for " + Roughly(s.For)
	}
	return line
}

// step says what is done that has no measure but its time.
func (s Standing) step() string {
	text := s.Work
	if s.Step != "" {
		text += ": " + s.Step
	}
	return text + ", for " + Roughly(s.For)
}
