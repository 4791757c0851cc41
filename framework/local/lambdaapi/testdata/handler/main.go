// Command handler is a Lambda function that does what its event says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	Arg  string `json:"arg"`
	Text string `json:"text"`
}

// seen is what a handler can tell about its invocation and surroundings.
type seen struct {
	PID       int
	Count     int
	RequestID string
	ARN       string
	Trace     string
	Custom    map[string]string
	Remaining time.Duration
	Env       []string
	Dir       string
	Text      string
}

type noSuchOrder struct{ id string }

func (e *noSuchOrder) Error() string { return "no order " + e.id }

var (
	count   int
	current atomic.Value // the request id
)

func handle(ctx context.Context, e event) (any, error) {
	count++
	lc, _ := lambdacontext.FromContext(ctx)
	current.Store(lc.AwsRequestID)
	deadline, _ := ctx.Deadline()
	switch e.Do {
	case "error":
		return nil, &noSuchOrder{e.Arg}
	case "panic":
		panic(e.Arg)
	case "exit":
		fmt.Fprintln(os.Stderr, "about to exit")
		code, _ := strconv.Atoi(e.Arg)
		os.Exit(code)
	case "hang":
		touch(e.Arg)
		select {}
	case "hang-with-child", "exit-with-child":
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		touch(e.Arg, strconv.Itoa(cmd.Process.Pid))
		if e.Do == "exit-with-child" {
			os.Exit(1)
		}
		select {}
	case "wait-for": // a file that the test makes
		touch(e.Arg)
		for {
			if _, err := os.Stat(e.Text); err == nil {
				return os.Getpid(), nil
			}
			time.Sleep(time.Millisecond)
		}
	case "kill-self":
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "large":
		n, _ := strconv.Atoi(e.Arg)
		return strings.Repeat("x", n), nil
	case "print":
		fmt.Println(e.Arg)
		fmt.Fprint(os.Stderr, "no line break")
	case "answer-twice":
		// Answers by hand, then again by returning: the second is out of turn.
		resp, err := http.Post(api()+"invocation/"+lc.AwsRequestID+"/response", "application/json", strings.NewReader(`"first"`))
		if err != nil {
			return nil, err
		}
		return nil, resp.Body.Close()
	case "answer-then-hang": // and never asks for more
		resp, err := http.Post(api()+"invocation/"+lc.AwsRequestID+"/response", "application/json", strings.NewReader(`"answered"`))
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		select {}
	case "extension": // Arg is a path, Text the body of a registration
		req, err := http.NewRequest("POST", strings.Replace(api(), "2018-06-01/runtime", "2020-01-01/extension", 1)+e.Arg, strings.NewReader(e.Text))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Lambda-Extension-Name", "test")
		return answerOf(req)
	case "probe": // Arg is a method, Text a path below the runtime API
		req, err := http.NewRequest(e.Arg, api()+e.Text, strings.NewReader("{}"))
		if err != nil {
			return nil, err
		}
		return answerOf(req)
	case "stream-error":
		return &brokenStream{}, nil
	}
	dir, _ := os.Getwd()
	trace, _ := ctx.Value("x-amzn-trace-id").(string)
	return seen{
		PID: os.Getpid(), Count: count, RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn,
		Trace: trace, Custom: lc.ClientContext.Custom, Remaining: time.Until(deadline),
		Env: os.Environ(), Dir: dir, Text: e.Text,
	}, nil
}

// answerOf is the status and error type of a request's answer.
func answerOf(req *http.Request) (any, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return nil, err
	}
	return fmt.Sprint(resp.StatusCode, " ", body["errorType"]), nil
}

type brokenStream struct{ n int }

func (b *brokenStream) Read(p []byte) (int, error) {
	if b.n++; b.n == 1 {
		return copy(p, "partial"), nil
	}
	return 0, errors.New("stream broke")
}

func api() string { return "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/" }

// touch tells the test that the handler has got this far.
func touch(path string, content ...string) {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, []byte(strings.Join(content, "")), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		panic(err)
	}
}

func main() {
	if path := os.Getenv("SIGTERM_FILE"); path != "" {
		lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM(func() {
			status := "terminated"
			if os.Getenv("SIGTERM_ANSWERS") != "" {
				resp, err := http.Post(api()+"invocation/"+current.Load().(string)+"/response", "application/json", strings.NewReader(`"late"`))
				if err != nil {
					panic(err)
				}
				status = resp.Status
			}
			touch(path, status)
		}))
	}
	lambda.Start(handle)
}
