package pod_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backfill/internal/pod"
)

const (
	mountV2 = "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
	// A container without a cgroup namespace: the mount shows the container's own part.
	mountV1 = "40 30 0:27 /kubepods/burstable/pod1/c1 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n" +
		"41 30 0:28 /kubepods/burstable/pod1/c1 /sys/fs/cgroup/memory ro,nosuid master:9 - cgroup cgroup rw,memory\n"
	mountHost = "41 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	none      = "9223372036854771712\n" // what v1 says without a limit
)

func TestMemoryLimit(t *testing.T) {
	cases := []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing is mounted", nil, 0},
		{"v2 in a pod", map[string]string{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		{"v2 without a limit", map[string]string{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/memory.max": "max\n"}, 0},
		{"v2, the slice above is tighter", map[string]string{
			"proc/self/cgroup": "0::/a.slice/b.scope\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/a.slice/b.scope/memory.max": "1073741824\n", "sys/fs/cgroup/a.slice/memory.max": "268435456\n", "sys/fs/cgroup/memory.max": "max\n",
		}, 256 << 20},
		{"v1 in a pod", map[string]string{
			"proc/self/cgroup": "11:cpu,cpuacct:/kubepods/burstable/pod1/c1\n9:memory:/kubepods/burstable/pod1/c1\n0::/\n", "proc/self/mountinfo": mountV1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n",
		}, 128 << 20},
		{"v1 in a namespace of its own", map[string]string{
			"proc/self/cgroup": "9:memory:/\n", "proc/self/mountinfo": mountV1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n",
		}, 128 << 20},
		{"v1 without a limit", map[string]string{"proc/self/cgroup": "9:memory:/\n", "proc/self/mountinfo": mountHost, "sys/fs/cgroup/memory/memory.limit_in_bytes": none}, 0},
		{"v1 on the host, the pod above is tighter", map[string]string{
			"proc/self/cgroup": "9:memory:/kubepods/pod1/c1\n", "proc/self/mountinfo": mountHost,
			"sys/fs/cgroup/memory/kubepods/pod1/c1/memory.limit_in_bytes": none, "sys/fs/cgroup/memory/kubepods/pod1/memory.limit_in_bytes": "209715200\n",
			"sys/fs/cgroup/memory/kubepods/memory.limit_in_bytes": "1073741824\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": none,
		}, 200 << 20},
		{"a similar name is not the mount's root", map[string]string{
			"proc/self/cgroup": "9:memory:/kubepods/burstable/pod1/c10/x\n", "proc/self/mountinfo": mountV1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n",
		}, 128 << 20},
		{"torn lines", map[string]string{"proc/self/cgroup": "9:memory\n\n::\n", "proc/self/mountinfo": "1 2\n - \n36 35 0:1 / /sys/fs/cgroup - cgroup2\n"}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range c.files {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := pod.MemoryLimit(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
	if limit := pod.MemoryLimit("/"); limit < 0 || limit > 1<<50 {
		t.Errorf("here: %d bytes", limit)
	}
}

func TestIndex(t *testing.T) {
	cases := []struct {
		index, completions string
		number, of         int
		says               string
	}{
		{"0", "8", 1, 8, ""},
		{"7", "8", 8, 8, ""},
		{"8", "8", 0, 0, "JOB_COMPLETION_INDEX is 8 and JOB_COMPLETIONS is 8: set the latter to the Job's spec.completions"},
		{"", "8", 0, 0, `JOB_COMPLETION_INDEX is "": it is a number from 0 in the pods of a Job with completionMode: Indexed`},
		{"-1", "8", 0, 0, `JOB_COMPLETION_INDEX is "-1"`},
		{"0", "", 0, 0, `JOB_COMPLETIONS is "": set it to the Job's spec.completions`},
		{"0", "0", 0, 0, `JOB_COMPLETIONS is "0"`},
	}
	for _, c := range cases {
		number, of, err := pod.Index(func(name string) string {
			return map[string]string{pod.IndexVariable: c.index, pod.CompletionsVariable: c.completions}[name]
		})
		if c.says == "" {
			if err != nil || number != c.number || of != c.of {
				t.Errorf("%s of %s: %d of %d, %v", c.index, c.completions, number, of, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s of %s: %v, want %q", c.index, c.completions, err, c.says)
		}
	}
}
