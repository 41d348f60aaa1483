package s3d

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Cooling says what becomes of the objects below a prefix, as lifecycle rules and time do it to them in S3. The zero
// Cooling of a bucket changes nothing.
type Cooling struct {
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix,omitempty"`
	Class  string `json:"class,omitempty"`  // the new storage class; what was restored is forgotten
	Tier   string `json:"tier,omitempty"`   // ARCHIVE_ACCESS or DEEP_ARCHIVE_ACCESS, with the class INTELLIGENT_TIERING alone
	Finish bool   `json:"finish,omitempty"` // restores that go on have ended
	Expire bool   `json:"expire,omitempty"` // restored copies have come to the end of their days
}

// Cooled is an object of another class than STANDARD.
type Cooled struct {
	Key       string    `json:"key"`
	Class     string    `json:"class"`
	Tier      string    `json:"tier,omitempty"`
	Restoring bool      `json:"restoring,omitempty"`
	Until     time.Time `json:"until,omitzero"` // a restored copy can be read before then
}

// Check refuses what no object can be: an unknown class or tier, a tier of another class.
func (c Cooling) Check() error {
	switch {
	case c.Bucket == "":
		return errors.New("a bucket is missing")
	case !slices.Contains(classes, types.StorageClass(c.Class)):
		return fmt.Errorf("%q is no storage class: there are %s", c.Class, classes[1:])
	case c.Tier != "" && c.Tier != string(types.ArchiveStatusArchiveAccess) && c.Tier != string(types.ArchiveStatusDeepArchiveAccess):
		return fmt.Errorf("%q is no archive tier: there are ARCHIVE_ACCESS and DEEP_ARCHIVE_ACCESS", c.Tier)
	case c.Tier != "" && c.Class != string(types.StorageClassIntelligentTiering):
		return fmt.Errorf("the tier %s is of the class INTELLIGENT_TIERING alone", c.Tier)
	}
	return nil
}

func (c Cooling) apply(s stored, now time.Time) stored {
	if c.Class != "" {
		s = stored{Class: types.StorageClass(c.Class), Tier: types.ArchiveStatus(c.Tier), Encrypted: s.Encrypted}
	}
	if c.Finish && s.Restoring {
		s.Restoring = false
		if s.copies() {
			s.Until = expiry(now, s.Days)
		} else {
			s.Tier = ""
		}
	}
	if c.Expire {
		s.Until = time.Time{}
	}
	return s
}

// Cool changes how objects are stored, and tells, by key, which are not of the class STANDARD then. It goes past the
// front: it is neither counted nor failed.
func (s *Server) Cool(ctx context.Context, c Cooling) ([]Cooled, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("cooling objects: %w", err)
	}
	f := s.gateway.folder
	cooled := []Cooled{}
	page, none := int32(1000), ""
	in := &s3.ListObjectsV2Input{Bucket: &c.Bucket, Prefix: &c.Prefix, MaxKeys: &page, Delimiter: &none, StartAfter: &none, ContinuationToken: &none}
	for more := true; more; {
		listed, err := f.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("cooling objects: %w", err)
		}
		for _, o := range listed.Contents {
			now, err := f.cool(c, *o.Key)
			if err != nil {
				return nil, fmt.Errorf("cooling objects: %w", err)
			}
			if now.named() != "" {
				cooled = append(cooled, Cooled{*o.Key, string(now.Class), string(now.Tier), now.Restoring, now.Until})
			}
		}
		in.ContinuationToken, more = listed.NextContinuationToken, *listed.IsTruncated
	}
	return cooled, nil
}

func (f *folder) cool(c Cooling, key string) (stored, error) {
	f.states.Lock()
	defer f.states.Unlock()
	was, err := f.stored(c.Bucket, key)
	if err != nil {
		return was, err
	}
	now := c.apply(was, f.now())
	if now == was {
		return now, nil
	}
	return now, f.store(c.Bucket, key, now)
}
