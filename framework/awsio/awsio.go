// Package awsio is the AWS side of a consumer: it implements the consumer's
// small interfaces with DynamoDB and SQS, and reads from the function's
// environment what the constructs put there.
//
// What it does is what [consumer] asks for, and so at least once; nothing here
// retries beyond the SDK's own retries. All types are safe for concurrent use.
package awsio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sluice-go/sluice/framework/consumer"
	"github.com/sluice-go/sluice/framework/env"
	"github.com/sluice-go/sluice/framework/idempotency"
	"github.com/sluice-go/sluice/framework/idempotency/dynamostore"
)

// AWS is what a consumer uses of AWS.
type AWS struct {
	// Config has the function's region, credentials and endpoint. Make clients
	// of further services from it.
	Config aws.Config

	// DynamoDB is the client of the idempotency store, for handlers to share.
	DynamoDB *dynamodb.Client

	// Store is the idempotency store; nil if the environment names no table.
	Store *dynamostore.Store

	options []consumer.Option
}

// FromEnv reads the environment of a Lambda function: Lambda's own variables,
// and those of package env. It makes no request. Errors name the variable.
//
// It builds the SDK's configuration from the variables that Lambda sets, and
// not by the SDK's config package, whose other sources of credentials (profiles,
// SSO, instance metadata) a function does not have and would pay for at every
// cold start. Use FromConfig to bring a configuration of your own.
func FromEnv(ctx context.Context) (*AWS, error) {
	cfg, err := configFromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	return fromConfig(ctx, cfg, os.Getenv)
}

// FromConfig is FromEnv with an SDK configuration of the caller's.
func FromConfig(ctx context.Context, cfg aws.Config) (*AWS, error) {
	return fromConfig(ctx, cfg, os.Getenv)
}

func fromConfig(ctx context.Context, cfg aws.Config, getenv func(string) string) (*AWS, error) {
	a := &AWS{Config: cfg, DynamoDB: dynamodb.NewFromConfig(cfg)}
	queues := sqs.NewFromConfig(cfg)
	a.options = append(a.options, consumer.WithQueueActions(NewVisibility(queues, getenv(env.QueueURL))))
	if url := getenv(env.DeadLetterQueueURL); url != "" {
		sink, err := NewDeadLetters(queues, url)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", env.DeadLetterQueueURL, err)
		}
		a.options = append(a.options, consumer.WithDeadLetters(sink))
	}
	if table := getenv(env.IdempotencyTable); table != "" {
		store, err := dynamostore.New(a.DynamoDB, table)
		if err != nil {
			return nil, err
		}
		a.Store = store
		a.options = append(a.options, consumer.WithIdempotency(store))
	} else {
		slog.WarnContext(ctx, "no idempotency store: every delivery runs the handler", "variable", env.IdempotencyTable)
	}
	if s := getenv(env.RecordLife); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n <= 0 || n > int64(math.MaxInt64/time.Second) {
			return nil, fmt.Errorf("%s is %q: it must be a whole number of seconds above zero, and less than 292 years", env.RecordLife, s)
		}
		a.options = append(a.options, consumer.WithRecordLife(time.Duration(n)*time.Second))
	}
	if getenv(env.Local) == "1" {
		a.options = append(a.options, consumer.WithClockOffset(localOffset))
	}
	return a, nil
}

// Option gives a consumer all of it: the idempotency store, visibility changes,
// the dead-letter sink, the life of records.
func (a *AWS) Option() consumer.Option { return consumer.WithOptions(a.options...) }

// InTx is the store's InTx: it writes items and completes the message in one
// transaction, as the handler's last act. Without a store it fails.
func (a *AWS) InTx(ctx context.Context, items ...types.TransactWriteItem) error {
	if a.Store == nil {
		return fmt.Errorf("awsio: InTx needs the idempotency store, and %s is not set", env.IdempotencyTable)
	}
	return a.Store.InTx(ctx, items...)
}

// configFromEnv reads the variables that Lambda sets on every function:
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func configFromEnv(getenv func(string) string) (aws.Config, error) {
	region := getenv("AWS_REGION")
	if region == "" {
		return aws.Config{}, errors.New("awsio: AWS_REGION is not set: outside Lambda, run the handler by `go tool sluice` or `sam local invoke`, or use FromConfig")
	}
	creds := aws.Credentials{
		AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    getenv("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	if !creds.HasKeys() {
		return aws.Config{}, errors.New("awsio: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: outside Lambda, use FromConfig")
	}
	cfg := aws.Config{
		Region:      region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil }),
	}
	if endpoint := getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = aws.String(endpoint)
	}
	return cfg, nil
}

// localOffset reads how far the local runtime's clock is ahead, which it sends
// with each invocation: processes stay warm over its jumps.
func localOffset(ctx context.Context) time.Duration {
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(lc.ClientContext.Custom[env.ClockOffset], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n)
}

// InTxPublish is the store's InTxPublish: InTx, with events that are published
// after the handler returned (see consumer.WithOutbox). Without a store it fails.
func (a *AWS) InTxPublish(ctx context.Context, outgoing []idempotency.Outgoing, items ...types.TransactWriteItem) error {
	if a.Store == nil {
		return fmt.Errorf("awsio: InTxPublish needs the idempotency store, and %s is not set", env.IdempotencyTable)
	}
	return a.Store.InTxPublish(ctx, outgoing, items...)
}
