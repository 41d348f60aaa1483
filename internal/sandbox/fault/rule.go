package fault

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The servers that a rule can be about.
const (
	S3  = "s3"
	SQL = "sql"
)

const (
	before = "before"
	during = "during"
	after  = "after"
)

const (
	maxRuleBytes = 4096
	maxWait      = time.Hour // of a hang or a delay
	always       = -1        // times=all
)

// Rule is one parsed rule. The zero Rule is not valid; rules come from Parse.
type Rule struct {
	Server string // S3 or SQL
	kinds  []string
	any    bool // every kind
	tests  []test
	phase  string
	nth    int64
	every  int64
	times  int64

	delay  time.Duration
	hang   bool
	effect string // as written, with its value
	rate   int
	lag    time.Duration
	does   actions
}

// test is a condition on a property of an operation.
type test struct {
	property string
	operator string // "=" or "~"
	value    string
	pattern  *regexp.Regexp
}

// Parse reads a rule. Its errors are one clause that names the word at fault.
func Parse(text string) (Rule, error) {
	r := Rule{nth: 1, every: 1, times: 1}
	if len(text) > maxRuleBytes {
		return r, fmt.Errorf("a rule has at most %d bytes, this one has %d", maxRuleBytes, len(text))
	}
	if strings.ContainsRune(text, 0) {
		return r, errors.New("a rule is text, this one holds a byte 0")
	}
	words, err := split(text)
	if err != nil {
		return r, err
	}
	if len(words) < 2 {
		return r, errors.New("a rule begins with a server and its operations, as in: s3 PutObject cut")
	}
	if r.Server = words[0]; r.Server != S3 && r.Server != SQL {
		return r, fmt.Errorf("%s: the server is s3 or sql", quote(words[0]))
	}
	if r.any = words[1] == "*"; !r.any {
		r.kinds = strings.Split(words[1], ",")
		if slices.Contains(r.kinds, "") || slices.Contains(r.kinds, "*") {
			return r, fmt.Errorf("%s: the operations are names with commas between them, or *", quote(words[1]))
		}
	}
	seen := map[string]bool{}
	for _, w := range words[2:] {
		if err := r.word(w, seen); err != nil {
			return r, err
		}
	}
	return r, r.finish()
}

// finish fills in what was left out and checks what belongs together.
func (r *Rule) finish() error {
	if r.effect == "lost" {
		if r.phase != "" && r.phase != after {
			return fmt.Errorf("lost: it means after cut, and %s was said", r.phase)
		}
		r.effect, r.phase = "cut", after
	}
	if r.phase == "" {
		r.phase = before
	}
	if r.phase == during && (r.Server != SQL || !slices.Equal(r.kinds, []string{"COPY"})) {
		return errors.New("during: only sql COPY has a middle")
	}
	if r.effect == "" && r.delay == 0 && !r.hang {
		return errors.New("the rule does nothing: add cut, lost, fail=NAME, delay=2s, hang, note or another effect")
	}
	if r.delay > 0 && r.hang {
		return errors.New("delay and hang exclude each other")
	}
	return r.resolve()
}

var wordForm = regexp.MustCompile(`^(?s)([a-z-]+)([=~]?)(.*)$`)

// word takes one word in. Every word but a condition may stand once.
func (r *Rule) word(w string, seen map[string]bool) error {
	m := wordForm.FindStringSubmatch(w)
	if m == nil || m[2] == "" && m[3] != "" {
		return fmt.Errorf("%s: no rule has such a word", quote(w))
	}
	name, operator, value := m[1], m[2], m[3]
	if properties[r.Server][name] && operator != "" {
		return r.condition(name, operator, value)
	}
	class := name
	switch name {
	case before, during, after:
		class = "the time (before, during, after)"
	case "cut", "lost", "fail", "cut-body", "short-body", "wrong-etag", "slow", "twice", "lag", "note":
		class = "the effect"
	}
	if seen[class] {
		return fmt.Errorf("%s: %s was said before", quote(w), class)
	}
	seen[class] = true
	if takesValue[name] != (operator == "=") || takesValue[name] && value == "" {
		return fmt.Errorf("%s: no rule has such a word for %s", quote(w), r.Server)
	}
	return r.set(name, value, w)
}

// properties are what conditions can be about; takesValue are the other words that have a value.
var (
	properties = map[string]map[string]bool{S3: {"key": true, "bucket": true, "agent": true, "encryption": true}, SQL: {"text": true}}
	takesValue = map[string]bool{"nth": true, "every": true, "times": true, "delay": true, "fail": true, "slow": true, "lag": true}
)

