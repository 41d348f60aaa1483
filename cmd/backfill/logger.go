package main

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"backfill/internal/runplan"
)

// labels say what the process works on. They join its log lines with its metrics
// and with its result, by the names that those use.
type labels struct {
	dataset, table string
	run            runplan.RunID // "": not known yet
	seq            runplan.Seq   // the plan's number, of its table; 0: not known yet
}

// worksOn is told by jobs, as soon as they know.
func (p *program) worksOn(run runplan.RunID, seq runplan.Seq) {
	now := labels{run: run, seq: seq}
	if before := p.labels.Load(); before != nil {
		now.dataset, now.table = before.dataset, before.table
	}
	p.labels.Store(&now)
}

// newLogger returns a logger to stderr. Its text lines begin with the level, which
// Airflow maps to its own, and carry nothing else: people read them. JSON lines
// carry what joins them with other data.
func (p *program) newLogger(cmd command) *zap.Logger {
	cfg := zapcore.EncoderConfig{
		LevelKey: "level", MessageKey: "message", EncodeLevel: encodeLevel, EncodeDuration: zapcore.StringDurationEncoder,
		ConsoleSeparator: " ", EncodeTime: zapcore.RFC3339NanoTimeEncoder,
	}
	levels := map[string]zapcore.Level{"debug": zap.DebugLevel, "info": zap.InfoLevel, "warning": zap.WarnLevel, "error": zap.ErrorLevel}
	level := levels[p.flags.logLevel]
	if p.flags.logFormat != "json" {
		return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(cfg), zapcore.AddSync(p.stderr), level))
	}
	cfg.TimeKey = "timestamp" // that name is read as a line's own time by Datadog
	core := zapcore.NewCore(zapcore.NewJSONEncoder(cfg), zapcore.AddSync(p.stderr), level)
	return zap.New(joined{core, func() []zap.Field { return p.joins(cmd) }}).With(p.service()...)
}

// joins are the fields that logs share with metrics and results.
func (p *program) joins(cmd command) []zap.Field {
	fields := []zap.Field{zap.String("command", cmd.name)}
	l := p.labels.Load()
	if l == nil {
		return fields
	}
	fields = append(fields, zap.String("dataset", l.dataset), zap.String("table", l.table))
	if l.run != "" {
		fields = append(fields, zap.String("run", string(l.run)))
	}
	if l.seq != 0 {
		fields = append(fields, zap.Int64("seq", int64(l.seq)))
	}
	return fields
}

// service gives Datadog's unified service tags, and the caller's trace if there
// is one. The process makes no spans, so it invents no ids: they are those of the
// span in which it was started.
func (p *program) service() []zap.Field {
	var fields []zap.Field
	for _, name := range []string{"env", "service", "version"} {
		if v := p.env("DD_" + strings.ToUpper(name)); !unset(v) {
			fields = append(fields, zap.String("dd."+name, v))
		}
	}
	if trace, span, ok := parseTrace(p.env("TRACEPARENT")); ok {
		fields = append(fields, zap.String("dd.trace_id", trace), zap.String("dd.span_id", strconv.FormatUint(span, 10)))
	}
	return fields
}

// parseTrace reads a traceparent of W3C Trace Context, version 00 or one to come:
//
//	00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//
// One that is malformed counts as none, as that text demands. Datadog takes trace
// ids of 128 bits in hex, and span ids in decimal.
func parseTrace(text string) (trace string, span uint64, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) < 4 || len(parts) > 4 && parts[0] == "00" || parts[0] == "ff" {
		return "", 0, false
	}
	for i, digits := range []int{2, 32, 16, 2} {
		if len(parts[i]) != digits || strings.ToLower(parts[i]) != parts[i] {
			return "", 0, false
		}
		if _, err := hex.DecodeString(parts[i]); err != nil {
			return "", 0, false
		}
	}
	span, err := strconv.ParseUint(parts[2], 16, 64)
	if err != nil || span == 0 || strings.Trim(parts[1], "0") == "" {
		return "", 0, false
	}
	return parts[1], span, true
}

// failure are the fields of the record that ends a command that failed.
func failure(r result, goOn string) []zap.Field {
	fields := []zap.Field{zap.Int("exit", r.Exit), zap.String("code", r.Code), zap.String("hint", r.Hint), zap.String("go_on_with", goOn)}
	return slices.DeleteFunc(fields, func(f zap.Field) bool { return f.Type == zapcore.StringType && f.String == "" })
}

// joined is a core that asks for fields at every line: what is known grows while
// the command works.
type joined struct {
	zapcore.Core
	fields func() []zap.Field
}

func (j joined) With(fields []zap.Field) zapcore.Core { return joined{j.Core.With(fields), j.fields} }

func (j joined) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !j.Enabled(e.Level) {
		return to
	}
	return to.AddCore(e, j)
}

func (j joined) Write(e zapcore.Entry, fields []zap.Field) error {
	return j.Core.Write(e, append(j.fields(), fields...))
}

func encodeLevel(l zapcore.Level, enc zapcore.PrimitiveArrayEncoder) {
	if l == zapcore.WarnLevel {
		enc.AppendString("WARNING")
		return
	}
	zapcore.CapitalLevelEncoder(l, enc)
}
