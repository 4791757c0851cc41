package consumer

import (
	"crypto/sha256"
	"encoding/hex"
)

const (
	keySeparator = "#"

	// maxKey bounds the part of a key that comes from events. DynamoDB takes
	// 2,048 bytes for the whole; consumer and type names share the rest.
	maxKey = 1024
)

// storeKey is the key as stores see it: scoped by consumer, because two
// consumers of one event both have work to do, and by the type's name without
// its version, because an upgrade must not make an old message new.
//
// A key too long to store is hashed. Its form has an empty second part, which
// no literal key can produce since type names are not empty.
func storeKey(consumer, typeName, key string) string {
	if len(key) > maxKey {
		sum := sha256.Sum256([]byte(key))
		return consumer + keySeparator + keySeparator + typeName + keySeparator + hex.EncodeToString(sum[:])
	}
	return consumer + keySeparator + typeName + keySeparator + key
}
