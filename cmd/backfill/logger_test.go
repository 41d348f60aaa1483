package main

import (
	"bufio"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"backfill/internal/metrics"
)

// unified are the variables that Datadog's unified service tags come from, and
// the trace of the caller.
var unified = []string{
	"DD_ENV=prod", "DD_SERVICE=payroll-backfill", "DD_VERSION=1.2.3",
	"TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}

// logLines reads a log of JSON lines; a line that is none fails the test.
func logLines(t *testing.T, stderr string) (lines []map[string]any) {
	t.Helper()
	s := bufio.NewScanner(strings.NewReader(stderr))
	for s.Scan() {
		line := map[string]any{}
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		for _, key := range []string{"level", "timestamp", "message", "command"} {
			if text, _ := line[key].(string); text == "" {
				t.Errorf("no %s in %q", key, s.Text())
			}
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		t.Fatal("nothing was logged")
	}
	return lines
}

// TestLogJoins: each JSON line of a run says whose it is by the names of metrics
// and results, from the moment that it is known; a terminal's text says nothing of it.
func TestLogJoins(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	_, wait := h.start(t, h.env(unified...), append([]string{"run", "--log-format", "json", "--log-level", "debug"}, a.window(flags...)...)...)
	o := wait()
	if o.exit != 0 {
		t.Fatal(o.stderr)
	}
	lines := logLines(t, o.stderr)
	want := map[string]any{"dataset": "payroll_events", "table": o.result.Target, "run": o.result.Run, "seq": float64(o.result.Seq)}
	known := map[string]bool{}
	for _, line := range lines {
		for key, value := range map[string]any{
			"command": "run", "dd.env": "prod", "dd.service": "payroll-backfill", "dd.version": "1.2.3",
			"dd.trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "dd.span_id": "67667974448284343",
		} {
			if line[key] != value {
				t.Errorf("%s is %v, want %v: %v", key, line[key], value, line)
			}
		}
		for key, value := range want {
			if got, ok := line[key]; ok && got != value || !ok && known[key] {
				t.Errorf("%s is %v, want %v: %v", key, got, value, line)
			}
			known[key] = known[key] || line[key] != nil
		}
	}
	if last := lines[len(lines)-1]; len(known) != 4 || slices.Contains([]any{last["run"], last["seq"]}, nil) {
		t.Errorf("the last line is %v", last)
	}
	first := slices.IndexFunc(lines, func(l map[string]any) bool { return strings.HasPrefix(l["message"].(string), "converted ") })
	if first < 0 || lines[first]["seq"] != want["seq"] {
		t.Errorf("no line about converting has the plan's number: %v", lines)
	}
	for _, tag := range metrics.CommonTags() { // what logs and metrics share has one name
		if _, ok := lines[len(lines)-1][tag]; !ok && lines[len(lines)-1]["dd."+tag] == nil {
			t.Errorf("the metrics' tag %s is on no line", tag)
		}
	}

	_, wait = h.start(t, h.env(unified...), append([]string{"run", "--log-level", "debug"}, a.window(flags...)...)...)
	if o := wait(); o.exit != 0 || strings.Contains(o.stderr, "payroll-backfill") || strings.Contains(o.stderr, "{") || !strings.HasPrefix(o.stderr, "DEBUG ") && !strings.HasPrefix(o.stderr, "INFO ") {
		t.Errorf("exit code %d: %s", o.exit, o.stderr)
	}
}

// TestLoggedFailure: what ends a command is one record too, also when its flags
// can't be read; a broken trace of the caller is none.
func TestLoggedFailure(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	env := h.env("DD_SERVICE=payroll-backfill", "DD_ENV=", "TRACEPARENT=00-00000000000000000000000000000000-00f067aa0ba902b7-01", "BACKFILL_LOG_FORMAT=json", "BACKFILL_WAREHOUSE_PASSWORD=wrong")
	for _, c := range []struct {
		exit float64
		goOn string
		args []string
	}{
		{2, "", []string{"run", "--no-such-flag"}},
		{2, "", []string{"ran", "--log-format=json"}},
		{2, "", append([]string{"run"}, a.window(append(flags, "--to", "2020-01-01")...)...)},
		{3, "backfill run ", append([]string{"run"}, a.window(append(flags, "--log-level", "error")...)...)},
	} {
		_, wait := h.start(t, env, c.args...)
		o := wait()
		lines := logLines(t, o.stderr)
		last := lines[len(lines)-1]
		goOn, _ := last["go_on_with"].(string)
		if last["level"] != "ERROR" || last["exit"] != c.exit || last["message"] != o.result.Code+": "+o.result.Error || last["code"] != o.result.Code || last["hint"] != any(o.result.Hint) || !strings.HasPrefix(goOn, c.goOn) || (goOn != "") != (c.goOn != "") {
			t.Errorf("%q ends with %v; the result: %s", c.args, last, o.stdout)
		}
		if last["dd.service"] != "payroll-backfill" || last["dd.env"] != nil || last["dd.trace_id"] != nil || last["dd.span_id"] != nil {
			t.Errorf("tags of %v", last)
		}
	}
}

// TestParseTrace holds to W3C Trace Context: what is malformed is no trace.
func TestParseTrace(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for text, want := range map[string]bool{
		"00-" + trace + "-" + span + "-01":                                 true,
		"00-" + trace + "-" + span + "-00":                                 true,
		"01-" + trace + "-" + span + "-01-what-comes":                      true, // of a later version
		"00-" + trace + "-" + span + "-01-more":                            false,
		"ff-" + trace + "-" + span + "-01":                                 false,
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":                false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":               false,
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01":              false,
		"00-" + trace + "-" + span:                                         false,
		"00-" + trace[1:] + "-" + span + "-01":                             false,
		"00-" + strings.Replace(trace, "4b", "4g", 1) + "-" + span + "-01": false,
		"":     false,
		"None": false,
	} {
		id, parent, ok := parseTrace(text)
		if ok != want || ok && (id != trace || parent != 0x00f067aa0ba902b7) {
			t.Errorf("%q: %s, %d, %t", text, id, parent, ok)
		}
	}
}
