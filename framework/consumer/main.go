package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"
)

// Main builds the consumer once, at cold start, and hands it to Lambda or to
// whatever serves the Lambda Runtime API. It does not return. If setup fails,
// the process logs why and exits with 1, which Lambda reports as a failed
// initialisation.
func Main(setup func(context.Context) (*Consumer, error)) {
	c, err := initialise(setup)
	if err == nil && os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		err = errors.New("nothing serves the Lambda Runtime API here (AWS_LAMBDA_RUNTIME_API is not set): run it by `go tool sluice dev`, `go tool sluice invoke`, `sam local invoke`, or deploy it")
	}
	if err != nil {
		slog.Error("function did not start", "error", err)
		os.Exit(1)
	}
	lambda.Start(c)
}

func initialise(setup func(context.Context) (*Consumer, error)) (c *Consumer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("setup panicked: %v\n%s", p, debug.Stack())
		}
	}()
	c, err = setup(context.Background())
	if err == nil && c == nil {
		err = errors.New("setup returned neither a consumer nor an error")
	}
	return c, err
}
