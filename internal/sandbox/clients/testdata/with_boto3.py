"""boto3: every call that mints credentials, what they are good for, and their end.

"mint" prints the answers and keeps the credentials in the file $KEPT; "later" uses them once more.
"""

import json
import os
import sys

import boto3
import botocore.config
import botocore.exceptions
import psycopg

import client

ONCE = botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


def service(name, keys=None):
    keys = {} if keys is None else {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"], "aws_session_token": keys["SessionToken"]}
    return boto3.client(name, config=ONCE, **keys)


def attempt(name, call, *look):
    """Says what a call answers, as far as one looks at it, or its error."""
    try:
        answer = call()
    except botocore.exceptions.ClientError as e:
        client.say(name, e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"], e.response["Error"]["Message"])
        return None
    values = []
    for path in look:
        value = answer
        for part in path.split("."):
            value = value[int(part)] if part.isdigit() else value[part]
        values.append(value)
    client.say(name, *values)
    return answer


def login(name, user, password):
    try:
        with psycopg.connect("", user=user, password=password) as connection:
            client.say(name, "runs as", connection.execute("SELECT current_user").fetchone()[0])
    except psycopg.OperationalError as e:
        client.say(name, client.one_line(str(e)).split("FATAL: ")[-1])


def copy(role):
    """What COPY tells of a role."""
    with psycopg.connect("", autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE everything (LIKE public.everything)")
        try:
            connection.execute("COPY everything FROM '%s' IAM_ROLE 'arn:aws:iam::000000000000:role/%s' FORMAT AS PARQUET MANIFEST SERIALIZETOJSON" % (os.environ["MANIFEST"], role))
            client.say("COPY as", role, "loads", connection.execute("SELECT pg_last_copy_count()").fetchone()[0])
        except psycopg.Error as e:
            client.say("COPY as", role, e.sqlstate, client.one_line(e.diag.message_primary + " / " + (e.diag.message_detail or "")))


def uses(keys):
    """What a pod does with the keys of its role."""
    s3 = service("s3", keys)
    attempt("list", lambda: s3.list_objects_v2(Bucket=os.environ["BUCKET"], MaxKeys=2), "KeyCount", "Contents.0.Key")
    attempt("get", lambda: s3.get_object(Bucket=os.environ["BUCKET"], Key="manifest.json"), "ContentType")
    attempt("whoami", lambda: service("sts", keys).get_caller_identity(), "Arn")
    attempt("secret by the role", lambda: service("secretsmanager", keys).get_secret_value(SecretId="warehouse"))


def mint():
    redshift, serverless, sts = service("redshift"), service("redshift-serverless"), service("sts")
    attempt("cluster", lambda: redshift.describe_clusters(ClusterIdentifier="main"), "Clusters.0.ClusterStatus", "Clusters.0.DBName", "Clusters.0.Endpoint.Address")
    attempt("clusters", lambda: redshift.describe_clusters(), "Clusters.0.ClusterIdentifier")
    attempt("no cluster", lambda: redshift.describe_clusters(ClusterIdentifier="other"))
    attempt("workgroup", lambda: serverless.get_workgroup(workgroupName="serve"), "workgroup.status", "workgroup.endpoint.address", "workgroup.configParameters")
    attempt("no workgroup", lambda: serverless.get_workgroup(workgroupName="other"))
    attempt("secret", lambda: service("secretsmanager").get_secret_value(SecretId="warehouse"), "Name", "SecretString")
    attempt("no secret", lambda: service("secretsmanager").get_secret_value(SecretId="other"))
    attempt("no role", lambda: sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/none", RoleSessionName="pod"))
    pod = attempt("role", lambda: sts.assume_role(RoleArn=os.environ["POD_ROLE"], RoleSessionName="pod-1", DurationSeconds=900), "AssumedRoleUser.Arn")["Credentials"]
    user = attempt("user", lambda: redshift.get_cluster_credentials(ClusterIdentifier="main", DbUser="backfill", DbName="analytics"), "DbUser")
    own = attempt("identity", lambda: redshift.get_cluster_credentials_with_iam(ClusterIdentifier="main", DbName="analytics"), "DbUser")
    group = attempt("workgroup's", lambda: service("redshift-serverless", pod).get_credentials(workgroupName="serve", dbName="analytics"), "dbUser")
    attempt("user by the role", lambda: service("redshift", pod).get_cluster_credentials(ClusterIdentifier="main", DbUser="backfill"))
    logins = {"user": [user["DbUser"], user["DbPassword"]], "identity": [own["DbUser"], own["DbPassword"]], "workgroup": [group["dbUser"], group["dbPassword"]]}
    for name, pair in logins.items():
        login(name + " logs in", *pair)
    uses(pod)
    with psycopg.connect("") as connection:
        connection.execute(os.environ["CREATE"])
    for role in ("copy", "one-file", "no-key", "nothing", "other"):
        copy(role)
    with open(os.environ["KEPT"], "w") as f:
        json.dump({"keys": {k: pod[k] for k in ("AccessKeyId", "SecretAccessKey", "SessionToken")}, "logins": logins}, f)


def later():
    with open(os.environ["KEPT"]) as f:
        kept = json.load(f)
    for name, pair in kept["logins"].items():
        login(name + " later", *pair)
    uses(kept["keys"])


{"mint": mint, "later": later}[sys.argv[1]]()
