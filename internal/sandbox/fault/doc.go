// Package fault is the language in which the stand-ins are told to fail, and the set of rules they follow.
//
// A rule is one line: which operations of which server, when within the operation, what happens, how often.
//
//	s3 PutObject key=/receipt.json lost
//	s3 GetObject key~'\.parquet$' agent=redshift nth=3 fail=throttled
//	s3 * slow=64KiB times=all
//	sql COPY during cut
//	sql COMMIT nth=2 before hang
//	sql INSERT text=__backfill_ledger fail=conflict times=3
//
// The words, in any order after the first two:
//
//	s3 | sql             the server
//	PutObject,… | *      the operations: S3 actions, or SQL command tags ("CREATE TABLE" in quotes)
//	key=  key~           the object's key holds this text, or matches this regular expression (s3)
//	bucket=  agent=      the bucket is this one; the User-Agent header holds this text (s3; COPY's reads hold "Redshift")
//	encryption=          the new object asks for none, AES256, aws:kms, or "aws:kms KEY" (s3): a bucket that denies the
//	                     unencrypted is "s3 PutObject,CopyObject,CreateMultipartUpload encryption=none times=all fail=denied"
//	text=  text~         the statement holds this text, or matches this regular expression (sql)
//	before | after       before the operation, or once it is done and not answered yet; before unless said
//	during               in the middle of a COPY (sql)
//	nth=N every=M        from the N-th match on, and then at every M-th; both 1 unless said
//	times=N | all        at most N times; 1 unless said
//	delay=2s | hang      wait; hang ends when the rule is cleared, the operation is given up, or after an hour
//	cut                  the connection ends without an answer
//	lost                 after cut: the operation took place and nobody hears of it
//	fail=NAME            an error, by its name from [Names]
//	cut-body short-body  half a body: then a reset, or in good order (s3)
//	wrong-etag           the answer names another object's ETag (s3)
//	slow=64KiB           so many bytes a second (s3)
//	twice                the COPY loads every file twice (sql)
//	lag=30s              sys_load_* hear of the COPY that much later (sql)
//	note                 nothing; the rule counts and tells
//
// A rule has one effect, a wait, or a wait and then an effect. When several rules are due at one operation all of them
// fire; the waits add up, and the effect is the one of the rule that was added first.
//
// It knows the stand-ins and nothing of the product. Test harnesses use a [Set] as the stand-ins' hooks; the sandbox
// command does, too, and lets people change it over a socket ([Serve], [Client]).
package fault
