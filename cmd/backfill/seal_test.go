package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"backfill/internal/seal"
)

// sealed is a signed report and the files that it rests on, each by its key in staging.
type sealed struct {
	h           *harness
	table       string
	verify      []string // arguments
	public      string   // key
	folder      string
	files       map[string][]byte
	inEvidence  []string // of files: plans, receipts and lists of objects
	besides     []string // of files: those in the report's folder that the seal lists
	sealAtStart string
}

func newSealed(t *testing.T, h *harness, table string) *sealed {
	t.Helper()
	a, args := aLoadedMonth(t, h, table, "--slice-days", "31")
	private, public := signingKey(t)
	h.sql(t, "UPDATE payroll."+table+" SET net_amount = net_amount + 0.01 WHERE event_id = (SELECT MIN(event_id) FROM payroll."+table+")")
	o := h.run(t, 5, append([]string{"reconcile"}, a.window(append(args, "--sign-key", private)...)...)...)
	s := &sealed{h: h, table: table, verify: append([]string{"reconcile", "--dataset", a.dataset, "--verify", o.result.Report}, args...), public: public,
		folder: strings.TrimPrefix(strings.TrimSuffix(o.result.Report, "report.json"), "s3://staging/"), files: map[string][]byte{}}
	for _, name := range []string{"seal.json", "seal.sig"} {
		s.files[s.folder+name] = h.get(t, "staging", s.folder+name)
	}
	s.sealAtStart = sha(s.files[s.folder+"seal.json"])
	var seal struct{ Files []struct{ Name string } }
	if err := json.Unmarshal(s.files[s.folder+"seal.json"], &seal); err != nil {
		t.Fatal(err)
	}
	for _, f := range seal.Files {
		s.files[s.folder+f.Name], s.besides = h.get(t, "staging", s.folder+f.Name), append(s.besides, f.Name)
	}
	for line := range bytes.Lines(gunzip(t, s.files[s.folder+"evidence.jsonl.gz"])) {
		var link struct{ Kind, Key string }
		if err := json.Unmarshal(line, &link); err != nil {
			t.Fatal(err)
		}
		if key := table + "/" + link.Key; link.Kind != "object" {
			s.files[key], s.inEvidence = h.get(t, "staging", key), append(s.inEvidence, key)
		}
	}
	if want := []string{"evidence.jsonl.gz", "exceptions.csv", "report.html", "report.json"}; len(s.inEvidence) < 4 || !slices.Equal(slices.Sorted(slices.Values(s.besides)), want) {
		t.Fatalf("the seal names %q, the evidence %q", s.besides, s.inEvidence)
	}
	return s
}

