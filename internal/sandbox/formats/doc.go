// Package formats writes the file formats that archivers put Kafka records into: Avro object container files and
// Parquet as Kafka Connect shapes them, Hadoop sequence files, the dialects of snappy, zip. It writes by the formats'
// specifications, not with the libraries of the program under test, except that Parquet's pages are a library's.
//
// A datum is what a schema's type needs: nil, bool, int64, float64, string, []byte (also of a decimal: the big-endian
// two's complement of its digits), []any, map[string]any for records and maps. Whatever else is an error.
package formats
