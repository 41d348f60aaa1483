// Package s3d is the S3 stand-in: a real S3 API over a folder, on loopback, with faults that a test chooses.
//
//	client ──HTTP──▶ front (this package: numbers, names and fails operations) ──unix socket──▶ versitygw ──▶ folder
//
// The gateway is versitygw with its POSIX backend: signatures, checksums, conditional writes, multipart uploads and
// pages are its own. The front passes every byte of a request and of an answer through unchanged, Host header
// included, so that signatures stay valid; it only adds an [Op] number and asks the hook what to do.
//
// Objects tell how they are encrypted, AES256 or by a KMS key, as their PUT asked; the bytes in the folder are plain, and
// every well-formed key of the region exists. With a KMS key the ETag is not the MD5 of the content, as in S3. A bucket
// that denies unencrypted objects is a hook, or a rule of package fault, on [Op.Encryption].
//
// The faults are errors by S3's names, connections that end before, in or after an answer, short and slow bodies, and
// wrong ETags ([Action]). Package fault chooses them by rules that people can write. Temporary access keys, as sts mints
// them, are let in by [Server.Admit] and refused as expired later.
//
// Objects have storage classes, and the archive tiers of INTELLIGENT_TIERING. What is archived can't be read before
// RestoreObject has asked for it and [Server.Cool], which also plays lifecycle rules, has ended the restore: no restore
// ends by the clock. Which of several reasons to refuse a GET comes first is this package's own choice: the class.
//
// Objects are plain files below <Dir>/<bucket>/, so a person can look at them and a restart finds them again. ETags
// and checksums are kept in extended attributes of the files; a folder that has none is refused by [Start].
// Several servers may run in one process; each needs a folder of its own.
//
// Limits, all from the POSIX folder: a key can't be both an object and the parent of another ("a" and "a/b"), a key
// segment is at most 255 bytes, and keys with empty, "." or ".." segments are refused. Buckets are not versioned.
// A quiet DeleteObjects tells what it deleted all the same. Copying parts, tags, policies and the other sub-resources answer 501 NotImplemented.
//
// After Close two goroutines of fasthttp stay for a while, so tests that use goleak ignore them:
// "github.com/valyala/fasthttp.updateServerDate.func1" and "github.com/valyala/fasthttp.(*workerPool).Start.func2".
//
// It must not import anything of the product, so that both sides can't share one misunderstanding. Tests and
// cmd/sandbox call it.
package s3d
