package dataset

import (
	"path"
	"regexp"
	"strings"
)

// The environment variables that stand in for keys that the file leaves out.
const (
	stagingURIVar            = "BACKFILL_STAGING_URI"
	stagingKeyVar            = "BACKFILL_STAGING_KMS_KEY"
	warehouseURLVar          = "BACKFILL_WAREHOUSE_URL"
	warehouseRoleVar         = "BACKFILL_WAREHOUSE_IAM_ROLE"
	warehouseTLSVar          = "BACKFILL_WAREHOUSE_TLS"
	warehouseSignInVar       = "BACKFILL_WAREHOUSE_SIGN_IN"
	warehousePasswordVar     = "BACKFILL_WAREHOUSE_PASSWORD"
	warehousePasswordFileVar = "BACKFILL_WAREHOUSE_PASSWORD_FILE"
	maskKeyIDVar             = "BACKFILL_MASK_KEY_ID"
	registryPasswordVar      = "BACKFILL_REGISTRY_PASSWORD"
)

var (
	reference = regexp.MustCompile(`\$\{([^}]*)\}?`)
	variable  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	bucket    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// place notes a problem with a value, wherever the value came from. The
// messages never show an address as it was given: it may hold a secret.
type place func(hint, format string, args ...any)

// place returns the place of a section's value in the file.
func (c *compiler) place(s section, key string) place {
	return func(hint, format string, args ...any) { c.at(s.values[key], hint, format, args...) }
}

// lookup returns an environment variable; an empty one and the text None count
// as unset.
func (c *compiler) lookup(name string) string {
	value := strings.TrimSpace(c.env(name))
	if value == "None" {
		return ""
	}
	return value
}

// expanded returns a key's text with ${NAME} replaced from the environment.
func (c *compiler) expanded(s section, key string) (string, bool) {
	value, ok := c.scalar(s, key, "text", "!!str")
	if !ok {
		return "", false
	}
	value = strings.TrimSpace(reference.ReplaceAllStringFunc(value, func(match string) string {
		name := reference.FindStringSubmatch(match)[1]
		if !variable.MatchString(name) || !strings.HasSuffix(match, "}") {
			c.at(s.values[key], "write ${NAME}", "%s has a malformed reference to the environment", s.key(key))
			ok = false
			return ""
		}
		found := c.lookup(name)
		switch {
		case found == "":
			c.at(s.values[key], "set it, or write the value into the file", "%s: the environment variable %s is not set", s.key(key), name)
			ok = false
		case strings.Contains(found, "${"):
			c.at(s.values[key], "", "%s: the environment variable %s refers to the environment again", s.key(key), name)
			ok = false
		}
		return found
	}))
	if ok && value == "" {
		c.at(s.values[key], "give it a value or take the key away", "%s is empty", s.key(key))
		return "", false
	}
	return value, ok
}

// setting returns a key's expanded text or the environment variable that
// stands in for it, with the place for messages; false if there is neither.
func (c *compiler) setting(s section, key, name string) (string, place, bool) {
	if s.values[key] != nil {
		value, ok := c.expanded(s, key)
		return value, c.place(s, key), ok
	}
	at := func(hint, format string, args ...any) { c.elsewhere("$"+name, hint, format, args...) }
	value := c.lookup(name)
	return value, at, value != ""
}

// storage checks s3://bucket[/prefix] or file:///path and returns it without
// slashes at the end.
func (c *compiler) storage(at place, what, uri string) string {
	const hint = "write s3://bucket/prefix or file:///path"
	if strings.ContainsFunc(uri, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		at("", "%s holds a control character", what)
		return ""
	}
	if rest, ok := strings.CutPrefix(uri, "s3://"); ok {
		name, prefix, _ := strings.Cut(rest, "/")
		if strings.Contains(name, "@") {
			at("credentials come from the environment or the pod's role", "%s must not hold credentials", what)
			return ""
		}
		if !bucket.MatchString(name) {
			at(hint, "%s does not name a bucket", what)
			return ""
		}
		if strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "//") {
			at("S3 takes every slash as it stands", "%s has an empty folder name (//)", what)
			return ""
		}
		return strings.TrimRight("s3://"+name+"/"+prefix, "/")
	}
	if rest, ok := strings.CutPrefix(uri, "file://"); ok {
		if !strings.HasPrefix(rest, "/") {
			at("file:// is followed by an absolute path: file:///path", "%s is not an absolute path", what)
			return ""
		}
		return "file://" + path.Clean(rest)
	}
	at(hint, "%s is neither s3:// nor file://", what)
	return ""
}

// inside reports whether a lies at or below b; both without slash at the end.
func inside(a, b string) bool { return a == b || strings.HasPrefix(a, strings.TrimRight(b, "/")+"/") }

// staging reads the staging section.
func (c *compiler) staging(root section) {
	s := c.child(root, "staging")
	defer c.stagingKey(s)
	value, at, ok := c.setting(s, "uri", stagingURIVar)
	if !ok {
		return
	}
	uri := c.storage(at, "staging.uri", value)
	c.out.Staging.URI = uri
	if archive := c.out.Archive.URI; uri != "" && archive != "" {
		if inside(uri, archive) {
			at("choose a prefix outside archive.uri", "staging lies in the archive and would be read as archived records")
		} else if inside(archive, uri) {
			at("choose a prefix of its own", "the archive lies in staging")
		}
	}
}

// kmsKey is a key by its id, its alias or the ARN of either.
var kmsKey = regexp.MustCompile(`^(arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:[0-9]{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)|[0-9a-f-]{36}|mrk-[0-9a-f]{32}|alias/[A-Za-z0-9/_-]+)$`)

// stagingKey reads the key that staging is encrypted by.
func (c *compiler) stagingKey(s section) {
	value, at, ok := c.setting(s, "kms_key", stagingKeyVar)
	if !ok {
		return
	}
	c.out.Staging.KMSKey = value
	switch {
	case !kmsKey.MatchString(value):
		at("write arn:aws:kms:REGION:ACCOUNT:key/ID, an id, or alias/NAME", "staging.kms_key is not a KMS key")
	case strings.HasPrefix(c.out.Staging.URI, "file://"):
		at("take it away: files are not encrypted by S3", "staging.kms_key needs staging in S3")
	}
}
