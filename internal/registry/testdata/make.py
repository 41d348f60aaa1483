"""Writes the samples of this folder with clients that are not this project's.

python3 -m venv v && v/bin/pip install 'confluent-kafka[avro,json,protobuf]==2.16.1' fastavro==1.13.1 protobuf==7.36.2 \
    grpcio-tools==1.85.1 googleapis-common-protos==1.76.0 aws-glue-schema-registry==1.1.3
v/bin/python make.py
"""
import base64, datetime, decimal, importlib, io, json, os, subprocess, sys, tempfile, uuid

import fastavro
from aws_schema_registry import codec as glue
from confluent_kafka.schema_registry import (Schema, SchemaReference, SchemaRegistryClient,
                                             header_schema_id_serializer)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

here = os.path.dirname(os.path.abspath(__file__))
registry = SchemaRegistryClient.new_client({"url": "mock://samples"})
D = decimal.Decimal
samples = []


def sample(name, value, want, headers=None, framing="confluent"):
    samples.append({
        "name": name, "framing": framing, "value": base64.b64encode(value).decode(),
        **({"header": base64.b64encode(dict(headers)["__value_schema_id"]).decode()} if headers else {}),
        "want": want})


def context(topic, headers=None):
    return SerializationContext(topic, MessageField.VALUE, headers)


def number(text):
    return {"number": text}


# Avro, in two versions that differ, with a type of another subject.
money = {"type": "record", "name": "Currency", "namespace": "acme.pay", "fields": [{"name": "code", "type": "string"}]}
registry.register_schema("currency", Schema(json.dumps(money), "AVRO"))


def pay(extra):
    return json.dumps({"type": "record", "name": "Payment", "namespace": "acme.pay", "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "gross", "type": {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2}},
        {"name": "net", "type": {"type": "fixed", "name": "Net", "size": 12, "logicalType": "decimal", "precision": 20, "scale": 4}},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "pay_day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "currency", "type": ["null", "acme.pay.Currency"], "default": None},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["SETTLED", "REVERSED"]}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "hours", "type": {"type": "map", "values": "long"}},
        {"name": "token", "type": "bytes"},
    ] + extra})


row = {"event_id": "e-1", "gross": D("-1234567890123456789012345678.90"), "net": D("0.0001"),
       "occurred_at": datetime.datetime(2026, 3, 5, 10, 11, 12, 123456, tzinfo=datetime.timezone.utc),
       "pay_day": datetime.date(2026, 3, 31), "currency": {"code": "EUR"}, "state": "REVERSED",
       "tags": ["a", "ü\"\n"], "hours": {"mon": 9223372036854775807}, "token": b"\x00\xff"}
want = {"event_id": "e-1", "gross": number("-1234567890123456789012345678.90"), "net": number("0.0001"),
        "occurred_at": "2026-03-05T10:11:12.123456Z", "pay_day": "2026-03-31", "currency": {"code": "EUR"}, "state": "REVERSED",
        "tags": ["a", "ü\"\n"], "hours": {"mon": number("9223372036854775807")}, "token": "AP8="}
refs = [SchemaReference("acme.pay.Currency", "currency", 1)]
decimal.getcontext().prec = 60
for version, extra, values in ((1, [], {}), (2, [{"name": "bonus", "type": ["null", "long"]}], {"bonus": 7})):
    serializer = AvroSerializer(registry, Schema(pay(extra), "AVRO", refs))
    sample(f"avro, version {version}", serializer({**row, **values}, context("pay")),
           {**want, **{k: number(str(v)) for k, v in values.items()}})
sample("avro, null currency", serializer({**row, "currency": None, "bonus": None}, context("pay")), {**want, "currency": None, "bonus": None})
headers = []
value = AvroSerializer(registry, Schema(pay([]), "AVRO", refs), conf={"schema.id.serializer": header_schema_id_serializer})(row, context("pay", headers))
sample("avro, id in a header", value, want, headers)
sample("avro, bytes", AvroSerializer(registry, '"bytes"')(b"\x00\x01raw", context("raw")), base64.b64encode(b"\x00\x01raw").decode())
sample("avro, string", AvroSerializer(registry, '"string"')("text", context("text")), "text")

