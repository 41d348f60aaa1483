// Package confluent archives as the Confluent S3 sink connector does: its partitioners, its rotation, its
// formats, its side files of keys, headers and tombstones, and the ways in which it writes records twice.
//
// Not modelled: JsonConverter's rendering of numbers (JSON and bytes hold the producer's text), schemas that
// change, object tags, partitioner.max.open.files, schema affixes in folders, and the idle tail that no
// rotation writes: what is open at the end of the log is written as if the connector flushed once more.
package confluent
