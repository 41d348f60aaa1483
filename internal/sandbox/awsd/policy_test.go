package awsd

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy([]byte(`{"Version":"2012-10-17","Id":"copy","Statement":[
		{"Sid":"a","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::staging"},
		{"Effect":"Allow","Action":["s3:getobject","kms:*"],"Resource":["arn:aws:s3:::staging/*","arn:aws:kms:*:key/?"]},
		{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::staging/private/*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		action, resource string
		want             bool
	}{
		{"s3:ListBucket", "arn:aws:s3:::staging", true},
		{"s3:ListBucket", "arn:aws:s3:::archive", false},
		{"s3:GetObject", "arn:aws:s3:::staging/a/b", true},
		{"s3:GetObject", "arn:aws:s3:::staging/private/b", false},
		{"s3:GetObject", "arn:aws:s3:::Staging/a", false},
		{"s3:PutObject", "arn:aws:s3:::staging/a", false},
		{"kms:Decrypt", "arn:aws:kms:eu-west-1:000000000000:key/1", true},
		{"kms:Decrypt", "arn:aws:kms:eu-west-1:000000000000:key/12", false},
	} {
		if got := p.Allows(test.action, test.resource); got != test.want {
			t.Errorf("%s on %s: %v", test.action, test.resource, got)
		}
	}
	if (Policy{}).Allows("s3:GetObject", "x") || !Everything().Allows("s3:GetObject", "x") {
		t.Error("nothing or everything is not what it says")
	}
	c := Config{Roles: []Role{{ARN: "r", Policy: p}}}
	if !c.Allows("r", "s3:ListBucket", "arn:aws:s3:::staging") || c.Allows("q", "s3:ListBucket", "arn:aws:s3:::staging") {
		t.Error("roles are mixed up")
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	t.Parallel()
	one := func(statement string) string { return `{"Version":"2012-10-17","Statement":[` + statement + `]}` }
	for text, want := range map[string]string{
		`{`: "reading a policy: unexpected EOF",
		`{"Version":"2008-10-17","Statement":[]}`: `reading a policy: Version must be 2012-10-17, not "2008-10-17"`,
		one("") + "x":    "reading a policy: something follows the document",
		`{"Versoin":""}`: `reading a policy: json: unknown field "Versoin"`,
		one(`{"Effect":"allow","Action":"*","Resource":"*"}`):                                   `reading statement 1 of a policy: the Effect is Allow or Deny, not "allow"`,
		one(`{"Effect":"Allow","Action":"*"}`):                                                  "reading statement 1 of a policy: an Action and a Resource are required",
		one(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}`):                    "reading statement 1 of a policy: the elements Condition, Principal, NotAction and NotResource are not modelled (stand-in strictness)",
		one(`{"Effect":"Allow","Action":1,"Resource":"*"}`):                                     "reading a policy: a string or a list of strings is wanted",
		one(`{"Effect":"Allow","Action":"` + strings.Repeat("x", 11_000) + `","Resource":"*"}`): "reading a policy: it has 11084 bytes, at most 10240 are allowed",
	} {
		if _, err := ParsePolicy([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}

// Wildcards match what a regular expression of the same meaning matches.
func TestWild(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern")
		value := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "value")
		re := regexp.MustCompile("^" + strings.NewReplacer("*", ".*", "?", ".").Replace(pattern) + "$")
		if got, want := wild(pattern, value), re.MatchString(value); got != want {
			t.Fatalf("%q on %q: %v", pattern, value, got)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":["a","b*"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := ParsePolicy(text); err == nil {
			p.Allows("s3:GetObject", "arn:aws:s3:::bucket/key")
		}
	})
}
