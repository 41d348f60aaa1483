package contender

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Spent is where a run of the product says that its time went.
type Spent struct {
	Limit  string  // its sentence about the bottleneck
	Stages []Stage // of its workers
	Waited float64 // share of the workers' time in which they waited for each other, or for files
}

// Stage is one kind of the workers' work.
type Stage struct {
	Name  string
	Share float64 // of the workers' time, 0 to 1
}

// stages are those of workers that convert from files, as the product calls
// them; what else it tells of is too little to show.
func stages() []string { return []string{"decompress", "decode", "account", "encode"} }

// Spent reads what the last run into out left in staging.
func (p *Product) Spent(out string) (Spent, error) {
	const name = "staging/targets/*/work/*/*-convert-*/work.json"
	files, err := filepath.Glob(filepath.Join(out, name))
	if err != nil || len(files) != 1 {
		return Spent{}, fmt.Errorf("looking for %s below %s: %d found, %v", name, out, len(files), err)
	}
	body, err := os.ReadFile(files[0])
	if err != nil {
		return Spent{}, fmt.Errorf("reading where the time went: %w", err)
	}
	return readSpent(body)
}

func readSpent(body []byte) (Spent, error) {
	var work struct {
		Timing struct {
			Bottleneck string `json:"bottleneck"`
			Stages     []struct {
				Stage   string  `json:"stage"`
				Busy    float64 `json:"busy_seconds"`
				Waiting []struct {
					Seconds float64 `json:"seconds"`
				} `json:"waiting"`
			} `json:"stages"`
		} `json:"timing"`
	}
	if err := json.Unmarshal(body, &work); err != nil {
		return Spent{}, fmt.Errorf("reading where the time went: %w", err)
	}
	busy, waited, all := map[string]float64{}, 0.0, 0.0
	for _, s := range work.Timing.Stages {
		busy[s.Stage] = s.Busy
		all += s.Busy
		for _, w := range s.Waiting {
			waited += w.Seconds
			all += w.Seconds
		}
	}
	if all == 0 || work.Timing.Bottleneck == "" {
		return Spent{}, fmt.Errorf("reading where the time went: it tells no times: %s", body)
	}
	r := Spent{Limit: work.Timing.Bottleneck, Waited: waited / all}
	for _, name := range stages() {
		r.Stages = append(r.Stages, Stage{Name: name, Share: busy[name] / all})
	}
	return r, nil
}
