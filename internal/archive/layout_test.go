package archive_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/archive"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

func name(topic string, partition kafka.Partition, offset kafka.Offset, ordered bool) archive.Name {
	return archive.Name{TopicPartition: kafka.TopicPartition{Topic: topic, Partition: partition}, FirstOffset: offset, Ordered: ordered}
}

func ignored(reason string) archive.Verdict {
	return archive.Verdict{Kind: archive.Ignored, Reason: reason}
}
func unknown(reason string) archive.Verdict {
	return archive.Verdict{Kind: archive.Unknown, Reason: reason}
}

var data = archive.Verdict{Kind: archive.Data}

const (
	noName      = "the name is not <topic>+<partition>+<offset>.<extension>"
	noFolder    = "no folder is named like the topic of the file"
	noPartition = "the partition in the key is not a number up to 2147483647"
	noOffset    = "the offset in the key is not a number up to 9223372036854775807"
)

func TestConfluent(t *testing.T) {
	layout := archive.Confluent()
	for key, want := range map[string]struct {
		name    archive.Name
		verdict archive.Verdict
	}{
		// Default partitioner: ordered.
		"topics/pay.events/partition=0/pay.events+0+0000000000.json":           {name("pay.events", 0, 0, true), data},
		"pay/partition=12/pay+12+0000001234.json.gz":                           {name("pay", 12, 1234, true), data},
		"a/b/c/pay/partition=3/pay+3+12345678901.snappy.parquet":               {name("pay", 3, 12345678901, true), data},
		"topics/pay/partition=3/pay+3+0000000000.avro":                         {name("pay", 3, 0, true), data},
		"topics/pay/partition=3/pay+3+0000000000.bin":                          {name("pay", 3, 0, true), data},
		"topics/pay/partition=3/pay+3+0000000000.a+b":                          {name("pay", 3, 0, true), data},
		"topics/pay/partition=2147483647/pay+2147483647+9223372036854775807.x": {name("pay", 2147483647, 9223372036854775807, true), data},
		// A folder above that is named like the topic changes nothing.
		"pay/2025/pay/partition=1/pay+1+0000000007.json": {name("pay", 1, 7, true), data},
		"partition=1/pay/partition=1/pay+1+07.json":      {name("pay", 1, 7, true), data},
		// Topics with the names of junk are topics.
		"topics/processing-failed/partition=1/processing-failed+1+1.json": {name("processing-failed", 1, 1, true), data},
		"topics/x.tmp/partition=1/x.tmp+1+1.json":                         {name("x.tmp", 1, 1, true), data},
		"topics/tombstone/partition=1/tombstone+1+1.json":                 {name("tombstone", 1, 1, true), data},
		// Other partitioners: not ordered.
		"topics/pay/year=2026/month=03/day=01/pay+4+0000000009.json": {name("pay", 4, 9, false), data},
		"topics/pay/country=US+CA/x=(1) y/pay+4+0000000009.json":     {name("pay", 4, 9, false), data},
		"topics/pay/partition=4/day=01/pay+4+0000000009.json":        {name("pay", 4, 9, false), data},
		"topics/pay/schema_name=S/partition=4/pay+4+0000000009.json": {name("pay", 4, 9, false), data},
		"topics/pay/partition=04/pay+4+0000000009.json":              {name("pay", 4, 9, false), data},
		"topics/pay/partition=5/pay+4+0000000009.json":               {name("pay", 4, 9, false), data}, // a field named partition
		"topics/pay/partition=4//pay+4+0000000009.json":              {name("pay", 4, 9, false), data},
		"topics/pay/pay+4+0000000009.json":                           {name("pay", 4, 9, false), data},
		"topics/pay/day=tombstone/pay+4+0000000009.json":             {name("pay", 4, 9, false), data},
		"topics/pay/day=01/tombstone/pay+4+0000000009.json":          {name("pay", 4, 9, false), data},
		"topics/pay/partition=4/pay+4+0000000009.keysx.json":         {name("pay", 4, 9, true), data},
		"topics/pay/partition=4/pay+4+0000000009.bin.keys.json":      {name("pay", 4, 9, true), data},
		// What would be lost is refused with its reason.
		"topics/pay/tombstone/pay+4+0000000009.keys.avro":         {verdict: unknown("a tombstone file is not read; to read such files with their values: archive.join: [tombstones], to leave them out: archive.ignore: [tombstones]")},
		"topics/pay/tombstone/x/pay+4+0000000009.json":            {verdict: unknown("a tombstone file is not read; to read such files with their values: archive.join: [tombstones], to leave them out: archive.ignore: [tombstones]")},
		"topics/pay/partition=4/pay+4+0000000009.keys.avro":       {verdict: unknown("a .keys side file is not read; to read such files with their values: archive.join: [keys], to leave them out: archive.ignore: [keys]")},
		"topics/pay/partition=4/pay+4+0000000009.headers.json.gz": {verdict: unknown("a .headers side file is not read; to read such files with their values: archive.join: [headers], to leave them out: archive.ignore: [headers]")},
		// What can't be told is refused.
		"topics/pay/partition=4/readme.md":                           {verdict: unknown(noName)},
		"topics/pay/partition=4/pay+4+0000000009":                    {verdict: unknown(noName)},
		"topics/pay/partition=4/pay+4+0000000009.":                   {verdict: unknown(noName)},
		"topics/pay/partition=4/pay+4+.json":                         {verdict: unknown(noName)},
		"topics/pay/partition=4/pay++0000000009.json":                {verdict: unknown(noName)},
		"topics/pay/partition=4/pay+4.json":                          {verdict: unknown(noName)},
		"topics/pay/partition=4/pay+-4+9.json":                       {verdict: unknown(noName)},
		"topics/pay/partition=4/pay+4+-9.json":                       {verdict: unknown(noName)},
		"topics/pay/partition=4/pay+٤+9.json":                        {verdict: unknown(noName)},
		"topics/pay/partition=4/pay+4+9copy.json":                    {verdict: unknown(noName)},
		"topics/pay/partition=4/+4+9.json":                           {verdict: unknown(noName)},
		"topics/pay/partition=4/p y+4+9.json":                        {verdict: unknown(noName)},
		"topics/pay/partition=4/..+4+9.json":                         {verdict: unknown(noName)},
		"topics/pay/partition=4/pay%2B4%2B0000000009.json":           {verdict: unknown(noName)},
		"topics/pay/partition=2147483648/pay+2147483648+9.json":      {verdict: unknown(noPartition)},
		"topics/pay/partition=4/pay+4+9223372036854775808.json":      {verdict: unknown(noOffset)},
		"topics/other/partition=4/pay+4+0000000009.json":             {verdict: unknown(noFolder)},
		"pay+4+0000000009.json":                                      {verdict: unknown(noFolder)},
		"":                                                           {verdict: unknown(noName)},
		"topics/pay/":                                                {verdict: unknown(noName)},
		"topics/pay/_SUCCESS2":                                       {verdict: unknown(noName)},
		"topics/pay/" + strings.Repeat("t", 250) + "+4+0000009.json": {verdict: unknown(noName)},
		// Known to hold no records.
		"topics/pay/partition=4/_SUCCESS":                    {verdict: ignored("job marker")},
		"topics/pay/partition=4_$folder$":                    {verdict: ignored("folder marker")},
		"topics/pay/partition=4/.pay+4+0000000009.json.crc":  {verdict: ignored("checksum file")},
		"topics/pay/partition=4/pay+4+0000000009.json.tmp":   {verdict: ignored("temporary file")},
		".temp-upload/x/pay/partition=4/pay+4+9.json":        {verdict: ignored("temporary file")},
		".indexes/sink/.locks/pay/0.lock":                    {verdict: ignored("index file")},
		"wix/2026-03-01/pay-00000-000000000000.index.json":   {verdict: ignored("index file")},
		"wix/last_chunk_index.pay-00000.txt":                 {verdict: ignored("index file")},
		"fh/processing-failed/2026/03/01/stream-1-2026-uuid": {verdict: ignored("Firehose error document")},
		"fh/format-conversion-failed/2026/03/x.json":         {verdict: ignored("Firehose error document")},
	} {
		if n, v := layout.Parse(key); n != want.name || v != want.verdict {
			t.Errorf("%s\n got %+v %+v\nwant %+v %+v", key, n, v, want.name, want.verdict)
		}
	}
}

