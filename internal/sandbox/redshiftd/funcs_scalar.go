package redshiftd

import (
	"fmt"
	"strings"
)

// simple makes an entry whose engine form is a format string over the arguments.
func simple(t typ, format string, want ...typ) function {
	return function{len(want), len(want), want, func(_ *binder, a []bound) (bound, error) {
		args := make([]any, len(a))
		for i := range a {
			args[i] = a[i].sql
		}
		return bound{sql: fmt.Sprintf(format, args...), t: t, nulls: strictNulls(a...)}, nil
	}}
}

// sameText keeps the length of the first argument.
func sameText(format string, want ...typ) function {
	f := simple(tText, format, want...)
	inner := f.bind
	f.bind = func(b *binder, a []bound) (bound, error) {
		x, err := inner(b, a)
		x.t = varchar(a[0].t.p)
		return x, err
	}
	return f
}

// functions is the whitelist of scalar functions, as forms of the engine.
var functions = map[string]function{
	"lower":                           sameText("lower(%s)", tText),
	"upper":                           sameText("upper(%s)", tText),
	"btrim":                           trimFunction("trim"),
	"trim":                            trimFunction("trim"),
	"ltrim":                           trimFunction("ltrim"),
	"rtrim":                           trimFunction("rtrim"),
	"len":                             simple(tInt4, "CAST(length(%s) AS INTEGER)", tText),
	"length":                          simple(tInt4, "CAST(length(%s) AS INTEGER)", tText),
	"char_length":                     simple(tInt4, "CAST(length(%s) AS INTEGER)", tText),
	"character_length":                simple(tInt4, "CAST(length(%s) AS INTEGER)", tText),
	"octet_length":                    simple(tInt4, "CAST(strlen(%s) AS INTEGER)", tText),
	"left":                            sameText("rs_left(%s,%s)", tText, tInt8),
	"right":                           sameText("rs_right(%s,%s)", tText, tInt8),
	"substring":                       substringFunction,
	"substr":                          substringFunction,
	"replace":                         simple(tText, "rs_fit(replace(%s,%s,%s),65535)", tText, tText, tText),
	"lpad":                            padFunction("lpad"),
	"rpad":                            padFunction("rpad"),
	"concat":                          {2, 2, []typ{{}}, func(b *binder, a []bound) (bound, error) { return b.concat(a[0], a[1]) }},
	"strpos":                          simple(tInt4, "CAST(strpos(%s,%s) AS INTEGER)", tText, tText),
	"charindex":                       simple(tInt4, "CAST(strpos(%[2]s,%[1]s) AS INTEGER)", tText, tText),
	"md5":                             simple(varchar(32), "md5(%s)", tText),
	"sha":                             simple(varchar(40), "sha1(%s)", tText),
	"sha1":                            simple(varchar(40), "sha1(%s)", tText),
	"func_sha1":                       simple(varchar(40), "sha1(%s)", tText),
	"sha2":                            simple(varchar(128), "rs_sha2(%s,%s)", tText, tInt8),
	"crc32":                           simple(varchar(8), "rs_crc32(%s)", tText),
	"strtol":                          simple(tInt8, "rs_strtol(%s,%s)", tText, tInt8),
	"farmfingerprint64":               {1, 1, []typ{tText}, fingerprint},
	"json_parse":                      simple(tSuper, "rs_json_parse(%s)", tText),
	"json_serialize":                  simple(tText, "rs_fit(%s,65535)", tSuper),
	"is_valid_json":                   simple(tBool, "rs_json_valid(%s)", tText),
	"coalesce":                        {1, 100, []typ{{}}, coalesce},
	"nvl":                             {1, 100, []typ{{}}, coalesce},
	"nullif":                          {2, 2, []typ{{}}, nullif},
	"decode":                          {3, 1000, []typ{{}}, decode},
	"greatest":                        {1, 100, []typ{{}}, extreme("greatest")},
	"least":                           {1, 100, []typ{{}}, extreme("least")},
	"abs":                             {1, 1, []typ{{}}, numberFunction("abs")},
	"mod":                             {2, 2, []typ{{}}, func(b *binder, a []bound) (bound, error) { return b.arithmetic("%", a[0], a[1]) }},
	"floor":                           {1, 1, []typ{{}}, wholeFunction("floor")},
	"ceil":                            {1, 1, []typ{{}}, wholeFunction("ceil")},
	"ceiling":                         {1, 1, []typ{{}}, wholeFunction("ceil")},
	"round":                           {1, 2, []typ{{}}, round},
	"to_char":                         {2, 2, []typ{{kind: kTimestamp}, tText}, toChar},
	"convert_timezone":                {2, 3, []typ{{}}, convertTimezone},
	"json_extract_path_text":          {2, 20, []typ{tText}, jsonPath},
	"fnv_hash":                        {1, 2, []typ{{}}, fnvHash},
	"can_json_parse":                  simple(tBool, "rs_json_valid(%s)", tText),
	"nvl2":                            {3, 3, []typ{{}}, nvl2},
	"split_part":                      sameText("rs_split_part(%s,%s,%s)", tText, tText, tInt8),
	"translate":                       simple(tText, "rs_fit(rs_translate(%s,%s,%s),65535)", tText, tText, tText),
	"initcap":                         sameText("rs_initcap(%s)", tText),
	"reverse":                         sameText("rs_reverse(%s)", tText),
	"repeat":                          simple(tText, "rs_repeat(%s,%s)", tText, tInt8),
	"replicate":                       simple(tText, "rs_repeat(%s,%s)", tText, tInt8),
	"ascii":                           simple(tInt4, "CAST(ascii(%s) AS INTEGER)", tText),
	"add_months":                      simple(tStamp, "rs_add_months(%s,%s)", tStamp, tInt8),
	"last_day":                        simple(typ{kind: kDate}, "CAST(last_day(%s) AS DATE)", tStamp),
	"json_typeof":                     simple(varchar(16), "rs_json_type(%s)", tSuper),
	"json_array_length":               simple(tInt4, "CAST(rs_json_length(%s) AS INTEGER)", tText),
	"json_extract_array_element_text": simple(tText, "rs_json_element(%s,%s)", tText, tInt8),
}