func gunzip(t *testing.T, body []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// finds demands that the report is found changed, and the place.
func (s *sealed) finds(t *testing.T, what, place string, more ...string) {
	t.Helper()
	_, wait := s.h.start(t, s.h.env(), append(slices.Clone(s.verify), more...)...)
	o := wait()
	named := strings.Contains(o.result.Error, place)
	if v := o.result.Verification; v != nil { // a digit of a digest in the seal shows first at the file that it is of
		named = named || slices.ContainsFunc(v.Findings, func(f seal.Finding) bool { return strings.Contains(fmt.Sprint(f), place) })
	}
	if o.exit != 4 || !named {
		t.Errorf("%s: exit code %d, and not %q but: %s", what, o.exit, place, o.result.Error)
	}
}

// byteClasses are the kinds of bytes that a file holds; a byte is changed into another of its kind, so that figures
// stay figures and the file stays readable.
var byteClasses = []struct{ name, bytes string }{
	{"digit", "0123456789"}, {"letter", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}, {"blank", " \n"}, {"sign", `"'{}[]<>:,.-_/=|`},
}

// change changes a byte of a class at random; false if the file has none.
func change(r *rand.Rand, body []byte, class string) ([]byte, bool) {
	var at []int
	for i, b := range body {
		if class == "" && b >= 0x80 || class != "" && strings.IndexByte(class, b) >= 0 {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return nil, false
	}
	out, i := bytes.Clone(body), at[r.IntN(len(at))]
	if class == "" {
		out[i] ^= 1 << r.IntN(7)
		return out, true
	}
	for out[i] == body[i] {
		out[i] = class[r.IntN(len(class))]
	}
	return out, true
}

// TestVerifyFindsEveryKindOfChange changes one byte of each kind in each file that a report rests on, makes each longer,
// shorter, empty, another file's, and takes it away; --verify names the file each time. Then somebody changes a file and
// computes all digests anew, and then writes to the warehouse, too.
func TestVerifyFindsEveryKindOfChange(t *testing.T) {
	s := newSealed(t, shared, "sealed_bytes")
	r := rand.New(rand.NewPCG(5, 5))
	signed := []string{"--public-key", s.public}
	s.h.run(t, 0, append(slices.Clone(s.verify), signed...)...)
	for key, body := range s.files {
		place := path.Base(key)
		if strings.Contains(key, "/segments/") || strings.Contains(key, "chunks/") {
			place = path.Base(path.Dir(key)) + "/" + place
		}
		t.Run(place, func(t *testing.T) {
			other := s.files[s.folder+"exceptions.csv"]
			if bytes.Equal(other, body) {
				other = s.files[s.folder+"report.json"]
			}
			changes := map[string][]byte{"longer": append(bytes.Clone(body), '\n'), "shorter": body[:len(body)-1], "empty": {}, "another file": other}
			for _, c := range byteClasses {
				if changed, ok := change(r, body, c.bytes); ok {
					changes[c.name] = changed
				}
			}
			if changed, ok := change(r, body, ""); ok {
				changes["beyond ASCII"] = changed
			}
			for what, changed := range changes {
				s.h.overwrite(t, key, changed)
				s.finds(t, what, place, signed...)
			}
			bucket := "staging"
			if _, err := s.h.client().DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
				t.Fatal(err)
			}
			s.finds(t, "gone", place, signed...)
			s.h.overwrite(t, key, body)
		})
	}
	for key := range s.files {
		if name := path.Base(key); name != "seal.json" && name != "seal.sig" {
			t.Run("forged "+name, func(t *testing.T) { s.forge(t, r, key) })
		}
	}
	s.h.run(t, 0, append(slices.Clone(s.verify), signed...)...)
}

// forge changes a figure of a file and then every digest above it: in the evidence, in the report and its page, in the seal.
func (s *sealed) forge(t *testing.T, r *rand.Rand, key string) {
	files := map[string][]byte{}
	for k, body := range s.files {
		files[k] = body
	}
	old := map[string]string{}
	write := func(key string, body []byte) {
		old[sha(files[key])] = sha(body)
		files[key] = body
	}
	again := func(body []byte) []byte {
		for was, is := range old {
			body = bytes.ReplaceAll(body, []byte(was), []byte(is))
		}
		return body
	}
	evidence := s.folder + "evidence.jsonl.gz"
	forged, ok := change(r, files[key], byteClasses[0].bytes)
	if !ok {
		t.Fatalf("%s has no digit", key)
	}
	if key == evidence {
		forged = gzipped(t, bytes.Replace(gunzip(t, files[key]), []byte(`"records":100`), []byte(`"records":101`), 1))
	}
	write(key, forged)
	if slices.Contains(s.inEvidence, key) {
		text := gunzip(t, files[evidence])
		if bytes.Equal(text, again(text)) {
			t.Fatalf("the evidence does not hold the digest of %s", key)
		}
		write(evidence, gzipped(t, again(text)))
	}
	for _, name := range []string{"report.json", "report.html"} {
		if body := again(files[s.folder+name]); !bytes.Equal(body, files[s.folder+name]) {
			write(s.folder+name, body)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal(files[s.folder+"seal.json"], &doc); err != nil {
		t.Fatal(err)
	}
	for _, f := range doc["files"].([]any) {
		f := f.(map[string]any)
		body := files[s.folder+f["name"].(string)]
		f["sha256"], f["bytes"] = sha(body), len(body)
		delete(f, "sections")
	}
	seal, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	files[s.folder+"seal.json"] = seal
	for k, body := range files {
		if !bytes.Equal(body, s.files[k]) {
			s.h.overwrite(t, k, body)
		}
	}
	s.finds(t, "by the warehouse", "seal.json: the seal is not the one that the warehouse recorded")
	anchor := func(digest string) {
		s.h.sql(t, fmt.Sprintf("UPDATE payroll.%s__backfill_reports SET seal_sha256 = '%s' WHERE seal_key = '%sseal.json'", s.table, digest, strings.TrimPrefix(s.folder, s.table+"/")))
	}
	anchor(sha(seal))
	s.h.run(t, 0, s.verify...) // the forger writes to the warehouse: only the signature knows
	s.finds(t, "by the signature", "seal.sig: the signature is not of this seal and key", "--public-key", s.public)
	anchor(s.sealAtStart)
	for k, body := range s.files {
		if !bytes.Equal(body, files[k]) {
			s.h.overwrite(t, k, body)
		}
	}
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
