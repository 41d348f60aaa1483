// Package s3suite is what an S3 server has to do, as one list of checks that runs on two servers: on the stand-in of
// package s3d, and on moto, which others keep. It holds tests alone.
//
// Where moto does something else, the check is an exception with the reason by which it fails; an exception that no
// longer fails so fails the test. A check is true of S3 itself: what only one of the servers does is not asked for.
package s3suite
