package runplan_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

func basis() runplan.Basis {
	return runplan.Basis{ConvertDigest: "d1", Archive: "s3://a/b", Window: kafka.Window{From: 1, To: 2}, Converter: 1}
}

func input(partition int, first int64, size int64) runplan.Input {
	return runplan.Input{
		Partition: kafka.TopicPartition{Topic: "t", Partition: kafka.Partition(partition)},
		ObjectRef: runplan.ObjectRef{
			Key: fmt.Sprintf("t/%d/%010d", partition, first), Size: size, ETag: fmt.Sprint("e", first), First: kafka.Offset(first), Ordered: true,
		},
	}
}

func drawInputs(t *rapid.T) []runplan.Input {
	ordered := rapid.Bool().Draw(t, "ordered")
	var list []runplan.Input
	for i := range rapid.IntRange(0, 30).Draw(t, "objects") {
		in := input(rapid.IntRange(0, 2).Draw(t, "partition"), int64(i*10), rapid.Int64Range(0, 50).Draw(t, "size"))
		if in.Ordered = ordered; !ordered {
			in.First = kafka.NoOffset
		}
		list = append(list, in)
	}
	return list
}

func text(t interface{ Fatal(...any) }, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inputs := drawInputs(t)
		size := rapid.Int64Range(1, 120).Draw(t, "chunk bytes")
		shuffled := rapid.Permutation(inputs).Draw(t, "listing order")
		before := text(t, shuffled)
		chunks := runplan.Cut(shuffled, size, basis())
		if text(t, shuffled) != before {
			t.Fatal("the inputs were reordered")
		}
		if text(t, chunks) != text(t, runplan.Cut(inputs, size, basis())) {
			t.Fatal("the order of the listing shows in the chunks")
		}
		seen, ids := map[string]int{}, map[runplan.ChunkID]bool{}
		var order []runplan.Input
		for _, c := range chunks {
			var bytes int64
			for _, o := range c.Objects {
				seen[o.Key]++
				bytes += o.Size
				order = append(order, runplan.Input{Partition: c.Partition, ObjectRef: o})
			}
			if bytes != c.Bytes || (bytes > size && len(c.Objects) > 1) {
				t.Fatalf("%d objects of %d bytes, said to be %d, at a size of %d", len(c.Objects), bytes, c.Bytes, size)
			}
			if ids[c.ID] || len(c.Objects) == 0 {
				t.Fatalf("chunk %s stands twice or is empty", c.ID)
			}
			ids[c.ID] = true
		}
		for _, in := range inputs {
			if seen[in.Key] != 1 {
				t.Fatalf("%s is in %d chunks", in.Key, seen[in.Key])
			}
		}
		if len(order) != len(inputs) || !slices.IsSortedFunc(order, func(a, b runplan.Input) int { return strings.Compare(a.Key, b.Key) }) {
			t.Fatalf("objects are not in order: %v", order)
		}
		checkFollowing(t, chunks)
	})
}

// checkFollowing: what follows a chunk is the next few objects of its
// partition, where the names order records.
func checkFollowing(t *rapid.T, chunks []runplan.Chunk) {
	for i, c := range chunks {
		var want []runplan.ObjectRef
		for _, next := range chunks[i+1:] {
			for _, o := range next.Objects {
				if next.Partition == c.Partition && o.Ordered && len(want) < runplan.Following {
					want = append(want, o)
				}
			}
		}
		if !reflect.DeepEqual(c.Following, want) {
			t.Fatalf("%v follows %v, want %v", c.Following, c.Objects, want)
		}
	}
}

