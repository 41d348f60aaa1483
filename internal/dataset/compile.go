package dataset

import (
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// compiler holds one compilation: the dataset as far as it is known and the
// problems found. Section readers go on after a problem with the zero value.
type compiler struct {
	problems
	source []string // the file's lines, for positions inside expressions
	env    func(string) string
	out    *Dataset
	nodes  columnNodes

	recordKeys section // records, for sections that it goes together with
}

// Compile checks the text of a dataset file, with the --set flags of the
// command line applied, and returns it compiled.
//
// file is the name for messages. Each override is path=value with the value in
// YAML; an empty value or None takes the key away. env looks up environment
// variables (os.Getenv): ${NAME} in archive.uri, staging.uri and the warehouse's
// addresses and role is replaced, and the BACKFILL_STAGING_ and
// BACKFILL_WAREHOUSE_ variables stand in for keys that the file leaves out. The
// password is never kept, only its variable's or file's name. A nil env has no
// variables.
//
// The error, of code fail.BadDataset, lists up to 20 problems, one a line, each
// as file:line:column: message (hint).
func Compile(file string, text []byte, overrides []string, env func(string) string) (*Dataset, error) {
	if env == nil {
		env = func(string) string { return "" }
	}
	c := &compiler{
		problems: problems{file: file, origin: map[*yaml.Node]string{}},
		source:   strings.Split(string(text), "\n"),
		env:      env,
		out:      &Dataset{},
	}
	root := c.parse(text)
	if root == nil {
		return nil, c.err()
	}
	c.override(root, overrides)
	c.document(c.section("", "", root))
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := c.out.seal(); err != nil {
		return nil, err
	}
	return c.out, nil
}

// document reads all sections. Columns come before the sections that name them.
func (c *compiler) document(root section) {
	c.version(root)
	if name, ok := c.text(root, "name"); ok {
		c.out.Name = name
		c.identifier(root.values["name"], "name", name)
	} else if root.values["name"] == nil {
		c.missing(root, "name", "add a short lower-case name, such as payroll_events")
	}
	c.out.Calendar, c.out.CalendarName = time.UTC, "UTC"
	if zone, location, ok := c.zone(root, "calendar"); ok {
		c.out.Calendar, c.out.CalendarName = location, zone
	}
	c.archive(root)
	c.records(root)
	c.columns(root)
	c.masks(root)
	c.suppress()
	c.table(root)
	c.deletions()
	c.staging(root)
	c.warehouse(root)
	c.quarantine(root)
	c.reconcile(root)
	c.retain(root)
}

func (c *compiler) version(root section) {
	if root.values["version"] == nil {
		c.missing(root, "version", "add `version: 1`")
		return
	}
	value, ok := c.scalar(root, "version", "a whole number", "!!int")
	if ok && value != "1" {
		c.at(root.values["version"], "this program reads version 1", "version %s is not supported by this version", value)
		return
	}
	c.out.Version = 1
}

// maxIdentifier is the longest name in Redshift, in bytes.
const maxIdentifier = 127

var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// identifier notes a problem if the text is no lower-case identifier.
func (c *compiler) identifier(n *yaml.Node, what, text string) bool {
	switch {
	case len(text) > maxIdentifier:
		c.at(n, "Redshift cuts longer names", "%s has %d bytes, more than %d", what, len(text), maxIdentifier)
	case !identifier.MatchString(text):
		hint := "lower-case letters, digits and _, not starting with a digit"
		if folded := strings.ToLower(text); folded != text && identifier.MatchString(folded) {
			hint = "write " + folded + ": Redshift folds names to lower case"
		}
		c.at(n, hint, "%s %s is not a lower-case identifier", what, shown(text))
	default:
		return true
	}
	return false
}

// zone returns a key's time zone.
func (c *compiler) zone(s section, key string) (string, *time.Location, bool) {
	name, ok := c.text(s, key)
	if !ok {
		return "", nil, false
	}
	location, err := time.LoadLocation(name)
	// "Local" would make the result depend on the machine.
	if err != nil || name == "Local" {
		c.at(s.values[key], "use an IANA name, such as America/Los_Angeles or UTC", "%s %s is not a time zone", s.key(key), shown(name))
		return "", nil, false
	}
	return name, location, true
}
