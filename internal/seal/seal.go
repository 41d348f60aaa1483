// Package seal makes a set of files tamper-evident. A seal is a small JSON
// document that names each file with its SHA-256; whoever holds the seal's own
// SHA-256 somewhere else, such as in the warehouse, finds every later change,
// also one by somebody who computed all the hashes again. A signature shows
// the same to a reader who trusts neither store.
//
// The evidence is one of the files: a list of everything that a report rests
// on, down to the receipts of the chunks, each with its SHA-256.
//
// The package does no I/O but the calls to the key service.
package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Format is the version of the seal and of the evidence.
const Format = 1

// Document is the seal.
type Document struct {
	Format  int       `json:"format"`
	Kind    string    `json:"kind"` // "seal"
	Target  string    `json:"target"`
	Run     string    `json:"run"`
	Verdict string    `json:"verdict"`
	Written time.Time `json:"written"`
	Files   []File    `json:"files"`

	// SignedWith names the key whose signature stands beside the seal; nil:
	// there is none. It is part of what is signed and anchored, so that a
	// signature can't be taken away unseen.
	SignedWith *Key `json:"signed_with,omitempty"`
}

// File is one sealed file.
type File struct {
	Name     string    `json:"name"` // in the folder of the seal
	Bytes    int       `json:"bytes"`
	SHA256   string    `json:"sha256"`
	Sections []Section `json:"sections,omitempty"` // consecutive parts, so that a change can be located
}

// Section is a named part of a file.
type Section struct {
	Name   string `json:"name"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Sum returns the hex SHA-256 of the bytes.
func Sum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// FileOf describes a file. One of JSON, indented by one blank, has a section
// for each of its top-level keys; others have sections of 64 KiB.
func FileOf(name string, body []byte) File {
	f := File{Name: name, Bytes: len(body), SHA256: Sum(body)}
	if bytes.HasPrefix(body, []byte("{\n \"")) {
		f.Sections = keys(body)
	} else if len(body) > regionBytes {
		f.Sections = regions(body)
	}
	return f
}

const regionBytes = 64 << 10

// maxSections bounds what a seal says of one file.
const maxSections = 1000

func regions(body []byte) (list []Section) {
	size := max(regionBytes, (len(body)+maxSections-1)/maxSections)
	for at := 0; at < len(body); at += size {
		part := body[at:min(at+size, len(body))]
		list = append(list, Section{Name: fmt.Sprintf("bytes %d to %d", at, at+len(part)-1), Bytes: len(part), SHA256: Sum(part)})
	}
	return list
}

// keys cuts before each line that begins a top-level key.
func keys(body []byte) (list []Section) {
	const mark = "\n \""
	for at := 0; at < len(body); {
		end := len(body)
		if next := bytes.Index(body[min(at+len(mark), len(body)):], []byte(mark)); next >= 0 && len(list) < maxSections {
			end = at + len(mark) + next
		}
		part := body[at:end]
		name, _, _ := bytes.Cut(bytes.TrimLeft(part, "{\n \""), []byte(`"`))
		list = append(list, Section{Name: string(name), Bytes: len(part), SHA256: Sum(part)})
		at = end
	}
	return list
}

// Bytes returns the seal as it is kept.
func (d *Document) Bytes() ([]byte, error) {
	d.Format, d.Kind = Format, "seal"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("encoding the seal: %w", err)
	}
	return b.Bytes(), nil
}

// Read reads a seal.
func Read(body []byte) (*Document, error) {
	var d Document
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("the seal can't be read: %w", err)
	}
	if d.Format != Format || d.Kind != "seal" {
		return nil, fmt.Errorf("this is a %q of format %d, not a seal of format %d", d.Kind, d.Format, Format)
	}
	return &d, nil
}

// Finding is one thing that is not as it was sealed.
type Finding struct {
	Place string `json:"place"` // file, and the part of it
	Text  string `json:"text"`
}

// Check compares a file with its seal and returns what differs.
func (f File) Check(body []byte) []Finding {
	if len(body) == f.Bytes && Sum(body) == f.SHA256 {
		return nil
	}
	text := "the file was changed after sealing"
	if len(body) != f.Bytes {
		text += fmt.Sprintf(": it has %d bytes and had %d", len(body), f.Bytes)
	}
	place := f.Name
	rest := body
	for _, s := range f.Sections {
		if len(rest) < s.Bytes || Sum(rest[:s.Bytes]) != s.SHA256 {
			place += ", " + s.Name
			break
		}
		rest = rest[s.Bytes:]
	}
	return []Finding{{Place: place, Text: text}}
}
