// Package archivegen writes Kafka archives with planted faults, and the truth about them.
//
// The archives look as the Confluent S3 sink with its default partitioner leaves them: one folder per
// Kafka partition, JSON lines, each object named by the offset of its first record. The contents are
// payroll events of one month and of a few days around it. Every fault is switchable, and the returned
// Truth says how each archived record must end, to the record and to the cent.
//
// The package imports nothing of the product, so that generator and reader cannot share one
// misunderstanding; it holds no reader, opens no network connection and writes only to the Sink it is
// given. The sandbox program calls it, and so do the tests that need an archive whose answer is known.
//
// The same Options give the same keys, the same bytes and the same Truth, whatever Parallel is: each event
// is drawn from a generator of its own, seeded by (Seed, partition, position), so that any object can be
// written, or written again, without what stands before it.
package archivegen
