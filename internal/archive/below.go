package archive

import "strings"

// belowRoot is a layout for keys relative to a root.
type belowRoot struct {
	Layout
	root string
}

// Below returns the layout applied to what follows root in a key, for patterns
// that users write relative to their archive's URI. root is a bucket key
// without a slash at its end, "" for the whole bucket.
func Below(root string, l Layout) Layout {
	if root != "" {
		root += "/"
	}
	return belowRoot{Layout: l, root: root}
}

// Parse cuts the root off first.
func (b belowRoot) Parse(key string) (Name, Verdict) {
	return b.Layout.Parse(strings.TrimPrefix(key, b.root))
}
