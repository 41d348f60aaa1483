package outside_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/outside"
	"backfill/internal/tieout"
)

var columns = outside.Columns{By: []string{"currency", "entity"}, Totals: []string{"gross", "units"}, Scales: []int{2, 0}}

// spell writes control totals as text: line, day, group, rows and sums in the
// smallest unit; - is what was not given.
func spell(c *tieout.Controls) string {
	var b strings.Builder
	fmt.Fprintf(&b, "by %v days %v\n", c.By, c.Days)
	for _, l := range c.Lines {
		fmt.Fprintf(&b, "%d %s", l.Line, l.Day)
		for _, g := range l.Group {
			if g == nil {
				b.WriteString(" NULL")
				continue
			}
			fmt.Fprintf(&b, " %q", *g)
		}
		if l.Rows == nil {
			b.WriteString(" -")
		} else {
			fmt.Fprintf(&b, " %d", *l.Rows)
		}
		for _, s := range l.Sums {
			if s == nil {
				b.WriteString(" -")
				continue
			}
			fmt.Fprintf(&b, " %s", s)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestControls reads registers as payroll systems and spreadsheets write them.
func TestControls(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "currency,entity,rows,gross,units\nUSD,US1,3,1234.50,7\n", "by [0 1] days false\n2 all \"USD\" \"US1\" 3 123450 7\n"},
		{"no end of line", "rows\n3", "by [] days false\n2 all 3 - -\n"},
		{"columns in another order", "gross,entity,currency\n1,US1,USD\n", "by [1 0] days false\n2 all \"US1\" \"USD\" - 100 -\n"},
		{"some of the groups", "entity,units\nUS1,2\nDE1,3\n", "by [1] days false\n2 all \"US1\" - - 2\n3 all \"DE1\" - - 3\n"},
		{"byte order mark", "\ufeffcurrency,rows\nUSD,1\n", "by [0] days false\n2 all \"USD\" 1 - -\n"},
		{"CRLF", "currency,gross\r\nUSD,1.50\r\nEUR,2.25\r\n", "by [0] days false\n2 all \"USD\" - 150 -\n3 all \"EUR\" - 225 -\n"},
		{"byte order mark, quotes and CRLF", "\ufeff\"currency\",\"gross\"\r\n\"USD\",\"1.50\"\r\n", "by [0] days false\n2 all \"USD\" - 150 -\n"},
		{"blanks around cells", " currency , gross \n USD , -1.50 \n", "by [0] days false\n2 all \"USD\" - -150 -\n"},
		{"empty lines are passed over and counted", "currency,rows\n\nUSD,1\n\nEUR,2\n", "by [0] days false\n3 all \"USD\" 1 - -\n5 all \"EUR\" 2 - -\n"},
		{"negative, signed, fewer decimals, naught", "currency,gross\nUSD,-0.01\nEUR,+2.5\nGBP,-3\nCHF,0\nSEK,-0.00\n", "by [0] days false\n2 all \"USD\" - -1 -\n3 all \"EUR\" - 250 -\n4 all \"GBP\" - -300 -\n5 all \"CHF\" - 0 -\n6 all \"SEK\" - 0 -\n"},
		{"more digits than a float holds", "gross\n99999999999999999999999999999999.99\n", "by [] days false\n2 all - 9999999999999999999999999999999999 -\n"},
		{"a currency that nobody knows is a group like any other", "currency,rows\nXXQ,1\n", "by [0] days false\n2 all \"XXQ\" 1 - -\n"},
		{"case matters in a group", "currency,rows\nUSD,1\nusd,2\n", "by [0] days false\n2 all \"USD\" 1 - -\n3 all \"usd\" 2 - -\n"},
		{"NULL and empty are two groups", "currency,rows,gross\n(null),1,\n\"\",,2\n", "by [0] days false\n2 all NULL 1 - -\n3 all \"\" - 200 -\n"},
		{"days", "day,currency,rows\n2026-03-01,USD,1\n2026-03-02,USD,2\n", "by [0] days true\n2 2026-03-01 \"USD\" 1 - -\n3 2026-03-02 \"USD\" 2 - -\n"},
		{"texts that look alike put together", "currency,entity,rows\na,b / c,1\na / b,c,2\n", "by [0 1] days false\n2 all \"a\" \"b / c\" 1 - -\n3 all \"a / b\" \"c\" 2 - -\n"},
		{"quoted text with a comma and a line break", "currency,entity,rows\nUSD,\"Smith, Jones\nLtd\",1\n", "by [0 1] days false\n2 all \"USD\" \"Smith, Jones\\nLtd\" 1 - -\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := outside.Controls(&outside.File{Path: "register.csv", Body: []byte(c.text)}, columns)
			if err != nil {
				t.Fatal(err)
			}
			if spelled := spell(got); spelled != c.want {
				t.Errorf("read\n%swant\n%s", spelled, c.want)
			}
		})
	}
}

