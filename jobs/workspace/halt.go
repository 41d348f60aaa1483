package workspace

import "sync"

// Halt is how a process that must end soon tells its jobs: work that has begun
// goes on, nothing new is begun, and the job returns the cause. A nil Halt never
// asks. It is safe for concurrent use.
type Halt struct {
	once  sync.Once
	asked chan struct{}
	cause error // set before asked is closed
}

// NewHalt returns a halt that was not asked for yet.
func NewHalt() *Halt { return &Halt{asked: make(chan struct{})} }

// Ask asks for the halt; later causes are ignored.
func (h *Halt) Ask(cause error) {
	h.once.Do(func() {
		h.cause = cause
		close(h.asked)
	})
}

// Asked is closed once the halt is asked for.
func (h *Halt) Asked() <-chan struct{} {
	if h == nil {
		return nil
	}
	return h.asked
}

// Cause returns why, nil while nobody asked.
func (h *Halt) Cause() error {
	select {
	case <-h.Asked():
		return h.cause
	default:
		return nil
	}
}
