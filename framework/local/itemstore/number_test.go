package itemstore

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestNumberAgainstRat compares parsing, printing, order and sums with exact
// rationals.
func TestNumberAgainstRat(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	rat := func(s string) *big.Rat {
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("big.Rat does not read %q", s)
		}
		return r
	}
	limit := rat("1E126")
	sums := 0
	for range 20000 {
		a, b := randomNumber(rng), randomNumber(rng)
		x, err := parseDecimal(a)
		if err != nil {
			t.Fatalf("parseDecimal(%q): %v", a, err)
		}
		y, err := parseDecimal(b)
		if err != nil {
			t.Fatalf("parseDecimal(%q): %v", b, err)
		}
		if rat(x.String()).Cmp(rat(a)) != 0 {
			t.Fatalf("%q prints as %q", a, x)
		}
		if again, _ := canonicalNumber(x.String()); again != x.String() {
			t.Fatalf("canonical %q changes to %q", x, again)
		}
		if x.cmp(y) != rat(a).Cmp(rat(b)) {
			t.Fatalf("%s cmp %s = %d", a, b, x.cmp(y))
		}
		if (x.String() == y.String()) != (rat(a).Cmp(rat(b)) == 0) {
			t.Fatalf("canonical texts of %s and %s do not tell whether they are equal", a, b)
		}
		want := new(big.Rat).Add(rat(a), rat(b))
		sum, err := x.add(y)
		if err == nil {
			sums++
			if rat(sum.String()).Cmp(want) != 0 {
				t.Fatalf("%s + %s = %s", a, b, sum)
			}
			continue
		}
		// Refused: then it must not be a number that DynamoDB can hold.
		digits := strings.TrimRight(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(want.FloatString(260)), "0"), "0")
		small := new(big.Rat).Abs(want).Cmp(rat("1E-130")) < 0
		if len(digits) <= maxDigits && new(big.Rat).Abs(want).Cmp(limit) < 0 && !small {
			t.Fatalf("%s + %s refused (%v) although it is %s", a, b, err, want.FloatString(140))
		}
	}
	if sums < 5000 {
		t.Errorf("only %d of the sums could be held; the generator tests too little", sums)
	}
}

func randomNumber(rng *rand.Rand) string {
	var b strings.Builder
	if rng.IntN(2) == 0 {
		b.WriteByte('-')
	}
	digits := 1 + rng.IntN(12)
	if rng.IntN(4) == 0 {
		digits = 1 + rng.IntN(maxDigits)
	}
	for range digits {
		b.WriteByte(byte('0' + rng.IntN(10)))
	}
	s := b.String()
	switch rng.IntN(4) {
	case 0:
		i := len(s) - rng.IntN(digits)
		return s[:i] + "." + s[i:] + "0"
	case 1:
		return s + "E" + []string{"5", "+12", "-7", "-80", "80"}[rng.IntN(5)]
	}
	return s
}

func TestNumberLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want, message string }{
		{in: "1E125", want: "1" + strings.Repeat("0", 125)},
		{in: "-9.9999999999999999999999999999999999999E+125", want: "-" + strings.Repeat("9", 38) + strings.Repeat("0", 88)},
		{in: "1e-130", want: "0." + strings.Repeat("0", 129) + "1"},
		{in: "1E126", message: errNumberOverflow},
		{in: "1E-131", message: errNumberUnderflow},
		{in: "0.1E-130", message: errNumberUnderflow},
		{in: "1" + strings.Repeat("0", 37) + "1", message: errNumberPrecision},
		{in: "1e999999999999999999999", message: errNumberOverflow},
		{in: "0e999999999999999999999", want: "0"},
		{in: "", message: errNotNumber},
		{in: "1e", message: errNotNumber + ": 1e"},
		{in: "1e+-2", message: errNotNumber + ": 1e+-2"},
		{in: "--1", message: errNotNumber + ": --1"},
		{in: "٣", message: errNotNumber + ": ٣"},
	} {
		got, err := canonicalNumber(c.in)
		message := ""
		if err != nil {
			message = err.Message
		}
		if got != c.want || message != c.message {
			t.Errorf("canonicalNumber(%q) = %q, %q; want %q, %q", c.in, got, message, c.want, c.message)
		}
	}
}
