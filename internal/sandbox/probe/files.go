package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/parquet-go/parquet-go"
)

// file is a Parquet object of a case.
type file struct {
	key  string
	make func() ([]byte, error)
}

// entry is a line of the case's manifest, which is put at manifest.json.
type entry struct {
	key       string
	mandatory bool
	bare      bool  // without meta
	extra     int64 // what the length is told too big by
}

// put makes the objects of a case, below its own folder.
func (r *run) put(ctx context.Context, i int, c Case) error {
	folder := fmt.Sprintf("%s%d/", r.prefix, i)
	sizes := map[string]int64{}
	for _, f := range c.Files {
		body, err := f.make()
		if err != nil {
			return err
		}
		sizes[f.key] = int64(len(body))
		if err := r.putObject(ctx, folder+f.key, body); err != nil {
			return err
		}
	}
	for key, body := range c.Objects {
		if err := r.putObject(ctx, folder+key, []byte(body)); err != nil {
			return err
		}
	}
	if c.Manifest == nil {
		return nil
	}
	body, err := json.Marshal(map[string]any{"entries": r.entries(folder, c.Manifest, sizes)})
	if err != nil {
		return err
	}
	return r.putObject(ctx, folder+"manifest.json", body)
}

func (r *run) entries(folder string, list []entry, sizes map[string]int64) []any {
	var out []any
	for _, e := range list {
		one := map[string]any{"url": "s3://" + r.target.Bucket + "/" + folder + e.key, "mandatory": e.mandatory}
		if !e.bare {
			one["meta"] = map[string]any{"content_length": sizes[e.key] + e.extra}
		}
		out = append(out, one)
	}
	return out
}

func (r *run) putObject(ctx context.Context, key string, body []byte) error {
	_, err := r.target.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.target.Bucket, Key: &key, Body: bytes.NewReader(body)})
	return err
}

// removeObjects deletes everything below the run's prefix.
func (r *run) removeObjects(ctx context.Context) error {
	pages := s3.NewListObjectsV2Paginator(r.target.S3, &s3.ListObjectsV2Input{Bucket: &r.target.Bucket, Prefix: &r.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("removing objects below s3://%s/%s: %w", r.target.Bucket, r.prefix, err)
		}
		for _, o := range page.Contents {
			if !strings.HasPrefix(aws.ToString(o.Key), r.prefix) {
				continue
			}
			if _, err := r.target.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &r.target.Bucket, Key: o.Key}); err != nil {
				return fmt.Errorf("removing s3://%s/%s: %w", r.target.Bucket, aws.ToString(o.Key), err)
			}
		}
	}
	return nil
}

// one is a row of a single column.
type one[T any] struct {
	V T `parquet:"v"`
}

// rows makes a file of a struct's fields, as Redshift takes it: V1 pages, plain or dictionary, Snappy. Options come on
// top.
func rows[T any](values []T, options ...parquet.WriterOption) func() ([]byte, error) {
	return func() ([]byte, error) {
		var b bytes.Buffer
		all := append([]parquet.WriterOption{parquet.DataPageVersion(1), parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.Plain),
			parquet.Compression(&parquet.Snappy)}, options...)
		w := parquet.NewGenericWriter[T](&b, all...)
		if _, err := w.Write(values); err != nil {
			return nil, fmt.Errorf("writing a Parquet file: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("writing a Parquet file: %w", err)
		}
		return b.Bytes(), nil
	}
}

// column makes a file with the one column v.
func column[T any](values ...T) func() ([]byte, error) { return columnWith(values) }

func columnWith[T any](values []T, options ...parquet.WriterOption) func() ([]byte, error) {
	list := make([]one[T], len(values))
	for i, v := range values {
		list[i].V = v
	}
	return rows(list, options...)
}

// fixedDecimal makes a file with one DECIMAL(18,2) of 1.25 in length bytes.
func fixedDecimal(length int) func() ([]byte, error) {
	return func() ([]byte, error) {
		var b bytes.Buffer
		schema := parquet.NewSchema("probe", parquet.Group{"v": parquet.Decimal(2, 18, parquet.FixedLenByteArrayType(length))})
		w := parquet.NewGenericWriter[any](&b, schema, parquet.DataPageVersion(1))
		value := append(make([]byte, length-1), 125)
		if _, err := w.WriteRows([]parquet.Row{{parquet.FixedLenByteArrayValue(value).Level(0, 0, 0)}}); err != nil {
			return nil, fmt.Errorf("writing a Parquet file: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("writing a Parquet file: %w", err)
		}
		return b.Bytes(), nil
	}
}
