package objstore

import (
	"errors"
	"net"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// briefError keeps an error of the SDK in the chain, in fewer words.
type briefError struct {
	text string
	err  error
}

func (b briefError) Error() string { return b.text }
func (b briefError) Unwrap() error { return b.err }

// brief leaves of the SDK's text what a person needs: S3's own words, the error's
// name and the request id that AWS support asks for; or the socket's error. The
// operation, the tries and the host id are left out. Other errors stay as they are.
func brief(err error) error {
	var answer smithy.APIError
	var response *awshttp.ResponseError
	if errors.As(err, &answer) && answer.ErrorCode() != "" {
		text := answer.ErrorCode()
		if words := answer.ErrorMessage(); words != "" && words != text {
			text = words + " (" + text + ")"
		}
		if errors.As(err, &response) && response.RequestID != "" {
			text += ", request " + response.RequestID
		}
		return briefError{text, err}
	}
	var socket *net.OpError
	if errors.As(err, &socket) {
		return briefError{socket.Error(), err}
	}
	return err
}
