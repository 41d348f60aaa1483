package outside

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"backfill/internal/tieout"
)

// namedFile is the file of named exceptions.
type namedFile struct {
	Version    int         `yaml:"version"`
	Exceptions []namedItem `yaml:"exceptions"`
}

type namedItem struct {
	ID      string      `yaml:"id"`
	Class   string      `yaml:"class"`
	Keys    []namedKey  `yaml:"keys"`
	Bucket  *namedPlace `yaml:"bucket"`
	MaxRows int64       `yaml:"max_rows"`
	Reason  string      `yaml:"reason"`
	Owner   string      `yaml:"owner"`
	Expires string      `yaml:"expires"`

	line int
}

// UnmarshalYAML notes the line. Keys that are not known are refused here: the
// decoder's own check does not reach behind a custom one.
func (n *namedItem) UnmarshalYAML(node *yaml.Node) error {
	if err := known(node, "id", "class", "keys", "bucket", "max_rows", "reason", "owner", "expires"); err != nil {
		return err
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == "bucket" {
			if err := known(node.Content[i+1], "leg", "topic", "partition", "day", "bucket", "group"); err != nil {
				return err
			}
		}
	}
	type plain namedItem
	if err := node.Decode((*plain)(n)); err != nil {
		return err
	}
	n.line = node.Line
	return nil
}

// namedKey is the values of one key: a scalar, or a list where table.key has
// several columns.
type namedKey []string

// UnmarshalYAML takes scalars as they are spelled, so that 007 stays 007.
func (k *namedKey) UnmarshalYAML(node *yaml.Node) error {
	parts := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		parts = node.Content
	}
	for _, part := range parts {
		if part.Kind != yaml.ScalarNode || part.Tag == "!!null" {
			return fmt.Errorf("line %d: a key is a value, or a list of values where table.key has several columns", part.Line)
		}
		*k = append(*k, part.Value)
	}
	return nil
}

func known(node *yaml.Node, keys ...string) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: here must be keys with values", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; !slices.Contains(keys, key.Value) {
			return fmt.Errorf("line %d: unknown key %s", key.Line, key.Value)
		}
	}
	return nil
}

type namedPlace struct {
	Leg       string    `yaml:"leg"`
	Topic     string    `yaml:"topic"`
	Partition *int32    `yaml:"partition"`
	Day       string    `yaml:"day"`
	Bucket    *int32    `yaml:"bucket"`
	Group     []*string `yaml:"group"`
}

const maxNamed = 10_000

// Named reads named exceptions:
//
//	version: 1
//	exceptions:
//	  - id: FX-2026-03
//	    class: missing                 # missing, extra, changed, …
//	    keys: [e-1001, e-1002]         # of rows; [[US1, 7]] where table.key has several columns; or
//	    bucket: {day: 2026-03-08, group: [EUR]}   # leg, topic, partition, day, bucket, group
//	    max_rows: 2
//	    reason: paid by cheque, see PAY-114
//	    owner: anna.berg
//	    expires: 2026-06-30            # the last day on which it holds, UTC
func Named(f *File) ([]tieout.Named, error) {
	d := yaml.NewDecoder(bytes.NewReader(f.Body))
	d.KnownFields(true)
	var file namedFile
	if err := d.Decode(&file); err != nil {
		return nil, f.wrong(err, 1, "the named exceptions can't be read")
	}
	if err := d.Decode(&namedFile{}); !errors.Is(err, io.EOF) {
		return nil, f.at(1, "there is more than one document")
	}
	if file.Version != 1 {
		return nil, f.at(1, "version is %d, not 1", file.Version)
	}
	if len(file.Exceptions) > maxNamed {
		return nil, f.at(1, "more than %d exceptions", maxNamed)
	}
	var out []tieout.Named
	seen := map[string]bool{}
	for _, item := range file.Exceptions {
		for _, need := range []struct{ key, value string }{{"id", item.ID}, {"class", item.Class}, {"reason", item.Reason}, {"owner", item.Owner}, {"expires", item.Expires}} {
			if need.value == "" {
				return nil, f.at(item.line, "the exception %s has no %s", item.ID, need.key)
			}
		}
		expires, err := expiry(item.Expires)
		switch {
		case err != nil:
			return nil, f.at(item.line, "expires %q of exception %s is no date", item.Expires, item.ID)
		case seen[item.ID]:
			return nil, f.at(item.line, "the exception %s stands twice", item.ID)
		case (len(item.Keys) > 0) == (item.Bucket != nil):
			return nil, f.at(item.line, "the exception %s needs either keys or a bucket", item.ID)
		case item.Bucket != nil && item.Bucket.empty():
			return nil, f.at(item.line, "the bucket of exception %s would hold everything: name a day, partition, bucket or group", item.ID)
		case item.MaxRows < 0:
			return nil, f.at(item.line, "max_rows of exception %s is negative", item.ID)
		}
		seen[item.ID] = true
		n := tieout.Named{ID: item.ID, Class: item.Class, MaxRows: item.MaxRows, Reason: item.Reason, Owner: item.Owner, Expires: expires}
		for _, k := range item.Keys {
			n.Keys = append(n.Keys, k)
		}
		if b := item.Bucket; b != nil {
			n.Bucket = &tieout.At{Leg: b.Leg, Topic: b.Topic, Partition: b.Partition, Day: b.Day, Bucket: b.Bucket, Group: b.Group}
		}
		out = append(out, n)
	}
	return out, nil
}

func (p *namedPlace) empty() bool {
	return p.Topic == "" && p.Partition == nil && p.Day == "" && p.Bucket == nil && len(p.Group) == 0
}
