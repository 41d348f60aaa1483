// Writes the files of parquet-java 1.15.2 into the current folder, and beside each what its own reader says it holds.
// Dependencies: org.apache.parquet:parquet-hadoop:1.15.2, org.apache.hadoop:hadoop-client-runtime:3.4.1,
// org.slf4j:slf4j-nop:1.7.36. It was run once with Java 17.

import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.column.ParquetProperties.WriterVersion;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;

public class Make {
  static final Configuration conf = new Configuration(false);

  static void file(String name, String schema, WriterVersion version, CompressionCodecName codec, int rows, Rows fill,
      Function<Group, String> show) throws IOException {
    MessageType type = MessageTypeParser.parseMessageType("message m { " + schema + " }");
    Path path = new Path(name + ".parquet");
    Files.deleteIfExists(java.nio.file.Path.of(name + ".parquet"));
    SimpleGroupFactory groups = new SimpleGroupFactory(type);
    try (ParquetWriter<Group> w = ExampleParquetWriter.builder(path).withConf(conf).withType(type).withWriterVersion(version)
        .withCompressionCodec(codec).withPageSize(512).withDictionaryPageSize(512).withMinRowCountForPageSizeCheck(10).build()) {
      for (int i = 0; i < rows; i++) {
        Group g = groups.newGroup();
        fill.row(g, i);
        w.write(g);
      }
    }
    List<String> lines = new ArrayList<>();
    try (ParquetReader<Group> r = ParquetReader.builder(new GroupReadSupport(), path).withConf(conf).build()) {
      for (Group g; (g = r.read()) != null;) {
        lines.add(show.apply(g));
      }
    }
    Files.write(java.nio.file.Path.of(name + ".txt"), lines);
    Files.deleteIfExists(java.nio.file.Path.of("." + name + ".parquet.crc"));
  }

  interface Rows {
    void row(Group g, int i);
  }

  static String field(Group g, String name, Function<Group, Object> read) {
    return g.getFieldRepetitionCount(name) == 0 ? "\\N" : String.valueOf(read.apply(g));
  }

  static Binary fixed(BigInteger v, int length) {
    byte[] out = new byte[length];
    if (v.signum() < 0) {
      java.util.Arrays.fill(out, (byte) 0xff);
    }
    byte[] in = v.toByteArray();
    System.arraycopy(in, 0, out, length - in.length, in.length);
    return Binary.fromConstantByteArray(out);
  }

