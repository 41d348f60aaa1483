"""Writes the twenty records of ../formats/plain.jsonl as values that name their schema, in the archives that keep bytes.

Packages: as in ../../../registry/testdata/make.py, and pyarrow==22.0.0.
"""
import base64, datetime, decimal, importlib, json, os, subprocess, sys, tempfile, uuid

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
from aws_schema_registry import codec as glue
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

here = os.path.dirname(os.path.abspath(__file__))
D = decimal.Decimal
decimal.getcontext().prec = 60
rows = []
for i in range(20):
    rows.append(dict(id="é%d" % i, type=["paid", "void", "other"][i % 3], at=datetime.datetime(2026, 3, 1 + i, 1, 2, 3, 456789, tzinfo=datetime.timezone.utc),
                     amount=D(i * 731 - 9000).scaleb(-2) if i % 7 else None, wide=D(i * 10**24 + i).scaleb(-4), currency="USD", note='a "q"; b,\n c' + str(i)))
registry = SchemaRegistryClient.new_client({"url": "mock://frames"})


def context(headers=None):
    return SerializationContext("pay", MessageField.VALUE, headers)


def avro(extra):
    return Schema(json.dumps({"type": "record", "name": "Event", "namespace": "acme", "fields": [
        {"name": "id", "type": "string"}, {"name": "type", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "amount", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}]},
        {"name": "wide", "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 4}},
        {"name": "currency", "type": "string"}, {"name": "note", "type": "string"}] + extra}), "AVRO")


