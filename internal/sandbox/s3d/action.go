package s3d

import (
	"fmt"
	"net/http"
)

// Action is the hook's answer. After, an operation has taken place whatever is answered.
type Action int

const (
	Continue    Action = iota
	Fail500            // 500 InternalError
	SlowDown503        // 503 SlowDown
	Cut                // the connection is reset without an answer; After: the operation took place, its answer is lost
	CutBody            // GET: half of the body, then a reset; anything else, and an empty body: as Cut After

	ShortBody      // GET: half of the body, in good order and with a Content-Length that agrees; anything else: nothing
	WrongETag      // the answer's ETags, in headers and in XML, are another object's
	Unavailable503 // 503 ServiceUnavailable
	Conflict409    // 409 ConditionalRequestConflict, as two conditional writes at a time make it
	Denied403      // 403 AccessDenied
	ClockSkew403   // 403 RequestTimeTooSkewed
	ExpiredToken   // 400 ExpiredToken
	Timeout400     // 400 RequestTimeout
	Late500        // CompleteMultipartUpload, CopyObject: 200 with InternalError for a body, as they end that began well; anything else: as Fail500
	DiskFull507    // 507 InsufficientStorage, which S3 never says and stores that speak its API do
	NoExpedited503 // 503 GlacierExpeditedRetrievalNotAvailable, as RestoreObject of the tier Expedited says it
)

// slow is the first of the actions that Slow makes.
const slow Action = 1 << 32

// Slow passes the answer's body on at bytesPerSecond, at least 1 and at most 2^31-1; Before: the request's body, too.
func Slow(bytesPerSecond int) Action {
	return slow + Action(min(max(bytesPerSecond, 1), 1<<31-1))
}

// rate is the number of bytes a second of a Slow action, and 0 for the others.
func (a Action) rate() int64 {
	if a < slow {
		return 0
	}
	return int64(a - slow)
}

func (a Action) String() string {
	names := [...]string{"Continue", "Fail500", "SlowDown503", "Cut", "CutBody", "ShortBody", "WrongETag", "Unavailable503", "Conflict409",
		"Denied403", "ClockSkew403", "ExpiredToken", "Timeout400", "Late500", "DiskFull507", "NoExpedited503"}
	switch {
	case a.rate() > 0:
		return fmt.Sprintf("Slow(%d)", a.rate())
	case a < 0 || int(a) >= len(names):
		return "Action(?)"
	}
	return names[a]
}

// refusal is an error answer.
type refusal struct {
	status        int
	code, message string
}

// refusals are the errors that actions stand for, in S3's words.
var refusals = map[Action]refusal{
	Fail500:        {http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."},
	SlowDown503:    {http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate."},
	Unavailable503: {http.StatusServiceUnavailable, "ServiceUnavailable", "Service is unable to handle request."},
	Conflict409: {http.StatusConflict, "ConditionalRequestConflict",
		"The conditional request cannot succeed due to a conflicting operation against this resource."},
	Denied403:    {http.StatusForbidden, "AccessDenied", "Access Denied"},
	ClockSkew403: {http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
	ExpiredToken: {http.StatusBadRequest, "ExpiredToken", "The provided token has expired."},
	Timeout400: {http.StatusBadRequest, "RequestTimeout",
		"Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed."},
	Late500:     {http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."},
	DiskFull507: {http.StatusInsufficientStorage, "InsufficientStorage", "There is not enough space on the disk."},
	NoExpedited503: {http.StatusServiceUnavailable, "GlacierExpeditedRetrievalNotAvailable",
		"Glacier expedited retrievals are currently not available, please try again later"},
}

// refusal is the error that an action makes of an operation, if it makes one.
func (a Action) refusal(op Op) (refusal, bool) {
	no, ok := refusals[a]
	if a == Late500 && (op.Kind == "CompleteMultipartUpload" || op.Kind == "CopyObject") {
		no.status = http.StatusOK
	}
	return no, ok
}