func trimFunction(name string) function {
	return function{1, 2, []typ{tText}, func(_ *binder, a []bound) (bound, error) {
		chars := "' '"
		if len(a) == 2 {
			chars = a[1].sql
		}
		return bound{sql: name + "(" + a[0].sql + "," + chars + ")", t: varchar(a[0].t.p), nulls: strictNulls(a...),
			tight: len(a) == 1 && name != "ltrim"}, nil
	}}
}

var substringFunction = function{2, 3, []typ{tText, tInt8}, func(_ *binder, a []bound) (bound, error) {
	sql := "rs_substring(" + a[0].sql + "," + a[1].sql + ",2147483647)"
	if len(a) == 3 {
		sql = "rs_substring(" + a[0].sql + "," + a[1].sql + "," + a[2].sql + ")"
	}
	return bound{sql: sql, t: varchar(a[0].t.p)}, nil
}}

// fingerprint keeps a constant at the beginning of a concatenation apart, so that the rest, which another fingerprint of
// the same statement may have, too, is computed once.
func fingerprint(_ *binder, a []bound) (bound, error) {
	x := bound{sql: "rs_farm(" + a[0].sql + ")", t: tInt8, nulls: strictNulls(a[0])}
	if p := a[0].parts; len(p) > 2 && p[0].text != nil && a[0].nulls.never() {
		x.sql = "rs_farm_after(" + p[0].sql + ",concat(" + join2(p[1:]) + "))"
	}
	return x, nil
}

func padFunction(name string) function {
	return function{2, 3, []typ{tText, tInt8, tText}, func(_ *binder, a []bound) (bound, error) {
		fill := "' '"
		if len(a) == 3 {
			fill = a[2].sql
		}
		return bound{sql: fmt.Sprintf("rs_fit(%s(%s,CAST(least(%s,65535) AS INTEGER),%s),65535)", name, a[0].sql, a[1].sql, fill), t: tText}, nil
	}}
}

func join2(xs []bound) string {
	parts := make([]string, len(xs))
	for i, x := range xs {
		parts[i] = x.sql
	}
	return strings.Join(parts, ",")
}

func coalesce(b *binder, a []bound) (bound, error) {
	xs, t, err := b.unify(a, "COALESCE")
	return bound{sql: "coalesce(" + join2(xs) + ")", t: t}, err
}

func nullif(b *binder, a []bound) (bound, error) {
	eq, err := b.compare("=", a[0], a[1])
	if err != nil {
		return eq, err
	}
	x := a[0]
	if x.untyped() {
		if x, err = b.coerce(x, b.settle(a[1]).t); err != nil {
			return x, err
		}
	}
	return bound{sql: "CASE WHEN " + eq.sql + " THEN NULL ELSE " + x.sql + " END", t: x.t}, nil
}

