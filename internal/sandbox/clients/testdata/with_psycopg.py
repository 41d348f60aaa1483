"""psycopg 3: values travel as parameters, results come as text.

It must not prepare by itself (prepare_threshold): on a rollback it then sends DEALLOCATE ALL, which Redshift refuses.
"""

import psycopg

import client


class Psycopg(client.Client):
    def __init__(self):
        self.told = []

    def connect(self):
        connection = psycopg.connect("")
        connection.prepare_threshold = None
        connection.add_notice_handler(lambda d: self.told.append("%s:  %s" % (d.severity, d.message_primary)))
        return connection

    def error(self, e):
        if e.sqlstate is None:
            return "-----", str(e)
        detail = e.diag.message_detail
        return e.sqlstate, e.diag.message_primary + (" / " + detail if detail else "")

    def prepared(self, cursor, sql, values):
        cursor.execute(sql, values, prepare=True)

    def notices(self, connection):
        return self.told


client.run(Psycopg())
