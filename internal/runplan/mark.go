package runplan

import "backfill/internal/kafka"

// Mark is what plans are looked for by, without reading them.
type Mark struct {
	Seq     Seq
	Run     RunID
	Dataset string       // its name
	Window  kafka.Window // zero: all rows
}

// Mark returns the mark of a sealed plan.
func (h *Head) Mark() Mark {
	return Mark{Seq: h.Seq, Run: h.Run, Dataset: h.Dataset.Name, Window: h.Window}
}
