package consumer

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

const (
	keySeparator = "#"

	// maxKey bounds the part of a key that comes from events. DynamoDB takes
	// 2,048 bytes for the whole; consumer and type names share the rest, with
	// two separators.
	maxKey   = 1024
	maxScope = 2048 - maxKey - 2*len(keySeparator)
)

// storeKey is the key as stores see it: scoped by consumer, because two
// consumers of one event both have work to do, and by the type's name without
// its version, because an upgrade must not make an old message new.
//
// A key too long to store is hashed. Its form has an empty second part, which
// no literal key can produce since type names are not empty. So is one that is
// no UTF-8, as a raw digest: JSON would carry all such bytes to DynamoDB as the
// same replacement character, and different keys would be one.
func storeKey(consumer, typeName, key string) string {
	if len(key) > maxKey || !utf8.ValidString(key) {
		sum := sha256.Sum256([]byte(key))
		return consumer + keySeparator + keySeparator + typeName + keySeparator + hex.EncodeToString(sum[:])
	}
	return consumer + keySeparator + typeName + keySeparator + key
}
