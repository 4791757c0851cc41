package local

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// AttributeValue is a message attribute. DataType is String, Number or Binary, optionally with a custom suffix as in
// Number.int; SNS also has String.Array. Binary types carry BinaryValue, all others StringValue.
type AttributeValue struct {
	DataType    string
	StringValue string
	BinaryValue []byte
}

// Binary reports whether the value is in BinaryValue.
func (a AttributeValue) Binary() bool {
	return a.DataType == "Binary" || strings.HasPrefix(a.DataType, "Binary.")
}

func (a AttributeValue) size() int {
	return len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary)(\..+)?$`)
	decimalNumber = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)
)

// checkAttributes applies SQS's rules for message attributes (SQS developer guide, message metadata).
func checkAttributes(attrs map[string]AttributeValue) error {
	if len(attrs) > 10 {
		return errInvalidValue("Number of message attributes [%d] exceeds the allowed maximum [10].", len(attrs))
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a := attrs[name]
		lower := strings.ToLower(name)
		switch {
		case !attributeName.MatchString(name), strings.HasPrefix(name, "."), strings.HasSuffix(name, "."), strings.Contains(name, ".."),
			strings.HasPrefix(lower, "aws."), strings.HasPrefix(lower, "amazon."):
			return errInvalidValue("Message (user) attribute name '%s' is invalid.", name)
		case a.DataType == "":
			return errInvalidValue("The message attribute '%s' must contain a non-empty message attribute type.", name)
		case !attributeType.MatchString(a.DataType):
			return errInvalidValue("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
		case a.Binary() && len(a.BinaryValue) == 0:
			return errInvalidValue("Message (user) attribute '%s' must contain a non-empty value of type 'Binary'.", name)
		case !a.Binary() && a.StringValue == "":
			return errInvalidValue("Message (user) attribute '%s' must contain a non-empty value of type 'String'.", name)
		case strings.HasPrefix(a.DataType, "Number") && !decimalNumber.MatchString(a.StringValue):
			return errInvalidValue("Can't cast the value of message (user) attribute '%s' to a number.", name)
		}
		if bad, found := invalidRune(a.StringValue); found {
			return errInvalidContents(fmt.Sprintf("Invalid binary character '#x%X' was found in the message attribute '%s' value", bad, name))
		}
	}
	return nil
}

// invalidRune finds a character that SQS does not accept: it allows those of XML 1.0.
func invalidRune(s string) (rune, bool) {
	for _, r := range s {
		switch {
		case r == 0x9, r == 0xA, r == 0xD, r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
		default:
			return r, true
		}
	}
	return 0, false
}

func errInvalidContents(what string) *Error {
	return &Error{Code: "InvalidMessageContents", Message: what +
		", the set of allowed characters is #x9 | #xA | #xD | [#x20 to #xD7FF] | [#xE000 to #xFFFD] | [#x10000 to #x10FFFF]"}
}

// MD5OfAttributes is the digest SDKs check (SQS developer guide, "Calculating the MD5 message digest for message attributes"):
// names in order, each with its type, a byte for the kind of value, and the value, all with their lengths. No attributes give "".
func MD5OfAttributes(attrs map[string]AttributeValue) string {
	if len(attrs) == 0 {
		return ""
	}
	h := md5.New()
	part := func(b []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a := attrs[name]
		part([]byte(name))
		part([]byte(a.DataType))
		if a.Binary() {
			h.Write([]byte{2})
			part(a.BinaryValue)
		} else {
			h.Write([]byte{1})
			part([]byte(a.StringValue))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
