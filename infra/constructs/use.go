package constructs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// A Use is a resource that a handler uses: the environment variable that tells
// the handler its name, and the permission to do there what the handler does.
// Make one with UseTable or UseBus.
type Use struct {
	variable string
	kind     string // of the resource, for messages
	actions  []string
	// resolve is nil if there is no resource. It asks the CDK and may panic.
	resolve func() (value, arn *string)
	// unsupported is empty, or says why the resource cannot be used. Nil if
	// nothing has to be checked. It asks the CDK and may panic.
	unsupported func() string
}

// UseTable puts the table's name into variable and allows actions on the table
// itself, as IAM names them ("dynamodb:UpdateItem"). Indexes are not covered.
func UseTable(variable string, table awsdynamodb.ITable, actions ...string) Use {
	u := Use{variable: variable, kind: "table", actions: actions}
	if table != nil {
		u.resolve = func() (*string, *string) { return table.TableName(), table.TableArn() }
		u.unsupported = func() string { return unsupportedTable(table) }
	}
	return u
}

// unsupportedTable says why the grants made here would not be enough.
func unsupportedTable(table awsdynamodb.ITable) string {
	if table.EncryptionKey() != nil {
		return "the table is encrypted with a customer managed key, and no permission for keys is made: use a table with DynamoDB's own key"
	}
	return ""
}

// UseBus puts the bus's name into variable and allows events:PutEvents on it.
func UseBus(variable string, bus awsevents.IEventBus) Use {
	u := Use{variable: variable, kind: "bus", actions: []string{"events:PutEvents"}}
	if bus != nil {
		u.resolve = func() (*string, *string) { return bus.EventBusName(), bus.EventBusArn() }
	}
	return u
}

func useQueue(variable string, queue awssqs.IQueue, actions []string) Use {
	return Use{variable: variable, kind: "queue", actions: actions, resolve: func() (*string, *string) {
		return queue.QueueUrl(), queue.QueueArn()
	}}
}

// apply sets the variable on fn and adds the permission to role.
func (u Use) apply(fn awslambda.Function, role awsiam.IRole) {
	value, arn := u.resolve()
	fn.AddEnvironment(jsii.String(u.variable), value, nil)
	allow(role, arn, u.actions...)
}

func allow(role awsiam.IRole, arn *string, actions ...string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{arn},
	}))
}

// validateEnvironment checks the variables that a user sets, by plain value
// and by Use. Lambda refuses the names it keeps for itself only at deployment.
// It asks the CDK and may panic.
func validateEnvironment(p *problems, props *FunctionProps) {
	names := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+$`)
	action := regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z]+$`)
	check := func(field, name string) {
		switch {
		case !names.MatchString(name):
			p.add(field, "Lambda takes no variable named %q: use letters, digits and underscores, a letter first", name)
		case strings.HasPrefix(name, "SLUICE_"):
			p.add(field, "%s is the framework's: the construct sets what a handler needs", name)
		case strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "LAMBDA_"):
			p.add(field, "%s is Lambda's: choose another name", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(props.Environment)) {
		check("Function.Environment", name)
	}
	seen := map[string]bool{}
	for i, u := range props.Uses {
		field := fmt.Sprintf("Function.Uses[%d]", i)
		check(field, u.variable)
		if _, twice := props.Environment[u.variable]; twice || seen[u.variable] {
			p.add(field, "%s is set twice: keep one", u.variable)
		}
		seen[u.variable] = true
		if u.resolve == nil {
			p.add(field, "%s has no %s: make one with UseTable or UseBus and a resource that is not nil", u.variable, orElse(u.kind, "resource"))
		}
		if u.unsupported != nil {
			if why := u.unsupported(); why != "" {
				p.add(field, "%s: %s", u.variable, why)
			}
		}
		if len(u.actions) == 0 {
			p.add(field, "%s allows nothing: name the actions that the handler performs", u.variable)
		}
		for _, a := range u.actions {
			if !action.MatchString(a) {
				p.add(field, "%s: %q is not one IAM action: name each in full, as in dynamodb:UpdateItem", u.variable, a)
			}
		}
	}
}

// orElse is value, or fallback if value is the zero value.
func orElse[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
