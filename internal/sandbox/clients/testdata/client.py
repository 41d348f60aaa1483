"""What every client of the warehouse is asked to do, and how its answers are written down.

A program of one client gives run() a Client. One line is printed per finding; the Go test compares them with golden
texts, which are the same for all clients but for the differences that the goldens show.
"""

import datetime
import decimal
import json
import os
import sys

UTC = datetime.timezone.utc

# Values that clients send as parameters, the column that takes each, and so comes back.
PARAMETERS = [
    ("smallint", "smallint", -32768),
    ("integer", "integer", 2147483647),
    ("bigint", "bigint", -9223372036854775808),
    ("decimal", "decimal(18,2)", decimal.Decimal("-123456789012345.67")),
    ("long decimal", "decimal(38,0)", decimal.Decimal("99999999999999999999999999999999999999")),
    ("double", "double precision", 0.1),
    ("boolean", "boolean", True),
    ("date", "date", datetime.date(2026, 3, 8)),
    ("timestamp", "timestamp", datetime.datetime(2026, 3, 8, 2, 30, 0, 1)),
    ("text", "varchar(64)", "Zürich 東京 'quoted' \"double\""),
    ("backslash", "varchar(64)", "C:\\new\\table"),
    ("empty text", "varchar(64)", ""),
    ("null", "varchar(64)", None),
]

# Statements that fail, each on its own, and the name of what is wrong with them.
MISTAKES = [
    ("syntax", "SELEC 1"),
    ("no such table", "SELECT 1 FROM nowhere"),
    ("no such column", "SELECT nothing FROM facts"),
    ("not null", "INSERT INTO facts (id, note) VALUES (NULL, 'x')"),
    ("too long", "INSERT INTO facts (id, note) VALUES (9, 'abcdefghijk')"),
    ("bad literal", "SELECT 'x'::integer"),
    ("overflow", "SELECT 100000::smallint"),
    ("on conflict", "INSERT INTO facts VALUES (1, 'x') ON CONFLICT DO NOTHING"),
    ("option of COPY", "COPY facts FROM '{manifest}' IAM_ROLE '{role}' FORMAT AS PARQUET MANIFEST REGION 'eu-west-1'"),
    ("columns of COPY", "COPY facts FROM '{manifest}' IAM_ROLE '{role}' FORMAT AS PARQUET MANIFEST"),
    ("role of COPY", "COPY facts FROM '{manifest}' IAM_ROLE 'arn:aws:iam::000000000000:role/other' FORMAT AS PARQUET MANIFEST"),
]


