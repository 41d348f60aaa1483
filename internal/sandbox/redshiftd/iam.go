package redshiftd

import (
	"fmt"
	"net/http"
	"strings"
)

// IAM says what COPY's roles may do with S3 and KMS. The zero value lets every associated role do everything.
type IAM struct {
	// Allows decides on one action, such as "s3:GetObject" on "arn:aws:s3:::bucket/key". A chain of roles also needs
	// "sts:AssumeRole" from each role on the next. nil allows everything.
	Allows func(role, action, resource string) bool
	// Keys are the KMS keys (ARNs) by bucket. Objects of these buckets need kms:Decrypt on the key, too.
	Keys map[string]string
}

// errDenied is S3's refusal of a role without the right.
type errDenied struct{ role, action, resource string }

func (e *errDenied) Error() string {
	return fmt.Sprintf("%s may not %s on %s", e.role, e.action, e.resource)
}

// as gives the store as a chain of roles sees it; the last one holds the rights. Without roles, COPY's own keys count.
func (o *objectStore) as(roles []string) *objectStore {
	seen := *o
	if len(roles) > 0 {
		seen.role = roles[len(roles)-1]
	}
	return &seen
}

func (o *objectStore) may(action, resource string) error {
	if o.role == "" || o.iam.Allows == nil || o.iam.Allows(o.role, action, resource) {
		return nil
	}
	return &errDenied{o.role, action, resource}
}

func (o *objectStore) mayList(bucket string) error {
	return o.may("s3:ListBucket", "arn:aws:s3:::"+bucket)
}

// mayRead is asked before an object is read; a bucket's key counts as well.
func (o *objectStore) mayRead(bucket, key string) error {
	if err := o.may("s3:GetObject", "arn:aws:s3:::"+bucket+"/"+key); err != nil {
		return err
	}
	if k := o.iam.Keys[bucket]; k != "" {
		return o.may("kms:Decrypt", k)
	}
	return nil
}

// missing is the error of an object that is not there: S3 says so only to those who may list the bucket.
func (o *objectStore) missing(bucket string, err error) error {
	if status, _ := s3Text(err); status == http.StatusNotFound {
		if denied := o.mayList(bucket); denied != nil {
			return denied
		}
	}
	return err
}

// chain checks that each role of a COPY may assume the next one.
func (l *loader) chain(roles []string) error {
	for i := 1; i < len(roles); i++ {
		if (&objectStore{role: roles[i-1], iam: l.s.srv.config.IAM}).may("sts:AssumeRole", roles[i]) != nil {
			return l.notAssumable(roles[i-1], roles[i])
		}
	}
	return nil
}

// notAssumable refuses a role that COPY may not use.
func (l *loader) notAssumable(by, role string) error {
	if by == "" {
		by = fmt.Sprintf("arn:aws:redshift:%s:000000000000:dbuser:standin/%s", l.s.srv.store.region, l.s.user)
	}
	text := fmt.Sprintf("User %s is not authorized to assume IAM Role %s", by, strings.TrimSpace(role))
	return errEnvelope("UnauthorizedException", 30000, text, "xen_aws_credentials_mgr.cpp:411", l.query)
}