func partition(n int32) *int32 { return &n }

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern   string
		topic     string
		partition *int32
		key       string
		name      archive.Name
		verdict   archive.Verdict
	}{
		{`(?P<topic>[^/]+)/p(?P<partition>\d+)/(?P<offset>\d+)\.json`, "", nil, "x/pay/p3/0042.json", name("pay", 3, 42, true), data},
		{`(?P<topic>[^/]+)/p(?P<partition>\d+)/`, "", nil, "x/pay/p3/0042.json", name("pay", 3, kafka.NoOffset, false), data},
		{`/(?P<offset>\d+)\.json$`, "pay", partition(7), "x/0042.json", name("pay", 7, 42, true), data},
		{`\.json$`, "pay", partition(0), "x/0042.json", name("pay", 0, kafka.NoOffset, false), data},
		{`p(?P<partition>\d+)(-(?P<offset>\d+))?\.json$`, "pay", nil, "x/p1-5.json", name("pay", 1, 5, true), data},
		{`p(?P<partition>\d+)(-(?P<offset>\d+))?\.json$`, "pay", nil, "x/p1.json", archive.Name{}, unknown(noOffset)},
		{`(?P<topic>.*)/p(?P<partition>\d+)`, "", nil, "a/b/p1", archive.Name{}, unknown("the topic in the key is not a Kafka topic name")},
		{`p(?P<partition>.*)-`, "pay", nil, "p+1-", archive.Name{}, unknown(noPartition)},
		{`p(?P<partition>\d+)`, "pay", nil, "p99999999999", archive.Name{}, unknown(noPartition)},
		{`^p(?P<partition>\d+)$`, "pay", nil, "q1", archive.Name{}, unknown("the key does not match the key pattern")},
		{`.*`, "pay", partition(0), "x/_SUCCESS", archive.Name{}, ignored("job marker")},
		{`.*`, "pay", partition(0), "fh/processing-failed/x", name("pay", 0, kafka.NoOffset, false), data},
		{`^x$`, "pay", partition(0), "fh/processing-failed/x", archive.Name{}, ignored("Firehose error document")},
	} {
		layout, err := archive.Pattern(regexp.MustCompile(c.pattern), c.topic, c.partition)
		if err != nil {
			t.Errorf("Pattern(%s): %v", c.pattern, err)
			continue
		}
		if n, v := layout.Parse(c.key); n != c.name || v != c.verdict {
			t.Errorf("%s on %s\n got %+v %+v\nwant %+v %+v", c.pattern, c.key, n, v, c.name, c.verdict)
		}
	}
}

