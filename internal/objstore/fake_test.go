package objstore_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"backfill/internal/objstore"
)

// fault is what the fake does instead of, or after, its work.
type fault int

const (
	none     fault = iota
	slowDown       // 503 SlowDown, nothing done
	internal       // 500 InternalError, nothing done
	conflict       // 409 ConditionalRequestConflict, nothing done
	reset          // connection reset, nothing done
	lost           // done, then the connection is reset without an answer
	cut            // half of the body, then the connection is reset
	silent         // half of the body, then nothing until the client goes away
	corrupt        // one bit of the body is wrong
	expired        // 400 ExpiredToken
	ignored        // conditions and ranges are ignored
)

type stored struct {
	body     []byte
	etag     string
	modified time.Time
}

// fakeS3 is an S3 server with one bucket in memory and faults by operation.
type fakeS3 struct {
	t        *testing.T
	bucket   string
	pageSize int
	hook     func(op string, n int) fault // n counts the requests of op from 1

	mu      sync.Mutex
	objects map[string]stored
	uploads map[string]map[int][]byte
	counts  map[string]int
	denied  map[string][3]string // operation → status, code, region

	kept       map[string]string // full key → code with which DeleteObjects leaves it
	uploadKeys map[string]string // by id
	asked      map[string]int    // operation and encryption of requests for new objects
	message    string            // of what is denied
}

func newFake(t *testing.T) *fakeS3 {
	f := &fakeS3{t: t, bucket: "archive", pageSize: 3, objects: map[string]stored{}, uploads: map[string]map[int][]byte{}, counts: map[string]int{}, denied: map[string][3]string{}, kept: map[string]string{}, uploadKeys: map[string]string{}, asked: map[string]int{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_ENDPOINT_URL": "", "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_MAX_ATTEMPTS": "", "AWS_RETRY_MODE": "",
	} {
		t.Setenv(name, value)
	}
	return f
}

var quick = objstore.Options{MaxBackoff: time.Millisecond, PartBytes: 5 << 20}

func (f *fakeS3) open(uri string, o objstore.Options) *objstore.Store {
	f.t.Helper()
	u, err := objstore.ParseURI(uri)
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := objstore.Open(context.Background(), u, o)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// fail makes the n-th request of the operation fail.
func (f *fakeS3) fail(faults map[string]map[int]fault) {
	f.hook = func(op string, n int) fault { return faults[op][n] }
}

func (f *fakeS3) count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[op]
}

func (f *fakeS3) put(key string, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := md5.Sum(body)
	f.objects[key] = stored{bytes.Clone(body), hex.EncodeToString(sum[:]), time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)}
}

func (f *fakeS3) get(key string) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.objects[key]
	return o.body, ok
}

func operation(r *http.Request, key string) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodGet && key == "" && q.Has("uploads"):
		return "Uploads"
	case r.Method == http.MethodGet && key == "":
		return "List"
	case r.Method == http.MethodPost && q.Has("delete"):
		return "DeleteAll"
	case r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodDelete && !q.Has("uploadId"):
		return r.Method[:1] + strings.ToLower(r.Method[1:])
	case r.Method == http.MethodDelete:
		return "Abort"
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "Begin"
	case r.Method == http.MethodPost:
		return "Complete"
	case q.Has("partNumber"):
		return "Part"
	}
	return "Put"
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	op := operation(r, key)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	f.mu.Lock()
	f.counts[op]++
	n := f.counts[op]
	denied, isDenied := f.denied[op]
	f.mu.Unlock()
	what := none
	if f.hook != nil {
		what = f.hook(op, n)
	}
	switch {
	case isDenied:
		status, _ := strconv.Atoi(denied[0])
		w.Header().Set("X-Amz-Bucket-Region", denied[2])
		tell(w, status, denied[1], f.message)
	case what == slowDown:
		answer(w, 503, "SlowDown")
	case what == internal:
		answer(w, 500, "InternalError")
	case what == conflict:
		answer(w, 409, "ConditionalRequestConflict")
	case what == expired:
		answer(w, 400, "ExpiredToken")
	case what == reset:
		drop(w)
	case bucket != f.bucket:
		answer(w, 404, "NoSuchBucket")
	case what == lost:
		f.serve(httptest.NewRecorder(), r, op, key, body, what)
		drop(w)
	default:
		f.serve(w, r, op, key, body, what)
	}
}

