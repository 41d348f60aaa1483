// Package writers proves the Redshift stand-in's COPY by Parquet files that other programs wrote; it holds tests alone.
//
// Each file in testdata is a case with its own name. It loads, and then the table holds what the writer's own reader says
// is in the file (the golden text beside it), or it is refused by the rules of Redshift with the documented text.
// testdata/README.md says where the files come from.
package writers