func (r *Rule) condition(name, operator, value string) error {
	t := test{property: name, operator: operator, value: value}
	if value == "" {
		return fmt.Errorf("%s%s: a value is missing", name, operator)
	}
	if operator == "~" {
		var err error
		if t.pattern, err = regexp.Compile(value); err != nil {
			return fmt.Errorf("%s~: %w", name, err)
		}
	}
	r.tests = append(r.tests, t)
	return nil
}

func (r *Rule) set(name, value, w string) (err error) {
	switch name {
	case before, during, after:
		r.phase = name
	case "nth":
		r.nth, err = positive(value)
	case "every":
		r.every, err = positive(value)
	case "times":
		if r.times = always; value != "all" {
			r.times, err = positive(value)
		}
	case "delay":
		r.delay, err = duration(value)
	case "hang":
		r.hang = true
	case "lag":
		r.effect = w
		r.lag, err = duration(value)
	case "slow":
		r.effect = w
		r.rate, err = byteRate(value)
	case "cut", "lost", "fail", "cut-body", "short-body", "wrong-etag", "twice", "note":
		r.effect = w
	default:
		return fmt.Errorf("%s: no rule has such a word", quote(w))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", quote(w), err)
	}
	return nil
}

func positive(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, errors.New("a whole number from 1 is wanted")
	}
	return n, nil
}

func duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > maxWait {
		return 0, fmt.Errorf("a duration like 500ms or 2s is wanted, at most %s", maxWait)
	}
	return d, nil
}

// byteRate reads bytes a second: 500, 64KiB, 2MiB.
func byteRate(s string) (int, error) {
	digits, factor := s, int64(1)
	for unit, f := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if rest, ok := strings.CutSuffix(s, unit); ok {
			digits, factor = rest, f
		}
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 1 || n*factor > 1<<30 {
		return 0, errors.New("bytes a second are wanted, like 500, 64KiB or 2MiB, at most 1024MiB")
	}
	return int(n * factor), nil
}

// split cuts a rule at blanks. Quotes of either kind hold blanks together and are taken away.
func split(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, inWord := rune(0), false
	for _, c := range text {
		switch {
		case c == open:
			open = 0
		case open != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			open, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if open != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", open)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// quote writes a word so that split reads it back as one.
func quote(w string) string {
	if w != "" && !strings.ContainsAny(w, " \t\r\n'\"") {
		return w
	}
	return `'` + strings.ReplaceAll(w, `'`, `'"'"'`) + `'`
}

// String is the rule in its shortest form; Parse reads it back.
func (r Rule) String() string {
	kinds := "*"
	if !r.any {
		kinds = quote(strings.Join(r.kinds, ","))
	}
	words := []string{r.Server, kinds}
	for _, t := range r.tests {
		words = append(words, t.property+t.operator+quote(t.value))
	}
	if r.phase != before {
		words = append(words, r.phase)
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"nth", r.nth}, {"every", r.every}, {"times", r.times}} {
		switch n.value {
		case 1:
		case always:
			words = append(words, n.name+"=all")
		default:
			words = append(words, fmt.Sprintf("%s=%d", n.name, n.value))
		}
	}
	if r.delay > 0 {
		words = append(words, "delay="+r.delay.String())
	}
	if r.hang {
		words = append(words, "hang")
	}
	if r.effect != "" {
		words = append(words, quote(r.effect))
	}
	return strings.Join(words, " ")
}

// matches tells whether an operation is one that the rule is about.
func (r Rule) matches(op Operation) bool {
	if op.Server != r.Server || op.Phase != r.phase || !r.any && !slices.Contains(r.kinds, op.Kind) {
		return false
	}
	for _, t := range r.tests {
		if !t.holds(op) {
			return false
		}
	}
	return true
}

func (t test) holds(op Operation) bool {
	value := map[string]string{"key": op.Key, "text": op.Text, "bucket": op.Bucket, "agent": op.Agent, "encryption": op.Encryption}[t.property]
	switch {
	case t.pattern != nil:
		return t.pattern.MatchString(value)
	case t.property == "bucket":
		return value == t.value
	case t.property == "encryption":
		method, _, _ := strings.Cut(value, " ")
		return value == t.value || method == t.value
	case t.property == "agent":
		return strings.Contains(strings.ToLower(value), strings.ToLower(t.value))
	}
	return strings.Contains(value, t.value)
}

// due tells whether the rule fires at its n-th match, having fired so many times.
func (r Rule) due(n, fired int64) bool {
	return n >= r.nth && (n-r.nth)%r.every == 0 && (r.times == always || fired < r.times)
}
