package dataset

import (
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"backfill/internal/kafka"
)

const (
	maxGaps     = 10000
	maxTopics   = 100 // that one name may have had
	maxPattern  = 1024
	maxReason   = 200
	maxDuration = 3660 * 24 * time.Hour
)

var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// archive reads the archive section.
func (c *compiler) archive(root section) {
	s := c.child(root, "archive")
	a := &c.out.Archive
	if s.values["uri"] == nil {
		c.missing(s, "uri", "add where the archive is: s3://bucket/prefix or file:///path")
	} else if uri, ok := c.expanded(s, "uri"); ok {
		a.URI = c.storage(c.place(s, "uri"), s.key("uri"), uri)
	}
	c.layout(s)
	a.Format = c.format(s)
	a.Lateness = c.duration(s, "lateness")
	a.Earliness, a.Modified = c.duration(s, "earliness"), s.values["earliness"] != nil
	a.Idle = c.duration(s, "idle")
	c.folderTime(s)
	c.inventory(s)
	c.gaps(s)
	c.recreated(s)
}

// recreated reads archive.recreated: when the topic was deleted and made anew, so
// that its offsets began again.
func (c *compiler) recreated(s section) {
	for i, n := range c.items(s, "recreated", maxTopics) {
		at, err := time.Parse(time.RFC3339, n.Value)
		list := c.out.Archive.Recreated
		switch {
		case n.Kind != yaml.ScalarNode || err != nil || at.Nanosecond() != 0:
			c.at(n, "the archiver writes the first object of the new topic after it: 2026-03-10T12:00:00Z", "archive.recreated[%d]: %s is not a time of RFC 3339 in whole seconds", i, shown(n.Value))
		case i > 0 && len(list) > 0 && !at.After(list[len(list)-1]):
			c.at(n, "write them in their order, each once", "archive.recreated[%d]: %s is not after the one before", i, shown(n.Value))
		default:
			c.out.Archive.Recreated = append(list, at.UTC())
		}
	}
}

func (c *compiler) topic(n *yaml.Node, topic string) {
	if !topicName.MatchString(topic) {
		c.at(n, "letters, digits, dot, _ and -, at most 249", "%s is not a topic's name", shown(topic))
	}
}

// gaps reads archive.gaps and sorts them, so that their order in the file does
// not matter.
func (c *compiler) gaps(s section) {
	type placed struct {
		Gap
		node *yaml.Node
	}
	var list []placed
	for i, n := range c.items(s, "gaps", maxGaps) {
		if gap, ok := c.gap(c.section(gapPath, "archive.gaps["+strconv.Itoa(i)+"]", n)); ok {
			list = append(list, placed{gap, n})
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.Topic != b.Topic {
			return a.Topic < b.Topic
		}
		if a.Partition != b.Partition {
			return a.Partition < b.Partition
		}
		return a.From < b.From
	})
	for i, one := range list {
		if i > 0 {
			last := list[i-1]
			if last.Topic == one.Topic && last.Partition == one.Partition && one.From < last.To {
				c.at(one.node, "make them one or cut them", "the gap [%d, %d) overlaps the gap [%d, %d)", one.From, one.To, last.From, last.To)
			}
		}
		c.out.Archive.Gaps = append(c.out.Archive.Gaps, one.Gap)
	}
}

func (c *compiler) gap(s section) (Gap, bool) {
	const most = 1<<63 - 1
	before := len(c.list)
	for _, key := range []string{"partition", "from", "to", "reason"} {
		if s.values[key] == nil {
			c.missing(s, key, "a gap is {partition, from, to, reason}: offsets from (in it) to (no longer in it)")
		}
	}
	partition, _ := c.integer(s, "partition", 0, 1<<31-1)
	from, fromOK := c.integer(s, "from", 0, most)
	to, toOK := c.integer(s, "to", 0, most)
	if fromOK && toOK && to <= from {
		c.at(s.values["to"], "to is the first offset after the gap", "the gap [%d, %d) is empty", from, to)
	}
	reason, _ := c.text(s, "reason")
	if len(reason) > maxReason {
		c.at(s.values["reason"], "", "%s has %d bytes, more than %d", s.key("reason"), len(reason), maxReason)
	}
	topic, ok := c.text(s, "topic")
	if ok {
		c.topic(s.values["topic"], topic)
	}
	gap := Gap{Topic: topic, Partition: kafka.Partition(partition), From: kafka.Offset(from), To: kafka.Offset(to), Reason: reason}
	return gap, len(c.list) == before
}

var daysOnly = regexp.MustCompile(`^[0-9]{1,5}d$`)

// duration returns a key's duration: Go's spelling (72h, 90m) or whole days
// (3d); 0 if absent or wrong.
func (c *compiler) duration(s section, key string) time.Duration {
	value, ok := c.scalar(s, key, "a duration such as 72h or 3d", "!!str", "!!int")
	if !ok {
		return 0
	}
	var d time.Duration
	var err error
	if daysOnly.MatchString(value) {
		var days int
		days, err = strconv.Atoi(strings.TrimSuffix(value, "d"))
		d = time.Duration(days) * 24 * time.Hour
	} else {
		d, err = time.ParseDuration(value)
	}
	switch {
	case err != nil:
		c.at(s.values[key], "a number with its unit: 72h, 90m, 3d", "%s %s is not a duration", s.key(key), shown(value))
	case d < 0 || d > maxDuration:
		c.at(s.values[key], "", "%s must be from 0 to 3660d, not %s", s.key(key), shown(value))
	default:
		return d
	}
	return 0
}