// TestControlsRefused names line, column and text of what can't be understood.
func TestControlsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "register.csv:1: the header can't be read"},
		{"a header alone", "currency,rows\n", "register.csv:1: there is no line below the header"},
		{"no header", "USD,3\nEUR,4\n", `register.csv:1: column "USD" is neither day nor rows nor one of currency, entity, gross, units`},
		{"another name", "Currency,rows\nUSD,3\n", `register.csv:1: column "Currency" is neither`},
		{"an empty name", "currency,rows,\nUSD,3,\n", `register.csv:1: column "" is neither`},
		{"semicolons", "currency;rows\nUSD;3\n", `register.csv:1: column "currency;rows" is neither`},
		{"tabs", "currency\trows\nUSD\t3\n", `register.csv:1: column "currency\trows" is neither`},
		{"a spreadsheet's separator line", "sep=,\ncurrency,rows\n", `register.csv:1: column "sep=" is neither`},
		{"UTF-16", "\xff\xfec\x00u\x00r\x00\n\x00", "register.csv:1: column "},
		{"CR alone", "currency,rows\rUSD,3\r", "register.csv:1: column "},
		{"a column twice", "rows,rows\n1,2\n", "register.csv:1: column rows stands twice"},
		{"a column twice, with a blank", "rows, rows\n1,2\n", "register.csv:1: column rows stands twice"},
		{"nothing to compare", "currency,entity\nUSD,US1\n", "register.csv:1: there is nothing to compare: give rows or one of gross, units"},
		{"thousands separator in quotes", "currency,gross\nUSD,\"1,234.50\"\n", `register.csv:2: gross: "1,234.50" is no amount with at most 2 decimals: write it like -1234.50, without thousands separators`},
		{"thousands separator without quotes", "currency,gross\nUSD,1,234.50\n", "register.csv:2: the line can't be read"},
		{"thousands apart by blanks", "gross\n1 234.50\n", `register.csv:2: gross: "1 234.50" is no amount`},
		{"thousands apart by no-break spaces", "gross\n1\u00a0234.50\n", `register.csv:2: gross: "1\u00a0234.50" is no amount`},
		{"Swiss thousands", "gross\n1'234.50\n", `register.csv:2: gross: "1'234.50" is no amount`},
		{"decimal comma", "gross\n\"1234,50\"\n", `register.csv:2: gross: "1234,50" is no amount`},
		{"too many decimals", "currency,gross\nUSD,1.00\nEUR,1.005\n", `register.csv:3: gross: "1.005" is no amount with at most 2 decimals`},
		{"too many decimals, of naughts", "gross\n1.000\n", `register.csv:2: gross: "1.000" is no amount with at most 2 decimals`},
		{"decimals of a whole number", "units\n7.0\n", `register.csv:2: units: "7.0" is no amount with at most 0 decimals`},
		{"parentheses for minus", "gross\n(12.50)\n", `register.csv:2: gross: "(12.50)" is no amount`},
		{"minus behind", "gross\n12.50-\n", `register.csv:2: gross: "12.50-" is no amount`},
		{"typographer's minus", "gross\n−12.50\n", `register.csv:2: gross: "−12.50" is no amount`},
		{"two signs", "gross\n--5\n", `register.csv:2: gross: "--5" is no amount`},
		{"exponent", "gross\n1E3\n", `register.csv:2: gross: "1E3" is no amount`},
		{"currency sign", "gross\n$5\n", `register.csv:2: gross: "$5" is no amount`},
		{"a spreadsheet's error", "gross\n#REF!\n", `register.csv:2: gross: "#REF!" is no amount`},
		{"not a number", "gross\nNaN\n", `register.csv:2: gross: "NaN" is no amount`},
		{"a point alone", "gross\n.\n", `register.csv:2: gross: "." is no amount`},
		{"other digits", "gross\n１２\n", `register.csv:2: gross: "１２" is no amount`},
		{"more than 128 bits", "gross\n" + strings.Repeat("9", 40) + "\n", "register.csv:2: gross: "},
		{"rows with decimals", "rows\n3.0\n", `register.csv:2: rows: "3.0" is no number of rows`},
		{"rows with a separator", "rows\n\"1,000\"\n", `register.csv:2: rows: "1,000" is no number of rows`},
		{"negative rows", "rows\n-1\n", `register.csv:2: rows: "-1" is no number of rows`},
		{"too few cells", "currency,rows\nUSD\n", "register.csv:2: the line can't be read"},
		{"a quote that does not end", "currency,rows\n\"USD,3\n", "register.csv:2: the line can't be read: "},
		{"a group twice", "currency,rows\nUSD,1\nEUR,2\nUSD,3\n", "register.csv:4: the same group as in line 2"},
		{"a day twice", "day,rows\n2026-03-01,1\n2026-03-01,2\n", "register.csv:3: the same group as in line 2"},
		{"a day as Americans write it", "day,rows\n03/01/2026,1\n", `register.csv:2: day: "03/01/2026" is no day like 2026-03-01`},
		{"a day that is none", "day,rows\n2026-02-30,1\n", `register.csv:2: day: "2026-02-30" is no day`},
		{"an empty day", "day,rows\n,1\n", `register.csv:2: day: "" is no day`},
		{"all days in a file of days", "day,rows\nall,1\n", `register.csv:2: day: "all" is no day`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := outside.Controls(&outside.File{Path: "register.csv", Body: []byte(c.text)}, columns)
			refused(t, err, c.want)
			if err == nil {
				t.Logf("it was read as\n%s", spell(got))
			}
		})
	}
}

