package redshiftd

import (
	"fmt"
	"strings"
)

// function is one entry of the whitelist. want are the types that untyped arguments take; the last one repeats.
type function struct {
	min, max int
	want     []typ
	bind     func(b *binder, a []bound) (bound, error)
}

var (
	tText  = varchar(maxVarchar)
	tInt4  = typ{kind: kInt4}
	tInt8  = typ{kind: kInt8}
	tBool  = typ{kind: kBool}
	tFloat = typ{kind: kFloat8}
	tStamp = typ{kind: kTimestamp}
	tSuper = typ{kind: kSuper}
)

// aggregates may not stand in WHERE; those of windowOnly need OVER.
var (
	aggregates = wordSet("count sum avg min max listagg bool_and bool_or any_value")
	windowOnly = wordSet("row_number rank dense_rank lag lead first_value last_value ntile")
)

func (b *binder) call(c *call, sc *scope) (bound, error) {
	if aggregates[c.name] || windowOnly[c.name] {
		return b.aggregate(c, sc)
	}
	if c.star || c.distinct || c.within != nil || c.over != nil || c.nulls != "" {
		return bound{}, errorf("42809", "%s is not an aggregate function", c.name)
	}
	if x, ok, err := b.sessionFunction(c, sc); ok || err != nil {
		return x, err
	}
	if x, ok, err := b.specialFunction(c, sc); ok || err != nil {
		return x, err
	}
	f, ok := functions[c.name]
	if !ok {
		return bound{}, b.unknownFunction(c, sc)
	}
	args, err := b.exprs(c.args, sc)
	if err != nil {
		return bound{}, err
	}
	if len(args) < f.min || len(args) > f.max {
		return bound{}, errFunction(c.name, args)
	}
	for i, a := range args {
		want := f.want[min(i, len(f.want)-1)]
		if want.kind == kUnknown {
			args[i] = a
			continue
		}
		if args[i], err = b.argument(a, want); err != nil {
			return bound{}, errFunction(c.name, args)
		}
	}
	return f.bind(b, args)
}

// argument brings an argument to the wanted type as an implicit cast would.
func (b *binder) argument(x bound, want typ) (bound, error) {
	if x.untyped() {
		return b.coerce(x, want)
	}
	ok := false
	switch {
	case want.isText():
		if x.t.isText() {
			return x, nil
		}
		ok = x.t.isNumber() && !x.t.isFloat() || x.t.isTime()
	case want.isInt():
		ok = x.t.isInt()
	case want.kind == kTimestamp:
		ok = x.t.isTime()
	case want.isFloat():
		ok = x.t.isNumber()
	default:
		ok = x.t.kind == want.kind
	}
	if !ok {
		return x, errCast(x.t, want)
	}
	return b.convert(x, want)
}

func errFunction(name string, args []bound) error {
	var types []string
	for _, a := range args {
		types = append(types, a.t.name())
	}
	return errorf("42883", "function %s(%s) does not exist", name, strings.Join(types, ", "))
}

// redshiftFunctions exist there and are not modelled here; anything else does not exist at all.
var redshiftFunctions = wordSet(`regexp_replace regexp_substr regexp_count regexp_instr chr to_date to_timestamp to_number months_between next_day sqrt power exp ln
log random sign ceiling is_array is_object is_varchar
object get_array_length array array_concat murmur3_32_hash checksum hashbytes stddev stddev_samp variance var_samp
median percentile_cont percentile_disc approximate hll nth_value ratio_to_report cume_dist percent_rank bit_and bit_or
current_setting has_table_privilege quote_ident quote_literal to_hex
timezone interval_cmp timeofday trunc try_cast date_cmp isnull ifnull octetindex bpcharcmp collate soundex difference`)

func (b *binder) unknownFunction(c *call, sc *scope) error {
	args, err := b.exprs(c.args, sc)
	if err != nil {
		return err
	}
	if redshiftFunctions[c.name] {
		return strict("function %s is not supported", c.name)
	}
	return errFunction(c.name, args)
}

// aggregate binds aggregates and window functions.
func (b *binder) aggregate(c *call, sc *scope) (bound, error) {
	if c.over == nil && !sc.aggs {
		return bound{}, errorf("42803", "aggregates not allowed in WHERE clause")
	}
	if c.over != nil && !sc.windows {
		return bound{}, errorf("42P20", "window functions not allowed here")
	}
	if c.over == nil && windowOnly[c.name] {
		return bound{}, errorf("42809", "window function %s requires an OVER clause", c.name)
	}
	inner := *sc
	if c.over == nil {
		inner.aggs, inner.windows = false, false
	}
	args, err := b.exprs(c.args, &inner)
	if err != nil {
		return bound{}, err
	}
	over := ""
	if c.over != nil {
		if c.distinct {
			return bound{}, errorf("0A000", "DISTINCT is not supported in a window function")
		}
		if aggregates[c.name] && len(c.over.order) > 0 && c.over.frame == "" {
			return bound{}, errorf("0A000", "Aggregate window functions with an ORDER BY clause require a frame clause")
		}
		if over, err = b.over(c.over, &inner); err != nil {
			return bound{}, err
		}
	}
	if windowOnly[c.name] {
		return b.windowFunction(c, args, over)
	}
	if c.name == "listagg" {
		return b.listagg(c, args, over, &inner)
	}
	if c.within != nil || c.nulls != "" {
		return bound{}, errSyntax("within")
	}
	if c.name == "count" && c.star {
		return bound{sql: "count(*)" + over, t: tInt8}, nil
	}
	if len(args) != 1 || c.star {
		return bound{}, errFunction(c.name, args)
	}
	return b.simpleAggregate(c, b.settle(args[0]), over)
}

