package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"backfill/internal/sandbox/archivegen"
)

// readSettings reads settings of the layout or of its values; nil where there are none.
func (o *generateOptions) readSettings(flag string, changes []string) (map[string]string, error) {
	var out map[string]string
	for _, change := range changes {
		name, value, ok := strings.Cut(change, "=")
		if !ok {
			return nil, usagef("--%s %q is not of the form NAME=VALUE", flag, change)
		}
		if o.archive.Layout == "" {
			return nil, usagef("--%s %s needs --layout", flag, name)
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[name] = value
	}
	return out, nil
}

// valueHelp lists the shapes of values and their settings.
func valueHelp() string {
	var b strings.Builder
	for _, s := range archivegen.ValueShapes() {
		fmt.Fprintf(&b, "  %-19s %s\n", s.Name, s.Line)
		for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
			fmt.Fprintf(&b, "  %-19s   %s=%s\n", "", name, s.Settings[name])
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// layoutHelp lists the layouts.
func layoutHelp() string {
	var b strings.Builder
	b.WriteString("The layouts are:\n")
	for _, l := range archivegen.Layouts() {
		fmt.Fprintf(&b, "  %-26s %s\n", l.Name, l.Line)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
