package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-go/sluice/framework/env"
)

// TestGrantsAgreeWithEnvironment computes from a function's variables what its
// role must allow, and where, and accepts no more and no less.
func TestGrantsAgreeWithEnvironment(t *testing.T) {
	t.Parallel()

	rs := golden(t)
	ledger := map[string][]string{
		chargePayment: {"dynamodb:PutItem", "dynamodb:UpdateItem"},
		reserveStock:  {"dynamodb:UpdateItem"},
		sendReceipt:   {"dynamodb:UpdateItem"},
		recordSale:    {"dynamodb:UpdateItem"},
	}
	for id, f := range rs.of(t, "AWS::Lambda::Function") {
		handler, _ := at(f.Metadata, "Sluice", "Handler").(string)
		want := permissions{}
		want.add("*", "xray:PutTraceSegments", "xray:PutTelemetryRecords")
		want.add(target(at(f.Properties, "LoggingConfig", "LogGroup")), "logs:CreateLogStream", "logs:PutLogEvents")

		variables, _ := at(f.Properties, "Environment", "Variables").(map[string]any)
		for name, value := range variables {
			to := target(value)
			switch name {
			case env.RecordLife:
			case env.IdempotencyTable:
				want.add(to, env.IdempotencyActions()...)
			case env.QueueURL:
				want.add(to, env.QueueActions()...)
				// Lambda's poller works with the function's role.
				want.add(to, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
			case env.DeadLetterQueueURL:
				want.add(to, env.DeadLetterActions()...)
			case "LEDGER_TABLE":
				want.add(to, ledger[handler]...)
			case "CHARGES_TABLE":
				want.add(to, "dynamodb:PutItem", "dynamodb:UpdateItem")
			case "STOCK_TABLE":
				want.add(to, "dynamodb:UpdateItem")
			case "BUS_NAME":
				want.add(to, "events:PutEvents")
			default:
				t.Errorf("%s: nobody said what %s needs", id, name)
			}
		}
		if diff := cmp.Diff(want.sorted(), allowed(t, rs, target(f.Properties["Role"])).sorted()); diff != "" {
			t.Errorf("%s: permissions by resource (-needed +granted):\n%s", id, diff)
		}
	}
}

// permissions are IAM actions by logical id.
type permissions map[string]map[string]bool

func (p permissions) add(id string, actions ...string) {
	if p[id] == nil {
		p[id] = map[string]bool{}
	}
	for _, a := range actions {
		p[id][a] = true
	}
}

func (p permissions) sorted() map[string][]string {
	all := map[string][]string{}
	for id, actions := range p {
		all[id] = slices.Sorted(maps.Keys(actions))
	}
	return all
}

// allowed reads the permissions of a role, and fails for what it cannot read.
func allowed(t *testing.T, rs resources, role string) permissions {
	t.Helper()
	got := permissions{}
	if managed, inline := at(rs[role].Properties, "ManagedPolicyArns"), at(rs[role].Properties, "Policies"); managed != nil || inline != nil {
		t.Errorf("%s has managed or inline policies: %v, %v", role, managed, inline)
	}
	for _, p := range rs.of(t, "AWS::IAM::Policy") {
		if target(at(p.Properties, "Roles", 0)) != role {
			continue
		}
		for _, s := range list(at(p.Properties, "PolicyDocument", "Statement")) {
			if at(s, "Effect") != "Allow" || at(s, "NotAction") != nil || at(s, "NotResource") != nil {
				t.Errorf("%s: statement of an unexpected shape: %v", role, s)
			}
			for _, r := range list(at(s, "Resource")) {
				id := target(r)
				if r == "*" {
					id = "*"
				}
				if id == "" {
					t.Errorf("%s: unexpected resource %v", role, r)
				}
				for _, a := range list(at(s, "Action")) {
					got.add(id, fmt.Sprint(a))
				}
			}
		}
	}
	return got
}
