package awsio

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-go/sluice/framework/consumer"
)

// Objects is all that a claim check needs of an object store. Package s3objects
// is it for S3; nothing else here links S3's client. It is safe for concurrent
// use.
type Objects interface {
	// Get returns an object of at most limit bytes; ErrNoObject if there is
	// none, and an error that wraps ErrTooLarge if it is larger.
	Get(ctx context.Context, bucket, key string, limit int64) ([]byte, error)
	// Put writes an object.
	Put(ctx context.Context, bucket, key string, body []byte) error
}

// What an Objects says of objects that no retry will change.
var (
	ErrNoObject = errors.New("object does not exist")
	ErrTooLarge = errors.New("object is too large")
)

// ClaimCheck leaves bodies that are too large for a message in a bucket, and
// fetches them, in the format of AWS's Extended Client Libraries: what they
// send is read here, and what is sent here they read. Objects are not deleted,
// because a message can be delivered again; give the bucket a lifecycle rule
// that outlives the record life.
type ClaimCheck struct {
	objects Objects
	buckets []string
	limit   int64
}

var _ consumer.PayloadFetcher = (*ClaimCheck)(nil)

// DefaultPayloadLimit is the largest body that a ClaimCheck fetches.
const DefaultPayloadLimit = 64 << 20

// NewClaimCheck returns a ClaimCheck for the named buckets. At least one is
// required: where a body is fetched from is the sender's word, and anybody who
// can send to the queue could name a bucket of their own, or one that the
// function may read and they may not. Limit bounds a body in bytes; 0 means
// DefaultPayloadLimit.
func NewClaimCheck(objects Objects, limit int64, buckets ...string) (*ClaimCheck, error) {
	switch {
	case objects == nil:
		return nil, errors.New("awsio: claim check: the object store is nil")
	case len(buckets) == 0 || slices.Contains(buckets, ""):
		return nil, errors.New("awsio: claim check: name the buckets that bodies may be fetched from: a message could point anywhere")
	case limit < 0:
		return nil, fmt.Errorf("awsio: claim check: limit of %d bytes is negative", limit)
	case limit == 0:
		limit = DefaultPayloadLimit
	}
	return &ClaimCheck{objects: objects, buckets: slices.Clone(buckets), limit: limit}, nil
}

// Fetch implements consumer.PayloadFetcher. A bucket that is not allowed, a
// missing object and one that is too large are permanent failures.
func (c *ClaimCheck) Fetch(ctx context.Context, p consumer.PayloadPointer) ([]byte, error) {
	if !slices.Contains(c.buckets, p.Bucket) {
		return nil, consumer.Permanent(fmt.Errorf("awsio: claim check: the message points to bucket %q, which is not one of %q", p.Bucket, c.buckets))
	}
	body, err := c.objects.Get(ctx, p.Bucket, p.Key, c.limit)
	if err != nil {
		err = fmt.Errorf("awsio: claim check: %s/%s: %w", p.Bucket, p.Key, err)
		if errors.Is(err, ErrNoObject) || errors.Is(err, ErrTooLarge) {
			return nil, consumer.Permanent(err)
		}
		return nil, err
	}
	return body, nil
}

// Leave puts a body into the first bucket, and returns the message that points
// to it: its body, and the name and value of the Number attribute that marks it.
func (c *ClaimCheck) Leave(ctx context.Context, body []byte) (pointer, attribute, size string, err error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", "", "", fmt.Errorf("awsio: claim check: %w", err)
	}
	key := hex.EncodeToString(id[:])
	if err := c.objects.Put(ctx, c.buckets[0], key, body); err != nil {
		return "", "", "", fmt.Errorf("awsio: claim check: %s/%s: %w", c.buckets[0], key, err)
	}
	text, err := json.Marshal([]any{consumer.PayloadPointerClass, struct {
		Bucket string `json:"s3BucketName"`
		Key    string `json:"s3Key"`
	}{c.buckets[0], key}})
	if err != nil {
		return "", "", "", fmt.Errorf("awsio: claim check: %w", err)
	}
	return string(text), consumer.AttributePayloadSize, strconv.Itoa(len(body)), nil
}
