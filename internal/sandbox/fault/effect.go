package fault

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// failure is a named error and what it is on each server; none where a server doesn't have it.
type failure struct {
	name    string
	aliases []string
	s3      s3d.Action
	sql     redshiftd.Action
	text    string
}

func failures() []failure {
	return []failure{
		{"internal", []string{"InternalError", "500"}, s3d.Fail500, redshiftd.Fail, "500 InternalError; XX000 injected fault"},
		{"throttled", []string{"SlowDown", "503"}, s3d.SlowDown503, redshiftd.Throttled, "503 SlowDown; Spectrum's Access throttled by S3"},
		{"unavailable", []string{"ServiceUnavailable"}, s3d.Unavailable503, 0, "503 ServiceUnavailable"},
		{"conflict", []string{"1023", "ConditionalRequestConflict"}, s3d.Conflict409, redshiftd.Conflict, "409 ConditionalRequestConflict; 1023 serialization"},
		{"denied", []string{"AccessDenied"}, s3d.Denied403, 0, "403 AccessDenied"},
		{"clock-skew", []string{"RequestTimeTooSkewed"}, s3d.ClockSkew403, 0, "403 RequestTimeTooSkewed"},
		{"expired-token", []string{"ExpiredToken"}, s3d.ExpiredToken, redshiftd.ExpiredToken, "400 ExpiredToken; the same as COPY tells it"},
		{"timeout", []string{"RequestTimeout"}, s3d.Timeout400, 0, "400 RequestTimeout"},
		{"late", []string{"late-500"}, s3d.Late500, 0, "200 with InternalError in its body (CompleteMultipartUpload, CopyObject)"},
		{"disk-full", []string{"Disk Full", "InsufficientStorage"}, s3d.DiskFull507, redshiftd.DiskFull, "507 InsufficientStorage; XX000 Disk Full"},
		{"no-expedited", []string{"GlacierExpeditedRetrievalNotAvailable"}, s3d.NoExpedited503, 0, "503 GlacierExpeditedRetrievalNotAvailable (RestoreObject)"},
		{"deadlock", []string{"40P01"}, 0, redshiftd.Deadlock, "40P01"},
		{"retries-exceeded", []string{"Retries exceeded"}, 0, redshiftd.RetriesExceeded, "Spectrum's Retries exceeded"},
		{"shutdown", []string{"57P01"}, 0, redshiftd.Shutdown, "FATAL 57P01"},
		{"canceled", []string{"57014"}, 0, redshiftd.Canceled, "57014"},
		{"resize", nil, 0, redshiftd.Resize, "XX000 resize mode"},
		{"bad-value", []string{"1207"}, 0, redshiftd.BadValue, "XX000 Invalid digit, which repeats the value"},
	}
}

// Names lists the errors that fail= takes, one line each: the name and what it is on S3 and in SQL.
func Names() []string {
	var out []string
	for _, f := range failures() {
		out = append(out, fmt.Sprintf("%-17s %s", f.name, f.text))
	}
	return out
}

// findFailure looks a name up, in any case.
func findFailure(name string) (failure, bool) {
	for _, f := range failures() {
		if slices.ContainsFunc(append(f.aliases, f.name), func(n string) bool { return strings.EqualFold(n, name) }) {
			return f, true
		}
	}
	return failure{}, false
}

// actions are what a rule makes the servers do.
type actions struct {
	s3  s3d.Action
	sql redshiftd.Action
}

// resolve turns the effect of a rule into actions and refuses what its server can't do.
func (r *Rule) resolve() error {
	name, value, _ := strings.Cut(r.effect, "=")
	s3Only := map[string]s3d.Action{"cut-body": s3d.CutBody, "short-body": s3d.ShortBody, "wrong-etag": s3d.WrongETag, "slow": s3d.Slow(r.rate)}
	sqlOnly := map[string]redshiftd.Action{"twice": redshiftd.LoadTwice, "lag": redshiftd.LagViews(r.lag)}
	switch name {
	case "", "note":
		return nil
	case "cut":
		r.does = actions{s3d.Cut, redshiftd.Cut}
		return nil
	case "fail":
		f, ok := findFailure(value)
		if !ok {
			return fmt.Errorf("fail=%s: there is no such error; there are %s", value, failureNames(r.Server))
		}
		r.effect = "fail=" + f.name
		r.does = actions{f.s3, f.sql}
		if r.Server == S3 && f.s3 == 0 || r.Server == SQL && f.sql == 0 {
			return fmt.Errorf("fail=%s: %s has no such error; it has %s", value, r.Server, failureNames(r.Server))
		}
		return nil
	}
	var ok bool
	if r.does.s3, ok = s3Only[name]; ok && r.Server != S3 {
		return fmt.Errorf("%s: only s3 can do that", name)
	}
	if r.does.sql, ok = sqlOnly[name]; ok {
		if r.Server != SQL || !slices.Equal(r.kinds, []string{"COPY"}) || r.phase != before {
			return fmt.Errorf("%s: only sql COPY can do that, and is told before it", name)
		}
	}
	return nil
}

func failureNames(server string) string {
	var names []string
	for _, f := range failures() {
		if server == S3 && f.s3 != 0 || server == SQL && f.sql != 0 {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}
