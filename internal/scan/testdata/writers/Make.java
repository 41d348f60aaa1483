// Writes the twenty records of ../formats/plain.jsonl as programs of Kafka Connect's world do, into the current folder:
// JSON by Connect's JsonConverter, Parquet by parquet-java's Avro writer, Avro by Avro's own.
// Dependencies: org.apache.parquet:parquet-avro:1.15.2, org.apache.hadoop:hadoop-client-runtime:3.4.1,
// org.apache.kafka:connect-json:3.9.1, org.slf4j:slf4j-nop:1.7.36. It was run once with Java 17:
//   java -cp 'lib/*' Make.java ../formats/plain.jsonl

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.avro.Conversions;
import org.apache.avro.LogicalTypes;
import org.apache.avro.file.CodecFactory;
import org.apache.avro.file.DataFileWriter;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.hadoop.conf.Configuration;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.parquet.avro.AvroParquetWriter;
import org.apache.parquet.column.ParquetProperties.WriterVersion;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;

public class Make {
  record Row(String id, String type, long micros, BigDecimal amount, BigDecimal wide, String currency, String note) {}

  static final List<Row> rows = new ArrayList<>();

  static BigDecimal decimal(JsonNode n) {
    return n.isNull() ? null : new BigDecimal(n.asText());
  }

  public static void main(String[] args) throws Exception {
    for (String line : Files.readAllLines(Path.of(args[0]))) {
      JsonNode n = new ObjectMapper().readTree(line);
      Instant at = Instant.parse(n.get("at").asText());
      rows.add(new Row(n.get("id").asText(), n.get("type").asText(), at.getEpochSecond() * 1000000 + at.getNano() / 1000,
          decimal(n.get("amount")), decimal(n.get("wide")), n.get("currency").asText(), n.get("note").asText()));
    }
    connect("connect-schemas-base64", true, "BASE64");
    connect("connect-base64", false, "BASE64");
    connect("connect-numeric", false, "NUMERIC");
    variable("connect-variable-scale");
    for (CompressionCodecName codec : List.of(CompressionCodecName.SNAPPY, CompressionCodecName.GZIP, CompressionCodecName.ZSTD)) {
      parquet("parquet-avro-" + codec.name().toLowerCase(), codec, WriterVersion.PARQUET_1_0);
    }
    parquet("parquet-avro-version-2", CompressionCodecName.SNAPPY, WriterVersion.PARQUET_2_0);
    avro("avro-java-snappy", CodecFactory.snappyCodec());
    avro("avro-java-zstandard", CodecFactory.zstandardCodec(3, true));
    avro("avro-java-deflate", CodecFactory.deflateCodec(9));
  }

  // Connect's own Timestamp has milliseconds; Debezium's microseconds are an INT64 of that name.
  static SchemaBuilder event() {
    return SchemaBuilder.struct().name("acme.Event").field("id", Schema.STRING_SCHEMA).field("type", Schema.STRING_SCHEMA)
        .field("at", SchemaBuilder.int64().name("io.debezium.time.MicroTimestamp").version(1).build());
  }

  static Struct fill(Schema s, Row r) {
    return new Struct(s).put("id", r.id).put("type", r.type).put("at", r.micros).put("currency", r.currency).put("note", r.note);
  }

  static void json(String name, boolean schemas, String format, Schema s, java.util.function.Function<Row, Struct> value) throws Exception {
    JsonConverter c = new JsonConverter();
    c.configure(Map.of("schemas.enable", schemas, "decimal.format", format), false);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (Row r : rows) {
      out.write(c.fromConnectData("pay", s, value.apply(r)));
      out.write('\n');
    }
    Files.write(Path.of(name + ".jsonl"), out.toByteArray());
  }

  static void connect(String name, boolean schemas, String format) throws Exception {
    Schema s = event().field("amount", Decimal.builder(2).optional().build()).field("wide", Decimal.schema(4))
        .field("currency", Schema.STRING_SCHEMA).field("note", Schema.STRING_SCHEMA).build();
    json(name, schemas, format, s, r -> fill(s, r).put("amount", r.amount).put("wide", r.wide.setScale(4)));
  }

  // Debezium's io.debezium.data.VariableScaleDecimal: each value with the scale that it happens to have.
  static void variable(String name) throws Exception {
    Schema d = SchemaBuilder.struct().name("io.debezium.data.VariableScaleDecimal").version(1).optional()
        .field("scale", Schema.INT32_SCHEMA).field("value", Schema.BYTES_SCHEMA).build();
    Schema s = event().field("amount", d).field("wide", d).field("currency", Schema.STRING_SCHEMA).field("note", Schema.STRING_SCHEMA).build();
    java.util.function.Function<BigDecimal, Struct> of = v -> v == null ? null
        : new Struct(d).put("scale", v.stripTrailingZeros().scale()).put("value", v.stripTrailingZeros().unscaledValue().toByteArray());
    json(name, false, "BASE64", s, r -> fill(s, r).put("amount", of.apply(r.amount)).put("wide", of.apply(r.wide)));
  }

  // The schema that Confluent's AvroData makes of Connect's, decimals with its precision of 64 and all.
  static final org.apache.avro.Schema AVRO = new org.apache.avro.Schema.Parser().parse("""
      {"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","connect.name":"acme.Event","fields":[
       {"name":"id","type":"string"},{"name":"type","type":"string"},
       {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
       {"name":"amount","type":["null",{"type":"bytes","scale":2,"precision":64,"connect.version":1,"connect.parameters":{"scale":"2"},
         "connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}],"default":null},
       {"name":"wide","type":{"type":"bytes","scale":4,"precision":64,"connect.version":1,"connect.parameters":{"scale":"4"},
         "connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}},
       {"name":"currency","type":"string"},{"name":"note","type":"string"},
       {"name":"tags","type":{"type":"array","items":"string"}}]}""");

  static GenericRecord record(Row r) {
    GenericRecord g = new GenericData.Record(AVRO);
    g.put("id", r.id);
    g.put("type", r.type);
    g.put("at", r.micros);
    Conversions.DecimalConversion c = new Conversions.DecimalConversion();
    g.put("amount", r.amount == null ? null : c.toBytes(r.amount, null, LogicalTypes.decimal(64, 2)));
    g.put("wide", c.toBytes(r.wide.setScale(4), null, LogicalTypes.decimal(64, 4)));
    g.put("currency", r.currency);
    g.put("note", r.note);
    g.put("tags", List.of("a", r.id));
    return g;
  }

  static void parquet(String name, CompressionCodecName codec, WriterVersion version) throws Exception {
    Path path = Path.of(name + ".parquet");
    Files.deleteIfExists(path);
    Configuration conf = new Configuration(false);
    try (ParquetWriter<GenericRecord> w = AvroParquetWriter.<GenericRecord>builder(new org.apache.hadoop.fs.Path(path.toString()))
        .withConf(conf).withSchema(AVRO).withCompressionCodec(codec).withWriterVersion(version).withPageSize(256).withMinRowCountForPageSizeCheck(3).build()) {
      for (Row r : rows) {
        w.write(record(r));
      }
    }
    Files.deleteIfExists(Path.of("." + name + ".parquet.crc"));
  }

  static void avro(String name, CodecFactory codec) throws Exception {
    try (DataFileWriter<GenericRecord> w = new DataFileWriter<>(new GenericDatumWriter<>(AVRO))) {
      w.setCodec(codec).setSyncInterval(600).create(AVRO, new File(name + ".avro"));
      for (Row r : rows) {
        w.append(record(r));
      }
    }
  }
}