// refused demands an error of usage with the place.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	var coded *fail.Error
	if !errors.As(err, &coded) || coded.Exit() != fail.Usage.Exit() {
		t.Fatalf("the error is %v, not one of usage", err)
	}
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("it says\n%s\nwant\n%s", err, want)
	}
}

// TestEnds reads what Kafka's tools print, and their exports.
func TestEnds(t *testing.T) {
	at := func(topic string, partition kafka.Partition) kafka.TopicPartition {
		return kafka.TopicPartition{Topic: topic, Partition: partition}
	}
	for _, c := range []struct {
		name, text string
		want       tieout.Ends
	}{
		{"kafka-get-offsets", "pay.events:0:120\npay.events:1:0\n", tieout.Ends{at("pay.events", 0): 120, at("pay.events", 1): 0}},
		{"CRLF, byte order mark, no end of line", "\ufeffpay:0:1\r\npay:1:2", tieout.Ends{at("pay", 0): 1, at("pay", 1): 2}},
		{"commas", "topic,partition,offset\npay,0,5\n pay , 1 , 6 \n", tieout.Ends{at("pay", 0): 5, at("pay", 1): 6}},
		{"remarks and empty lines", "# 2026-04-01\n\npay:0:7\n", tieout.Ends{at("pay", 0): 7}},
		{"two topics", "pay:0:7\npay2:0:8\n", tieout.Ends{at("pay", 0): 7, at("pay2", 0): 8}},
		{"the last offset that Kafka can have", "pay:0:9223372036854775807\n", tieout.Ends{at("pay", 0): 9223372036854775807}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := outside.Ends(&outside.File{Path: "ends.txt", Body: []byte(c.text)})
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("read %v, want %v", got, c.want)
			}
		})
	}
}

// TestEndsRefused names the line of what can't be understood.
func TestEndsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "ends.txt:1: there is no line with an offset"},
		{"remarks alone", "# nothing\n", "ends.txt:1: there is no line with an offset"},
		{"no offset of a partition without leader", "pay:0:\n", `ends.txt:1: "pay:0:" is not topic:partition:offset`},
		{"a negative offset", "pay:0:5\npay:1:-1\n", `ends.txt:2: "pay:1:-1" is not topic:partition:offset`},
		{"a negative partition", "pay:-1:5\n", `ends.txt:1: "pay:-1:5" is not`},
		{"no topic", ":0:5\n", `ends.txt:1: ":0:5" is not`},
		{"no partition", "pay:5\n", `ends.txt:1: "pay:5" is not`},
		{"blanks for colons", "pay 0 5\n", `ends.txt:1: "pay 0 5" is not`},
		{"an offset with a point", "pay:0:5.0\n", `ends.txt:1: "pay:0:5.0" is not`},
		{"more than 63 bits", "pay:0:9223372036854775808\n", `ends.txt:1: "pay:0:9223372036854775808" is not`},
		{"a partition twice", "pay:0:5\npay:1:5\npay:0:6\n", "ends.txt:3: partition pay/0 stands twice"},
		{"a thousands separator", "pay:0:1,000\n", `ends.txt:1: "pay:0:1,000" is not`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := outside.Ends(&outside.File{Path: "ends.txt", Body: []byte(c.text)})
			refused(t, err, c.want)
		})
	}
}

// TestRead gives nothing for no path, and names a file that is not there.
func TestRead(t *testing.T) {
	if f, err := outside.Read(""); f != nil || err != nil {
		t.Errorf("no path: %v, %v", f, err)
	}
	path := filepath.Join(t.TempDir(), "register.csv")
	if _, err := outside.Read(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("rows\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := outside.Read(path); err != nil || string(f.Body) != "rows\n1\n" || f.Path != path {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := outside.Read(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
	large := filepath.Join(t.TempDir(), "large.csv")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 64<<20+1); err != nil {
		t.Fatal(err)
	}
	if _, err := outside.Read(large); err == nil || !strings.Contains(err.Error(), "the file is larger than 64 MiB") {
		t.Errorf("a file that is too large: %v", err)
	}
}
