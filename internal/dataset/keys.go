package dataset

import "strings"

// known holds the keys of each section; sections are named by their path,
// items of a list by [].
var known = map[string][]string{
	"":                    {"version", "name", "archive", "records", "calendar", "columns", "table", "staging", "warehouse", "quarantine", "reconcile", "mask_key_id", "retain"},
	"archive":             {"uri", "layout", "format", "topic", "partition", "lateness", "earliness", "idle", "gaps", "recreated", "ignore", "join", "folder_time", "inventory"},
	"archive.folder_time": {"clock", "zone", "path", "duration"},
	"archive.inventory":   {"uri"},
	layoutPath:            {"key_pattern", LayoutConfluent, LayoutAiven},
	envelopePath:          {"value"},
	formatPath:            {FormatCSV, FormatText, FormatBytes},
	csvPath:               {"columns", "delimiter"},
	formatPath + ".text":  {"delimiter"},
	formatPath + ".bytes": {"delimiter"},
	confluentPath:         {"file_delim", "directory_delim"},
	aivenPath:             {"template"},
	gapPath:               {"topic", "partition", "from", "to", "reason"},
	"records":             {"envelope", "unpack", "registry", "json_in", "tombstones", "where", "event_time", "event_time_zone", "event_time_unit", "partition", "offset", "timestamp", "suppress"},
	suppressPath:          {"uri", "column", "sha256"},
	registryPath:          {"framing", "headers", "folder", "url", "subjects", "ids", "user", "password", "tls"},
	registryPasswordPath:  {"file"},
	registryTLSPath:       {"ca_file"},
	columnPath:            {"name", "type", "from", "const", "required", "fraction", "zone", "unit", "unscaled", "overflow", "mask"},
	"table":               {"name", "mode", "scope", "window_column", "key", "latest_by", "not_loaded", "provenance", "deleted"},
	"staging":             {"uri", "kms_key"},
	"warehouse":           {"url", "iam_role", "sign_in", "password", "tls"},
	signInPath:            {"password", "iam", "secret"},
	passwordPath:          {"file"},
	iamPath:               {"cluster", "workgroup", "region"},
	tlsPath:               {"ca_file", "server_name"},
	"quarantine":          {"max_records", "max_rate"},
	"reconcile":           {"totals", "by", "period", "tolerance", "buckets", "show"},
	"retain":              {"kept_rows", "quarantine", "parquet", "plans", "work"},
}

const (
	layoutPath    = "archive.layout"
	formatPath    = "archive.format"
	csvPath       = "archive.format.csv"
	envelopePath  = "records.envelope"
	confluentPath = "archive.layout.confluent"
	aivenPath     = "archive.layout.aiven"
	gapPath       = "archive.gaps[]"
	columnPath    = "columns[]"
	suppressPath  = "records.suppress"

	signInPath   = "warehouse.sign_in"
	passwordPath = "warehouse.sign_in.password"
	iamPath      = "warehouse.sign_in.iam"
	tlsPath      = "warehouse.tls"
)

// later holds keys that belong to the format and that this version can't do.
// Ignoring them would do something else than the file says.
var later = map[string]map[string]string{
	"records": {
		"key":     "only the record's value can be read",
		"headers": "only the record's value can be read",
	},
}

// nearest returns the candidate most like the word, or "" if none is close.
func nearest(word string, candidates []string) string {
	best, most := "", 1+len(word)/3
	for _, c := range candidates {
		if d := distance(word, c); d <= most {
			best, most = c, d-1
		}
	}
	return best
}

// distance is the number of single-byte edits from a to b.
func distance(a, b string) int {
	const longest = 64 // keeps the work bounded; no name of ours is longer
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			edit := diagonal
			if a[i-1] != b[j-1] {
				edit++
			}
			diagonal = row[j]
			row[j] = min(edit, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// keyHint helps with a key that the section does not have.
func keyHint(section, key string) string {
	folded := strings.ToLower(strings.ReplaceAll(key, "-", "_"))
	if near := nearest(folded, known[section]); near != "" {
		return "did you mean " + near + "?"
	}
	for _, other := range []string{"", "archive", "records", columnPath, "table", "staging", "warehouse", "quarantine", "reconcile"} {
		for _, k := range known[other] {
			if k != folded || other == section {
				continue
			}
			if other == "" {
				return "it belongs to the top level"
			}
			return "it belongs to " + other
		}
	}
	return "keys here: " + strings.Join(known[section], ", ")
}