# JSON Schema.
schema = json.dumps({"title": "Payment", "type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "number"}}})
sample("json", JSONSerializer(schema, registry)({"id": "ü", "n": 12.5, "list": [1, None]}, context("json")),
       {"id": "ü", "n": number("12.5"), "list": [number("1"), None]})

# Protobuf.
with tempfile.TemporaryDirectory() as tmp:
    os.makedirs(tmp + "/acme"), os.makedirs(tmp + "/confluent/type")
    for name, to in (("payroll.proto", "payroll.proto"), ("country.proto", "acme/country.proto")):
        with open(f"{here}/{name}") as f, open(f"{tmp}/{to}", "w") as out:
            out.write(f.read())
    import confluent_kafka.schema_registry.confluent.type as confluent_type
    import confluent_kafka.schema_registry.confluent.type.decimal_pb2 as decimal_pb2
    sys.modules.update({"confluent": confluent_type, "confluent.type": confluent_type, "confluent.type.decimal_pb2": decimal_pb2})
    with open(f"{here}/../proto/confluent/type/decimal.proto") as f, open(f"{tmp}/confluent/type/decimal.proto", "w") as out:
        out.write(f.read())
    import google.type
    types = os.path.dirname(os.path.dirname(list(google.type.__path__)[0]))
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{tmp}", f"-I{types}", f"--python_out={tmp}", "payroll.proto", "acme/country.proto"], check=True)
    sys.path.insert(0, tmp)
    country_pb2 = importlib.import_module("acme.country_pb2")
    pb = importlib.import_module("payroll_pb2")

    p = pb.Outer.Payment(event_id="e-1", employee_id=-9223372036854775808, state=pb.Outer.Payment.SETTLED, parts=[-1, 2**62], hours={"b": 2, "a": 1},
                         retries=0, iban="DE00", token=b"\xff\x00", big=18446744073709551615, ratio=0.1)
    p.gross.currency_code, p.gross.units, p.gross.nanos = "EUR", -12, -340000000
    p.net.value, p.net.precision, p.net.scale = (-1234).to_bytes(2, "big", signed=True), 10, 2
    p.occurred_at.FromJsonString("2026-03-05T10:11:12.123456789Z")
    p.pay_day.year, p.pay_day.month, p.pay_day.day = 2026, 3, 31
    p.note.value = "n"
    p.country.code = "DE"
    p.worked.FromJsonString("-1.500s")
    p.extra.update({"x": [1, None, "y"], "z": True})
    full = {"event_id": "e-1", "employee_id": number("-9223372036854775808"),
            "gross": {"amount": number("-12.34"), "currency_code": "EUR", "units": number("-12"), "nanos": number("-340000000")},
            "net": number("-12.34"), "occurred_at": "2026-03-05T10:11:12.123456789Z", "pay_day": "2026-03-31", "state": "SETTLED",
            "parts": [number("-1"), number("4611686018427387904")], "hours": {"a": number("1"), "b": number("2")}, "note": "n", "retries": number("0"),
            "iban": "DE00", "token": "/wA=", "big": number("18446744073709551615"), "country": {"code": "DE"}, "worked": "-1.5s",
            "extra": {"x": [number("1"), None, "y"], "z": True}, "final": False, "ratio": number("0.1")}
    empty = {"event_id": "", "employee_id": number("0"), "state": "UNKNOWN", "parts": [], "hours": {}, "token": "", "big": number("0"), "final": False, "ratio": number("0")}
    conf = {"use.deprecated.format": False}
    serializer = ProtobufSerializer(pb.Outer.Payment, registry, conf)
    sample("protobuf, nested message", serializer(p, context("proto")), full)
    sample("protobuf, defaults", serializer(pb.Outer.Payment(), context("proto")), empty)
    sample("protobuf, first message", ProtobufSerializer(pb.Ping, registry, conf)(pb.Ping(at=-5), context("proto")), {"at": number("-5")})
    headers = []
    value = ProtobufSerializer(pb.Outer.Payment, registry, {**conf, "schema.id.serializer": header_schema_id_serializer})(p, context("proto", headers))
    sample("protobuf, id in a header", value, full, headers)
    first = [s for s in samples if s["name"] == "protobuf, first message"][0]
    raw = base64.b64decode(first["value"])
    assert raw[5] == 0, raw
    sample("protobuf, first message by its long list", raw[:5] + b"\x02\x00" + raw[6:], {"at": number("-5")})
    sample("protobuf, unknown field", raw + b"\x98\x06\x01", {"at": number("-5")})

# AWS Glue.
version = uuid.UUID("b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63")
out = io.BytesIO()
flat = fastavro.parse_schema({"type": "record", "name": "Flat", "fields": [{"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}}]})
fastavro.schemaless_writer(out, flat, {"amount": D("12.30")})
sample("glue", glue.encode(out.getvalue(), version), {"amount": number("12.30")}, framing="glue")
sample("glue, compressed", glue.encode(out.getvalue(), version, compression=True), {"amount": number("12.30")}, framing="glue")

# What the registry answers, as GET /subjects/S/versions/V does; Protobuf as the text that was registered, and as the client packed it.
for folder in ("schemas", "packed"):
    os.makedirs(f"{here}/{folder}", exist_ok=True)
texts = {"proto-value": "payroll.proto", "acme/country.proto": "country.proto"}
for subject in registry.get_subjects():
    for v in registry.get_versions(subject):
        r = registry.get_version(subject, v)
        answer = {"subject": subject, "version": v, "id": r.schema_id, "guid": r.guid, "schema": r.schema.schema_str}
        if r.schema.schema_type != "AVRO":
            answer["schemaType"] = r.schema.schema_type
        if r.schema.references:
            answer["references"] = [{"name": x.name, "subject": x.subject, "version": x.version} for x in r.schema.references]
        name = subject.replace("/", "_")
        for folder in ("schemas", "packed"):
            if folder == "schemas" and subject in texts:
                with open(f"{here}/{texts[subject]}") as f:
                    answer = {**answer, "schema": f.read()}
            if folder == "schemas" or subject in texts:
                with open(f"{here}/{folder}/{name}-{v}.json", "w") as f:
                    json.dump({**answer, **({"schema": r.schema.schema_str} if folder == "packed" else {})}, f, indent=1, sort_keys=True)
                    f.write("\n")
with open(f"{here}/schemas/glue.json", "w") as f:  # as `aws glue get-schema-version` prints it
    json.dump({"SchemaVersionId": str(version), "SchemaDefinition": json.dumps({k: v for k, v in flat.items() if not k.startswith("__")}), "DataFormat": "AVRO",
               "SchemaArn": "arn:aws:glue:eu-west-1:111122223333:schema/acme/flat", "VersionNumber": 3, "Status": "AVAILABLE"}, f, indent=1)
    f.write("\n")
with open(f"{here}/samples.json", "w") as f:
    json.dump(samples, f, indent=1, ensure_ascii=False)
    f.write("\n")
