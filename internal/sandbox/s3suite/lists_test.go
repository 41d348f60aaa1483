package s3suite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func listChecks() []check {
	return []check{
		{"lists page, group and start in byte order", lists},
		{"a page tells sizes, times and ETags", page},
		{"many objects are listed once each, in order", longList},
	}
}

func lists(ctx context.Context, b *bucket) error {
	var keys []string
	for _, topic := range []string{"a", "a-b", "a.b", "b", "ü"} {
		for i := range 7 {
			keys = append(keys, fmt.Sprintf("topics/%s/%02d.json", topic, i))
		}
	}
	if err := b.server.plant(ctx, b, keys); err != nil {
		return err
	}
	slices.Sort(keys) // "topics/a-b/" is before "topics/a/"
	folders := []string{"topics/a-b/", "topics/a.b/", "topics/a/", "topics/b/", "topics/ü/"}
	compare := func(what string, in s3.ListObjectsV2Input, want []string) error {
		got, err := b.names(ctx, in)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%s: %q, want %q", what, got, want)
		}
		return err
	}
	for _, size := range []int32{1, 2, 3, 7, 34, 35, 36, 1000} {
		what := fmt.Sprintf("pages of %d", size)
		if err := all(compare(what, s3.ListObjectsV2Input{MaxKeys: &size}, keys),
			compare(what+" in groups", s3.ListObjectsV2Input{MaxKeys: &size, Delimiter: aws.String("/"), Prefix: aws.String("topics/")}, folders)); err != nil {
			return err
		}
	}
	return all(
		compare("a folder", s3.ListObjectsV2Input{Prefix: aws.String("topics/a/")}, keys[14:21]),
		compare("a prefix inside of a name", s3.ListObjectsV2Input{Prefix: aws.String("topics/a")}, keys[:21]),
		compare("a prefix of nothing", s3.ListObjectsV2Input{Prefix: aws.String("topics/z")}, nil),
		compare("from the middle", s3.ListObjectsV2Input{StartAfter: aws.String(keys[19])}, keys[20:]),
		compare("from a key that is not there", s3.ListObjectsV2Input{StartAfter: aws.String("topics/a/99"), Prefix: aws.String("topics/")}, keys[21:]))
}

func page(ctx context.Context, b *bucket) error {
	for _, key := range []string{"a", "b"} {
		if _, err := b.put(ctx, key, []byte("xyz"), nil); err != nil {
			return err
		}
	}
	out, err := b.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, MaxKeys: aws.Int32(1)})
	if err != nil {
		return err
	}
	o := out.Contents[0]
	if !aws.ToBool(out.IsTruncated) || aws.ToInt32(out.KeyCount) != 1 || aws.ToString(out.Name) != b.name || aws.ToInt64(o.Size) != 3 ||
		time.Since(aws.ToTime(o.LastModified)).Abs() > time.Hour || aws.ToString(o.ETag) != `"d16fb36f0911f878998c136191af705e"` {
		return fmt.Errorf("page %+v, first entry %+v", out, o)
	}
	return nil
}

func longList(ctx context.Context, b *bucket) error {
	var keys []string
	for i := range b.server.many {
		keys = append(keys, fmt.Sprintf("topics/payroll.events/partition=%d/payroll.events+%d+%010d.json", i%12, i%12, i))
	}
	if err := b.server.plant(ctx, b, keys); err != nil {
		return err
	}
	slices.Sort(keys) // partition=1/ is behind partition=11/
	got, err := b.names(ctx, s3.ListObjectsV2Input{Prefix: aws.String("topics/")})
	if err != nil {
		return err
	}
	for i := range max(len(got), len(keys)) {
		if i >= len(got) || i >= len(keys) || got[i] != keys[i] {
			return fmt.Errorf("%d of %d keys are listed, the first wrong one is at %d", len(got), len(keys), i)
		}
	}
	return nil
}
