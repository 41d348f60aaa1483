// Package registry opens values that begin with the id of their schema, as
// serializers of Confluent's and AWS Glue's schema registries write them.
//
//	00 ─ id, 4 bytes ────────────────── body        Confluent
//	03 ─ compression ─ id, 16 bytes ─── body        AWS Glue
//	01 ─ id, 16 bytes, in a header; the value is the body
//
// Bodies are Avro, JSON or Protobuf. They become JSON texts whose numbers keep
// all digits; decode reads these into columns, so that the dataset's columns are
// the reader's schema and every body is read by the schema of its writer.
//
// A run's schemas are a Set: it is read once, from a registry or from a folder
// of saved answers, when a plan is made, and sealed with it. Converting asks
// nobody, so that the same plan gives the same rows whatever becomes of the
// registry.
package registry

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"backfill/internal/fail"
)

// Limits of a set.
const (
	maxSchemas  = 10_000
	maxText     = 1 << 20   // bytes of a schema
	maxSetBytes = 256 << 20 // of all of them
	maxDepth    = 100       // of references that refer on
)

// Kind is the language of a schema, as registries name it.
type Kind string

// The kinds.
const (
	Avro     Kind = "AVRO"
	JSON     Kind = "JSON"
	Protobuf Kind = "PROTOBUF"
)

// Schema is one version of a subject.
type Schema struct {
	ID         string      `json:"id"`             // Confluent's number, or Glue's UUID of the version
	GUID       string      `json:"guid,omitempty"` // UUID that headers name; "" where the registry tells none
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	Kind       Kind        `json:"kind"`
	Text       string      `json:"text"`
	References []Reference `json:"references,omitempty"`
}

// Reference names a schema that another one uses.
type Reference struct {
	Name    string `json:"name"` // as the text has it: an Avro type, a Protobuf import
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// same reports whether two schemas of one id are one.
func (s Schema) same(o Schema) bool {
	return s.Kind == o.Kind && s.Text == o.Text && slices.Equal(s.References, o.References)
}

// Set is the schemas of a run. It never changes and may be shared.
type Set struct {
	schemas []Schema // by subject, version, id
	byID    map[string]int
	byName  map[Reference]int // with an empty Name
}

// NewSet checks and orders schemas. One id with two texts is fail.BadDataset:
// ids mean something only in the registry that gave them.
func NewSet(list []Schema) (*Set, error) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Schema) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version), cmp.Compare(a.ID, b.ID), cmp.Compare(a.GUID, b.GUID))
	})
	list = slices.CompactFunc(list, func(a, b Schema) bool {
		return a.ID == b.ID && a.GUID == b.GUID && a.Subject == b.Subject && a.Version == b.Version && a.same(b)
	})
	if len(list) > maxSchemas {
		return nil, fail.New(fail.BadDataset, "there are %d schemas, more than %d", len(list), maxSchemas).Try("name the subjects of the archive's topics in records.registry.subjects")
	}
	s := &Set{schemas: list, byID: map[string]int{}, byName: map[Reference]int{}}
	for i := range list {
		if err := s.add(i); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) add(i int) error {
	one := s.schemas[i]
	switch {
	case one.ID == "":
		return fail.New(fail.BadDataset, "a schema of subject %q has no id", one.Subject)
	case len(one.Text) > maxText:
		return fail.New(fail.BadDataset, "schema %s has %d bytes, more than %d", one.ID, len(one.Text), maxText)
	case one.Kind != Avro && one.Kind != JSON && one.Kind != Protobuf:
		return fail.New(fail.BadDataset, "schema %s is of the unknown kind %q", one.ID, one.Kind).Try("AVRO, JSON and PROTOBUF are read")
	}
	for _, id := range []string{one.ID, one.GUID} {
		if id == "" {
			continue
		}
		if there, ok := s.byID[id]; !ok {
			s.byID[id] = i
		} else if other := s.schemas[there]; !one.same(other) {
			return fail.New(fail.BadDataset, "two schemas have the id %s: version %d of %q and version %d of %q", id, other.Version, other.Subject, one.Version, one.Subject).
				Try("ids mean something only in the registry that gave them: keep the schemas of one registry apart from another's")
		}
	}
	name := Reference{Subject: one.Subject, Version: one.Version}
	if there, ok := s.byName[name]; ok && one.Subject != "" && !one.same(s.schemas[there]) {
		return fail.New(fail.BadDataset, "version %d of %q stands there twice, with other texts", one.Version, one.Subject)
	}
	s.byName[name] = i
	return nil
}

// Len returns the number of schemas.
func (s *Set) Len() int { return len(s.schemas) }

// Lookup returns the schema of an id or GUID.
func (s *Set) Lookup(id string) (Schema, bool) {
	i, ok := s.byID[id]
	if !ok {
		return Schema{}, false
	}
	return s.schemas[i], true
}

// refer returns the schema that a reference names.
func (s *Set) refer(r Reference) (Schema, bool) {
	i, ok := s.byName[Reference{Subject: r.Subject, Version: r.Version}]
	if !ok || r.Subject == "" {
		return Schema{}, false
	}
	return s.schemas[i], true
}

// form is the persistent form of a set.
type form struct {
	Format  int      `json:"format"`
	Schemas []Schema `json:"schemas"`
}

const setFormat = 1

// Encode gives the set's bytes, equal for equal sets.
func (s *Set) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(form{setFormat, s.schemas}); err != nil {
		return nil, fail.Wrap(err, fail.Internal, "encoding the schemas")
	}
	return b.Bytes(), nil
}

// Decode reads what Encode gave.
func Decode(text []byte) (*Set, error) {
	var f form
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fail.Wrap(err, fail.Corrupt, "the sealed schemas can't be read")
	}
	if f.Format != setFormat {
		return nil, fail.New(fail.Corrupt, "the sealed schemas have format %d, not %d", f.Format, setFormat)
	}
	return NewSet(f.Schemas)
}

// Digest returns the hex SHA-256 of an encoded set.
func Digest(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// Difference says for people how the set differs from an older one; "" if it does not.
func (s *Set) Difference(older *Set) string {
	var added, changed, gone int
	for _, one := range s.schemas {
		there, ok := older.Lookup(one.ID)
		switch {
		case !ok:
			added++
		case !one.same(there):
			changed++
		}
	}
	for _, one := range older.schemas {
		if _, ok := s.Lookup(one.ID); !ok {
			gone++
		}
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{added, "added"}, {changed, "changed"}, {gone, "gone"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 && !slices.EqualFunc(s.schemas, older.schemas, func(a, b Schema) bool { return a.Subject == b.Subject && a.Version == b.Version && a.same(b) }) {
		return "other subjects or versions"
	}
	return strings.Join(parts, ", ")
}