def show(value):
    """A value as the goldens have it: by kind and exactly."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        zone = "" if value.tzinfo is None else "Z"
        return (value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)).isoformat(" ") + zone
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float, decimal.Decimal)):
        return type(value).__name__ + " " + str(value)
    return repr(value)


class Client:
    """How one client does what all are asked. connect() reads the PG… environment."""

    def connect(self):
        raise NotImplementedError

    def error(self, e):
        """The SQLSTATE and the whole text of an error."""
        raise NotImplementedError

    def notices(self, connection):
        """What the server told beside the results; None where a client keeps no notices."""
        return None

    def run(self, cursor, sql, values=None):
        cursor.execute(sql, values) if values is not None else cursor.execute(sql)

    def prepared(self, cursor, sql, values):
        """As run, by a statement that the server prepares where the client can."""
        self.run(cursor, sql, values)

    def rows(self, cursor, sql, values=None):
        self.run(cursor, sql, values)
        return [tuple(row) for row in cursor.fetchall()]


def say(name, *values):
    print(name + ":", *values)


def one_line(text):
    return " ".join(text.split())


def fill(sql):
    return sql.replace("{manifest}", os.environ["MANIFEST"]).replace("{role}", os.environ["ROLE"])


def attempt(client, name, connection, sql):
    try:
        client.run(connection.cursor(), fill(sql))
        say(name, "no error")
    except Exception as e:  # every client has its own classes; what is not the server's error has no SQLSTATE and fails there
        state, text = client.error(e)
        say(name, state, one_line(text))


def load(client, connection):
    cursor = connection.cursor()
    client.run(cursor, os.environ["CREATE"])
    copy = fill("COPY everything FROM '{manifest}' IAM_ROLE '{role}' FORMAT AS PARQUET MANIFEST SERIALIZETOJSON")
    for _ in range(2):  # the primary key is not enforced, and nothing remembers what was loaded
        client.run(cursor, copy)
        say("rows of COPY", show(client.rows(cursor, "SELECT pg_last_copy_count()")[0][0]))
    connection.commit()
    say("rows of the table", show(client.rows(cursor, "SELECT COUNT(*) FROM everything")[0][0]))
    for column in os.environ["COLUMNS"].split():
        rows = client.rows(cursor, "SELECT DISTINCT id, %s FROM everything ORDER BY id" % column)
        say(column, " | ".join(show(row[1]) for row in rows))
    say("timestamptz", show(client.rows(cursor, "SELECT '2026-03-08 02:30:00.000001+00'::timestamptz")[0][0]))
    say("sum", show(client.rows(cursor, "SELECT SUM(amount) FROM everything")[0][0]))
    connection.commit()


def parameters(client, connection):
    cursor = connection.cursor()
    for i, (name, kind, value) in enumerate(PARAMETERS):
        client.run(cursor, "CREATE TEMP TABLE p%d (v %s)" % (i, kind))
        client.run(cursor, "INSERT INTO p%d VALUES (%%s)" % i, (value,))
        back = client.rows(cursor, "SELECT v FROM p%d" % i)[0][0]
        say("parameter " + name, show(back) + ("" if back == value else " instead of " + show(value)))
    connection.commit()


def transactions(client, connection):
    cursor = connection.cursor()

    def count():
        return show(client.rows(cursor, "SELECT COUNT(*) FROM facts")[0][0])

    client.run(cursor, "CREATE TABLE facts (id integer NOT NULL PRIMARY KEY, note varchar(10))")
    connection.commit()
    client.run(cursor, "INSERT INTO facts VALUES (%s, %s), (%s, %s)", (1, "a", 1, "twice"))
    say("rows of INSERT", cursor.rowcount)
    connection.rollback()
    say("after ROLLBACK", count())
    client.run(cursor, "INSERT INTO facts VALUES (%s, %s)", (1, "a"))
    connection.commit()
    say("after COMMIT", count())
    connection.rollback()
    attempt(client, "in a block", connection, "SELECT 1 FROM nowhere")
    attempt(client, "after an error", connection, "SELECT 1")
    connection.rollback()
    say("after its end", count())
    connection.rollback()


def mistakes(client, connection):
    for name, sql in MISTAKES:
        attempt(client, name, connection, sql)
        connection.rollback()


def again(client, connection):
    """One statement that the server prepares, with several values."""
    cursor = connection.cursor()
    for n in (1, 2, 3):
        client.prepared(cursor, "SELECT %s::integer * 2, %s::varchar", (n, "n%d" % n))
        say("again", *[show(v) for v in cursor.fetchall()[0]])
    connection.commit()
    client.prepared(cursor, "SELECT COUNT(*) FROM facts WHERE id = %s", (1,))
    say("prepared", show(cursor.fetchall()[0][0]))
    try:
        connection.rollback()
        say("ROLLBACK with prepared statements", "no error")
    except Exception as e:
        state, text = client.error(e)
        say("ROLLBACK with prepared statements", state, one_line(text))


def run(client):
    try:
        connection = client.connect()
    except Exception as e:
        state, text = client.error(e)
        say("refused", state, one_line(text))
        return
    cursor = connection.cursor()
    say("user", show(client.rows(cursor, "SELECT current_user")[0][0]))
    connection.commit()
    if len(sys.argv) > 1 and sys.argv[1] == "session":
        load(client, connection)
        parameters(client, connection)
        transactions(client, connection)
        mistakes(client, connection)
        again(client, connection)
        notices = client.notices(connection)
        if notices is not None:
            for n in notices:
                say("notice", one_line(n))
    connection.close()
