package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// A PayloadFetcher gets bodies that were too large for a message and were left
// elsewhere: a claim check. It is safe for concurrent use. An error that can
// never go away must be Permanent.
type PayloadFetcher interface {
	Fetch(ctx context.Context, pointer PayloadPointer) ([]byte, error)
}

// A PayloadPointer says where a body is.
type PayloadPointer struct{ Bucket, Key string }

// WithLargePayloads fetches bodies that AWS's Extended Client Libraries for SQS
// and SNS, or Sluice's publisher, left in S3: awsio.ClaimCheck. Default: none,
// and a message that only points to its body is a permanent failure.
func WithLargePayloads(f PayloadFetcher) Option {
	return option(func(c *config) {
		if f == nil {
			c.errs = append(c.errs, errors.New("WithLargePayloads was given a nil fetcher"))
		}
		c.payloads = f
	})
}

// The attributes that mark a pointer, with the body's size as value, and the
// class names in it: of today's libraries and of the first ones.
// https://github.com/awslabs/payload-offloading-java-common-lib-for-aws
const (
	AttributePayloadSize       = "ExtendedPayloadSize"
	attributePayloadSizeLegacy = "SQSLargePayloadSize"
	PayloadPointerClass        = "software.amazon.payloadoffloading.PayloadS3Pointer"
	payloadPointerClassLegacy  = "com.amazon.sqs.javamessaging.MessageS3Pointer"
)

// pointer returns where the body is, if this is only a pointer to it. Both the
// attribute and the form must be there: a body may look like anything.
func (in *inner) pointer() (PayloadPointer, bool) {
	if in.attrs[AttributePayloadSize] == "" && in.attrs[attributePayloadSizeLegacy] == "" {
		return PayloadPointer{}, false
	}
	if !bytes.HasPrefix(bytes.TrimLeft(in.body, " \t\r\n"), []byte("[")) {
		return PayloadPointer{}, false
	}
	var parts [2]json.RawMessage
	var class string
	var at struct {
		Bucket string `json:"s3BucketName"`
		Key    string `json:"s3Key"`
	}
	if json.Unmarshal(in.body, &parts) != nil || json.Unmarshal(parts[0], &class) != nil || json.Unmarshal(parts[1], &at) != nil {
		return PayloadPointer{}, false
	}
	if class != PayloadPointerClass && class != payloadPointerClassLegacy {
		return PayloadPointer{}, false
	}
	return PayloadPointer{Bucket: at.Bucket, Key: at.Key}, at.Bucket != "" && at.Key != ""
}

// arrival is a message as it arrived, with what its envelopes held.
type arrival struct {
	it  *item
	in  inner
	err error
}

// decodeAll fetches the bodies that are elsewhere, and decodes all. Fetching
// comes first because an event's key may be in its body.
func (c *Consumer) decodeAll(ctx context.Context, inv *invocation, arrivals []arrival) {
	elsewhere := map[int]PayloadPointer{}
	for i := range arrivals {
		if at, ok := arrivals[i].in.pointer(); ok && arrivals[i].err == nil {
			elsewhere[i] = at
		}
	}
	var bodies map[int]fetched
	if len(elsewhere) > 0 {
		bodies = c.fetchAll(ctx, inv, elsewhere)
	}
	for i := range arrivals {
		a := &arrivals[i]
		_, points := elsewhere[i]
		f, ok := bodies[i]
		switch {
		case !points:
		case ok && f.err == nil:
			a.in.body = f.body
		case ok && IsPermanent(f.err):
			a.err = fmt.Errorf("fetch the body: %w", f.err)
		default:
			// Tried again at the next delivery, not sent away.
			if !ok {
				f.err = errDeadlineUnstarted
			}
			c.decode(a.it, a.in, f.err)
			a.it.reason = nil
			a.it.resolved = &verdict{fate: retried, err: fmt.Errorf("fetch the body: %w", f.err)}
			continue
		}
		c.decode(a.it, a.in, a.err)
	}
}

type fetched struct {
	i    int
	body []byte
	err  error
}

// fetchAll fetches bodies, as many at once as handlers may run. What has not
// come when the time for work is over, has no entry.
func (c *Consumer) fetchAll(ctx context.Context, inv *invocation, from map[int]PayloadPointer) map[int]fetched {
	if !inv.limits.soft.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, inv.limits.soft)
		defer cancel()
	}
	results := make(chan fetched, len(from))
	gate := make(chan struct{}, c.cfg.concurrency)
	for i, at := range from {
		if c.cfg.payloads == nil {
			results <- fetched{i: i, err: Permanent(fmt.Errorf("the body is in the bucket %q, and the consumer fetches none (WithLargePayloads)", at.Bucket))}
			continue
		}
		go func() {
			f := fetched{i: i}
			// Sent by defer, for a fetcher that panics.
			defer func() { results <- f }()
			defer recovered(&f.err)
			select {
			case gate <- struct{}{}:
				defer func() { <-gate }()
				f.body, f.err = c.cfg.payloads.Fetch(ctx, at)
			case <-ctx.Done():
				f.err = ctx.Err()
			}
		}()
	}
	bodies := map[int]fetched{}
	for len(bodies) < len(from) {
		select {
		case f := <-results:
			bodies[f.i] = f
		case <-ctx.Done():
			return bodies
		}
	}
	return bodies
}
