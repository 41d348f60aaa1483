package seal

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"backfill/internal/fail"
)

const (
	kmsTimeout  = 60 * time.Second // of one call, the SDK's retries included
	dialTimeout = 10 * time.Second
	kmsTries    = 4
)

// kmsKey signs with an asymmetric key of AWS KMS, which never leaves it. The
// key and its algorithm are asked for once.
type kmsKey struct {
	id   string
	once sync.Once
	api  *kms.Client
	key  Key
	err  error
}

func newKMS(id string) (*kmsKey, error) {
	if id == "" {
		return nil, fail.New(fail.Usage, "kms: names no key").Try("give an id, an ARN or alias/NAME behind it")
	}
	return &kmsKey{id: id}, nil
}

// preferred are the algorithms that sign a digest, the ones that need the
// least trust first. A key offers those of its own type only.
func preferred() []types.SigningAlgorithmSpec {
	return []types.SigningAlgorithmSpec{
		types.SigningAlgorithmSpecEcdsaSha256, types.SigningAlgorithmSpecEcdsaSha384, types.SigningAlgorithmSpecEcdsaSha512,
		types.SigningAlgorithmSpecRsassaPssSha256, types.SigningAlgorithmSpecRsassaPssSha384, types.SigningAlgorithmSpecRsassaPssSha512,
		types.SigningAlgorithmSpecRsassaPkcs1V15Sha256, types.SigningAlgorithmSpecRsassaPkcs1V15Sha384, types.SigningAlgorithmSpecRsassaPkcs1V15Sha512,
	}
}

// Key asks for the public key and the algorithms that it is for.
func (k *kmsKey) Key(ctx context.Context) (Key, error) {
	k.once.Do(func() { k.key, k.err = k.describe(ctx) })
	return k.key, k.err
}

func (k *kmsKey) describe(ctx context.Context) (Key, error) {
	ctx, cancel := context.WithTimeout(ctx, kmsTimeout)
	defer cancel()
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) { t.TLSHandshakeTimeout = dialTimeout })
	settings, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client), config.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = kmsTries })
	}))
	if err != nil {
		return Key{}, fail.Wrap(err, fail.Usage, "reading the AWS settings").Try("check the AWS_* variables and the files under ~/.aws")
	}
	if part := strings.Split(k.id, ":"); strings.HasPrefix(k.id, "arn:") && len(part) > 3 && settings.Region == "" {
		settings.Region = part[3]
	}
	k.api = kms.NewFromConfig(settings)
	out, err := k.api.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &k.id})
	if err != nil {
		return Key{}, k.classify(err, "asking for the public key")
	}
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		return Key{}, fail.Wrap(err, fail.Service, "the key service's public key can't be read").At("kms:%s", k.id)
	}
	print, err := fingerprint(public)
	if err != nil {
		return Key{}, err
	}
	for _, want := range preferred() {
		for _, has := range out.SigningAlgorithms {
			if has == want && out.KeyUsage == types.KeyUsageTypeSignVerify {
				return Key{Algorithm: string(has), Fingerprint: print, ID: aws.ToString(out.KeyId)}, nil
			}
		}
	}
	return Key{}, fail.New(fail.Usage, "the key is for %s with %v: it can't sign a SHA-2 digest", out.KeyUsage, out.SigningAlgorithms).At("kms:%s", k.id).
		Try("create one with: aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256")
}

// Sign sends the digest, never the seal, to the key service.
func (k *kmsKey) Sign(ctx context.Context, body []byte) ([]byte, error) {
	key, err := k.Key(ctx)
	if err != nil {
		return nil, err
	}
	digest, _, ok := digestFor(key.Algorithm, body)
	if !ok {
		return nil, fail.New(fail.Internal, "%s signs no digest", key.Algorithm)
	}
	ctx, cancel := context.WithTimeout(ctx, kmsTimeout)
	defer cancel()
	out, err := k.api.Sign(ctx, &kms.SignInput{
		KeyId: &k.id, Message: digest, MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpec(key.Algorithm),
	})
	if err != nil {
		return nil, k.classify(err, "signing")
	}
	return out.Signature, nil
}

// classify turns the service's answers into codes. What is not known to pass
// by itself is not tried again.
func (k *kmsKey) classify(err error, doing string) error {
	code, hint := fail.Internal, ""
	var api smithy.APIError
	var network net.Error
	switch {
	case errors.As(err, &api):
		switch api.ErrorCode() {
		case "AccessDeniedException":
			code, hint = fail.Permission, "the role needs kms:GetPublicKey and kms:Sign on this key"
		case "NotFoundException", "InvalidArnException":
			code, hint = fail.NotFoundInput, "check the key's id and the Region"
		case "DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException", "UnsupportedOperationException":
			code, hint = fail.Usage, "the key must be enabled, asymmetric and of the usage SIGN_VERIFY"
		case "ThrottlingException", "LimitExceededException":
			code = fail.Throttled
		case "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException":
			code = fail.Service
		case "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException":
			code, hint = fail.Credentials, "check the AWS credentials"
		}
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		code = fail.Network
	}
	return fail.Wrap(err, code, "%s", doing).At("kms:%s", k.id).Try("%s", hint)
}
