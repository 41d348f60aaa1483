package doctor

import (
	"fmt"
	"strings"

	"backfill/internal/objstore"
)

// iamStatement is the statement that gives a right on what the URI names, ready
// to be pasted into a policy; "" for what is not in S3.
func iamStatement(action, text string) string {
	uri, err := objstore.ParseURI(text)
	if err != nil || uri.Scheme != objstore.SchemeS3 {
		return ""
	}
	if action == "s3:ListBucket" {
		return fmt.Sprintf(`{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::%s", "Condition": {"StringLike": {"s3:prefix": "%s"}}}`, uri.Bucket, below(uri.Key))
	}
	return fmt.Sprintf(`{"Effect": "Allow", "Action": "%s", "Resource": "arn:aws:s3:::%s/%s"}`, action, uri.Bucket, below(uri.Key))
}

func below(key string) string {
	if key == "" {
		return "*"
	}
	return strings.TrimSuffix(key, "/") + "/*"
}

// kmsStatement is the statement that gives rights on the key of staging.
func kmsStatement(key string, actions ...string) string {
	if !strings.Contains(key, ":key/") {
		key = "THE ARN OF THE KEY" // a policy knows no aliases, and without a key in the dataset it is the bucket's
	}
	return fmt.Sprintf(`{"Effect": "Allow", "Action": ["%s"], "Resource": "%s"}`, strings.Join(actions, `", "`), key)
}
