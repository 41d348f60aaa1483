package archivegen

import (
	"context"
	"sync"
	"testing"
	"time"
)

const zone = "America/Los_Angeles"

// march is a small archive of a month in which clocks change.
func march(seed uint64) Options {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	return Options{
		Seed: seed, Events: 1200, Zone: zone, Partitions: 4, EventsPerObject: 60,
		From: time.Date(2026, 3, 1, 0, 0, 0, 0, loc), To: time.Date(2026, 4, 1, 0, 0, 0, 0, loc),
	}
}

// failer is what tests and property tests have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// memory keeps objects by key.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	t       failer
}

func newMemory(t failer) *memory { return &memory{objects: make(map[string][]byte), t: t} }

func (m *memory) Put(_ context.Context, key string, body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok {
		m.t.Errorf("key %s was put twice", key)
	}
	m.objects[key] = append([]byte(nil), body...)
	return nil
}

func generate(t testing.TB, o Options) (*memory, Truth) {
	t.Helper()
	m := newMemory(t)
	truth, err := Generate(t.Context(), o, m)
	if err != nil {
		t.Fatal(err)
	}
	return m, truth
}

// midnightOf returns the midnight of a date.
func midnightOf(date, zone string) time.Time {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	at, err := time.ParseInLocation(time.DateOnly, date, loc)
	if err != nil {
		panic(err)
	}
	return at
}
