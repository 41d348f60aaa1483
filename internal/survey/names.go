package survey

import (
	"slices"
	"strings"
	"unicode"
)

// words splits a name into lower-case words: grossAmount, gross_amount and
// gross-amount are the same.
func words(name string) []string {
	var list []string
	var b strings.Builder
	end := func() {
		if b.Len() > 0 {
			list = append(list, b.String())
			b.Reset()
		}
	}
	previous := rune(0)
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
		case unicode.IsUpper(r) && (unicode.IsLower(previous) || unicode.IsDigit(previous)):
			end()
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(unicode.ToLower(r))
		}
		previous = r
	}
	end()
	return list
}

// column makes a column's name of a path: lower case, letters, digits and underscores.
func column(path []string) string {
	var parts []string
	for _, step := range path {
		for _, w := range words(step) {
			w = strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
					return r
				}
				return -1
			}, w)
			if w != "" {
				parts = append(parts, w)
			}
		}
	}
	name := strings.Join(parts, "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "f_" + name
	}
	return name[:min(len(name), 100)]
}

// says reports whether the name holds one of the terms: words in a row, joined by _.
func says(name string, terms ...string) bool {
	joined := "_" + strings.Join(words(name), "_") + "_"
	return slices.ContainsFunc(terms, func(t string) bool { return strings.Contains(joined, "_"+t+"_") })
}

// money reports whether a field's name is that of an amount.
func money(name string) bool {
	return says(name, "amount", "gross", "net", "tax", "taxes", "salary", "wage", "wages", "pay", "payment", "total", "price", "fee", "cost", "bonus", "deduction",
		"contribution", "balance", "credit", "debit", "charge", "refund", "benefit", "withholding", "earnings", "pension") && !says(name, "id", "code", "type", "status", "run", "date", "at", "count", "rate")
}

// personal reports whether a field's name is that of personal data, and of which.
func personal(name string) (what string) {
	for _, kind := range []struct {
		what  string
		terms []string
	}{
		{"an e-mail address", []string{"email", "e_mail", "mail"}},
		{"a telephone number", []string{"phone", "mobile", "telephone", "msisdn"}},
		{"a national identity number", []string{"ssn", "social_security", "national_id", "nino", "passport", "driver_license", "licence_number", "tax_id", "tin", "personal_id"}},
		{"a bank account", []string{"iban", "bank_account", "account_number", "routing_number", "sort_code", "card_number", "pan"}},
		{"a person's name", []string{"first_name", "last_name", "full_name", "surname", "given_name", "family_name", "employee_name", "person_name", "middle_name"}},
		{"an address", []string{"address", "street", "postcode", "postal_code", "zip", "zip_code"}},
		{"a date of birth", []string{"birth", "birthday", "birth_date", "date_of_birth", "dob"}},
	} {
		if says(name, kind.terms...) {
			return kind.what
		}
	}
	return ""
}
