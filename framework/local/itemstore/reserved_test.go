package itemstore

import (
	"strings"
	"testing"
)

func TestReservedWords(t *testing.T) {
	t.Parallel()
	words := strings.Fields(reservedWords)
	if len(words) != 573 {
		t.Errorf("%d reserved words; AWS lists 573", len(words))
	}
	for _, w := range words {
		if !isReserved(w) || !isReserved(strings.ToLower(w)) {
			t.Errorf("%s is not reserved", w)
		}
		if isReserved(w+"Q") || isReserved("Q"+w) {
			t.Errorf("%s with a letter more is reserved", w)
		}
	}
	for w := range strings.FieldsSeq(partiQLWords) {
		if !isPartiQLReserved(w) {
			t.Errorf("%s is not reserved in PartiQL", w)
		}
	}
	for _, w := range []string{"", "id", "expiration", "owner_token", "E", "A", "BORT"} {
		if isReserved(w) {
			t.Errorf("%q is reserved", w)
		}
	}
	for _, w := range []string{"STATUS", "DATA", "EXPIRATION", "ID"} {
		if isPartiQLReserved(w) {
			t.Errorf("%s is reserved in PartiQL", w)
		}
	}
}
