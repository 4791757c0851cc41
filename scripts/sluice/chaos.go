package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-go/sluice/framework/local/awsapi"
	"github.com/sluice-go/sluice/framework/local/host"
)

// chaos makes faults at the wire, where requests of the handlers' processes to
// DynamoDB, SQS and EventBridge pass: it refuses them, drops the connection
// before or after they took effect, and kills the process at that moment, with
// SIGKILL. The seed decides which requests; which process makes the n-th request
// is the machine's.
//
// It keeps account of what a fault may excuse. An effect outside the
// idempotency table (a receipt, a sale) may happen again only if a fault fell
// after it and before its completion was durable: a cut.
type chaos struct {
	mu    sync.Mutex
	rand  *rand.Rand
	host  *host.Host
	made  map[string]int      // faults by kind
	open  map[string][]effect // by process: effects whose completion is not durable
	cuts  map[string]int      // by effect: faults after it and before its completion
	done  map[string]bool     // keys whose completion is durable
	limit int                 // faults that are left, so that the story ends
}

// effect is one application of a foreign effect.
type effect struct {
	name string // "<consumer> <effect>", as the ledger has it
	key  string // of its idempotency record
}

func newChaos(seed uint64) *chaos {
	return &chaos{
		rand: rand.New(rand.NewPCG(seed, 0xc4a05)),
		made: map[string]int{}, open: map[string][]effect{}, cuts: map[string]int{}, done: map[string]bool{}, limit: 60,
	}
}

// faultShare is how many of the handlers' requests meet a fault.
const faultShare = 0.12

// The kinds of faults, and how often each is chosen.
const (
	throttled   = "throttled"
	lostBefore  = "request lost"
	lostAfter   = "answer lost"
	killBefore  = "killed before it"
	killAfter   = "killed after it"
	serverError = "server error"
)

func (c *chaos) intercept(call *awsapi.Call, next func() awsapi.Response) awsapi.Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.host == nil {
		return next()
	}
	p, _, ours := c.host.Lambda.ProcessByAccessKey(call.AccessKeyID)
	if !ours {
		return next()
	}
	kind := c.draw()
	if kind != "" {
		c.made[kind]++
	}
	switch kind {
	case throttled:
		c.cut(p.Token)
		return refusal(call.Service, http.StatusBadRequest, "ThrottlingException")
	case serverError:
		c.cut(p.Token)
		return refusal(call.Service, http.StatusInternalServerError, "InternalServerError")
	case lostBefore:
		c.cut(p.Token)
		return awsapi.Response{Drop: true}
	case killBefore:
		c.cut(p.Token)
		c.host.Lambda.Kill(p.Token)
		return awsapi.Response{Drop: true}
	}
	response := next()
	if response.Status == http.StatusOK {
		c.account(p.Token, call)
	}
	switch kind {
	case lostAfter:
		c.cut(p.Token)
		return awsapi.Response{Drop: true}
	case killAfter:
		c.cut(p.Token)
		c.host.Lambda.Kill(p.Token)
		return awsapi.Response{Drop: true}
	}
	return response
}

func (c *chaos) draw() string {
	if c.limit == 0 || c.rand.Float64() >= faultShare {
		return ""
	}
	c.limit--
	kinds := []string{throttled, serverError, lostBefore, lostAfter, killBefore, killAfter}
	return kinds[c.rand.IntN(len(kinds))]
}

// cut notes that a fault fell on a process with effects that are not complete.
func (c *chaos) cut(token string) {
	for _, e := range c.open[token] {
		c.cuts[e.name]++
	}
}

// account follows effects and completions that took effect.
func (c *chaos) account(token string, call *awsapi.Call) {
	switch call.Operation {
	case "UpdateItem":
		var in struct {
			Key struct{ Consumer, Effect struct{ S string } }
		}
		if json.Unmarshal(call.Body, &in) == nil && in.Key.Effect.S != "" {
			c.open[token] = append(c.open[token], effect{in.Key.Consumer.S + " " + in.Key.Effect.S, recordKey(in.Key.Consumer.S, in.Key.Effect.S)})
		}
	case "BatchExecuteStatement":
		var in struct {
			Statements []struct {
				Statement  string
				Parameters []struct{ S string }
			}
		}
		if json.Unmarshal(call.Body, &in) != nil {
			return
		}
		for _, s := range in.Statements {
			if len(s.Parameters) > 3 && s.Parameters[0].S == "COMPLETED" {
				c.done[s.Parameters[2].S] = true
			}
		}
		c.open[token] = slices.DeleteFunc(c.open[token], func(e effect) bool { return c.done[e.key] })
	}
}

// recordKey is the idempotency record's key of a foreign effect of the shop.
func recordKey(consumer, effect string) string {
	_, key, _ := strings.Cut(effect, " ")
	if consumer == "record-sale" {
		return consumer + "#payments.captured#" + key
	}
	return consumer + "#orders.placed#" + key
}

func refusal(service string, status int, code string) awsapi.Response {
	if service != "dynamodb" && code == "InternalServerError" {
		code = "InternalFailure"
	}
	return awsapi.Response{
		Status: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: fmt.Appendf(nil, `{"__type":"com.amazonaws#%s","message":"chaos"}`, code),
	}
}

// judge takes what the faults excuse out of what ran twice.
func (c *chaos) judge(o *outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o.Faults = c.made
	var unexcused []double
	o.Totals.DoubleEffects = 0
	for _, d := range o.Doubles {
		runs := 0
		if _, err := fmt.Sscan(d.Runs, &runs); err != nil {
			o.Problems = append(o.Problems, fmt.Sprintf("ledger: %s %s has %q runs", d.Consumer, d.Effect, d.Runs))
		}
		cuts := c.cuts[d.Consumer+" "+d.Effect]
		if foreign(d.Consumer) && runs-1 <= cuts {
			o.Repeated = append(o.Repeated, d)
			continue
		}
		unexcused = append(unexcused, d)
		o.Totals.DoubleEffects += runs - 1
	}
	o.Doubles = unexcused
}

// foreign are the consumers whose effects stand for other systems' and are not
// in the transaction that completes the message or makes it idempotent.
func foreign(consumer string) bool { return consumer == "send-receipt" || consumer == "record-sale" }
