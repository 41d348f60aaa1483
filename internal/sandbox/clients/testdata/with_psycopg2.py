"""psycopg2: values are put into the statement by the client, results come as text."""

import psycopg2

import client


class Psycopg2(client.Client):
    def connect(self):
        return psycopg2.connect("")

    def error(self, e):
        if isinstance(e, psycopg2.OperationalError) and e.pgcode is None:
            return "-----", str(e)
        detail = e.diag.message_detail
        return e.pgcode, e.diag.message_primary + (" / " + detail if detail else "")

    def notices(self, connection):
        return connection.notices


client.run(Psycopg2())
