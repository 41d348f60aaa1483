package confluent

import (
	"maps"

	"backfill/internal/sandbox/archiver"
)

// The connector's settings that are modelled, by its names.
const (
	setDir        = "topics.dir"
	setDirDelim   = "directory.delim"
	setFileDelim  = "file.delim"
	setPad        = "filename.offset.zero.pad.width"
	setFlush      = "flush.size"
	setRotate     = "rotate.interval.ms"
	setSchedule   = "rotate.schedule.interval.ms"
	setClass      = "partitioner.class"
	setPath       = "path.format"
	setDuration   = "partition.duration.ms"
	setLocale     = "locale"
	setZone       = "timezone"
	setExtractor  = "timestamp.extractor"
	setTimeField  = "timestamp.field"
	setFields     = "partition.field.name"
	setFormat     = "format.class"
	setCompress   = "s3.compression.type"
	setAvro       = "avro.codec"
	setParquet    = "parquet.codec"
	setExtension  = "format.bytearray.extension"
	setSeparator  = "format.bytearray.separator"
	setKeys       = "store.kafka.keys"
	setKeyForm    = "keys.format.class"
	setHeaders    = "store.kafka.headers"
	setHeadForm   = "headers.format.class"
	setNulls      = "behavior.on.null.values"
	setTombFolder = "tombstone.encoded.partition"
	setNoClobber  = "enable.conditional.writes"
)

// defaults are the connector's, but for a zone and a path that it wants to be told.
var defaults = archiver.Settings{
	setDir: "topics", setDirDelim: "/", setFileDelim: "+", setPad: "10",
	setFlush: "", setRotate: "-1", setSchedule: "-1",
	setClass: classDefault, setPath: hourlyPath, setDuration: "3600000", setLocale: "en-US", setZone: "UTC",
	setExtractor: clockWallclock, setTimeField: "occurred_at", setFields: "currency",
	setFormat: formatJSON, setCompress: "gzip", setAvro: "null", setParquet: "snappy",
	setExtension: ".bin", setSeparator: `\n`,
	setKeys: "false", setKeyForm: formatAvro, setHeaders: "false", setHeadForm: formatAvro,
	setNulls: "ignore", setTombFolder: "tombstone", setNoClobber: "true",
}

type preset struct {
	name, line string
	settings   archiver.Settings
}

var presets = []preset{
	{"confluent-json", "default partitioner, JSON lines", nil},
	{"confluent-avro", "default partitioner, Avro", archiver.Settings{setFormat: formatAvro, setAvro: "snappy"}},
	{"confluent-parquet", "default partitioner, Parquet", archiver.Settings{setFormat: formatParquet}},
	{"confluent-bytes", "default partitioner, ByteArrayFormat", archiver.Settings{setFormat: formatBytes}},
	{"confluent-schedule", "default partitioner, JSON, scheduled rotation with conditional writes",
		archiver.Settings{setSchedule: "7200000"}},
	{"confluent-hourly", "hourly folders of Kafka's time in New York, JSON",
		archiver.Settings{setClass: classHourly, setExtractor: clockRecord, setZone: "America/New_York"}},
	{"confluent-hourly-avro", "hourly folders of Kafka's time in New York, Avro",
		archiver.Settings{setClass: classHourly, setExtractor: clockRecord, setZone: "America/New_York", setFormat: formatAvro}},
	{"confluent-hourly-event", "hourly folders of event time in New York, Parquet",
		archiver.Settings{setClass: classHourly, setExtractor: clockField, setZone: "America/New_York", setFormat: formatParquet}},
	{"confluent-daily", "daily folders of the connector's clock, JSON", archiver.Settings{setClass: classDaily}},
	{"confluent-daily-parquet", "daily folders of Kafka's time, Parquet",
		archiver.Settings{setClass: classDaily, setExtractor: clockRecord, setFormat: formatParquet}},
	{"confluent-time", "folders dt=yyyy-MM-dd/HH of event time in New York, rotated as it changes, JSON", archiver.Settings{
		setClass: classTime, setExtractor: clockField, setZone: "America/New_York",
		setPath: "'dt'=yyyy-MM-dd/HH", setRotate: "3600000"}},
	{"confluent-field", "folders by currency, JSON", archiver.Settings{setClass: classField}},
	{"confluent-field-avro", "folders by type and currency, Avro",
		archiver.Settings{setClass: classField, setFields: "type,currency", setFormat: formatAvro, setAvro: "deflate"}},
	{"confluent-field-parquet", "folders by company, Parquet", archiver.Settings{setClass: classField, setFields: "company_id", setFormat: formatParquet}},
	{"confluent-sides", "default partitioner, JSON, with files of keys, headers and tombstones",
		archiver.Settings{setKeys: "true", setHeaders: "true", setNulls: nullsWrite, setKeyForm: formatJSON, setHeadForm: formatJSON}},
	{"confluent-sides-avro", "default partitioner, Parquet, with Avro files of keys, headers and tombstones",
		archiver.Settings{setKeys: "true", setHeaders: "true", setNulls: nullsWrite, setFormat: formatParquet}},
	{"confluent-delims", "default partitioner, JSON, folders by _, names by ~, offsets of 20 digits",
		archiver.Settings{setDirDelim: "_", setFileDelim: "~", setPad: "20"}},
	{"confluent-blank", "default partitioner, JSON, no topics.dir", archiver.Settings{setDir: ""}},
}

// Layouts returns the connector's layouts. The settings of each can be changed to make others.
func Layouts() []archiver.Layout {
	layouts := make([]archiver.Layout, len(presets))
	for i, p := range presets {
		settings := maps.Clone(defaults)
		maps.Copy(settings, p.settings)
		layouts[i] = archiver.Layout{Name: p.name, Line: "Confluent S3 sink: " + p.line, Settings: settings, Open: open}
	}
	return layouts
}
