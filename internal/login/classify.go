package login

import (
	"context"
	"errors"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"backfill/internal/fail"
)

// credentials marks the errors of the credential chain, which have no type of
// their own.
type credentials struct{ provider aws.CredentialsProvider }

type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// Retrieve asks the chain.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.provider.Retrieve(ctx)
	if err != nil {
		return found, &credentialsError{err}
	}
	return found, nil
}

// failure gives an error of an AWS call its code and its remedy. action is the
// call, by the name that IAM policies use. Answers of these services name
// callers and resources, never secrets.
func (s *Source) failure(action string, err error) error {
	wrap := func(code fail.Code, what string) *fail.Error {
		return fail.Wrap(brief(err), code, "%s", what).At("%s", s.where())
	}
	// The caller stopped.
	if errors.Is(err, context.Canceled) {
		return wrap(fail.Network, "signing in was stopped")
	}
	// No credentials at all, or their source (role, web identity) refused.
	if ce := (*credentialsError)(nil); errors.As(err, &ce) {
		return wrap(fail.Credentials, "no usable AWS credentials to sign in with").
			Try("give the pod a role (service account or Pod Identity), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	var answer smithy.APIError
	if errors.As(err, &answer) {
		if f := s.answered(action, answer.ErrorCode(), wrap); f != nil {
			return f
		}
	}
	var response *smithyhttp.ResponseError
	var network net.Error
	switch {
	case errors.As(err, &response) && response.HTTPStatusCode() >= 500:
		// The service failed, also over the SDK's tries.
		return wrap(fail.Service, "AWS failed").Try("run the same command again")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network):
		// No answer: no route, no endpoint for this Region, or a proxy between.
		return wrap(fail.Network, "AWS can't be reached to sign in").Try("check the Region, and the network path (VPC endpoint, proxy)")
	}
	// What is unknown is not retryable.
	return wrap(fail.Internal, "unknown error of "+action)
}

func (s *Source) answered(action, code string, wrap func(fail.Code, string) *fail.Error) *fail.Error {
	switch code {
	case "ClusterNotFound", "ClusterNotFoundFault", "ResourceNotFoundException":
		// Mistyped, deleted, or in another Region or account.
		return wrap(fail.NotFoundInput, "there is no such "+s.kind()).Try("check its name, its Region and the AWS account")
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation":
		// A policy of the identity, of the secret or of the organization says no.
		return wrap(fail.Permission, action+" is not allowed").Try("allow %s to the role in use%s", action, s.resource(action))
	case "DecryptionFailure", "KMSAccessDeniedFault":
		// The secret's key.
		return wrap(fail.Permission, "the secret can't be decrypted").Try("allow kms:Decrypt on the secret's key to the role in use")
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired":
		// The AWS login was right and is over.
		return wrap(fail.Credentials, "the AWS credentials have expired").Try("renew them, or use a role that renews itself")
	case "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature", "InvalidAccessKeyId":
		// The AWS login itself is wrong, or the clock is.
		return wrap(fail.Credentials, "AWS refused the credentials").Try("check the access key, the secret, the session token, and this machine's clock")
	case "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException":
		// The SDK has already tried with pauses.
		return wrap(fail.Throttled, "AWS asks to slow down").Try("run the same command again, with fewer pods at a time")
	case "InvalidParameterValue", "InvalidParameterException", "ValidationException", "ValidationError", "InvalidRequestException":
		// A name that the service does not take, or a secret that is being deleted.
		return wrap(fail.Usage, "AWS does not accept the request").Try("check the names in warehouse.sign_in and the warehouse URL")
	case "InternalFailure", "InternalServerException", "InternalServiceError", "ServiceUnavailable":
		// AWS failed, also over the SDK's tries.
		return wrap(fail.Service, "AWS failed").Try("run the same command again")
	}
	return nil
}

func (s *Source) kind() string {
	switch {
	case s.o.Cluster != "":
		return "cluster"
	case s.o.Workgroup != "":
		return "workgroup"
	}
	return "secret"
}

// resource helps to write the policy where the ARN is not the obvious one.
func (s *Source) resource(action string) string {
	if action == "redshift:GetClusterCredentials" {
		return ", on dbuser:" + s.o.Cluster + "/" + s.at.User + " and dbname:" + s.o.Cluster + "/" + s.at.Database
	}
	return ""
}

// brief keeps the service's sentence of an error and drops the SDK's frame of
// request ids and endpoints.
func brief(err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) && answer.ErrorMessage() != "" {
		return briefError{answer.ErrorMessage() + " (" + answer.ErrorCode() + ")", err}
	}
	return err
}

type briefError struct {
	text string
	err  error
}

func (b briefError) Error() string { return b.text }
func (b briefError) Unwrap() error { return b.err }