  static Binary int96(long days, long nanos) {
    return Binary.fromConstantByteArray(ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN).putLong(nanos).putInt((int) (days + 2440588)).array());
  }

  static String micros(long v) {
    return Instant.ofEpochSecond(Math.floorDiv(v, 1000000), Math.floorMod(v, 1000000) * 1000L).toString().replace("T", " ").replace("Z", "")
        .replaceAll("(\\.\\d*?)0+$", "$1");
  }

  static void scalars(String name, WriterVersion version, CompressionCodecName codec) throws IOException {
    file(name, "optional boolean a; optional int32 b (INTEGER(16,true)); optional int32 c; optional int64 d; optional float e; optional double f;"
        + " optional binary g (STRING); optional int32 h (DATE); optional int64 i (TIMESTAMP(MICROS,true));", version, codec, 40, (g, i) -> {
          if (i % 4 == 3) {
            return;
          }
          g.append("a", i % 2 == 0).append("b", -i).append("c", i * 1000).append("d", i * 10000000000L).append("e", i / 2f).append("f", i / 4.0)
              .append("g", "row " + i).append("h", 20520 + i).append("i", 1772937000000001L + i);
        }, g -> String.join("|", field(g, "a", x -> x.getBoolean("a", 0) ? "t" : "f"), field(g, "b", x -> x.getInteger("b", 0)),
            field(g, "c", x -> x.getInteger("c", 0)), field(g, "d", x -> x.getLong("d", 0)),
            field(g, "e", x -> new BigDecimal(x.getFloat("e", 0)).stripTrailingZeros().toPlainString()),
            field(g, "f", x -> new BigDecimal(x.getDouble("f", 0)).stripTrailingZeros().toPlainString()), field(g, "g", x -> x.getString("g", 0)),
            field(g, "h", x -> LocalDate.ofEpochDay(x.getInteger("h", 0))), field(g, "i", x -> micros(x.getLong("i", 0)))));
  }

  static void decimal(String name, String physical, int precision, BigInteger... values) throws IOException {
    int length = physical.startsWith("fixed") ? Integer.parseInt(physical.replaceAll("\\D", "")) : 0;
    file(name, "required " + physical + " v (DECIMAL(" + precision + ",2));", WriterVersion.PARQUET_1_0, CompressionCodecName.UNCOMPRESSED, values.length,
        (g, i) -> {
          if (physical.equals("int32")) {
            g.append("v", values[i].intValueExact());
          } else if (physical.equals("int64")) {
            g.append("v", values[i].longValueExact());
          } else if (length > 0) {
            g.append("v", fixed(values[i], length));
          } else {
            g.append("v", Binary.fromConstantByteArray(values[i].toByteArray()));
          }
        }, g -> {
          BigInteger n = physical.equals("int32") ? BigInteger.valueOf(g.getInteger("v", 0))
              : physical.equals("int64") ? BigInteger.valueOf(g.getLong("v", 0)) : new BigInteger(g.getBinary("v", 0).getBytes());
          return new BigDecimal(n, 2).toPlainString();
        });
  }

  public static void main(String[] args) throws IOException {
    scalars("scalars", WriterVersion.PARQUET_1_0, CompressionCodecName.UNCOMPRESSED);
    scalars("scalars-snappy", WriterVersion.PARQUET_1_0, CompressionCodecName.SNAPPY);
    scalars("scalars-gzip", WriterVersion.PARQUET_1_0, CompressionCodecName.GZIP);
    scalars("scalars-zstd", WriterVersion.PARQUET_1_0, CompressionCodecName.ZSTD);
    scalars("scalars-lz4-raw", WriterVersion.PARQUET_1_0, CompressionCodecName.LZ4_RAW);
    scalars("version-2", WriterVersion.PARQUET_2_0, CompressionCodecName.SNAPPY);
    BigInteger[] small = {BigInteger.valueOf(-123456789), BigInteger.ZERO, BigInteger.ONE};
    BigInteger[] large = {new BigInteger("-123456789012345678"), BigInteger.ONE};
    decimal("decimal-int32", "int32", 9, small);
    decimal("decimal-int64", "int64", 18, large);
    decimal("decimal-fixed-minimal", "fixed_len_byte_array(8)", 18, large);
    decimal("decimal-fixed-wide", "fixed_len_byte_array(13)", 18, large);
    decimal("decimal-binary", "binary", 18, large);
    file("int96", "required int96 v;", WriterVersion.PARQUET_1_0, CompressionCodecName.SNAPPY, 2, (g, i) -> g.append("v", int96(20520 + i, 9000000001000L)),
        g -> {
          ByteBuffer b = g.getInt96("v", 0).toByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
          long nanos = b.getLong();
          return micros((b.getInt() - 2440588L) * 86400000000L + nanos / 1000);
        });
    file("list", "optional group v (LIST) { repeated group list { optional int64 element; } }", WriterVersion.PARQUET_1_0, CompressionCodecName.SNAPPY, 3, (g, i) -> {
      if (i == 1) {
        return;
      }
      Group v = g.addGroup("v");
      for (int n = 0; n < i; n++) {
        v.addGroup("list").append("element", (long) n);
      }
    }, g -> {
      if (g.getFieldRepetitionCount("v") == 0) {
        return "\\N";
      }
      Group v = g.getGroup("v", 0);
      List<String> items = new ArrayList<>();
      for (int n = 0; n < v.getFieldRepetitionCount("list"); n++) {
        items.add(String.valueOf(v.getGroup("list", n).getLong("element", 0)));
      }
      return "[" + String.join(",", items) + "]";
    });
    file("struct", "required group v { required int32 a; optional binary b (STRING); }", WriterVersion.PARQUET_1_0, CompressionCodecName.SNAPPY, 2, (g, i) -> {
      Group v = g.addGroup("v").append("a", i);
      if (i == 0) {
        v.append("b", "x");
      }
    }, g -> {
      Group v = g.getGroup("v", 0);
      return "{\"a\":" + v.getInteger("a", 0) + ",\"b\":" + (v.getFieldRepetitionCount("b") == 0 ? "null" : "\"" + v.getString("b", 0) + "\"") + "}";
    });
    file("enum", "required binary v (ENUM);", WriterVersion.PARQUET_1_0, CompressionCodecName.SNAPPY, 1, (g, i) -> g.append("v", "A"), g -> g.getString("v", 0));
    file("json", "required binary v (JSON);", WriterVersion.PARQUET_1_0, CompressionCodecName.SNAPPY, 1, (g, i) -> g.append("v", "{}"), g -> g.getString("v", 0));
    file("no-rows", "required int32 v;", WriterVersion.PARQUET_1_0, CompressionCodecName.SNAPPY, 0, (g, i) -> { }, g -> "");
  }
}