# Two versions: the second has one more field, for the last ten records.
versions = [AvroSerializer(registry, avro([])), AvroSerializer(registry, avro([{"name": "source", "type": "string"}]))]
values = [versions[i // 10]({**r, "source": "x"} if i >= 10 else r, context()) for i, r in enumerate(rows)]
named = []
for r in rows:
    headers = []
    value = AvroSerializer(registry, avro([]), conf={"schema.id.serializer": header_schema_id_serializer})(r, context(headers))
    named.append((value, headers[0][1]))


def text(r):
    return {**r, "at": r["at"].isoformat().replace("+00:00", "Z"), "amount": None if r["amount"] is None else format(r["amount"], "f"), "wide": format(r["wide"], "f")}


json_values = [JSONSerializer(json.dumps({"title": "Event", "type": "object"}), registry)(text(r), context()) for r in rows]

with tempfile.TemporaryDirectory() as tmp:
    with open(f"{here}/event.proto") as f, open(f"{tmp}/event.proto", "w") as out:
        out.write(f.read())
    import confluent_kafka.schema_registry.confluent.type as confluent_type
    import confluent_kafka.schema_registry.confluent.type.decimal_pb2 as decimal_pb2
    sys.modules.update({"confluent": confluent_type, "confluent.type": confluent_type, "confluent.type.decimal_pb2": decimal_pb2})
    os.makedirs(tmp + "/confluent/type")
    with open(f"{here}/../../../registry/proto/confluent/type/decimal.proto") as f, open(f"{tmp}/confluent/type/decimal.proto", "w") as out:
        out.write(f.read())
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{tmp}", f"--python_out={tmp}", "event.proto"], check=True)
    sys.path.insert(0, tmp)
    pb = importlib.import_module("event_pb2")
    proto = ProtobufSerializer(pb.Batch.Event, registry, {"use.deprecated.format": False})
    proto_values = []
    for r in rows:
        e = pb.Batch.Event(id=r["id"], type=r["type"], currency=r["currency"], note=r["note"])
        e.at.FromDatetime(r["at"])
        for name, scale in (("amount", 2), ("wide", 4)):
            if r[name] is not None:
                n = int(r[name].scaleb(scale))
                getattr(e, name).value = n.to_bytes(16, "big", signed=True)
                getattr(e, name).scale = scale
        proto_values.append(proto(e, context()))

version = uuid.UUID("b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63")
glue_values = [glue.encode(v[5:], version, compression=i % 2) for i, v in enumerate(values[:10])] + \
              [glue.encode(versions[0](r, context())[5:], version, compression=i % 2) for i, r in enumerate(rows[10:])]


def put(name, data):
    with open(f"{here}/{name}", "wb") as f:
        f.write(data)


def b64(b):
    return base64.b64encode(b).decode()


# Confluent's ByteArrayFormat, with a delimiter that no value holds.
DELIMITER = b"\r\n--\r\n"
for name, list in (("avro.bin", values), ("json.bin", json_values), ("proto.bin", proto_values), ("glue.bin", glue_values)):
    assert all(DELIMITER not in v for v in list)
    put(name, b"".join(v + DELIMITER for v in list))
# Lenses' envelope, where bytes are base64; and MSK's event, where all values are.
put("lenses.jsonl", "".join(json.dumps({"value": b64(v), "valueIsArray": True, "headers": {"h": "1"}, "metadata": {"timestamp": 1772323200000 + i, "topic": "pay", "partition": 3, "offset": 100 + i}}) + "\n"
                            for i, v in enumerate(values)).encode())
put("lenses-header.jsonl", "".join(json.dumps({"value": b64(v), "valueIsArray": True, "headers": {"__value_schema_id": b64(h)}, "metadata": {"timestamp": 1772323200000 + i, "topic": "pay", "partition": 3, "offset": 100 + i}}) + "\n"
                                   for i, (v, h) in enumerate(named)).encode())
put("aiven-header.jsonl", "".join(json.dumps({"value": b64(v), "headers": [{"key": "h", "value": "MQ=="}, {"key": "__value_schema_id", "value": b64(h)}], "offset": 100 + i}) + "\n"
                                  for i, (v, h) in enumerate(named)).encode())
put("msk.jsonl", "".join(json.dumps({"topic": "pay", "partition": 3, "offset": 100 + i, "timestamp": 1772323200000 + i, "timestampType": "CREATE_TIME", "key": b64(b"k"), "value": b64(v), "headers": [{"h": [49, -1]}]}) + "\n"
                         for i, v in enumerate(values)).encode())
# Byte columns.
pq.write_table(pa.table({"value": pa.array(values, pa.binary()), "offset": pa.array(range(100, 120), pa.int64())}), f"{here}/bytes.parquet", row_group_size=7)
with open(f"{here}/bytes.avro", "wb") as f:
    fastavro.writer(f, {"type": "record", "name": "connector_records", "fields": [{"name": "value", "type": "bytes"}, {"name": "offset", "type": "long"}]},
                    [{"value": v, "offset": 100 + i} for i, v in enumerate(values)], codec="deflate")

os.makedirs(f"{here}/schemas", exist_ok=True)
answers = []
for subject in registry.get_subjects():
    for v in registry.get_versions(subject):
        r = registry.get_version(subject, v)
        answer = {"subject": subject, "version": v, "id": r.schema_id, "guid": r.guid, "schema": r.schema.schema_str}
        if r.schema.schema_type != "AVRO":
            answer["schemaType"] = r.schema.schema_type
        if r.schema.schema_type == "PROTOBUF":
            with open(f"{here}/event.proto") as f:
                answer["schema"] = f.read()
        answers.append(answer)
with open(f"{here}/schemas/pay-value.json", "w") as f:  # as GET /schemas lists them
    json.dump(answers, f, indent=1, sort_keys=True)
    f.write("\n")
with open(f"{here}/schemas/glue.json", "w") as f:
    json.dump({"SchemaVersionId": str(version), "SchemaDefinition": next(a["schema"] for a in answers if "source" not in a["schema"]), "DataFormat": "AVRO",
               "SchemaArn": "arn:aws:glue:eu-west-1:111122223333:schema/acme/pay", "VersionNumber": 1, "Status": "AVAILABLE"}, f, indent=1)
    f.write("\n")
