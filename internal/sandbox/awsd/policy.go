package awsd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const maxPolicyBytes = 10_240 // as IAM has it for a role's own policies

// Policy is an identity-based IAM policy. The zero Policy allows nothing.
type Policy struct{ statements []statement }

type statement struct {
	Sid               string
	Effect            string
	Action, NotAction oneOrMore
	Resource          oneOrMore
	NotResource       oneOrMore
	Condition         json.RawMessage
	Principal         json.RawMessage
}

// oneOrMore is a string or a list of them.
type oneOrMore []string

// UnmarshalJSON reads either form.
func (o *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*o = oneOrMore{one}
		return nil
	}
	var more []string
	if err := json.Unmarshal(text, &more); err != nil {
		return errors.New("a string or a list of strings is wanted")
	}
	*o = more
	return nil
}

// ParsePolicy reads a policy document. Conditions, principals and Not… elements are refused, because they are not
// modelled.
func ParsePolicy(text []byte) (Policy, error) {
	if len(text) > maxPolicyBytes {
		return Policy{}, fmt.Errorf("reading a policy: it has %d bytes, at most %d are allowed", len(text), maxPolicyBytes)
	}
	var document struct {
		Version   string
		ID        string `json:"Id"`
		Statement []statement
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&document); err != nil {
		return Policy{}, fmt.Errorf("reading a policy: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Policy{}, errors.New("reading a policy: something follows the document")
	}
	if document.Version != "2012-10-17" {
		return Policy{}, fmt.Errorf("reading a policy: Version must be 2012-10-17, not %q", document.Version)
	}
	for i, s := range document.Statement {
		if err := s.check(); err != nil {
			return Policy{}, fmt.Errorf("reading statement %d of a policy: %w", i+1, err)
		}
	}
	return Policy{document.Statement}, nil
}

func (s statement) check() error {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return fmt.Errorf("the Effect is Allow or Deny, not %q", s.Effect)
	case s.NotAction != nil || s.NotResource != nil || s.Condition != nil || s.Principal != nil:
		return errors.New("the elements Condition, Principal, NotAction and NotResource are not modelled (stand-in strictness)")
	case len(s.Action) == 0 || len(s.Resource) == 0:
		return errors.New("an Action and a Resource are required")
	}
	return nil
}

// Everything allows every action on every resource.
func Everything() Policy {
	return Policy{[]statement{{Effect: "Allow", Action: oneOrMore{"*"}, Resource: oneOrMore{"*"}}}}
}

// Allows tells whether the policy allows an action, such as "s3:GetObject", on a resource's ARN: some statement allows
// it and none denies it. Actions are compared without regard to case.
func (p Policy) Allows(action, resource string) bool {
	allowed := false
	for _, s := range p.statements {
		if !s.Action.match(strings.ToLower(action), strings.ToLower) || !s.Resource.match(resource, nil) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func (o oneOrMore) match(value string, fold func(string) string) bool {
	for _, pattern := range o {
		if fold != nil {
			pattern = fold(pattern)
		}
		if wild(pattern, value) {
			return true
		}
	}
	return false
}

// wild matches * (any text) and ? (any character), going back to the last * only, so that it takes at most
// len(pattern)·len(value) steps.
func wild(pattern, value string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(value) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == value[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
