package timing

import (
	"runtime/metrics"
	"syscall"
	"time"
)

// Process is what the whole process used since it began.
type Process struct {
	CPU        float64 `json:"cpu_seconds"` // user and system, by getrusage
	MaxRSS     int64   `json:"max_rss_bytes"`
	Allocated  uint64  `json:"allocated_bytes"`
	Objects    uint64  `json:"allocated_objects"`
	Collected  uint64  `json:"gc_cycles"`
	Heap       uint64  `json:"heap_bytes"`
	Goroutines uint64  `json:"goroutines"`
}

// ReadProcess reads what the process used up to now.
func ReadProcess() *Process {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/allocs:objects"}, {Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/sched/goroutines:goroutines"},
	}
	metrics.Read(samples)
	var values [5]uint64
	for i, s := range samples {
		values[i] = count(s.Value)
	}
	p := &Process{Allocated: values[0], Objects: values[1], Collected: values[2], Heap: values[3], Goroutines: values[4]}
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) == nil {
		p.CPU = (time.Duration(used.Utime.Nano()) + time.Duration(used.Stime.Nano())).Seconds()
		p.MaxRSS = used.Maxrss << 10 // Linux counts KiB
	}
	return p
}