func answer(w http.ResponseWriter, status int, code string) { tell(w, status, code, "") }

// tell answers with an error; the message may be left out.
func tell(w http.ResponseWriter, status int, code, message string) {
	if message == "" {
		message = "the message of " + code
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

// drop resets the connection.
func drop(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

func checksum(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

func (f *fakeS3) serve(w http.ResponseWriter, r *http.Request, op, key string, body []byte, what fault) {
	if op == "Put" || op == "Part" {
		if got := r.Header.Get("X-Amz-Checksum-Crc32"); got != checksum(body) {
			f.t.Errorf("%s %s carries checksum %q", op, key, got)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if op == "Put" || op == "Begin" {
		h := r.Header
		f.asked[op+" "+strings.TrimSpace(h.Get("X-Amz-Server-Side-Encryption")+" "+h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"))]++
	}
	switch op {
	case "List":
		f.list(w, r)
	case "Get", "Head":
		f.read(w, r, op, key, what)
	case "Put":
		if _, exists := f.objects[key]; exists && r.Header.Get("If-None-Match") == "*" {
			answer(w, 412, "PreconditionFailed")
			return
		}
		f.store(w, key, body, "")
	case "Delete":
		delete(f.objects, key)
		w.WriteHeader(204)
	case "DeleteAll":
		f.deleteAll(w, body)
	case "Uploads":
		f.listUploads(w, r)
	default:
		f.multipart(w, r, op, key, body)
	}
}

func (f *fakeS3) store(w http.ResponseWriter, key string, body []byte, suffix string) {
	sum := md5.Sum(body)
	o := stored{bytes.Clone(body), hex.EncodeToString(sum[:]) + suffix, time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)}
	f.objects[key] = o
	w.Header().Set("ETag", `"`+o.etag+`"`)
}

func (f *fakeS3) list(w http.ResponseWriter, r *http.Request) {
	type content struct {
		Key, LastModified, ETag, StorageClass string
		Size                                  int
	}
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string    `xml:",omitempty"`
		Contents              []content `xml:"Contents"`
		CommonPrefixes        []struct{ Prefix string }
	}
	q := r.URL.Query()
	names := 0
	last := ""
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if !strings.HasPrefix(key, q.Get("prefix")) || key <= q.Get("continuation-token") {
			continue
		}
		if names == f.pageSize {
			page.IsTruncated, page.NextContinuationToken = true, last
			break
		}
		names, last = names+1, key
		if d := q.Get("delimiter"); d != "" {
			if at := strings.Index(key[len(q.Get("prefix")):], d); at >= 0 {
				common := key[:len(q.Get("prefix"))+at+len(d)]
				last = common + "\U0010ffff" // behind all keys of the folder
				if n := len(page.CommonPrefixes); n > 0 && page.CommonPrefixes[n-1].Prefix == common {
					names--
					continue
				}
				page.CommonPrefixes = append(page.CommonPrefixes, struct{ Prefix string }{common})
				continue
			}
		}
		o := f.objects[key]
		page.Contents = append(page.Contents, content{key, o.modified.Format(time.RFC3339), `"` + o.etag + `"`, "STANDARD", len(o.body)})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(page)
}

// deleteAll answers as S3 does: 200, with the keys that could not be deleted.
func (f *fakeS3) deleteAll(w http.ResponseWriter, body []byte) {
	var asked struct {
		Object []struct{ Key string }
		Quiet  bool
	}
	if err := xml.Unmarshal(body, &asked); err != nil || !asked.Quiet || len(asked.Object) > 1000 {
		f.t.Errorf("DeleteObjects of %d keys, quiet %v: %v", len(asked.Object), asked.Quiet, err)
	}
	type failure struct{ Key, Code, Message string }
	var result struct {
		XMLName xml.Name  `xml:"DeleteResult"`
		Errors  []failure `xml:"Error"`
	}
	for _, o := range asked.Object {
		if code := f.kept[o.Key]; code != "" {
			result.Errors = append(result.Errors, failure{o.Key, code, "the message of " + code})
			continue
		}
		delete(f.objects, o.Key)
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(result)
}

// listUploads lists one upload a page.
func (f *fakeS3) listUploads(w http.ResponseWriter, r *http.Request) {
	type upload struct{ Key, UploadId, Initiated string }
	var page struct {
		XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
		IsTruncated        bool
		NextKeyMarker      string
		NextUploadIdMarker string
		Upload             []upload
	}
	q := r.URL.Query()
	for _, id := range slices.Sorted(maps.Keys(f.uploads)) {
		key := f.uploadKeys[id]
		if !strings.HasPrefix(key, q.Get("prefix")) || id <= q.Get("upload-id-marker") {
			continue
		}
		if len(page.Upload) == 1 {
			page.IsTruncated, page.NextKeyMarker, page.NextUploadIdMarker = true, page.Upload[0].Key, page.Upload[0].UploadId
			break
		}
		page.Upload = append(page.Upload, upload{key, id, "2026-03-01T02:03:04.000Z"})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(page)
}

func (f *fakeS3) read(w http.ResponseWriter, r *http.Request, op, key string, what fault) {
	o, exists := f.objects[key]
	match, offset, end := r.Header.Get("If-Match"), 0, len(o.body)
	if what == ignored {
		match = ""
		r.Header.Del("Range")
	}
	switch {
	case !exists && op == "Head":
		w.WriteHeader(404)
		return
	case !exists:
		answer(w, 404, "NoSuchKey")
		return
	case match != "" && match != `"`+o.etag+`"`:
		answer(w, 412, "PreconditionFailed")
		return
	}
	h := w.Header()
	status := 200
	if from, is := strings.CutPrefix(r.Header.Get("Range"), "bytes="); is {
		from, to, _ := strings.Cut(from, "-")
		offset, _ = strconv.Atoi(from)
		if last, err := strconv.Atoi(to); err == nil {
			end = min(end, last+1)
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, end-1, len(o.body)))
		status = 206
	} else {
		h.Set("X-Amz-Checksum-Crc32", checksum(o.body))
	}
	body := bytes.Clone(o.body[offset:end])
	h.Set("ETag", `"`+o.etag+`"`)
	h.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if op == "Head" {
		return
	}
	switch what {
	case corrupt:
		body[0] ^= 1
	case cut, silent:
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		if what == silent {
			f.mu.Unlock()
			<-r.Context().Done()
			f.mu.Lock()
		}
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

func (f *fakeS3) multipart(w http.ResponseWriter, r *http.Request, op, key string, body []byte) {
	q := r.URL.Query()
	id := q.Get("uploadId")
	parts, exists := f.uploads[id]
	if op != "Begin" && !exists {
		answer(w, 404, "NoSuchUpload")
		return
	}
	switch op {
	case "Begin":
		id = fmt.Sprintf("upload-%d", f.counts[op])
		f.uploads[id], f.uploadKeys[id] = map[int][]byte{}, key
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case "Part":
		number, _ := strconv.Atoi(q.Get("partNumber"))
		parts[number] = bytes.Clone(body)
		w.Header().Set("ETag", fmt.Sprintf(`"part-%d"`, number))
		w.Header().Set("X-Amz-Checksum-Crc32", checksum(body))
	case "Complete":
		var order struct {
			Part []struct {
				PartNumber          int
				ETag, ChecksumCRC32 string
			}
		}
		if err := xml.Unmarshal(body, &order); err != nil {
			f.t.Error(err)
		}
		var whole []byte
		for i, p := range order.Part {
			if p.PartNumber != i+1 || p.ChecksumCRC32 != checksum(parts[i+1]) {
				f.t.Errorf("part %d of %s completes with checksum %q", p.PartNumber, key, p.ChecksumCRC32)
			}
			whole = append(whole, parts[i+1]...)
		}
		delete(f.uploads, id)
		f.store(w, key, whole, fmt.Sprintf("-%d", len(order.Part)))
		fmt.Fprintf(w, "<CompleteMultipartUploadResult><ETag>%q</ETag></CompleteMultipartUploadResult>", f.objects[key].etag)
	case "Abort":
		delete(f.uploads, id)
		w.WriteHeader(204)
	}
}