// TestCutIsStable: objects appended to a partition leave alone all chunks but
// the last and those that did not yet have enough objects behind them.
func TestCutIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inputs := drawInputs(t)
		size := rapid.Int64Range(1, 120).Draw(t, "chunk bytes")
		old := runplan.Cut(inputs, size, basis())
		grown := slices.Clone(inputs)
		ordered := len(inputs) == 0 || inputs[0].Ordered
		for i := range rapid.IntRange(1, 5).Draw(t, "appended") {
			in := input(rapid.IntRange(0, 2).Draw(t, "partition"), int64(100_000+i), 7)
			if in.Ordered = ordered; !ordered {
				in.First = kafka.NoOffset
			}
			grown = append(grown, in)
		}
		kept := map[runplan.ChunkID]bool{}
		for _, c := range runplan.Cut(grown, size, basis()) {
			kept[c.ID] = true
		}
		for i, c := range old {
			last := i+1 == len(old) || old[i+1].Partition != c.Partition
			if !last && (len(c.Following) == runplan.Following || !ordered) && !kept[c.ID] {
				t.Fatalf("chunk %d of %d changed", i+1, len(old))
			}
		}
	})
}

// TestChunkID: an id changes with everything that decides a chunk's output.
func TestChunkID(t *testing.T) {
	inputs := func() []runplan.Input { return []runplan.Input{input(0, 0, 10), input(0, 10, 10), input(0, 20, 10)} }
	id := func(in []runplan.Input, b runplan.Basis) runplan.ChunkID { return runplan.Cut(in, 20, b)[0].ID }
	ids := map[runplan.ChunkID]string{id(inputs(), basis()): "unchanged"}
	differs := func(what string, got runplan.ChunkID) {
		t.Helper()
		if before, ok := ids[got]; ok {
			t.Errorf("%s has the id of %s", what, before)
		}
		ids[got] = what
	}
	walk(t, reflect.ValueOf(ptr(basis())).Elem(), "basis", func(what string, set func(), reset func(), root any) {
		set()
		differs(what, id(inputs(), *root.(*runplan.Basis)))
		reset()
	})
	for i := range inputs() { // the third object only follows
		in := inputs()
		ref := reflect.ValueOf(&in[i].ObjectRef).Elem()
		for f := range ref.NumField() {
			if i == 2 && slices.Contains([]string{"Ordered", "Generation"}, ref.Type().Field(f).Name) {
				continue // then it does not follow: covered below
			}
			changed := inputs()
			bump(t, reflect.ValueOf(&changed[i].ObjectRef).Elem().Field(f))
			if len(runplan.Cut(changed, 20, basis())[0].Objects) != 2 {
				changed[i].Size -= 2 // keep the cut
			}
			differs(fmt.Sprintf("object %d with another %s", i, ref.Type().Field(f).Name), id(changed, basis()))
		}
	}
	differs("nothing following", id(inputs()[:2], basis()))
	other := inputs()
	for i := range other {
		other[i].Partition.Partition = 7
	}
	differs("another partition", id(other, basis()))
	if len(id(inputs(), basis())) != 64 {
		t.Error("an id is no SHA-256")
	}
}

func ptr[T any](v T) *T { return &v }

// walk visits each leaf field below v, with functions that change it and back.
func walk(t *testing.T, v reflect.Value, name string, visit func(what string, set, reset func(), root any)) {
	root := v.Addr().Interface()
	var step func(v reflect.Value, name string)
	step = func(v reflect.Value, name string) {
		for i := range v.NumField() {
			f, what := v.Field(i), name+"."+v.Type().Field(i).Name
			if f.Kind() == reflect.Struct {
				step(f, what)
				continue
			}
			old := reflect.New(f.Type()).Elem()
			old.Set(f)
			visit(what, func() { bump(t, f) }, func() { f.Set(old) }, root)
		}
	}
	step(v, name)
}

func bump(t *testing.T, f reflect.Value) {
	switch f.Kind() {
	case reflect.String:
		f.SetString(f.String() + "x")
	case reflect.Int, reflect.Int32, reflect.Int64:
		f.SetInt(f.Int() + 1)
	case reflect.Bool:
		f.SetBool(!f.Bool())
	case reflect.Slice:
		f.Set(reflect.Append(f, reflect.Zero(f.Type().Elem())))
	default:
		t.Fatalf("a field of kind %s", f.Kind())
	}
}