func TestPatternRefuses(t *testing.T) {
	for _, c := range []struct {
		pattern, topic string
		partition      *int32
		want           string
	}{
		{`x`, "", partition(0), "the key pattern does not say the topic"},
		{`x`, "pay", nil, "the key pattern does not say the partition"},
		{`(?P<topic>x)`, "pay", partition(0), "the topic is given by the key pattern and as a constant"},
		{`(?P<partition>x)`, "pay", partition(0), "the partition is given by the key pattern and as a constant"},
		{`x`, "p/y", partition(0), `"p/y" is not a Kafka topic name`},
		{`x`, "pay", partition(-1), "partition -1 is negative"},
		{`(?P<day>x)`, "pay", partition(0), `the key pattern has an unknown group "day"`},
	} {
		_, err := archive.Pattern(regexp.MustCompile(c.pattern), c.topic, c.partition)
		if !fail.Is(err, fail.BadDataset) || err.Error() != c.want || fail.HintOf(err) == "" {
			t.Errorf("Pattern(%s): %v (%s), want %s", c.pattern, err, fail.HintOf(err), c.want)
		}
	}
}

// reference is the rule for base names as one expression; the folder is looked
// at apart, since an expression can't compare two groups.
var reference = regexp.MustCompile(`^(?P<topic>[A-Za-z0-9._-]{1,249})\+(?P<partition>\d+)\+(?P<offset>\d+)(?P<view>\.keys|\.headers)?(?P<ext>\.avro|\.json(?:\.gz)?|(?:\.snappy|\.gz|\.lzo|\.br|\.lz4|\.zstd|\.lz4raw)?\.parquet|\.[^/]+)$`)

