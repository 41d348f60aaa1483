package s3suite

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

const preconditionText = "At least one of the pre-conditions you specified did not hold"

func conditionChecks() []check {
	return []check{
		{"PUT If-None-Match creates once", createOnce},
		{"PUT If-None-Match has one winner of many", oneWinner},
		{"PUT If-Match replaces what it names", replaceNamed},
		{"GET and HEAD If-Match refuse another version", readNamed},
		{"GET and HEAD If-None-Match say 304", notModified},
	}
}

func onlyNew(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

func createOnce(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("first"), onlyNew); err != nil {
		return err
	}
	_, err := b.put(ctx, "k", []byte("second"), onlyNew)
	if err := all(refused(err, http.StatusPreconditionFailed, "PreconditionFailed", preconditionText), b.holds(ctx, "k", []byte("first"))); err != nil {
		return err
	}
	if _, err := b.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: aws.String("k")}); err != nil {
		return err
	}
	_, err = b.put(ctx, "k", []byte("third"), onlyNew)
	return err
}

func oneWinner(ctx context.Context, b *bucket) error {
	won := make([]bool, 16)
	var group errgroup.Group
	for i := range won {
		group.Go(func() error {
			_, err := b.put(ctx, "k", fmt.Appendf(nil, "attempt %d", i), onlyNew)
			if won[i] = err == nil; won[i] {
				return nil
			}
			if refused(err, http.StatusConflict, "ConditionalRequestConflict", "") == nil { // while another one is under way
				return nil
			}
			return refused(err, http.StatusPreconditionFailed, "PreconditionFailed", "")
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	winner := slices.Index(won, true)
	if winner < 0 || slices.Contains(won[winner+1:], true) {
		return fmt.Errorf("not one has won: %v", won)
	}
	return b.holds(ctx, "k", fmt.Appendf(nil, "attempt %d", winner))
}

func replaceNamed(ctx context.Context, b *bucket) error {
	one, err := b.put(ctx, "k", []byte("one"), nil)
	if err != nil {
		return err
	}
	if _, err = b.put(ctx, "k", []byte("two"), func(in *s3.PutObjectInput) { in.IfMatch = one.ETag }); err != nil {
		return err
	}
	_, stale := b.put(ctx, "k", []byte("three"), func(in *s3.PutObjectInput) { in.IfMatch = one.ETag })
	_, gone := b.put(ctx, "gone", []byte("x"), func(in *s3.PutObjectInput) { in.IfMatch = one.ETag })
	return all(refused(stale, http.StatusPreconditionFailed, "PreconditionFailed", preconditionText), b.holds(ctx, "k", []byte("two")),
		refused(gone, http.StatusNotFound, "NoSuchKey", ""))
}

func readNamed(ctx context.Context, b *bucket) error {
	one, err := b.put(ctx, "k", []byte("one"), nil)
	if err != nil {
		return err
	}
	if _, _, err := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfMatch = one.ETag }); err != nil {
		return err
	}
	if _, err := b.put(ctx, "k", []byte("two"), nil); err != nil {
		return err
	}
	_, _, get := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfMatch = one.ETag })
	_, _, part := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfMatch, in.Range = one.ETag, aws.String("bytes=1-") })
	_, head := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String("k"), IfMatch: one.ETag})
	return all(refused(get, http.StatusPreconditionFailed, "PreconditionFailed", preconditionText), refused(part, http.StatusPreconditionFailed, "PreconditionFailed", ""),
		refused(head, http.StatusPreconditionFailed, "", ""))
}

func notModified(ctx context.Context, b *bucket) error {
	one, err := b.put(ctx, "k", []byte("one"), nil)
	if err != nil {
		return err
	}
	_, _, get := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfNoneMatch = one.ETag })
	_, head := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String("k"), IfNoneMatch: one.ETag})
	return all(refused(get, http.StatusNotModified, "", ""), refused(head, http.StatusNotModified, "", ""))
}
