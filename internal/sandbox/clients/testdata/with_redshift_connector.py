"""Amazon's own driver: every statement is prepared by name, results come in binary, NUMERIC as a scaled integer.

With IAM set it asks AWS for its login: by a cluster's identifier, or a workgroup's name.
"""

import os

import redshift_connector

import client


class Connector(client.Client):
    def connect(self):
        options = {"database": os.environ["PGDATABASE"], "sslmode": os.environ["PGSSLMODE"]}
        if os.environ.get("IAM"):
            options.update(iam=True, endpoint_url=os.environ["AWS_ENDPOINT_URL_REDSHIFT"], region=os.environ["AWS_REGION"],
                           access_key_id=os.environ["AWS_ACCESS_KEY_ID"], secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"])
            if os.environ["IAM"] == "workgroup":
                options.update(is_serverless=True, serverless_work_group="serve")
            else:
                options.update(cluster_identifier="main")
                if os.environ["IAM"] == "user":
                    options.update(db_user="backfill")
                else:
                    options.update(group_federation=True)
        else:
            options.update(host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"], password=os.environ["PGPASSWORD"])
        connection = redshift_connector.connect(**options)
        client.say("protocol", connection._client_protocol_version)
        return connection

    def error(self, e):
        fields = e.args[0]
        if not isinstance(fields, dict):
            return "-----", str(e)
        return fields["C"], fields["M"] + (" / " + fields["D"] if "D" in fields else "")


client.run(Connector())
