package probe

import (
	"errors"
	"regexp"
	"strings"
)

// cleaner takes out of answers what differs between two runs without meaning anything, and what nobody should read.
type cleaner struct {
	names   *strings.Replacer
	secrets *strings.Replacer
}

func newCleaner(r *run) *cleaner {
	secrets := []string{}
	for _, s := range []string{r.target.Login.Password} {
		if s != "" {
			secrets = append(secrets, s, "<secret>")
		}
	}
	names := []string{r.prefix, "<prefix>/", strings.ToLower(r.prefix), "<prefix>/", r.schema, "<schema>"}
	for _, n := range [][2]string{{r.target.Role, "<role>"}, {r.target.Bucket, "<bucket>"}, {r.target.Login.User, "<user>"}} {
		if n[0] != "" {
			names = append(names, n[0], n[1])
		}
	}
	return &cleaner{strings.NewReplacer(names...), strings.NewReplacer(secrets...)}
}

var (
	// A presigned URL, or anything else that carries a signature, key or token.
	signed = regexp.MustCompile(`(?i)((?:x-amz-[a-z-]+|awsaccesskeyid|signature|aws_access_key_id|aws_secret_access_key|token)=)[^&;,\s'"]+`)
	keyID  = regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b`)
	// Ids of queries, processes, transactions and errors.
	ids = []struct {
		pattern *regexp.Regexp
		with    string
	}{
		{regexp.MustCompile(`\s*\[ErrorId: [^\]]*\]`), ""},
		{regexp.MustCompile(`Query \(\d+\)`), "Query (#)"},
		{regexp.MustCompile(`pid[:=]\d+`), "pid:#"},
		{regexp.MustCompile(`Rid [0-9A-Za-z]+`), "Rid #"},
		{regexp.MustCompile(`ExtRid [^,\s]+`), "ExtRid #"},
		{regexp.MustCompile(`s3\.[a-z0-9-]+\.amazonaws\.com`), "s3.<region>.amazonaws.com"},
		{regexp.MustCompile(`arn:aws:redshift:[^ ]*:dbuser:[^ ]+`), "<dbuser>"},
		{regexp.MustCompile(`\b([tu])\d+\b`), "$1#"},
	}
)

func (c *cleaner) text(s string) string {
	s = c.secrets.Replace(s)
	s = signed.ReplaceAllString(s, "$1<secret>")
	s = keyID.ReplaceAllString(s, "<key>")
	s = c.names.Replace(s)
	for _, id := range ids {
		s = id.pattern.ReplaceAllString(s, id.with)
	}
	return s
}

func (c *cleaner) all(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, c.text(s))
	}
	return out
}

func (c *cleaner) outcome(o Outcome) Outcome {
	return Outcome{State: o.State, Message: c.text(o.Message), Detail: c.text(o.Detail), Tag: o.Tag, Rows: c.all(o.Rows),
		Notices: c.all(o.Notices), Broken: c.text(o.Broken)}
}

// err keeps the text of an error alone, cleaned.
func (c *cleaner) err(err error) error {
	var o Outcome
	o.fail(err)
	return errors.New(c.text(o.State + " " + o.Message))
}

var envelope = regexp.MustCompile(`(?s)code:\s*(\d+)\s+context:\s*(.*?)\s+query:`)

// essence is what matters of a Detail: of the compute nodes' envelope, code and context.
func essence(detail string) string {
	if m := envelope.FindStringSubmatch(detail); m != nil {
		return strings.TrimSpace(m[1] + " " + m[2])
	}
	return strings.TrimSpace(detail)
}
