package s3d_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"backfill/internal/sandbox/s3d"
)

func cool(t *testing.T, s *s3d.Server, c s3d.Cooling) []s3d.Cooled {
	t.Helper()
	c.Bucket = bucket
	cooled, err := s.Cool(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return cooled
}

// restore asks for a restore and gives the status of the answer; days 0 leaves them out.
func restore(t *testing.T, c *s3.Client, key string, days int32, tier types.Tier) (int, error) {
	t.Helper()
	r := &types.RestoreRequest{GlacierJobParameters: &types.GlacierJobParameters{Tier: tier}}
	if days != 0 {
		r.Days = &days
	}
	out, err := c.RestoreObject(t.Context(), &s3.RestoreObjectInput{Bucket: aws.String(bucket), Key: &key, RestoreRequest: r})
	if err != nil {
		return status(err), err
	}
	answer, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response)
	if !ok {
		t.Fatal("no raw response")
	}
	return answer.StatusCode, nil
}

func head(t *testing.T, c *s3.Client, key string) *s3.HeadObjectOutput {
	t.Helper()
	out, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func listed(t *testing.T, c *s3.Client, key string) types.Object {
	t.Helper()
	out, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: &key, MaxKeys: aws.Int32(1),
		OptionalObjectAttributes: []types.OptionalObjectAttributes{types.OptionalObjectAttributesRestoreStatus}})
	if err != nil || len(out.Contents) != 1 || aws.ToString(out.Contents[0].Key) != key {
		t.Fatalf("%+v, %v", out, err)
	}
	return out.Contents[0]
}

