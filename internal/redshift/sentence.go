package redshift

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxSentence keeps a message readable; COPY's detail can run to pages.
const maxSentence = 600

// sentence makes one line of a server's error. COPY hides the cause in the
// detail, as an envelope of lines; values of rows are left out, they may be
// personal.
func sentence(e *pgconn.PgError) string {
	message := withoutValue(oneLine(e.Message))
	fields := envelope(e.Detail)
	text := message
	switch context := fields["context"]; {
	case context != "":
		text = explain(withoutValue(context))
		if message != "Spectrum Scan Error" && !strings.Contains(text, message) && !strings.Contains(message, text) {
			text = message + ": " + text
		}
	case len(fields) == 0 && e.Detail != "" && quotedDetail(e.Code):
		text = message + ": " + explain(withoutValue(oneLine(e.Detail)))
	default:
		text = explain(message)
	}
	if code := fields["code"]; code != "" {
		text += " (code " + code + ")"
	}
	return cut(text)
}

// quotedDetail says that the detail of this SQLSTATE names objects, not values.
func quotedDetail(sqlstate string) bool {
	return !strings.HasPrefix(sqlstate, "22") && sqlstate != "23502"
}

// withoutValue leaves out the values that messages repeat.
func withoutValue(text string) string {
	text = valueInMessage.ReplaceAllString(text, "$1 (value left out)")
	text = quotedValue.ReplaceAllString(text, "$1 (left out)")
	if strings.Contains(text, "JSON") && !strings.Contains(text, "SERIALIZETOJSON") {
		text = quoted.ReplaceAllString(text, "(left out)")
	}
	return text
}

var (
	// As in: invalid input syntax for integer: "abc".
	valueInMessage = regexp.MustCompile(`^((?i:invalid input syntax|invalid digit|value out of range|bad double|date/time field)[^:,]*)[:,] .*$`)
	// As in: Value 'abc', Pos 0, Type: Integer.
	quotedValue = regexp.MustCompile(`(?i)\b(values?)\s*[:=]?\s*(?:'[^']*'?|"[^"]*"?)`)
	// Of a JSON text, any part may be a value.
	quoted = regexp.MustCompile(`'[^']*'?|"[^"]*"?`)
)

var envelopeLine = regexp.MustCompile(`^\s*(error|code|context|query|location|process):\s*(.*)$`)

// envelope reads the fields of an error raised on the compute nodes; none when
// the detail is no envelope. A field may run over several lines.
func envelope(detail string) map[string]string {
	fields := map[string]string{}
	field := ""
	for line := range strings.Lines(detail) {
		if m := envelopeLine.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			field, line = m[1], m[2]
		}
		if field != "" {
			fields[field] = oneLine(fields[field] + " " + line)
		}
	}
	if context, ok := fields["context"]; ok {
		fields["context"] = errorID.ReplaceAllString(context, "")
	}
	return fields
}

var errorID = regexp.MustCompile(`\s*\[ErrorId: [^\]]*\]\s*$`)

// explanations turn the reader's known texts into sentences; groups are named
// in the replacement.
var explanations = []struct {
	match *regexp.Regexp
	say   string
}{
	{regexp.MustCompile(`The length of the data column (\S+) is longer than the length defined in the table\. Table: (\d+), Data: (\d+), File name: (\S+).*`),
		`column $1 holds $3 bytes in $4, the table takes $2`},
	{regexp.MustCompile(`Unmatched number of columns between table and file\. Table columns: (\d+), Data columns: (\d+), File name: (\S+).*`),
		`$3 has $2 columns, the table's list has $1`},
	{regexp.MustCompile(`File '([^']+)' has an incompatible Parquet schema for column '(?:[^']*\.)?([^'.]+)'\. Column type: ([^,]+), Parquet schema: ?(.*)`),
		`column $2 of $1 is "$4", the table's is $3`},
	{regexp.MustCompile(`File '([^']+)',? column '([^']+)' has an invalid type length\. Expecting: (\d+) len in file: (\d+).*`),
		`column $2 of $1 has values of $4 bytes, $3 are expected`},
	{regexp.MustCompile(`[Cc]olumn '([^']+)' has an invalid type length\. Expecting: (\d+) len in file: (\d+).*`),
		`column $1 has values of $3 bytes, $2 are expected`},
}

func explain(text string) string {
	for _, e := range explanations {
		if e.match.MatchString(text) {
			text = e.match.ReplaceAllString(text, e.say)
			break
		}
	}
	return objectURL.ReplaceAllStringFunc(text, objectURI)
}

var objectURL = regexp.MustCompile(`https://s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?/[^\s,'"]+`)

// objectURI spells an object as the rest of the program does. A query, which
// could hold a signature, is dropped.
func objectURI(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return "s3:/" + u.Path
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func cut(s string) string {
	if len(s) <= maxSentence {
		return s
	}
	return strings.ToValidUTF8(s[:maxSentence], "") + "…"
}
