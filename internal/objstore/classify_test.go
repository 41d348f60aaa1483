package objstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	"backfill/internal/fail"
)

// TestClassifyTransport covers failures that no server of a test produces.
func TestClassifyTransport(t *testing.T) {
	at := URI{Scheme: SchemeS3, Bucket: "bucket", Key: "key"}
	for _, c := range []struct {
		err        error
		code       fail.Code
		text, hint string
	}{
		{&net.DNSError{Err: "no such host", Name: "s3.nowhere"}, fail.Network, `host "s3.nowhere" is not known`, "check the region"},
		{x509.UnknownAuthorityError{}, fail.Network, "the server's certificate is not trusted", "AWS_CA_BUNDLE"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}, fail.Network, "the server's certificate is not trusted", "endpoint"},
		{context.DeadlineExceeded, fail.Network, "the connection to S3 timed out", "VPC endpoint"},
		{io.ErrUnexpectedEOF, fail.Network, "the connection to S3 broke", "network"},
		{syscall.ECONNRESET, fail.Network, "the connection to S3 broke", "network"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, fail.Network, "the connection to S3 broke", "endpoint"},
		{&credentialsError{errors.New("no role")}, fail.Credentials, "no usable AWS credentials", "role for the pod"},
		{errors.New("something new"), fail.Internal, "unknown error of s3:GetObject: wrapped: something new", ""},
	} {
		err := classify(getting, at, fmt.Errorf("wrapped: %w", c.err))
		if !fail.Is(err, c.code) || !strings.HasPrefix(err.Error(), "s3://bucket/key: "+c.text) || !strings.Contains(fail.HintOf(err), c.hint) || !errors.Is(err, c.err) {
			t.Errorf("%v became %v (%s, %s)", c.err, err, fail.CodeOf(err), fail.HintOf(err))
		}
		if again := classify(getting, at, err); again != err {
			t.Errorf("%v was classified twice: %v", err, again)
		}
	}
	if err := classify(getting, at, nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	if err := classify(getting, at, context.Canceled); err.Error() != "s3://bucket/key: s3:GetObject was stopped" || fail.ExitOf(err) != fail.ExitTerminated {
		t.Errorf("a stop became %v", err)
	}
}

func TestClassifyFile(t *testing.T) {
	at := URI{Scheme: SchemeFile, Key: "data/key"}
	for _, c := range []struct {
		err  error
		code fail.Code
		text string
	}{
		{syscall.ENOENT, fail.NotFoundInput, "the file does not exist"},
		{syscall.ENOTDIR, fail.NotFoundInput, "the file does not exist"},
		{syscall.EACCES, fail.Permission, "the file may not be used"},
		{syscall.EPERM, fail.Permission, "the file may not be used"},
		{syscall.ENOSPC, fail.Disk, "the disk is full"},
		{syscall.EDQUOT, fail.Disk, "the disk is full"},
		{syscall.EISDIR, fail.Usage, "a folder stands where a file is needed"},
		{syscall.EEXIST, fail.Usage, "a folder stands where a file is needed"},
		{syscall.EIO, fail.Service, "the file system failed"},
		{syscall.ELOOP, fail.Usage, "the path can't be followed inside the store"},
		{errors.New("path escapes from parent"), fail.Usage, "the path can't be followed inside the store"},
		{syscall.EMFILE, fail.Internal, "unknown error of the file system"},
	} {
		err := classifyFile(at, &fs.PathError{Op: "open", Path: "key", Err: c.err})
		if !fail.Is(err, c.code) || !strings.HasPrefix(err.Error(), "file:///data/key: "+c.text) {
			t.Errorf("%v became %v (%s)", c.err, err, fail.CodeOf(err))
		}
	}
	if err := classifyFile(at, nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}