// clockAt is a server whose clock a test sets.
func clockAt(t *testing.T, at time.Time) (*s3d.Server, *atomic.Pointer[time.Time]) {
	t.Helper()
	now := &atomic.Pointer[time.Time]{}
	now.Store(&at)
	s, err := s3d.Start(t.Context(), s3d.Config{Dir: t.TempDir(), AccessKey: accessKey, SecretKey: secretKey, Region: region, Now: func() time.Time { return *now.Load() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	return s, now
}

func TestClassesAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	c := client(t, s)
	b := aws.String(bucket)
	for _, class := range []types.StorageClass{"STANDARD", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE"} {
		put, multi := "put-"+string(class), "multi-"+string(class)
		if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: b, Key: &put, Body: strings.NewReader("x"), StorageClass: class}); err != nil {
			t.Fatal(err)
		}
		up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: b, Key: &multi, StorageClass: class})
		if err != nil {
			t.Fatal(err)
		}
		part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: b, Key: &multi, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: b, Key: &multi, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}}}); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{put, multi} {
			want := class
			if class == "STANDARD" {
				want = ""
			}
			if h := head(t, c, key); h.StorageClass != want || h.Restore != nil || h.ArchiveStatus != "" {
				t.Errorf("%s: %q %v %q", key, h.StorageClass, aws.ToString(h.Restore), h.ArchiveStatus)
			}
			if o := listed(t, c, key); o.StorageClass != types.ObjectStorageClass(class) || o.RestoreStatus != nil {
				t.Errorf("%s: %q %v", key, o.StorageClass, o.RestoreStatus)
			}
			_, err := get(t.Context(), c, key)
			if cold := class == "GLACIER" || class == "DEEP_ARCHIVE"; cold != (code(err) == "InvalidObjectState") || !cold && err != nil {
				t.Errorf("%s: GET: %v", key, err)
			}
		}
	}
	// What is written anew is of the class that is asked for now.
	put(t, c, "put-GLACIER", []byte("y"))
	if got, err := get(t.Context(), c, "put-GLACIER"); err != nil || string(got) != "y" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: b, Key: aws.String("k"), Body: strings.NewReader("x"), StorageClass: "FROZEN"})
	if status(err) != 400 || code(err) != "InvalidStorageClass" {
		t.Errorf("%v", err)
	}
	// A server that starts again finds the classes.
	before := cool(t, s, s3d.Cooling{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := cool(t, startIn(t, dir, nil), s3d.Cooling{}); len(after) != 11 || !reflect.DeepEqual(before, after) {
		t.Errorf("%v, before %v", after, before)
	}
}

func TestArchivedIsUnreadable(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := client(t, s)
	for key, want := range map[string]struct{ class, tier string }{
		"g": {"GLACIER", ""}, "d": {"DEEP_ARCHIVE", ""}, "a": {"INTELLIGENT_TIERING", "ARCHIVE_ACCESS"}, "da": {"INTELLIGENT_TIERING", "DEEP_ARCHIVE_ACCESS"},
	} {
		put(t, c, key+"/k", []byte("x"))
		got := cool(t, s, s3d.Cooling{Prefix: key + "/", Class: want.class, Tier: want.tier})
		if len(got) != 1 || got[0] != (s3d.Cooled{Key: key + "/k", Class: want.class, Tier: want.tier}) {
			t.Errorf("%s: %+v", key, got)
		}
		_, err := get(t.Context(), c, key+"/k")
		var state *types.InvalidObjectState
		if !errors.As(err, &state) || status(err) != http.StatusForbidden || string(state.StorageClass) != want.class || string(state.AccessTier) != want.tier ||
			state.ErrorMessage() != "The operation is not valid for the object's storage class" {
			t.Errorf("%s: %v %+v", key, err, state)
		}
		if h := head(t, c, key+"/k"); string(h.StorageClass) != want.class || string(h.ArchiveStatus) != want.tier || aws.ToInt64(h.ContentLength) != 1 {
			t.Errorf("%s: %+v", key, h)
		}
		_, err = c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/" + key + "/k")})
		if code(err) != "InvalidObjectState" {
			t.Errorf("%s: copied: %v", key, err)
		}
	}
}

func TestRestoreOfACopy(t *testing.T) {
	t.Parallel()
	s, now := clockAt(t, time.Now().UTC().Truncate(24*time.Hour).Add(10*time.Hour))
	c := client(t, s)
	put(t, c, "k", []byte("x"))
	cool(t, s, s3d.Cooling{Class: "GLACIER"})
	if got, err := restore(t, c, "k", 7, types.TierBulk); got != http.StatusAccepted {
		t.Fatalf("%d %v", got, err)
	}
	if h, o := head(t, c, "k"), listed(t, c, "k"); aws.ToString(h.Restore) != `ongoing-request="true"` || o.RestoreStatus == nil ||
		!aws.ToBool(o.RestoreStatus.IsRestoreInProgress) || o.RestoreStatus.RestoreExpiryDate != nil {
		t.Errorf("%q, %+v", aws.ToString(h.Restore), o.RestoreStatus)
	}
	if _, err := get(t.Context(), c, "k"); code(err) != "InvalidObjectState" {
		t.Errorf("while it is restored: %v", err)
	}
	if got, err := restore(t, c, "k", 7, types.TierStandard); got != http.StatusConflict || code(err) != "RestoreAlreadyInProgress" {
		t.Errorf("again: %v", err)
	}
	until := now.Load().Truncate(24*time.Hour).AddDate(0, 0, 8)
	if got := cool(t, s, s3d.Cooling{Finish: true}); len(got) != 1 || !got[0].Until.Equal(until) || got[0].Restoring {
		t.Errorf("%+v", got)
	}
	want := `ongoing-request="false", expiry-date="` + until.Format(http.TimeFormat) + `"`
	if h, o := head(t, c, "k"), listed(t, c, "k"); aws.ToString(h.Restore) != want || h.StorageClass != "GLACIER" || o.RestoreStatus == nil ||
		aws.ToBool(o.RestoreStatus.IsRestoreInProgress) || !aws.ToTime(o.RestoreStatus.RestoreExpiryDate).Equal(until) {
		t.Errorf("%q, %+v", aws.ToString(h.Restore), o.RestoreStatus)
	}
	if got, err := get(t.Context(), c, "k"); err != nil || string(got) != "x" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := restore(t, c, "k", 1, types.TierBulk); got != http.StatusOK {
		t.Errorf("of a copy: %d %v", got, err)
	}
	until = until.AddDate(0, 0, -6)
	if got := cool(t, s, s3d.Cooling{}); !got[0].Until.Equal(until) {
		t.Errorf("%+v, want %s", got, until)
	}
	// Listings that don't ask aren't told.
	out, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	if err != nil || out.Contents[0].RestoreStatus != nil {
		t.Errorf("%+v %v", out, err)
	}
	signed := now.Load() // the SDK signs with the real clock: only the server's moves
	for at, readable := range map[time.Time]bool{until.Add(-time.Second): true, until: false} {
		now.Store(&at)
		f := coldGet(t, c)
		if f != readable {
			t.Errorf("at %s it is readable: %v", at, f)
		}
	}
	now.Store(signed)
	if !coldGet(t, c) {
		t.Error("back in time it can't be read")
	}
	cool(t, s, s3d.Cooling{Expire: true})
	if coldGet(t, c) || head(t, c, "k").Restore != nil || listed(t, c, "k").RestoreStatus != nil {
		t.Error("it has not expired")
	}
}

func coldGet(t *testing.T, c *s3.Client) bool {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	if code(err) == "InvalidObjectState" {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out.Body); err != nil {
		t.Fatal(err)
	}
	return out.Body.Close() == nil
}

func TestRestoreOfATier(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := client(t, s)
	put(t, c, "k", []byte("x"))
	cool(t, s, s3d.Cooling{Class: "INTELLIGENT_TIERING", Tier: "ARCHIVE_ACCESS"})
	if got, err := restore(t, c, "k", 0, types.TierExpedited); got != http.StatusAccepted {
		t.Fatalf("%d %v", got, err)
	}
	if h, o := head(t, c, "k"), listed(t, c, "k"); aws.ToString(h.Restore) != `ongoing-request="true"` || h.ArchiveStatus != "ARCHIVE_ACCESS" || o.RestoreStatus != nil {
		t.Errorf("%+v %+v", h, o)
	}
	cool(t, s, s3d.Cooling{Finish: true})
	if h := head(t, c, "k"); h.Restore != nil || h.ArchiveStatus != "" || h.StorageClass != "INTELLIGENT_TIERING" || !coldGet(t, c) {
		t.Errorf("%+v", h)
	}
	if got, err := restore(t, c, "k", 0, types.TierBulk); got != http.StatusForbidden || code(err) != "InvalidObjectState" {
		t.Errorf("of the frequent tier: %v", err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := client(t, s)
	for _, test := range []struct {
		class, tier string
		days        int32
		speed       types.Tier
		status      int
		code        string
	}{
		{"STANDARD", "", 1, "Bulk", 403, "InvalidObjectState"},
		{"GLACIER_IR", "", 1, "Bulk", 403, "InvalidObjectState"},
		{"GLACIER", "", 0, "Bulk", 400, "MalformedXML"},
		{"GLACIER", "", -1, "Bulk", 400, "InvalidArgument"},
		{"GLACIER", "", 1, "Fast", 400, "MalformedXML"},
		{"DEEP_ARCHIVE", "", 1, "Expedited", 400, "InvalidArgument"},
		{"INTELLIGENT_TIERING", "DEEP_ARCHIVE_ACCESS", 0, "Expedited", 400, "InvalidArgument"},
		{"INTELLIGENT_TIERING", "ARCHIVE_ACCESS", 1, "Bulk", 400, "InvalidArgument"},
	} {
		put(t, c, "k", []byte("x"))
		before := cool(t, s, s3d.Cooling{Class: test.class, Tier: test.tier})
		got, err := restore(t, c, "k", test.days, test.speed)
		if got != test.status || code(err) != test.code {
			t.Errorf("%+v: %v", test, err)
		}
		if after := cool(t, s, s3d.Cooling{}); !slices.Equal(before, after) {
			t.Errorf("%+v: a refused restore changes %v to %v", test, before, after)
		}
	}
	if got, err := restore(t, c, "gone", 1, "Bulk"); got != 404 {
		t.Errorf("a missing object: %v", err)
	}
}

func TestRestoreFails(t *testing.T) {
	t.Parallel()
	f := &fault{key: "k", phase: s3d.Before, action: s3d.NoExpedited503}
	s := start(t, f.hook)
	c := client(t, s)
	put(t, c, "k", []byte("x"))
	cool(t, s, s3d.Cooling{Class: "GLACIER"})
	f.left = 1
	if got, err := restore(t, c, "k", 1, types.TierExpedited); got != 503 || code(err) != "GlacierExpeditedRetrievalNotAvailable" {
		t.Errorf("%v", err)
	}
	f.left, f.action = 1, s3d.Denied403
	if got, err := restore(t, c, "k", 1, types.TierExpedited); got != 403 || code(err) != "AccessDenied" {
		t.Errorf("%v", err)
	}
	if got, err := restore(t, c, "k", 1, types.TierExpedited); got != 202 {
		t.Errorf("%d %v", got, err)
	}
}

func TestCoolingRefuses(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]s3d.Cooling{
		"a bucket is missing":                     {},
		`"FROZEN" is no storage class: there are`: {Bucket: "b", Class: "FROZEN"},
		`"COLD" is no archive tier: there are`:    {Bucket: "b", Class: "INTELLIGENT_TIERING", Tier: "COLD"},
		"of the class INTELLIGENT_TIERING alone":  {Bucket: "b", Class: "GLACIER", Tier: "ARCHIVE_ACCESS"},
	} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
