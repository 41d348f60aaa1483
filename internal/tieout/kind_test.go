package tieout_test

import (
	"testing"

	"backfill/internal/schema"
	"backfill/internal/tieout"
)

// TestKindOf names what was done to a value, by examples that people gave; "" stands for NULL.
func TestKindOf(t *testing.T) {
	money, text, moment := schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}, schema.Type{Kind: schema.Varchar}, schema.Type{Kind: schema.Timestamp}
	for _, c := range []struct {
		typ         schema.Type
		left, right string
		want        tieout.ChangeKind
	}{
		{money, "10.51", "10.50", tieout.Rounding},
		{money, "10.56", "10.50", tieout.Truncation},
		{money, "10.56", "10.60", tieout.Rounding},
		{money, "10.50", "10.00", tieout.Rounding}, // to the even digit
		{money, "11.50", "11.00", tieout.Truncation},
		{money, "-11.50", "-12.00", tieout.Rounding},
		{money, "10.56", "11.00", tieout.Rounding},
		{money, "-10.56", "-11.00", tieout.Rounding},
		{money, "-10.56", "-10.00", tieout.Truncation},
		{money, "-10.23", "-11.00", tieout.OtherValue}, // a floor is neither
		{money, "10.56", "10.57", tieout.OtherValue},
		{money, "10.56", "10.55", tieout.OtherValue},
		{money, "1234.56", "1230.00", tieout.Rounding},
		{money, "1239.56", "1230.00", tieout.Truncation},
		{money, "1239.56", "1240.00", tieout.Rounding},
		{money, "98765432.10", "98765430.00", tieout.Rounding}, // what seven digits hold
		{money, "1234.56", "1000.00", tieout.Rounding},
		{money, "1934.56", "1000.00", tieout.Truncation},
		{money, "1934.56", "0.00", tieout.OtherValue},
		{money, "0.43", "0.00", tieout.Rounding},
		{money, "0.93", "0.00", tieout.Truncation},
		{money, "1934.56", "-1934.56", tieout.OtherValue},
		{money, "0.00", "10.00", tieout.OtherValue},
		{money, "9999999999999999.99", "10000000000000000.00", tieout.Rounding},
		{money, "5.00", "", tieout.OtherValue},
		{text, "Bonus Q1", "Bonus Q1 ", tieout.Padding},
		{text, "Bonus Q1", "BONUS Q1", tieout.LetterCase},
		{text, "Bonus Q1", "Bonu", tieout.Truncation},
		{text, "Bonus Q1", "Bonus Q2", tieout.OtherValue},
		{text, " ", "", tieout.NullEmpty},
		{text, "", " ", tieout.NullEmpty},
		{text, "x", "", tieout.OtherValue},
		{moment, "1772352000000000", "1772355600000000", tieout.ZoneShift},
		{moment, "1772352000000000", "1772352000000001", tieout.OtherValue},
		{moment, "1772352000123456", "1772352000123000", tieout.Truncation},
		{moment, "1772352000623456", "1772352001000000", tieout.Rounding},
	} {
		if got := tieout.KindOf(c.typ, pointer(c.left), pointer(c.right)); got != c.want {
			t.Errorf("%q became %q: %s, want %s", c.left, c.right, got, c.want)
		}
	}
}

func pointer(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
