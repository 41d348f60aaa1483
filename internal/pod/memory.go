package pod

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// unlimited is a limit that is none: cgroup v1 says the largest number of
// pages, which no machine has.
const unlimited = 1 << 50

// MemoryLimit returns the least memory limit, in bytes, of the process's cgroup
// and those above it that the container can see; 0 where there is none. It reads
// cgroup v2 and v1 as the kernel documents them (cgroups(7)): the cgroup's path
// from /proc/self/cgroup, where it is mounted from /proc/self/mountinfo. Root
// stands for /; tests give another folder.
func MemoryLimit(root string) int64 {
	paths := cgroupPaths(readText(root, "/proc/self/cgroup"))
	least := int64(0)
	for line := range strings.Lines(readText(root, "/proc/self/mountinfo")) {
		m, ok := parseMount(line)
		if !ok {
			continue
		}
		path, ok := paths[m.version]
		if !ok {
			continue
		}
		if limit := m.limit(root, path); limit > 0 && (least == 0 || limit < least) {
			least = limit
		}
	}
	return least
}

// version is a kind of cgroup hierarchy that can limit memory.
type version int

const (
	v1 version = 1
	v2 version = 2
)

// cgroupPaths reads lines like "9:memory:/kubepods/pod1/c1" (v1) and "0::/c1" (v2).
func cgroupPaths(text string) map[version]string {
	paths := map[version]string{}
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		switch {
		case fields[0] == "0" && fields[1] == "":
			paths[v2] = fields[2]
		case hasWord(fields[1], "memory"):
			paths[v1] = fields[2]
		}
	}
	return paths
}

// mount is where a hierarchy, or the part of it below root, can be seen.
type mount struct {
	version     version
	root, point string
}

// parseMount reads a line of mountinfo: "36 35 98:0 ROOT POINT options … - TYPE
// source superoptions".
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
	place, kind := strings.Fields(before), strings.Fields(after)
	if !ok || len(place) < 5 || len(kind) < 3 {
		return mount{}, false
	}
	m := mount{root: place[3], point: place[4]}
	switch {
	case kind[0] == "cgroup2":
		m.version = v2
	case kind[0] == "cgroup" && hasWord(kind[2], "memory"):
		m.version = v1
	default:
		return mount{}, false
	}
	return m, true
}

// limit walks from the cgroup up to the mount point. A path that is not below
// the mount's root is one of another namespace: the mount point is the cgroup.
func (m mount) limit(root, path string) int64 {
	name := "memory.max"
	if m.version == v1 {
		name = "memory.limit_in_bytes"
	}
	below, ok := strings.CutPrefix(path, strings.TrimSuffix(m.root, "/"))
	if !ok || below != "" && below[0] != '/' {
		below = ""
	}
	least := int64(0)
	for dir := filepath.Clean("/" + below); ; dir = filepath.Dir(dir) {
		limit, err := strconv.ParseInt(strings.TrimSpace(readText(root, filepath.Join(m.point, dir, name))), 10, 64)
		if err == nil && limit > 0 && limit < unlimited && (least == 0 || limit < least) {
			least = limit
		}
		if dir == "/" {
			return least
		}
	}
}

// readText returns the file's text; one that can't be read has none: there is no
// such hierarchy then.
func readText(root, file string) string {
	body, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return ""
	}
	return string(body)
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}
