// Package awsd is a stand-in for the AWS calls that mint credentials: one HTTP endpoint on loopback for redshift,
// redshift-serverless, secretsmanager and sts. Minted database credentials log in to the Redshift stand-in, minted access
// keys are good for the S3 stand-in, until they expire.
//
//	redshift              GetClusterCredentials, GetClusterCredentialsWithIAM, DescribeClusters
//	redshift-serverless   GetCredentials, GetWorkgroup
//	secretsmanager        GetSecretValue
//	sts                   AssumeRole, GetCallerIdentity
//
// Clients find it by AWS_ENDPOINT_URL_REDSHIFT, AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS, AWS_ENDPOINT_URL_SECRETS_MANAGER
// and AWS_ENDPOINT_URL_STS. A call's signature is read as far as its access key, session token, scope and time go; the
// signature itself is not verified. What a caller may do is an IAM policy ([Policy]), as far as actions, resources and
// wildcards go; the same policies serve the Redshift stand-in for COPY's roles.
//
// Any other call, and any parameter that is not modelled, is refused. It imports nothing of the product. The sandbox
// command and tests call it.
package awsd
