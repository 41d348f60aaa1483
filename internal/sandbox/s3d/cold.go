package s3d

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// classes are the storage classes that an object can have here; "" stands for STANDARD.
var classes = []types.StorageClass{"", types.StorageClassStandard, types.StorageClassStandardIa, types.StorageClassOnezoneIa, types.StorageClassGlacierIr,
	types.StorageClassIntelligentTiering, types.StorageClassGlacier, types.StorageClassDeepArchive}

// stored is how an object is stored. It is kept beside the ETag, in an extended attribute; an object without one is
// of the class STANDARD. A new object of the same key has none of it.
type stored struct {
	Class     types.StorageClass  `json:"class"`
	Tier      types.ArchiveStatus `json:"tier,omitempty"`      // archive tier, of INTELLIGENT_TIERING alone
	Restoring bool                `json:"restoring,omitempty"` // a restore was asked for and has not ended
	Days      int                 `json:"days,omitempty"`      // of the restored copy, as the restore asks for
	Until     time.Time           `json:"until,omitzero"`      // the restored copy can be read before then
	Encrypted encryption          `json:"encrypted,omitzero"`
}

// copies tells whether the class restores a copy for some days; INTELLIGENT_TIERING moves the object itself.
func (s stored) copies() bool {
	return s.Class == types.StorageClassGlacier || s.Class == types.StorageClassDeepArchive
}

func (s stored) archived() bool { return s.copies() || s.Tier != "" }

func (s stored) restored(now time.Time) bool { return s.copies() && now.Before(s.Until) }

func (s stored) readable(now time.Time) bool { return !s.archived() || s.restored(now) }

// header is x-amz-restore; nil if no restore was asked for, or its copy has expired.
func (s stored) header(now time.Time) *string {
	var text string
	switch {
	case s.Restoring:
		text = `ongoing-request="true"`
	case s.restored(now):
		text = fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, s.Until.UTC().Format(http.TimeFormat))
	default:
		return nil
	}
	return &text
}

// named is the class as headers tell it: STANDARD is left out.
func (s stored) named() types.StorageClass {
	if s.Class == types.StorageClassStandard {
		return ""
	}
	return s.Class
}

const storedAttribute = "stored" // beside versitygw's own attributes

// stored reads how an object is stored; one that is not there is STANDARD.
func (f *folder) stored(bucket, key string) (stored, error) {
	s := stored{Class: types.StorageClassStandard}
	text, err := meta.XattrMeta{}.RetrieveAttribute(nil, *f.path(&bucket), key, storedAttribute)
	switch {
	case errors.Is(err, meta.ErrNoSuchKey), errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, fmt.Errorf("reading how %s is stored: %w", key, err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("reading how %s is stored: %w", key, err)
	}
	return s, nil
}

func (f *folder) store(bucket, key string, s stored) error {
	text, err := json.Marshal(s)
	if err == nil {
		err = meta.XattrMeta{}.StoreAttribute(nil, *f.path(&bucket), key, storedAttribute, text)
	}
	if err != nil {
		return fmt.Errorf("keeping how %s is stored: %w", key, err)
	}
	return nil
}

// asked is the storage class and the encryption that a request names; the gateway itself drops those headers.
func (f *folder) asked(ctx context.Context) (s stored, err error) {
	if r, ok := ctx.(*fasthttp.RequestCtx); ok {
		s.Class = types.StorageClass(r.Request.Header.Peek("X-Amz-Storage-Class"))
		if s.Encrypted, err = f.encrypted(&r.Request.Header); err != nil {
			return s, err
		}
	}
	if !slices.Contains(classes, s.Class) {
		return s, s3err.APIError{Code: "InvalidStorageClass", Description: "The storage class you specified is not valid", HTTPStatusCode: http.StatusBadRequest}
	}
	return s, nil
}

// keep gives a new object, or an upload, its class and its encryption, and tells the encryption.
func (f *folder) keep(ctx context.Context, bucket, key string, s stored) error {
	tell(ctx, encryptionValue, s.Encrypted)
	if s.Class == "" {
		s.Class = types.StorageClassStandard
	}
	if (s == stored{Class: types.StorageClassStandard}) {
		return nil
	}
	return f.store(bucket, key, s)
}

// uploadKey is where the gateway keeps a multipart upload, as a key of its bucket.
func uploadKey(key, id string) string {
	return filepath.Join(posix.MetaTmpMultipartDir, fmt.Sprintf("%x", sha256.Sum256([]byte(key))), id)
}

// unreadable is the refusal to read an archived object; nil if it can be read.
func (f *folder) unreadable(bucket, key string) error {
	s, err := f.stored(bucket, key)
	if err != nil || s.readable(f.now()) {
		return err
	}
	return invalidState("The operation is not valid for the object's storage class", s)
}

// The user values by which the backend tells the answer what the gateway doesn't pass on.
const (
	tierValue   = "s3d-tier"
	statusValue = "s3d-status"
)

func tell(ctx context.Context, name string, value any) {
	if r, ok := ctx.(*fasthttp.RequestCtx); ok {
		r.SetUserValue(name, value)
	}
}

// passOn puts into an answer what the backend has told.
func passOn(c fiber.Ctx) error {
	err := c.Next()
	r := c.RequestCtx()
	if tier, ok := r.UserValue(tierValue).(types.ArchiveStatus); ok {
		r.Response.Header.Set("x-amz-archive-status", string(tier))
	}
	if status, ok := r.UserValue(statusValue).(int); ok {
		r.Response.SetStatusCode(status)
	}
	tellEncryption(c)
	return err
}

func (f *folder) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	if err := unasked(ctx); err != nil {
		return nil, err
	}
	return f.head(ctx, in)
}

