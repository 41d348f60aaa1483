package archive

import (
	"regexp"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// AivenTemplate is the default of file.name.template.
const AivenTemplate = "{{topic}}-{{partition}}-{{start_offset}}"

// aivenExtension is what the sink itself appends; a template may hold another.
const aivenExtension = `(?:\.avro)?(?:\.gz|\.snappy|\.zst)?`

var aivenVariable = regexp.MustCompile(`\{\{\s*([a-z_]+)\s*(?::\s*([a-z]+)\s*=\s*([A-Za-z]+)\s*)?\}\}`)

// aivenParts are the variables of a template as regular expressions.
var aivenParts = map[string]string{
	"topic": `(?P<topic>[A-Za-z0-9._-]+)`, "partition": `(?P<partition>\d+)`, "start_offset": `(?P<offset>\d+)`, "key": `.*`,
	"timestamp:yyyy": `\d{4}`, "timestamp:MM": `\d{2}`, "timestamp:dd": `\d{2}`, "timestamp:HH": `\d{2}`,
	"utc_date": `\d{4}-\d{2}-\d{2}`, "local_date": `\d{4}-\d{2}-\d{2}`,
}

// aiven is the layout of a template of the Aiven S3 sink.
type aiven struct {
	inner    Layout
	template string
	exact    bool // the start offset is the first record's
}

// Aiven returns the layout of the Aiven S3 sink with a file.name.template, ""
// for its default. Topic and partition may be constants where the template has
// none. Start offsets order a partition's files unless the template has a
// timestamp or a key: then the files interleave, and the offset in a name may be
// lower than that of the file's first record. A bad template is fail.BadDataset.
func Aiven(template, topic string, partition *int32) (Layout, error) {
	if template == "" {
		template = AivenTemplate
	}
	var expression strings.Builder
	expression.WriteString(`^(?:.*/)?`)
	rest, exact, seen := strings.TrimPrefix(template, "/"), true, map[string]bool{}
	for {
		at := aivenVariable.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		name := rest[at[2]:at[3]]
		part := name
		if name == "timestamp" {
			part = "timestamp:"
			if at[6] >= 0 {
				part += rest[at[6]:at[7]]
			}
		}
		text, known := aivenParts[part]
		if !known {
			return nil, fail.New(fail.BadDataset, "the Aiven template has an unknown variable %s", rest[at[0]:at[1]]).
				Try("variables are topic, partition, start_offset, key, timestamp with unit yyyy, MM, dd or HH, utc_date and local_date")
		}
		if group := strings.Index(text, "(?P<"); group >= 0 && seen[name] {
			text = strings.TrimSuffix(text[strings.IndexByte(text, '>')+1:], ")") // only its first place is read
		}
		seen[name] = true
		exact = exact && name != "key" && name != "timestamp" && !strings.HasSuffix(name, "_date")
		expression.WriteString(regexp.QuoteMeta(rest[:at[0]]) + text)
		rest = rest[at[1]:]
	}
	if strings.Contains(rest, "{{") {
		return nil, fail.New(fail.BadDataset, "the Aiven template has a malformed variable").Try("write {{name}} or {{name:option=value}}")
	}
	expression.WriteString(regexp.QuoteMeta(rest) + aivenExtension + `$`)
	re, err := regexp.Compile(expression.String())
	if err != nil {
		return nil, fail.Wrap(err, fail.BadDataset, "the Aiven template can't be read")
	}
	inner, err := Pattern(re, topic, partition)
	if err != nil {
		return nil, err
	}
	return aiven{inner: inner, template: template, exact: exact}, nil
}

// Parse searches the template in the key.
func (a aiven) Parse(key string) (Name, Verdict) {
	name, verdict := a.inner.Parse(key)
	if verdict.Kind == Unknown {
		verdict.Reason = "the name is not " + a.template + " (" + verdict.Reason + ")"
	}
	if verdict.Kind == Data && !a.exact {
		name.Ordered, name.Lower = false, name.FirstOffset != kafka.NoOffset
	}
	return name, verdict
}