func TestCutLimits(t *testing.T) {
	t.Run("an object larger than a chunk", func(t *testing.T) {
		if chunks := runplan.Cut([]runplan.Input{input(0, 0, 5), input(0, 1, 500), input(0, 2, 5)}, 10, basis()); len(chunks) != 3 {
			t.Errorf("%d chunks, want 3", len(chunks))
		}
	})
	t.Run("tiny objects", func(t *testing.T) {
		var inputs []runplan.Input
		for i := range 20_001 {
			inputs = append(inputs, input(0, int64(i), 1))
		}
		chunks := runplan.Cut(inputs, 1<<40, basis())
		if len(chunks) != 3 || len(chunks[0].Objects) != 10_000 || len(chunks[2].Objects) != 1 {
			t.Errorf("%d chunks, the first of %d objects", len(chunks), len(chunks[0].Objects))
		}
	})
	t.Run("offsets at the end of their range", func(t *testing.T) {
		chunks := runplan.Cut([]runplan.Input{input(0, math.MaxInt64, 1), input(0, -1, 1), input(0, 0, 1)}, 1, basis())
		if chunks[0].Objects[0].First != -1 || chunks[2].Objects[0].First != math.MaxInt64 {
			t.Errorf("out of order: %v", chunks)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		if chunks := runplan.Cut(nil, 10, basis()); chunks != nil {
			t.Errorf("%v", chunks)
		}
	})
}

func TestListingID(t *testing.T) {
	a := []runplan.Input{input(0, 0, 1), input(0, 1, 1)}
	id := runplan.ListingID(a)
	for what, change := range map[string]func(in *runplan.Input){
		"size": func(in *runplan.Input) { in.Size++ }, "etag": func(in *runplan.Input) { in.ETag += "x" }, "version": func(in *runplan.Input) { in.Version = "v" },
		"key": func(in *runplan.Input) { in.Key += "x" }, "partition": func(in *runplan.Input) { in.Partition.Partition++ },
	} {
		b := slices.Clone(a)
		change(&b[1])
		if runplan.ListingID(b) == id {
			t.Errorf("another %s does not show", what)
		}
	}
	if runplan.ListingID(a[:1]) == id || runplan.ListingID(slices.Clone(a)) != id {
		t.Error("the digest is not that of the objects")
	}
}

func TestCutSlices(t *testing.T) {
	zones := []string{"UTC", "America/Los_Angeles", "America/Sao_Paulo", "America/Havana", "Pacific/Apia", "America/St_Johns"}
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		cal := kafka.NewCalendar(z)
		from := kafka.Instant(rapid.Int64Range(1.2e15, 1.8e15).Draw(t, "from")) // 2008 to 2027
		if rapid.Bool().Draw(t, "from midnight") {
			from = cal.Start(cal.DayOf(from))
		}
		w := kafka.Window{From: from, To: from + kafka.Instant(rapid.Int64Range(1, 40*86400e6).Draw(t, "length"))}
		per := rapid.IntRange(-1, 10).Draw(t, "days per slice")
		list := runplan.CutSlices(w, cal, per)
		at, day := w.From, list[0].DayFrom
		for i, s := range list {
			if s.Index != i || s.Window.From != at || s.Window.To <= s.Window.From || s.DayFrom < day || s.DayTo <= s.DayFrom {
				t.Fatalf("slice %d of %v does not go on at %s", i, list, at)
			}
			for _, edge := range []kafka.Instant{s.Window.From, s.Window.To - 1} {
				if d := cal.DayOf(edge); d < s.DayFrom || d >= s.DayTo {
					t.Fatalf("%s lies in %s, outside of slice %s", edge, d, s)
				}
			}
			if n := len(cal.Days(s.Window)); n > max(per, 1) {
				t.Fatalf("slice %s has %d days, want at most %d", s, n, max(per, 1))
			}
			at, day = s.Window.To, s.DayTo
		}
		if at != w.To {
			t.Fatalf("the slices end at %s, the window at %s", at, w.To)
		}
	})
}

