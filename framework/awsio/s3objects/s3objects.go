// Package s3objects is awsio.Objects for S3. It is a package of its own so that
// only functions which read large payloads link S3's client.
//
// Each call is one request, which the SDK retries; nothing is kept. The role
// needs s3:GetObject or s3:PutObject on the buckets' objects, and s3:ListBucket
// on the bucket for a missing object to be told from a forbidden one.
package s3objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sluice-go/sluice/framework/awsio"
)

// Store is an awsio.Objects. It is safe for concurrent use.
type Store struct{ client *s3.Client }

var _ awsio.Objects = (*Store)(nil)

// New returns a Store over an S3 client.
func New(client *s3.Client) *Store { return &Store{client} }

// Get implements awsio.Objects. It reads no more than limit bytes.
func (s *Store) Get(ctx context.Context, bucket, key string, limit int64) ([]byte, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
			return nil, fmt.Errorf("%w: %w", awsio.ErrNoObject, err)
		}
		return nil, err
	}
	defer out.Body.Close() //nolint:errcheck // it was read
	if n := aws.ToInt64(out.ContentLength); n > limit {
		return nil, fmt.Errorf("%w: %d bytes, and the limit is %d", awsio.ErrTooLarge, n, limit)
	}
	body, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: the limit is %d bytes", awsio.ErrTooLarge, limit)
	}
	return body, nil
}

// Put implements awsio.Objects.
func (s *Store) Put(ctx context.Context, bucket, key string, body []byte) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(body)})
	return err
}
