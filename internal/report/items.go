package report

import (
	"fmt"
	"strconv"
	"strings"

	"backfill/internal/account"
)

// The states of items.
const (
	StateBreak     = "break"
	StateUnknown   = "unknown"
	StateGranted   = "granted"
	StateException = "exception"
)

// Item is one line of the list that people work through: a difference, something
// unknown, or something that should be known although nothing differs.
type Item struct {
	ID        string // B1, R1, U1, E1: the n-th of its list
	State     string
	Class     string
	Leg       string
	Topic     string
	Partition *int32
	Offset    *int64
	Day       string
	Bucket    *int32
	Group     []*string
	Place     string // in words, where the fields above don't say it
	Key       string
	Columns   string // that differ, comma between
	Count     int64  // of exceptions
	Left      *Figures
	Right     *Figures
	Diff      []string // of the amounts
	Text      string
}

// between stands between the parts of a place.
const between = " · "

// Where names the item's place in short.
func (i Item) Where() string {
	var parts []string
	if i.Topic != "" && i.Partition != nil {
		place := fmt.Sprintf("%s/%d", i.Topic, *i.Partition)
		if i.Offset != nil {
			place += " @" + strconv.FormatInt(*i.Offset, 10)
		}
		parts = append(parts, place)
	}
	if i.Day != "" && i.Day != "all" {
		parts = append(parts, i.Day)
	}
	if len(i.Group) > 0 {
		parts = append(parts, account.GroupText(i.Group))
	}
	if i.Place != "" {
		parts = append(parts, i.Place)
	}
	if i.Key != "" {
		parts = append(parts, i.Key)
	}
	return strings.Join(parts, between)
}

// Items lists breaks, rows, what is unknown and exceptions, in this order.
func (r *Report) Items() []Item {
	var items []Item
	for n, d := range r.Breaks {
		bucket := d.Bucket
		left, right := d.Left, d.Right
		item := Item{ID: fmt.Sprintf("B%d", n+1), State: StateBreak, Class: d.Kind, Leg: d.Leg, Topic: d.Topic, Partition: d.Partition,
			Day: d.Day, Place: d.Where, Bucket: &bucket, Group: d.Group, Left: &left, Right: &right, Diff: d.Diff, Text: d.Text}
		items = append(items, item)
	}
	items = append(items, r.rowItems()...)
	for n, text := range r.Unknown {
		items = append(items, Item{ID: fmt.Sprintf("U%d", n+1), State: StateUnknown, Class: "unknown", Text: text})
	}
	for n, e := range r.Exceptions {
		state := StateException
		if e.Class == StateGranted {
			state = StateGranted
		}
		items = append(items, Item{ID: fmt.Sprintf("E%d", n+1), State: state, Class: e.Class, Count: e.Count, Text: e.Text})
	}
	return items
}
