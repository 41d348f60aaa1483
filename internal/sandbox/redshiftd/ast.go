package redshiftd

// expr is a parsed scalar expression: one of the pointer types below.
type expr interface{}

type (
	literal  struct{ kind, text string } // kind: number, string, bool, null
	typedLit struct{ kind, text string } // kind: date, timestamp, timestamptz, interval
	param    struct{ n int }
	column   struct{ schema, table, name string }
	star     struct{ table string }
	unary    struct {
		op string
		x  expr
	}
	binaryOp struct {
		op   string
		l, r expr
	}
	call struct {
		name     string
		args     []expr
		star     bool // count(*)
		distinct bool
		within   []orderItem // LISTAGG … WITHIN GROUP (ORDER BY …)
		over     *window
		nulls    string // IGNORE or RESPECT NULLS
	}
	cast struct {
		x expr
		t typ
	}
	caseExpr struct {
		operand expr
		whens   [][2]expr
		other   expr
	}
	inExpr struct {
		x    expr
		list []expr
		sub  *query
		not  bool
	}
	between struct {
		x, lo, hi expr
		not       bool
	}
	isTest struct {
		x    expr
		what string // null, true, false, unknown
		not  bool
	}
	like struct {
		op         string // like, ilike, similar, ~
		x, pattern expr
		escape     expr
		not        bool
	}
	exists   struct{ q *query }
	subquery struct{ q *query }
	extract  struct {
		part string
		x    expr
	}
	trimExpr struct {
		side     string
		chars, x expr
	}
	tuple struct{ items []expr }
)

type window struct {
	partition []expr
	order     []orderItem
	frame     string // already in the engine's words; empty for the default
}

type orderItem struct {
	x     expr
	desc  bool
	nulls string // first, last or empty
}

type query struct {
	ctes          []cte
	body          any // *selectCore or *setOp
	order         []orderItem
	limit, offset expr
}

type cte struct {
	name    string
	columns []string
	q       *query
}

type setOp struct {
	op   string // union, except, intersect
	all  bool
	l, r any
}

type selectItem struct {
	x     expr
	alias string
}

type selectCore struct {
	distinct bool
	top      expr
	items    []selectItem
	from     []fromItem
	where    expr
	group    []expr
	having   expr
	qualify  expr
	also     string // a join in the engine's words that is put after FROM
}

// fromItem is *tableRef, *derived or *join.
type fromItem interface{}

type (
	tableName struct{ schema, name string }
	tableRef  struct {
		tableName
		alias   string
		columns []string
	}
	derived struct {
		q       *query
		alias   string
		columns []string
	}
	join struct {
		kind  string // INNER, LEFT, RIGHT, FULL, CROSS
		l, r  fromItem
		on    expr
		using []string
	}
)

// statement is one of the pointer types below.
type statement interface{}

type (
	selectStmt struct {
		q *query
	}
	insertStmt struct {
		table    tableName
		columns  []string
		rows     [][]expr // nil entry in a row: DEFAULT
		q        *query
		defaults bool
	}
	deleteStmt struct {
		table tableName
		ctes  []cte
		using []fromItem
		where expr
	}
	updateStmt struct {
		table tableName
		ctes  []cte
		set   []assignment
		from  []fromItem
		where expr
	}
	// mergeStmt is MERGE; without insert columns the values are for all, and duplicates is its short form.
	mergeStmt struct {
		table      tableName
		source     fromItem
		on         expr
		set        []assignment // nil: DELETE
		columns    []string
		values     []expr
		duplicates bool
	}
	assignment struct {
		column string
		x      expr // nil: DEFAULT
	}
	createSchema struct {
		name        string
		ifNotExists bool
	}
	dropSchema struct {
		name              string
		ifExists, cascade bool
	}
	createTable struct {
		table             tableName
		temp, ifNotExists bool
		columns           []columnDef
		like              *tableName
		likeDefaults      bool
		as                *query
		asColumns         []string
		notNull           []string // from table-level PRIMARY KEY
		distKey           string
		distStyle         string
		sortKey           []string
	}
	dropTable struct {
		tables   []tableName
		ifExists bool
	}
	alterTable struct {
		table         tableName
		action        string // add, drop, rename column, rename, owner, append
		column        string
		to            string
		def           columnDef
		from          tableName // append
		extra         string    // append: ignoreextra or filltarget
		needsNoBlock  bool
		unimplemented string
	}
	truncateStmt struct{ table tableName }
	lockStmt     struct{ tables []tableName }
	txStmt       struct{ kind string } // BEGIN, COMMIT, ROLLBACK
	setStmt      struct {
		name  string
		value string
		reset bool
		local bool // until the transaction ends
	}
	showStmt struct{ name string }
	noopStmt struct {
		tag        string
		outOfBlock bool // refused inside a transaction block
		tables     []tableName
	}
	deallocate struct{ name string }
	cancelStmt struct {
		pid  int
		text string
	}
	copyStmt struct {
		table       tableName
		columns     []string
		from        string
		roles       []string
		credentials int
		options     []copyOption
		parquet     bool
	}
	copyOption struct{ name, arg string }
)

// columnDef is a column of CREATE TABLE or ADD COLUMN. The default is kept as source text and bound when it is used.
type columnDef struct {
	name       string
	t          typ
	notNull    bool
	defaultSQL string
	identity   bool
	byDefault  bool // GENERATED BY DEFAULT AS IDENTITY
	seed, step int64
	distKey    bool
	sortKey    int // its place among the sort keys, from 1; 0: none
	encode     string
}

// parsed is a statement with what a session needs to know before it runs.
type parsed struct {
	stmt   statement
	tag    string // command tag without counts
	sql    string
	reads  []tableName
	params int
}
