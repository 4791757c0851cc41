// Command badinit is a Lambda function that fails before it asks for work, in
// the way that HOW says. It notes each start in the file STARTS.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	f, err := os.OpenFile(os.Getenv("STARTS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(f, os.Getpid())
	f.Close()
	starts, _ := os.ReadFile(os.Getenv("STARTS"))

	switch os.Getenv("HOW") {
	case "exit":
		fmt.Fprintln(os.Stderr, "config: DATABASE is not set")
		os.Exit(7)
	case "panic":
		panic("no table")
	case "init-error":
		resp, err := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error", "application/json",
			strings.NewReader(`{"errorType":"Config.Missing","errorMessage":"DATABASE is not set"}`))
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, resp.StatusCode)
		os.Exit(1)
	case "hang":
		time.Sleep(time.Hour) // an empty select ends a process that has nothing else to wait for
	case "third": // the third start works
		if strings.Count(string(starts), "\n") < 3 {
			os.Exit(1)
		}
	}
	lambda.Start(func() (string, error) { return "ok", nil })
}
