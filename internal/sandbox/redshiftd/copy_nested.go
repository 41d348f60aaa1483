package redshiftd

import (
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// nestedFault tells what in a nested column is not known to become SUPER, or nothing. SUPER holds no dates, and what
// Redshift makes of the other types inside lists, maps and structs is nowhere confirmed.
func nestedFault(schema []format.SchemaElement, i int) string {
	e := &schema[i]
	if !e.NumChildren.Valid {
		c := newFileColumn(e, i-1)
		if !nestable(c) {
			return fmt.Sprintf("%s inside of a nested column is not supported (stand-in strictness)", c.text)
		}
		return ""
	}
	end := subtreeEnd(schema, i)
	if note := newFileColumn(e, i-1).note; note == "map" && !mapOfPairs(schema, i, end) {
		return fmt.Sprintf("map %s does not hold pairs with a required key (stand-in strictness)", e.Name)
	}
	for child := i + 1; child < end; child = subtreeEnd(schema, child) {
		if fault := nestedFault(schema, child); fault != "" {
			return fault
		}
	}
	return ""
}

func nestable(c fileColumn) bool {
	switch c.kind {
	case "boolean", "float", "double":
		return c.note == ""
	case "int32", "int64":
		return c.note == "" || c.note == "decimal" || c.note == "int" && c.s == 1
	case "byte_array":
		return c.note == "string"
	case "fixed":
		return c.note == "decimal"
	}
	return false
}

// mapOfPairs tells whether a MAP is a repeated group of a required key and a value. Old writers annotate that group as
// a map, too, which is passed over.
func mapOfPairs(schema []format.SchemaElement, i, end int) bool {
	pairs := i + 1
	if schema[pairs-1].RepetitionType.V == format.Repeated {
		return true // the annotated group of pairs itself
	}
	if pairs >= end || schema[pairs].NumChildren.V != 2 || schema[pairs].RepetitionType.V != format.Repeated {
		return false
	}
	return schema[pairs+1].RepetitionType.V == format.Required
}