// decode compares one value with many; here NULL equals NULL.
func decode(b *binder, a []bound) (bound, error) {
	x := a[0]
	var conds []string
	var results []bound
	rest := a[1:]
	for len(rest) >= 2 {
		pair, err := b.comparable("=", x, rest[0])
		if err != nil {
			return x, err
		}
		conds = append(conds, pair[0]+" IS NOT DISTINCT FROM "+pair[1])
		results, rest = append(results, rest[1]), rest[2:]
	}
	other := bound{sql: "NULL"}
	if len(rest) == 1 {
		other = rest[0]
	}
	results, t, err := b.unify(append(results, other), "DECODE")
	if err != nil {
		return x, err
	}
	sql := "CASE"
	for i, c := range conds {
		sql += " WHEN " + c + " THEN " + results[i].sql
	}
	return bound{sql: sql + " ELSE " + results[len(conds)].sql + " END", t: t}, nil
}

func extreme(name string) func(*binder, []bound) (bound, error) {
	return func(b *binder, a []bound) (bound, error) {
		xs, t, err := b.unify(a, strings.ToUpper(name))
		if t.kind == kSuper || t.kind == kBool {
			return bound{}, errFunction(name, a)
		}
		return bound{sql: name + "(" + join2(xs) + ")", t: t}, err
	}
}

func numberFunction(name string) func(*binder, []bound) (bound, error) {
	return func(_ *binder, a []bound) (bound, error) {
		if !a[0].t.isNumber() {
			return a[0], errFunction(name, a)
		}
		return bound{sql: name + "(" + a[0].sql + ")", t: a[0].t}, nil
	}
}

// wholeFunction is FLOOR or CEIL: NUMERIC gives NUMERIC with scale 0.
func wholeFunction(name string) func(*binder, []bound) (bound, error) {
	return func(_ *binder, a []bound) (bound, error) {
		x := a[0]
		switch {
		case x.t.isInt():
			return x, nil
		case x.t.kind == kNumeric:
			t := numeric(min(x.t.p-x.t.s+1, maxPrecision), 0)
			return bound{sql: castSQL(name+"("+x.sql+")", t), t: t}, nil
		case x.t.isFloat():
			return bound{sql: name + "(" + x.sql + ")", t: tFloat}, nil
		}
		return x, errFunction(name, a)
	}
}

func toChar(b *binder, a []bound) (bound, error) {
	if a[1].text == nil {
		return a[0], strict("TO_CHAR takes a constant format")
	}
	if _, err := charPattern(*a[1].text); err != nil {
		return a[0], err
	}
	return bound{sql: "rs_to_char(" + a[0].sql + "," + a[1].sql + ")", t: varchar(256)}, nil
}

func convertTimezone(b *binder, a []bound) (bound, error) {
	var err error
	last := len(a) - 1
	if a[last], err = b.argument(a[last], tStamp); err != nil {
		return a[last], err
	}
	from := bound{sql: "'UTC'"}
	if len(a) == 3 {
		if from, err = b.argument(a[0], tText); err != nil {
			return from, err
		}
	}
	to, err := b.argument(a[last-1], tText)
	if err != nil {
		return to, err
	}
	return bound{sql: "rs_timezone(" + from.sql + "," + to.sql + "," + a[last].sql + ")", t: tStamp}, nil
}

func jsonPath(_ *binder, a []bound) (bound, error) {
	path := make([]string, len(a)-1)
	for i, x := range a[1:] {
		path[i] = "replace(" + x.sql + ",chr(31),'')"
	}
	return bound{sql: "rs_json_path(" + a[0].sql + "," + strings.Join(path, "||chr(31)||") + ")", t: tText}, nil
}

// fnvHash hashes integers by the bytes of their type and text by its bytes. Other byte forms are not documented.
func fnvHash(b *binder, a []bound) (bound, error) {
	x := a[0]
	seed := "CAST(-3750763034362895579 AS BIGINT)" // the offset basis 0xcbf29ce484222325
	if len(a) == 2 {
		s, err := b.argument(a[1], tInt8)
		if err != nil {
			return x, errFunction("fnv_hash", a)
		}
		seed = s.sql
	}
	if x.untyped() && x.text != nil {
		x = b.settle(x)
	}
	width := map[kind]int{kInt2: 2, kInt4: 4, kInt8: 8}[x.t.kind]
	switch {
	case width > 0:
		return bound{sql: fmt.Sprintf("rs_fnv_int(CAST(rs_known(%s) AS BIGINT),%d,%s)", x.sql, width, seed), t: tInt8}, nil
	case x.t.kind == kVarchar:
		return bound{sql: "rs_fnv_text(rs_known(" + x.sql + ")," + seed + ")", t: tInt8}, nil
	}
	return x, strict("FNV_HASH of %s is not supported", x.t.name())
}
