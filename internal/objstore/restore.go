package objstore

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"backfill/internal/fail"
)

// Class is a storage class, or a tier of one, whose objects can't be read before
// they were restored.
type Class string

// The cold classes. Objects of INTELLIGENT_TIERING have its class in listings,
// whatever their tier: only Head tells it.
const (
	Glacier           Class = "GLACIER" // Glacier Flexible Retrieval
	DeepArchive       Class = "DEEP_ARCHIVE"
	ArchiveAccess     Class = "ARCHIVE_ACCESS"      // of INTELLIGENT_TIERING
	DeepArchiveAccess Class = "DEEP_ARCHIVE_ACCESS" // of INTELLIGENT_TIERING

	// IntelligentTiering is the storage class that may be cold without saying so.
	IntelligentTiering = "INTELLIGENT_TIERING"
)

// Tiered reports whether a restored object moves back to the frequent tier of
// INTELLIGENT_TIERING, instead of getting a copy for some days.
func (c Class) Tiered() bool { return c == ArchiveAccess || c == DeepArchiveAccess }

// Cold says how an object in an archive class stands.
type Cold struct {
	Class     Class
	Restoring bool      // a restore is going on
	Until     time.Time // a restored copy can be read until then; zero: there is none
}

// Readable reports whether the object can be read at the time.
func (o *Object) Readable(now time.Time) bool {
	return o.Cold == nil || now.Before(o.Cold.Until)
}

// The states of cold objects that most of them share.
var (
	glacier     = Cold{Class: Glacier}
	deepArchive = Cold{Class: DeepArchive}
)

// coldOf tells a storage class's state; a restored copy is Until.
func coldOf(class Class, restoring bool, until *time.Time) *Cold {
	switch {
	case class != Glacier && class != DeepArchive && !class.Tiered():
		return nil
	case !restoring && until == nil && class == Glacier:
		return &glacier
	case !restoring && until == nil && class == DeepArchive:
		return &deepArchive
	}
	c := &Cold{Class: class, Restoring: restoring}
	if until != nil {
		c.Until = until.UTC()
	}
	return c
}

// coldHead tells it from the headers of HEAD: x-amz-restore is
// ongoing-request="true", or ongoing-request="false", expiry-date="<HTTP date>".
func coldHead(out *s3.HeadObjectOutput) *Cold {
	class := Class(out.StorageClass)
	if out.StorageClass == types.StorageClassIntelligentTiering {
		class = Class(out.ArchiveStatus)
	}
	text := aws.ToString(out.Restore)
	var until *time.Time
	if _, rest, ok := strings.Cut(text, `expiry-date="`); ok {
		date, _, _ := strings.Cut(rest, `"`)
		if at, err := time.Parse(time.RFC1123, date); err == nil {
			until = &at
		}
	}
	return coldOf(class, strings.Contains(text, `ongoing-request="true"`), until)
}

// Tier is how fast, and at which price, objects are restored.
type Tier string

// The tiers.
const (
	Bulk      Tier = "Bulk"
	Standard  Tier = "Standard"
	Expedited Tier = "Expedited" // not from the deep archives
)

// Restore says how to restore an object.
type Restore struct {
	Tier Tier
	Days int // that the copy can be read; 0 for tiers of INTELLIGENT_TIERING
}

// Restoring is what became of the request for a restore.
type Restoring uint8

// The outcomes.
const (
	Begun    Restoring = iota + 1 // this request began it
	Running                       // an earlier one did
	Restored                      // a copy is there; its days count anew
	NotCold                       // the object needs none
)

// Restore asks for a cold object, which takes minutes to days. Asking again is
// harmless: what is going on goes on. The object is not changed.
func (s *Store) Restore(ctx context.Context, key string, r Restore) (Restoring, error) {
	if err := s.check(key); err != nil {
		return 0, err
	}
	return s.backend.restore(ctx, key, r)
}

func (s *s3Store) restore(ctx context.Context, key string, r Restore) (Restoring, error) {
	bucket, full := s.name(key)
	request := &types.RestoreRequest{GlacierJobParameters: &types.GlacierJobParameters{Tier: types.Tier(r.Tier)}}
	if r.Days > 0 {
		request.Days = aws.Int32(int32(r.Days))
	}
	out, err := s.client.RestoreObject(ctx, &s3.RestoreObjectInput{Bucket: bucket, Key: full, RestoreRequest: request})
	switch codeOf(err) {
	case "":
	case "RestoreAlreadyInProgress":
		return Running, nil
	case "InvalidObjectState":
		return NotCold, nil
	case "GlacierExpeditedRetrievalNotAvailable":
		return 0, fail.Wrap(err, fail.Throttled, "S3 has no capacity for expedited restores now").At("%s", s.uri(key)).Try("run the same command later, or with --restore-tier standard")
	}
	if err != nil {
		return 0, classify(restoring, s.uri(key), err)
	}
	// 202 begins a restore; 200 answers for a copy that is there.
	if answer, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response); ok && answer.StatusCode == http.StatusOK {
		return Restored, nil
	}
	return Begun, nil
}

var errFolder = errors.New("a folder has no storage classes")

func (s *fileStore) restore(_ context.Context, key string, _ Restore) (Restoring, error) {
	return 0, fail.Wrap(errFolder, fail.Usage, "the object can't be restored").At("%s", s.uri(key))
}
