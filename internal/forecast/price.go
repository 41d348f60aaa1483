package forecast

import "fmt"

// Requests are what a run asks of S3.
type Requests struct {
	Lists     int64  `json:"lists"`
	Gets      int64  `json:"gets"` // of archived objects by convert
	Puts      int64  `json:"puts"` // into staging: plans, Parquet parts, receipts, reports
	BytesRead int64  `json:"bytes_read"`
	Cost      string `json:"cost"`   // dollars, rounded up to a cent
	Prices    string `json:"prices"` // whose
}

// Prices of S3 Standard in us-east-1, in billionths of a dollar a request. They
// are Amazon's list prices as published guides of June 2026 quote them (Amazon's own
// page shows its numbers to browsers only). Reading within the bucket's region has
// no price of its own; other regions ask up to a third more.
const (
	getPrice    = 400   // $0.0004 per 1,000
	putPrice    = 5_000 // $0.005 per 1,000; LIST too
	cent        = 10_000_000
	PricesNamed = "S3 Standard, list prices of us-east-1 as of June 2026, reading in the same region"
)

// Priced returns the requests with their cost.
func (r Requests) Priced() Requests {
	cents := (r.Gets*getPrice + (r.Puts+r.Lists)*putPrice + cent - 1) / cent
	r.Cost, r.Prices = fmt.Sprintf("$%d.%02d", cents/100, cents%100), PricesNamed
	return r
}
