package s3objects_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sluice-go/sluice/framework/awsio"
	"github.com/sluice-go/sluice/framework/awsio/s3objects"
	"github.com/sluice-go/sluice/framework/consumer"
)

// bucketServer keeps objects by path, as S3 does with path-style addresses.
func bucketServer(t *testing.T) *s3.Client {
	t.Helper()
	var mu sync.Mutex
	objects := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPut {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			objects[r.URL.Path] = body
			return
		}
		body, ok := objects[r.URL.Path]
		if !ok {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
}

func TestLeaveAndFetch(t *testing.T) {
	t.Parallel()
	check, err := awsio.NewClaimCheck(s3objects.New(bucketServer(t)), 10, "bodies", "others")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := check.Leave(t.Context(), []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	store := s3objects.New(bucketServer(t))
	if err := store.Put(t.Context(), "bodies", "k", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	got, err := store.Get(t.Context(), "bodies", "k", 10)
	if err != nil || string(got) != "0123456789" {
		t.Errorf("Get = %q, %v", got, err)
	}
	if _, err := store.Get(t.Context(), "bodies", "k", 9); !errors.Is(err, awsio.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := store.Get(t.Context(), "bodies", "missing", 9); !errors.Is(err, awsio.ErrNoObject) {
		t.Errorf("missing: %v", err)
	}
	if _, err := check.Fetch(t.Context(), consumer.PayloadPointer{Bucket: "elsewhere", Key: "k"}); !consumer.IsPermanent(err) {
		t.Errorf("a bucket that is not allowed: %v", err)
	}
	if _, err := check.Fetch(t.Context(), consumer.PayloadPointer{Bucket: "others", Key: "gone"}); !consumer.IsPermanent(err) || !errors.Is(err, awsio.ErrNoObject) {
		t.Errorf("a missing object: %v", err)
	}
}
