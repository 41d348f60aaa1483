package s3d

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3err"
)

// stateError is InvalidObjectState, which names the class and, of INTELLIGENT_TIERING, the archive tier.
type stateError struct {
	s3err.APIError
	state stored
}

func invalidState(text string, s stored) error {
	return stateError{s3err.APIError{Code: "InvalidObjectState", Description: text, HTTPStatusCode: http.StatusForbidden}, s}
}

// XMLBody is the error as S3 writes it.
func (e stateError) XMLBody(requestID, hostID string) []byte {
	text, err := xml.Marshal(struct {
		XMLName      xml.Name `xml:"Error"`
		Code         string
		Message      string
		StorageClass types.StorageClass
		AccessTier   types.ArchiveStatus `xml:",omitempty"`
		RequestID    string              `xml:"RequestId,omitempty"`
		HostID       string              `xml:"HostId,omitempty"`
	}{Code: e.Code, Message: e.Description, StorageClass: e.state.Class, AccessTier: e.state.Tier, RequestID: requestID, HostID: hostID})
	if err != nil {
		return e.APIError.XMLBody(requestID, hostID)
	}
	return append([]byte(xml.Header), text...)
}

// RestoreObject begins a restore, which [Server.Cool] ends, or gives a restored copy more days. A faster tier while a
// restore is going on is refused like any other request: that S3 would speed it up is not played.
func (f *folder) RestoreObject(ctx context.Context, in *s3.RestoreObjectInput) error {
	if _, err := f.head(context.WithoutCancel(ctx), &s3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key}); err != nil {
		return err
	}
	f.states.Lock()
	defer f.states.Unlock()
	s, err := f.stored(*in.Bucket, *in.Key)
	if err != nil {
		return err
	}
	if !s.archived() {
		return invalidState("Restore is not allowed for the object's current storage class", s)
	}
	if err := allowed(s, in.RestoreRequest); err != nil {
		return err
	}
	if s.Restoring {
		return s3err.APIError{Code: "RestoreAlreadyInProgress", Description: "Object restore is already in progress", HTTPStatusCode: http.StatusConflict}
	}
	if s.copies() {
		s.Days = int(*in.RestoreRequest.Days)
	}
	status := http.StatusOK
	if s.restored(f.now()) {
		s.Until = expiry(f.now(), s.Days)
	} else {
		s.Restoring, s.Until, status = true, time.Time{}, http.StatusAccepted
	}
	tell(ctx, statusValue, status)
	return f.store(*in.Bucket, *in.Key, s)
}

// allowed checks a request against the object's class.
func allowed(s stored, r *types.RestoreRequest) error {
	tier := r.Tier
	if r.GlacierJobParameters != nil {
		tier = r.GlacierJobParameters.Tier
	}
	deep := s.Class == types.StorageClassDeepArchive || s.Tier == types.ArchiveStatusDeepArchiveAccess
	switch {
	case tier != "" && tier != types.TierBulk && tier != types.TierStandard && tier != types.TierExpedited:
		return s3err.GetAPIError(s3err.ErrMalformedXML)
	case s.copies() && r.Days == nil:
		return s3err.GetAPIError(s3err.ErrMalformedXML)
	case s.copies() && *r.Days < 1:
		return s3err.InvalidArgumentError{Description: "Days must be a positive number", ArgumentName: "Days", ArgumentValue: fmt.Sprint(*r.Days)}
	case !s.copies() && r.Days != nil:
		return s3err.InvalidArgumentError{Description: "Days can't be given for the archive tiers of INTELLIGENT_TIERING", ArgumentName: "Days", ArgumentValue: fmt.Sprint(*r.Days)}
	case deep && tier == types.TierExpedited:
		return s3err.InvalidArgumentError{Description: "Retrieval option is not supported by this storage class", ArgumentName: "Tier", ArgumentValue: string(tier)}
	}
	return nil
}

// expiry is when a copy that is restored now can't be read any more: the first midnight, UTC, after so many days.
func expiry(now time.Time, days int) time.Time {
	y, m, d := now.UTC().Date()
	return time.Date(y, m, d+days+1, 0, 0, 0, 0, time.UTC)
}
