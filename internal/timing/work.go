package timing

import (
	"encoding/json"
	"fmt"
	"time"
)

// Work is what one process leaves of its work on a run.
type Work struct {
	Command  string    `json:"command"`
	Version  string    `json:"version"`
	Began    time.Time `json:"began"`
	Exit     int       `json:"exit"`
	Timing   Snapshot  `json:"timing"`
	Profiles []string  `json:"profiles,omitempty"` // URIs
}

// ReadWork reads a Work as it was kept.
func ReadWork(body []byte) (w Work, err error) {
	err = json.Unmarshal(body, &w)
	return w, err
}

// String is one line for people.
func (w Work) String() string {
	text := fmt.Sprintf("%s at %s, exit code %d, %s", w.Command, w.Began.UTC().Format(time.RFC3339), w.Exit, w.Timing)
	for _, uri := range w.Profiles {
		text += "; profile " + uri
	}
	return text
}

// String is where the time went, as a person says it.
func (s Snapshot) String() string {
	text := fmt.Sprintf("%s of %.1f s", s.Bottleneck, s.Wall)
	if s.Process != nil {
		text += fmt.Sprintf("; %.1f CPU seconds, %d MiB allocated", s.Process.CPU, s.Process.Allocated>>20)
		if s.Lanes != nil {
			text += fmt.Sprintf(" (%d MiB while lanes worked)", s.Lanes.Bytes>>20)
		}
		text += fmt.Sprintf(", %d MiB at most in memory", s.Process.MaxRSS>>20)
	}
	return text
}
