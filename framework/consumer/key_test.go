package consumer

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// sent is a key as DynamoDB gets it: JSON replaces what is no UTF-8.
func sent(key string) string { return strings.ToValidUTF8(key, "\uFFFD") }

func TestStoreKey(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 1025)
	for want, got := range map[string]string{
		"c#orders.placed#o-1":            storeKey("c", "orders.placed", "o-1"),
		"c#orders.placed#a#b":            storeKey("c", "orders.placed", "a#b"),
		"c#orders.placed#\u00e9":         storeKey("c", "orders.placed", "\u00e9"),
		"c#orders.placed#" + long[:1024]: storeKey("c", "orders.placed", long[:1024]),
		// sha256 of 1,025 times "k": the form is on disk, and must not change.
		"c##orders.placed#011cc8dcade24f43d2d7f95605d8481da1d0b86475def49be02bfc20cee86e65": storeKey("c", "orders.placed", long),
	} {
		if got != want {
			t.Errorf("storeKey = %q, want %q", got, want)
		}
	}
	hashed := storeKey("c", "orders.placed", long)
	if !strings.HasPrefix(hashed, "c##orders.placed#") || len(hashed) != len("c##orders.placed#")+64 {
		t.Errorf("hashed key = %q", hashed)
	}
	// A literal key that looks like the hashed form is another key.
	if storeKey("c", "orders.placed", strings.TrimPrefix(hashed, "c##orders.placed#")) == hashed || storeKey("c", "x", strings.TrimPrefix(hashed, "c#")) == hashed {
		t.Error("a literal key collides with a hashed one")
	}
}

func TestLongestStoreKeyFits(t *testing.T) {
	t.Parallel()
	for scope := 2; scope <= maxScope; scope += maxScope - 2 {
		for _, n := range []int{1, maxKey, maxKey + 1, 1 << 20} {
			key := storeKey("c", strings.Repeat("n", scope-1), strings.Repeat("k", n))
			if len(key) > 2048 {
				t.Errorf("a key of %d bytes, in a scope of %d, takes %d", n, scope, len(key))
			}
		}
	}
}

// TestStoreKeysDiffer: random pairs of near keys never meet.
func TestStoreKeysDiffer(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "#", "##", ".", "\u00e9", "\xff", "\xc3", "\x00", "\uFFFD", "orders", strings.Repeat("k", 512)}
	word := func(banned string) string {
		var b strings.Builder
		for range r.IntN(5) {
			if s := alphabet[r.IntN(len(alphabet))]; banned == "" || !strings.Contains(s, banned) {
				b.WriteString(s)
			}
		}
		return b.String()
	}
	seen := map[string]string{}
	for range 30_000 {
		consumer, name, key := "c"+strings.ToValidUTF8(word("#"), ""), "n"+strings.ToValidUTF8(word("#"), ""), word("")
		parts := fmt.Sprintf("%q %q %q", consumer, name, key)
		stored := sent(storeKey(consumer, name, key))
		if other, taken := seen[stored]; taken && other != parts {
			t.Fatalf("%s and %s are both %q", other, parts, stored)
		}
		seen[stored] = parts
	}
}

func FuzzStoreKey(f *testing.F) {
	long := strings.Repeat("k", 1025)
	f.Add("c", "orders.placed", "o-1", "c", "orders.placed", "o-2")
	f.Add("c", "a", "b#c", "c", "a#b", "c")
	f.Add("c", "orders.placed", long, "c", "orders.placed", storeKey("c", "orders.placed", long)[len("c#"):])
	f.Add("c", "n", "\xff", "c", "n", "\xfe")
	f.Add("c", "n", "\uFFFD", "c", "n", "\xff")
	f.Add("c", "n", "", "c", "n", "#")
	f.Fuzz(func(t *testing.T, c1, n1, k1, c2, n2, k2 string) {
		for _, c := range []string{c1, c2} {
			if checkName(c) != nil || sent(c) != c {
				t.Skip("no consumer is named so")
			}
		}
		for _, n := range []string{n1, n2} {
			if name, _, err := splitType(n + ".v1"); err != nil || name != n || sent(n) != n {
				t.Skip("no event is named so")
			}
		}
		a, b := sent(storeKey(c1, n1, k1)), sent(storeKey(c2, n2, k2))
		if same := c1 == c2 && n1 == n2 && k1 == k2; same != (a == b) {
			t.Errorf("%q,%q,%q is %q; %q,%q,%q is %q", c1, n1, k1, a, c2, n2, k2, b)
		}
	})
}
