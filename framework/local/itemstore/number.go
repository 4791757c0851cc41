package itemstore

import (
	"math/big"
	"strconv"
	"strings"
)

// The limits of DynamoDB's number type: 38 significant digits, magnitudes from
// 1E-130 to 9.99...E+125 (Amazon DynamoDB Developer Guide, "Supported data
// types and naming rules").
const (
	maxDigits   = 38
	maxExponent = 125
	minExponent = -130
)

const (
	errNotNumber       = "The parameter cannot be converted to a numeric value"
	errNumberOverflow  = "Number overflow. Attempting to store a number with magnitude larger than supported range"
	errNumberUnderflow = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
	errNumberPrecision = "Attempting to store more than 38 significant digits in a Number"
)

// decimal is an exact decimal number: coef * 10^exp. The coefficient of zero
// has no sign, and no decimal has trailing zeros in its coefficient.
type decimal struct {
	coef *big.Int
	exp  int
}

// parseDecimal reads DynamoDB's number syntax: an optional sign, digits with an
// optional point, an optional exponent. The error is AWS's text.
func parseDecimal(s string) (decimal, *Error) {
	fail := func() (decimal, *Error) {
		if s == "" {
			return decimal{}, invalid("%s", errNotNumber)
		}
		return decimal{}, invalid("%s: %s", errNotNumber, s)
	}
	rest := s
	negative := false
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		negative = rest[0] == '-'
		rest = rest[1:]
	}
	mantissa, exponent, hasExponent := rest, 0, false
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa, hasExponent = rest[:i], true
		e := rest[i+1:]
		digits := strings.TrimLeft(e, "+-")
		if len(e)-len(digits) > 1 || digits == "" || !allDigits(digits) {
			return fail()
		}
		digits = strings.TrimLeft(digits, "0")
		// Nine digits are beyond any limit and still far from overflowing int.
		if len(digits) > 9 {
			digits = "999999999"
		}
		exponent, _ = strconv.Atoi("0" + digits)
		if e[0] == '-' {
			exponent = -exponent
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return fail()
	}
	if hasExponent && mantissa == "" {
		return fail()
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		return decimal{coef: new(big.Int)}, nil
	}
	if err := checkRange(len(trimmed), exponent); err != nil {
		return decimal{}, err
	}
	coef, _ := new(big.Int).SetString(trimmed, 10)
	if negative {
		coef.Neg(coef)
	}
	return decimal{coef: coef, exp: exponent}, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// checkRange applies the limits to a number of so many significant digits.
func checkRange(digits, exp int) *Error {
	leading := exp + digits - 1
	switch {
	case leading > maxExponent:
		return invalid("%s", errNumberOverflow)
	case leading < minExponent:
		return invalid("%s", errNumberUnderflow)
	case digits > maxDigits:
		return invalid("%s", errNumberPrecision)
	}
	return nil
}

// mustDecimal reads a number that a Value already holds.
func mustDecimal(s string) decimal {
	d, err := parseDecimal(s)
	if err != nil {
		return decimal{coef: new(big.Int)}
	}
	return d
}

// canonicalNumber returns the text in which AWS returns a number: plain
// notation, no leading or trailing zeros, no exponent, no negative zero. Two
// numbers are equal exactly when their canonical texts are.
func canonicalNumber(s string) (string, *Error) {
	d, err := parseDecimal(s)
	if err != nil {
		return "", err
	}
	return d.String(), nil
}

func (d decimal) String() string {
	if d.coef.Sign() == 0 {
		return "0"
	}
	digits := new(big.Int).Abs(d.coef).String()
	var b strings.Builder
	if d.coef.Sign() < 0 {
		b.WriteByte('-')
	}
	switch point := len(digits) + d.exp; {
	case d.exp >= 0:
		b.WriteString(digits)
		b.WriteString(strings.Repeat("0", d.exp))
	case point > 0:
		b.WriteString(digits[:point])
		b.WriteByte('.')
		b.WriteString(digits[point:])
	default:
		b.WriteString("0.")
		b.WriteString(strings.Repeat("0", -point))
		b.WriteString(digits)
	}
	return b.String()
}

// scaled returns the coefficients of a and b at their smaller exponent.
func scaled(a, b decimal) (x, y *big.Int, exp int) {
	exp = min(a.exp, b.exp)
	ten := big.NewInt(10)
	shift := func(d decimal) *big.Int {
		p := new(big.Int).Exp(ten, big.NewInt(int64(d.exp-exp)), nil)
		return p.Mul(p, d.coef)
	}
	return shift(a), shift(b), exp
}

func (d decimal) cmp(other decimal) int {
	x, y, _ := scaled(d, other)
	return x.Cmp(y)
}

func (d decimal) neg() decimal {
	return decimal{coef: new(big.Int).Neg(d.coef), exp: d.exp}
}

// add is exact: a sum that needs more than 38 digits, or that is out of range,
// is an error and never rounded.
func (d decimal) add(other decimal) (decimal, *Error) {
	x, y, exp := scaled(d, other)
	sum := x.Add(x, y)
	if sum.Sign() == 0 {
		return decimal{coef: new(big.Int)}, nil
	}
	ten, quo, rem := big.NewInt(10), new(big.Int), new(big.Int)
	for {
		quo.QuoRem(sum, ten, rem)
		if rem.Sign() != 0 {
			break
		}
		sum.Set(quo)
		exp++
	}
	digits := len(new(big.Int).Abs(sum).String())
	if err := checkRange(digits, exp); err != nil {
		return decimal{}, err
	}
	return decimal{coef: sum, exp: exp}, nil
}

// digits is the count of significant digits, for the item's size.
func (d decimal) digits() int {
	if d.coef.Sign() == 0 {
		return 1
	}
	return len(new(big.Int).Abs(d.coef).String())
}