// oracle decides slowly what Confluent().Parse decides for names that are not junk.
func oracle(key string) (archive.Name, bool) {
	dir, base := "", key
	if i := strings.LastIndex(key, "/"); i >= 0 {
		dir, base = key[:i], key[i+1:]
	}
	m := reference.FindStringSubmatch(base)
	if m == nil || m[1] == "." || m[1] == ".." || m[4] != "" {
		return archive.Name{}, false
	}
	p, perr := strconv.ParseInt(m[2], 10, 32)
	o, oerr := strconv.ParseInt(m[3], 10, 64)
	if perr != nil || oerr != nil || !strings.Contains("/"+dir+"/", "/"+m[1]+"/") {
		return archive.Name{}, false
	}
	all := "/" + dir + "/"
	encoded := strings.TrimSuffix(all[strings.LastIndex(all, "/"+m[1]+"/")+len(m[1])+2:], "/")
	if encoded == "tombstone" || strings.HasPrefix(encoded, "tombstone/") {
		return archive.Name{}, false
	}
	return name(m[1], kafka.Partition(p), kafka.Offset(o), encoded == "partition="+strconv.FormatInt(p, 10)), true
}

func compareWithOracle(t interface{ Errorf(string, ...any) }, key string) {
	n, v := archive.Confluent().Parse(key)
	want, isData := oracle(key)
	switch v.Kind {
	case archive.Data:
		if !isData || n != want {
			t.Errorf("%q: got %+v, want %+v, %v", key, n, want, isData)
		}
	case archive.Unknown:
		if isData || v.Reason == "" || n != (archive.Name{}) {
			t.Errorf("%q: unknown (%s), want %+v", key, v.Reason, want)
		}
	case archive.Ignored:
		if v.Reason == "" || n != (archive.Name{}) {
			t.Errorf("%q: ignored (%s), name %+v", key, v.Reason, n)
		}
	}
}

func TestConfluentAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"pay", "pay", "a.b", "topics", "partition=1", "partition=01", "tombstone", "year=2026", "", "."})
		number := rapid.SampledFrom([]string{"0", "1", "01", "7", "2147483648", "99999999999999999999", "x", ""})
		extension := rapid.SampledFrom([]string{".json", ".json.gz", ".keys.avro", ".headers.json", ".keys", ".keys.", ".a+b", "", ".", ".snappy.parquet"})
		segments := rapid.SliceOfN(piece, 0, 5).Draw(t, "folders")
		base := piece.Draw(t, "topic") + "+" + number.Draw(t, "partition") + "+" + number.Draw(t, "offset") + extension.Draw(t, "extension")
		compareWithOracle(t, strings.Join(append(segments, base), "/"))
	})
}

func FuzzConfluent(f *testing.F) {
	for _, seed := range []string{
		"topics/pay/partition=1/pay+1+0000000009.json", "pay/tombstone/pay+1+9.keys.avro", "a+b+c", "pay/pay+1+1.keys", "++", "", "/", "x/_SUCCESS", "pay/pay+1+1.\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) { compareWithOracle(t, key) })
}

func FuzzPattern(f *testing.F) {
	layout, err := archive.Pattern(regexp.MustCompile(`(?P<topic>[^/]+)/p(?P<partition>[^/]+)/(?P<offset>[^/]+)\.json`), "", nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"pay/p1/2.json", "pay/p1_0/2.json", "pay/p+1/2.json", "pay/p0x1/2.json", "pay/p1/99999999999999999999.json"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		n, v := layout.Parse(key)
		if v.Kind != archive.Data {
			if v.Reason == "" || n != (archive.Name{}) {
				t.Errorf("%q: %+v %+v", key, n, v)
			}
			return
		}
		// Every part stands in the key, digit by digit.
		exact := regexp.MustCompile(regexp.QuoteMeta(n.Topic) + `/p0*` + strconv.Itoa(int(n.Partition)) + `/0*` + strconv.FormatInt(int64(n.FirstOffset), 10) + `\.json`)
		if n.Partition < 0 || n.FirstOffset < 0 || !exact.MatchString(key) {
			t.Errorf("%q: %+v", key, n)
		}
	})
}