func (b *binder) over(w *window, sc *scope) (string, error) {
	var parts []string
	if len(w.partition) > 0 {
		var keys []string
		for _, e := range w.partition {
			x, err := b.expr(e, sc)
			if err != nil {
				return "", err
			}
			keys = append(keys, trimmed(b.settle(x)))
		}
		parts = append(parts, "PARTITION BY "+strings.Join(keys, ", "))
	}
	if len(w.order) > 0 {
		order, err := b.orderList(w.order, sc)
		if err != nil {
			return "", err
		}
		parts = append(parts, "ORDER BY "+order)
	}
	if w.frame != "" {
		parts = append(parts, w.frame)
	}
	return " OVER (" + strings.Join(parts, " ") + ")", nil
}

func (b *binder) simpleAggregate(c *call, x bound, over string) (bound, error) {
	arg := x.sql
	if c.distinct {
		arg = "DISTINCT " + trimmed(x)
	}
	agg := func(name, arg string) string { return name + "(" + arg + ")" + over }
	bad := errFunction(c.name, []bound{x})
	switch c.name {
	case "count":
		return bound{sql: agg("count", arg), t: tInt8}, nil
	case "min", "max":
		if x.t.kind == kSuper || x.t.kind == kBool {
			return x, bad
		}
		return bound{sql: agg(c.name, arg), t: x.t}, nil
	case "any_value":
		return bound{sql: agg("any_value", arg), t: x.t}, nil
	case "bool_and", "bool_or":
		if x.t.kind != kBool {
			return x, bad
		}
		return bound{sql: agg(c.name, arg), t: tBool}, nil
	}
	if !x.t.isNumber() {
		return x, bad
	}
	switch {
	case x.t.isFloat():
		return bound{sql: agg(c.name, arg), t: tFloat}, nil
	case c.name == "sum" && x.t.isInt():
		return bound{sql: castSQL(agg("sum", arg), tInt8), t: tInt8}, nil
	case c.name == "sum":
		t := numeric(maxPrecision, x.t.s)
		return bound{sql: castSQL(agg("sum", arg), t), t: t}, nil
	case x.t.isInt(): // AVG of integers truncates
		return bound{sql: castSQL("("+agg("sum", arg)+" // "+agg("count", arg)+")", tInt8), t: tInt8}, nil
	}
	t := numeric(maxPrecision, x.t.s)
	return bound{sql: castSQL(fmt.Sprintf("rs_divide(CAST(%s AS VARCHAR),CAST(nullif(%s,0) AS VARCHAR),%d)",
		agg("sum", arg), agg("count", arg), t.s), t), t: t}, nil
}

func (b *binder) listagg(c *call, args []bound, over string, sc *scope) (bound, error) {
	if len(args) < 1 || len(args) > 2 {
		return bound{}, errFunction(c.name, args)
	}
	x, err := b.argument(args[0], tText)
	if err != nil {
		return x, err
	}
	sep := bound{sql: "''"}
	if len(args) == 2 {
		if sep = args[1]; sep.text == nil {
			return x, strict("LISTAGG takes a constant delimiter")
		}
	}
	order := ""
	if c.within != nil {
		if order, err = b.orderList(c.within, sc); err != nil {
			return x, err
		}
		order = " ORDER BY " + order
	}
	distinct := ""
	if c.distinct {
		distinct = "DISTINCT "
	}
	return bound{sql: "rs_listagg(string_agg(" + distinct + x.sql + "," + sep.sql + order + ")" + over + ")", t: tText}, nil
}

func (b *binder) windowFunction(c *call, args []bound, over string) (bound, error) {
	for i := range args {
		args[i] = b.settle(args[i])
	}
	bad := errFunction(c.name, args)
	nulls := ""
	if c.nulls != "" {
		nulls = " " + c.nulls
	}
	switch c.name {
	case "row_number", "rank", "dense_rank":
		if len(args) > 0 || c.star {
			return bound{}, bad
		}
		return bound{sql: c.name + "()" + over, t: tInt8}, nil
	case "ntile":
		if len(args) != 1 || !args[0].t.isInt() {
			return bound{}, bad
		}
		return bound{sql: "ntile(" + args[0].sql + ")" + over, t: tInt8}, nil
	case "lag", "lead":
		if len(args) < 1 || len(args) > 2 || len(args) == 2 && !args[1].t.isInt() {
			return bound{}, bad
		}
		sql := args[0].sql
		if len(args) == 2 {
			sql += "," + args[1].sql
		}
		return bound{sql: c.name + "(" + sql + nulls + ")" + over, t: args[0].t}, nil
	}
	if len(args) != 1 {
		return bound{}, bad
	}
	if len(c.over.order) > 0 && c.over.frame == "" {
		return bound{}, errorf("0A000", "Aggregate window functions with an ORDER BY clause require a frame clause")
	}
	return bound{sql: c.name + "(" + args[0].sql + nulls + ")" + over, t: args[0].t}, nil
}