func TestSlicesWithoutEventTime(t *testing.T) {
	list := runplan.CutSlices(kafka.Window{}, kafka.NewCalendar(time.UTC), 1)
	if len(list) != 1 || !list[0].Window.IsAll() || list[0].DayFrom != kafka.NoDay || list[0].String() != "all rows" {
		t.Errorf("%+v", list)
	}
}

func TestSliceText(t *testing.T) {
	w := kafka.Window{From: 0, To: 86400e6 * 3}
	list := runplan.CutSlices(w, kafka.NewCalendar(time.UTC), 2)
	if list[0].String() != "1970-01-01 to 1970-01-02" || list[1].String() != "1970-01-03" {
		t.Errorf("%s; %s", list[0], list[1])
	}
}

func TestShard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var chunks []runplan.Chunk
		for i, size := range rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 100), rapid.Int64Range(0, 1<<56)), 0, 40).Draw(t, "sizes") {
			chunks = append(chunks, runplan.Chunk{ID: runplan.ChunkID(fmt.Sprint(i)), Bytes: size})
		}
		n := rapid.IntRange(1, 3000).Draw(t, "n")
		var all []runplan.Chunk
		for i := 1; i <= n; i++ {
			all = append(all, runplan.Shard(chunks, i, n)...)
		}
		if !reflect.DeepEqual(all, chunks) {
			t.Fatalf("the shards in order hold %d chunks, want the %d of the plan", len(all), len(chunks))
		}
	})
}

func TestShardIsEven(t *testing.T) {
	chunks := make([]runplan.Chunk, 1000)
	for i := range chunks {
		chunks[i].Bytes = 1 << 28
	}
	for i := 1; i <= 16; i++ {
		if n := len(runplan.Shard(chunks, i, 16)); n < 62 || n > 63 {
			t.Errorf("shard %d of 16 has %d of 1000 equal chunks", i, n)
		}
	}
	for _, i := range []int{-1, 0, 17} {
		if got := runplan.Shard(chunks, i, 16); got != nil {
			t.Errorf("shard %d of 16 has %d chunks", i, len(got))
		}
	}
}

func TestRunID(t *testing.T) {
	w := kafka.Window{From: 1, To: 2}
	a := runplan.NewRunID("digest", w)
	if a != runplan.NewRunID("digest", w) || len(a) != 24 {
		t.Errorf("id %s", a)
	}
	for _, other := range []runplan.RunID{runplan.NewRunID("digest2", w), runplan.NewRunID("digest", kafka.Window{From: 1, To: 3}), runplan.NewRunID("digest", kafka.Window{})} {
		if a == other {
			t.Error("two runs have one id")
		}
	}
}

// Loaded objects are in no chunk, and stand between those that are not.
func TestCutWithout(t *testing.T) {
	var inputs []runplan.Input
	for _, first := range []kafka.Offset{0, 4, 5, 9, 12} {
		inputs = append(inputs, runplan.Input{Partition: kafka.TopicPartition{Topic: "t"},
			ObjectRef: runplan.ObjectRef{Key: fmt.Sprint(first), Size: 1, First: first, Ordered: true}})
	}
	loaded := func(in runplan.Input) bool { return in.First == 4 || in.First == 12 }
	var got []string
	for _, c := range runplan.CutWithout(inputs, loaded, 100, runplan.Basis{}) {
		text := ""
		for _, o := range c.Objects {
			text += o.Key + " "
		}
		for _, o := range c.Following {
			text += "→" + o.Key + " "
		}
		got = append(got, text)
	}
	if want := []string{"0 →4 →5 →9 →12 ", "5 9 →12 "}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if chunks := runplan.CutWithout(inputs, func(runplan.Input) bool { return true }, 100, runplan.Basis{}); len(chunks) != 0 {
		t.Errorf("%v", chunks)
	}
}