// head is HeadObject as parts of other operations need it.
func (f *folder) head(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.HeadObject(ctx, &at)
	if err != nil {
		return out, named(err, *in.Bucket)
	}
	s, err := f.stored(*in.Bucket, *in.Key)
	if err != nil {
		return nil, err
	}
	out.StorageClass, out.Restore = s.named(), s.header(f.now())
	tell(ctx, encryptionValue, s.Encrypted)
	if s.Tier != "" {
		tell(ctx, tierValue, s.Tier)
	}
	return out, nil
}

func (f *folder) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if err := unasked(ctx); err != nil {
		return nil, err
	}
	return f.read(ctx, in)
}

// read is GetObject as copies need it.
func (f *folder) read(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if err := f.unreadable(*in.Bucket, *in.Key); err != nil {
		return nil, err
	}
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.GetObject(ctx, &at)
	if err != nil {
		return out, named(err, *in.Bucket)
	}
	s, err := f.stored(*in.Bucket, *in.Key)
	if err != nil {
		return nil, errors.Join(err, out.Body.Close())
	}
	out.StorageClass, out.Restore = s.named(), s.header(f.now())
	tell(ctx, encryptionValue, s.Encrypted)
	return out, nil
}

// tellStored adds classes to a page of a listing, and how restores stand if that was asked for.
func (f *folder) tellStored(bucket string, objects []s3response.Object, restores bool) error {
	now := f.now()
	for i := range objects {
		o := &objects[i]
		s, err := f.stored(bucket, *o.Key)
		if err != nil {
			return err
		}
		o.StorageClass = types.ObjectStorageClass(s.Class)
		if !restores || !s.copies() || !s.Restoring && !s.restored(now) {
			continue
		}
		o.RestoreStatus = &types.RestoreStatus{IsRestoreInProgress: &s.Restoring}
		if !s.Restoring {
			o.RestoreStatus.RestoreExpiryDate = &s.Until
		}
	}
	return nil
}

// wantsRestores tells whether a listing is asked for the state of restores.
func wantsRestores(ctx context.Context) bool {
	r, ok := ctx.(*fasthttp.RequestCtx)
	return ok && string(r.Request.Header.Peek("X-Amz-Optional-Object-Attributes")) == string(types.OptionalObjectAttributesRestoreStatus)
}
