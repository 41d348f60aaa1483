package main

import (
	"slices"
	"testing"
)

func TestSections(t *testing.T) {
	earlier := "# Benchmark\n" + merged("", []section{{workloadsOf(400_000), "few\n"}, {workloadsOf(1_000_000), "many\n"}, {"peak", "old\n"}, {"s3", "was\n"}}) +
		"<!-- begin job -->\nno end\n"
	if sizes := keptSizes(earlier); !slices.Equal(sizes, []int64{1_000_000, 400_000}) {
		t.Errorf("workloads of %v rows are kept", sizes)
	}
	got := merged(earlier, []section{{workloadsOf(1_000_000), ""}, {"memory", ""}, {"peak", "new\n"}, {"s3", ""}, {"job", ""}})
	want := "\n<!-- begin workloads of 1000000 rows -->\nmany\n<!-- end workloads of 1000000 rows -->\n" +
		"\n<!-- begin peak -->\nnew\n<!-- end peak -->\n\n<!-- begin s3 -->\nwas\n<!-- end s3 -->\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
