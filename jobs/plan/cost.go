package plan

import (
	"fmt"
	"math/big"
	"strings"

	"backfill/internal/objstore"
)

// price is what restoring from a class costs by a tier, in billionths of a
// dollar, and how long it takes.
type price struct {
	gigabyte, thousand int64 // for 2^30 bytes, for 1,000 requests
	takes              string
}

// prices are Amazon's list prices in us-east-1, which other regions exceed by up
// to a third: of Glacier as Amazon's support article on retrieval costs has them
// (repost.aws, "s3-manage-data-retrieval"), of Deep Archive and of storage as
// published guides of June 2026 quote them. Times are what the S3 User Guide calls typical ("Archive retrieval
// options").
var prices = map[objstore.Class]map[objstore.Tier]price{
	objstore.Glacier: {
		objstore.Bulk:      {0, 0, "5 to 12 hours"},
		objstore.Standard:  {10_000_000, 50_000_000, "3 to 5 hours"},
		objstore.Expedited: {30_000_000, 10_000_000_000, "minutes"},
	},
	objstore.DeepArchive: {
		objstore.Bulk:     {2_500_000, 25_000_000, "48 hours"},
		objstore.Standard: {20_000_000, 100_000_000, "12 hours"},
	},
	objstore.ArchiveAccess: {
		objstore.Bulk:      {0, 0, "5 to 12 hours"},
		objstore.Standard:  {0, 0, "3 to 5 hours"},
		objstore.Expedited: {30_000_000, 10_000_000_000, "minutes"},
	},
	objstore.DeepArchiveAccess: {
		objstore.Bulk:     {0, 0, "48 hours"},
		objstore.Standard: {0, 0, "12 hours"},
	},
}

// copyDay is what a gigabyte of restored copies costs a day: S3 Standard, 0.023
// dollars in a month of 30 days, rounded up.
const copyDay = 766_667

// amount is objects and their bytes.
type amount struct {
	objects int
	bytes   int64
}

// cost returns what restoring the objects costs, as dollars and cents rounded
// up. A class that the tier can't restore from is restored by the standard one.
func cost(cold map[objstore.Class]amount, tier objstore.Tier, days int) string {
	total := new(big.Int)
	for class, a := range cold {
		p := prices[class][possible(class, tier)]
		add := func(count, each, per int64) {
			n := new(big.Int).Mul(big.NewInt(count), big.NewInt(each))
			total.Add(total, n.Add(n, big.NewInt(per-1)).Div(n, big.NewInt(per)))
		}
		add(a.bytes, p.gigabyte, 1<<30)
		add(int64(a.objects), p.thousand, 1000)
		if !class.Tiered() {
			add(a.bytes, copyDay*int64(days), 1<<30)
		}
	}
	const cent = 10_000_000
	cents := new(big.Int).Div(total.Add(total, big.NewInt(cent-1)), big.NewInt(cent))
	digits := fmt.Sprintf("%03d", cents)
	return "$" + digits[:len(digits)-2] + "." + digits[len(digits)-2:]
}

// possible is the tier itself, or the standard one where the class has it not.
func possible(class objstore.Class, tier objstore.Tier) objstore.Tier {
	if _, there := prices[class][tier]; !there {
		return objstore.Standard
	}
	return tier
}

// offers lists the tiers with cost and time, for people.
func offers(cold map[objstore.Class]amount, days int) string {
	var parts []string
	for _, tier := range []objstore.Tier{objstore.Bulk, objstore.Standard, objstore.Expedited} {
		if tier == objstore.Expedited && cold[objstore.Glacier].objects+cold[objstore.ArchiveAccess].objects == 0 {
			continue
		}
		slowest := ""
		for _, class := range classes {
			if cold[class].objects > 0 {
				slowest = prices[class][possible(class, tier)].takes
			}
		}
		parts = append(parts, fmt.Sprintf("%s %s, ready after about %s", strings.ToLower(string(tier)), cost(cold, tier, days), slowest))
	}
	return strings.Join(parts, "; ")
}

// classes are the cold ones, the slowest last.
var classes = []objstore.Class{objstore.ArchiveAccess, objstore.Glacier, objstore.DeepArchiveAccess, objstore.DeepArchive}
