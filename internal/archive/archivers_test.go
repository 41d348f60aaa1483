package archive_test

import (
	"fmt"
	"strings"
	"testing"

	"backfill/internal/archive"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// reading is what a layout makes of a key: "topic/partition@offset flags", or
// the verdict's reason.
func reading(l archive.Layout, key string) string {
	n, v := l.Parse(key)
	switch v.Kind {
	case archive.Ignored:
		return "ignored: " + v.Reason
	case archive.Unknown:
		return "unknown: " + v.Reason
	}
	text := fmt.Sprintf("%s@%d", n.TopicPartition, n.FirstOffset)
	for flag, set := range map[string]bool{" ordered": n.Ordered} {
		if set {
			text += flag
		}
	}
	if n.Last {
		text += " last"
	}
	if n.Lower {
		text += " lower"
	}
	return text
}

func readings(t *testing.T, l archive.Layout, want map[string]string) {
	t.Helper()
	for key, text := range want {
		if got := reading(l, key); got != text {
			t.Errorf("%s\n got %s\nwant %s", key, got, text)
		}
	}
}

func TestConfluentSettings(t *testing.T) {
	readings(t, archive.ConfluentWith(archive.ConfluentOptions{Ignore: []archive.View{archive.Keys, archive.Tombstones}}), map[string]string{
		"topics/pay/partition=4/pay+4+0000000009.keys.avro":       "ignored: .keys side file, left out",
		"topics/pay/tombstone/pay+4+0000000009.keys.avro":         "ignored: tombstone file, left out",
		"topics/pay/partition=4/pay+4+0000000009.headers.json.gz": "unknown: a .headers side file is not read; to read such files with their values: archive.join: [headers], to leave them out: archive.ignore: [headers]",
		"topics/pay/partition=4/pay+4+0000000009.json":            "pay/4@9 ordered",
	})
	readings(t, archive.ConfluentWith(archive.ConfluentOptions{FileDelim: "-"}), map[string]string{
		"topics/pay-run/partition=4/pay-run-4-0000000009.json":   "pay-run/4@9 ordered",
		"topics/pay-4-7/partition=1/pay-4-7-1-9.snappy.parquet":  "pay-4-7/1@9 ordered",
		"topics/pay/day=1/pay-4-0000000009.json":                 "pay/4@9",
		"topics/pay/partition=4/pay+4+0000000009.json":           "unknown: the name is not <topic>-<partition>-<offset>.<extension>",
		"topics/other/partition=4/pay-4-0000000009.json":         "unknown: no folder is named like the topic of the file",
		"topics/pay/partition=4/pay-2147483648-0000000009.jsonx": "unknown: the partition in the key is not a number up to 2147483647",
	})
	readings(t, archive.ConfluentWith(archive.ConfluentOptions{DirectoryDelim: "_"}), map[string]string{
		"topics_pay_partition=4_pay+4+0000000009.json":           "pay/4@9 ordered",
		"topics_pay_run_partition=4_pay_run+4+0000000009.json":   "pay_run/4@9 ordered",
		"topics_pay_year=2026_month=01_pay+4+0000000009.json.gz": "pay/4@9",
		"topics_x_partition=4_pay+4+0000000009.json":             "unknown: no folder is named like the topic of the file",
	})
}

func TestLenses(t *testing.T) {
	readings(t, archive.Lenses(), map[string]string{
		"backup/pay/3/000000004999_1700000000000_1700000009999.json": "pay/3@4999 ordered last",
		"pay/3/4999.json":                         "pay/3@4999 ordered last",
		"a/b/pay.events/0/000000000001-x.avro":    "pay.events/0@1 ordered last",
		"p/country=US/day=1/pay(3_0000004999).gz": "pay/3@-1",
		"p//pay(3_0000004999)s.parquet":           "pay/3@-1",
		".indexes/sink/.locks/pay/0.lock":         "ignored: index file",
		".temp-upload/pay/0/uuid/pay/0/1.json":    "ignored: temporary file",
		"pay/3/readme":                            "unknown: the name is neither <topic>/<partition>/<offset>[_<from>_<to>].<extension> nor <topic>(<partition>_<offset>).<extension>",
		"pay/2147483648/1.json":                   "unknown: the partition in the key is not a number up to 2147483647",
	})
}

// TestLensesOrder turns last offsets into lower bounds of first ones.
func TestLensesOrder(t *testing.T) {
	l, err := archive.List(t.Context(), listerOf(
		"pay/1/000000000019_1_2.json", "pay/0/000000000099_1_2.json", "pay/1/000000000009_1_2.json",
		"pay/1/000000000019_3_4.json", "pay/1/000000000030_1_2.json", "pay/2/5.json"), archive.Lenses(), archive.Wanted{}, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for o := range l.All() {
		got = append(got, fmt.Sprintf("%s@%d-%d", o.Key, o.Name.FirstOffset, o.Name.End))
		if !o.Name.Lower || !o.Name.Ordered {
			t.Errorf("%+v", o.Name)
		}
	}
	want := "pay/0/000000000099_1_2.json@0-100 pay/1/000000000009_1_2.json@0-10 pay/1/000000000019_1_2.json@10-20 " +
		"pay/1/000000000019_3_4.json@10-20 pay/1/000000000030_1_2.json@20-31 pay/2/5.json@0-6"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("\n got %s\nwant %s", s, want)
	}
}

func TestAiven(t *testing.T) {
	layout := func(template, topic string, partition *int32) archive.Layout {
		l, err := archive.Aiven(template, topic, partition)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	readings(t, layout("", "", nil), map[string]string{
		"pay-3-17":                             "pay/3@17 ordered",
		"pre/fix/pay-run-3-17.gz":              "pay-run/3@17 ordered",
		"x/pay-3-00000000000000000017.avro.gz": "pay/3@17 ordered",
		"x/pay-3-17.zst":                       "pay/3@17 ordered",
		"x/pay-3-17.parquet":                   "unknown: the name is not {{topic}}-{{partition}}-{{start_offset}} (the key does not match the key pattern)",
		"x/_SUCCESS":                           "ignored: job marker",
	})
	readings(t, layout("{{topic}}/{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/p{{partition:padding=true}}-{{start_offset:padding=true}}.json", "", nil), map[string]string{
		"pay/2026/01/p0000000003-00000000000000000017.json": "pay/3@17 lower",
		"pay/26/01/p0000000003-00000000000000000017.json":   "unknown: the name is not {{topic}}/{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/p{{partition:padding=true}}-{{start_offset:padding=true}}.json (the key does not match the key pattern)",
	})
	three := int32(3)
	readings(t, layout("keys/{{key}}", "pay", &three), map[string]string{"keys/a+b/c.gz": "pay/3@-1"})
	readings(t, layout("{{topic}}/{{topic}}-{{partition}}-{{start_offset}}", "", nil), map[string]string{"pay/pay-3-17": "pay/3@17 ordered"})
	for template, want := range map[string]string{
		"{{topic}}-{{offset}}":            "the Aiven template has an unknown variable {{offset}}",
		"{{timestamp:unit=ss}}":           "the Aiven template has an unknown variable {{timestamp:unit=ss}}",
		"{{topic}}-{{partition}-{{start":  "the Aiven template has a malformed variable",
		"{{partition}}-{{start_offset}}":  "the key pattern does not say the topic",
		"{{topic}}-{{start_offset}}.json": "the key pattern does not say the partition",
	} {
		if _, err := archive.Aiven(template, "", nil); err == nil || err.Error() != want || !fail.Is(err, fail.BadDataset) {
			t.Errorf("%s: %v, want %s", template, err, want)
		}
	}
}

func TestManaged(t *testing.T) {
	const object = "2026/01/31/13/pay-stream-1-2026-01-31-13-05-00-0a1b2c3d-0000-4000-8000-0123456789ab"
	readings(t, archive.Firehose("", nil), map[string]string{
		object:                               "pay-stream/0@-1",
		"logs" + object + ".gz":              "pay-stream/0@-1",
		"processing-failed/" + object:        "ignored: Firehose error document",
		"2026/01/31/13/pay-stream-1-2026.gz": "unknown: the name is not <stream>-<version>-<time>-<uuid>",
	})
	seven := int32(7)
	readings(t, archive.Firehose("pay", &seven), map[string]string{object: "pay/7@-1"})
	readings(t, archive.MSK(), map[string]string{
		"p/ch/pay/year=2026/month=01/day=31/hour=13/pay+2+000000000000000017-000000-105a4e6efaa":         "pay/2@17",
		"p/ch/pay/year=2026/month=01/day=31/hour=13/pay+2+000000000000000017-000000-105a4e6efaa.json.gz": "pay/2@17",
		"pay+2+17-000000-105a4e6efaa": "unknown: the name is not <topic>+<partition>+<offset>-<sequence>-<id>",
	})
}

func TestSecondTier(t *testing.T) {
	readings(t, archive.Secor(), map[string]string{
		"backup/pay/offset=0/1_3_00000000000000000017.gz":      "pay/3@17 lower",
		"raw/pay/dt=2026-01-31/hr=13/2_3_00000000000000000017": "pay/3@17 lower",
		"raw/pay/dt=2026-01-31/hr=13/_SUCCESS":                 "ignored: job marker",
		"raw/pay/dt=2026-01-31/1_0-3_YWJj.gz":                  "unknown: the name is not <generation>_<partition>_<offset>",
		"1_3_00000000000000000017":                             "unknown: no folder above the file is named like a topic",
	})
	readings(t, archive.Wix(), map[string]string{
		"x/2026-01-31/pay-run-00003-000000000017.gz":         "pay-run/3@17 ordered",
		"x/2026-01-31/pay-run-00003-000000000017.index.json": "ignored: index file",
		"x/pay-run-00003-000000000017.gz":                    "unknown: the name is not <day>/<topic>-<partition>-<offset>.gz",
	})
	nine := int32(9)
	readings(t, archive.Unnamed("pay", &nine), map[string]string{
		"date=2026-01-311787400000-0a1b.log.gz": "pay/9@-1", "anything": "pay/9@-1", "x/_SUCCESS": "ignored: job marker",
	})
}

func candidates(t *testing.T) []archive.Candidate {
	t.Helper()
	aiven, err := archive.Aiven("", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return []archive.Candidate{
		{Name: "confluent", Layout: archive.Confluent()}, {Name: "lenses", Layout: archive.Lenses()}, {Name: "aiven", Layout: aiven},
		{Name: "firehose", Layout: archive.Firehose("", nil)}, {Name: "msk", Layout: archive.MSK()}, {Name: "secor", Layout: archive.Secor()},
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		keys       []string
		name, says string
	}{
		{[]string{"pay/partition=0/pay+0+0000000000.json", "pay/partition=0/_SUCCESS"}, "confluent", "because it alone reads all of 1 sampled keys, such as topics/pay/partition=0/pay+0+0000000000.json"},
		{[]string{"pay/0/000000000009_1_2.json", "pay/1/7.json"}, "lenses", "confluent does not read topics/pay/0/000000000009_1_2.json"},
		{[]string{"pay-0-9.gz", "pay-0-12.gz"}, "aiven", ""},
		{[]string{"2026/01/31/13/pay-1-2026-01-31-13-05-00-0a1b2c3d-0000-4000-8000-0123456789ab"}, "firehose", ""},
		{[]string{"pay/year=2026/pay+2+000000000000000017-000000-105a4e6efaa"}, "msk", ""},
		{[]string{"pay/dt=2026-01-31/1_3_00000000000000000017"}, "secor", ""},
	} {
		got, err := archive.Choose(t.Context(), listerOf(c.keys...), candidates(t))
		if err != nil || got.Name != c.name || !strings.Contains(got.Why, c.says) {
			t.Errorf("%v: %s, %s, %v", c.keys, got.Name, got.Why, err)
		}
	}
	for _, c := range []struct {
		keys []string
		want string
	}{
		{nil, "the archive holds no object that could tell its layout"},
		{[]string{"a/_SUCCESS", "b/"}, "the archive holds no object that could tell its layout"},
		{[]string{"pay/0/7.json", "pay-0-9"}, "no known layout reads all of 2 sampled keys: confluent does not read topics/pay/0/7.json"},
		// A stream named like a topic whose object's id has only digits at its end.
		{[]string{"pay-1-2026-01-31-13-05-00-0a1b2c3d-0000-4000-8000-012345678901"}, "the layouts aiven and firehose each read all of 1 sampled keys"},
	} {
		_, err := archive.Choose(t.Context(), listerOf(c.keys...), candidates(t))
		if err == nil || !strings.Contains(err.Error(), c.want) || !fail.Is(err, fail.BadLayout) || !strings.Contains(fail.HintOf(err), "archive.layout") {
			t.Errorf("%v: %v", c.keys, err)
		}
	}
}

// FuzzLayouts looks for panics and for data that has no legal place.
func FuzzLayouts(f *testing.F) {
	for _, key := range []string{"topics/pay/partition=0/pay+0+0000000000.json", "pay/0/9_1_2.json", "p/pay(0_9).gz", "pay-0-9.gz",
		"pay+2+000000000000000017-000000-105a4e6efaa", "pay/dt=2026-01-31/1_3_00000000000000000017", "x/2026-01-31/pay-00003-000000000017.gz"} {
		f.Add(key, "+", "/")
	}
	f.Fuzz(func(t *testing.T, key, file, dir string) {
		aiven, err := archive.Aiven("", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []archive.Layout{archive.ConfluentWith(archive.ConfluentOptions{FileDelim: file, DirectoryDelim: dir}),
			archive.Lenses(), aiven, archive.Firehose("", nil), archive.MSK(), archive.Secor(), archive.Wix()} {
			n, v := l.Parse(key)
			if v.Kind == archive.Data && (n.Topic == "" || n.Partition < 0 || n.FirstOffset < kafka.NoOffset) {
				t.Fatalf("%q is data of %+v", key, n)
			}
		}
	})
}
