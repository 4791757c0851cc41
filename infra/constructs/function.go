package constructs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	cdkconstructs "github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

const day = 24 * time.Hour

// Defaults of FunctionProps.
const (
	DefaultMemory       = 256 // MiB
	DefaultTimeout      = 30 * time.Second
	DefaultLogRetention = 30 * day
)

// Values of the metadata that tells tools which constructor a function's
// handler was made with.
const (
	sourceSQS         = "sqs"
	sourceSNS         = "sns"
	sourceEventBridge = "eventbridge"
)

// FunctionProps describe a consumer's function: provided.al2023 on arm64, with
// active tracing and JSON logs.
type FunctionProps struct {
	// Handler is the handler's main package as the module's root sees it, as
	// in "./handlers/charge-payment". Tools that build or run the template's
	// functions read it from the function's metadata. Required.
	Handler string

	// Code is a directory that holds the built handler, named bootstrap, and
	// nothing else, since all of it is deployed. Required.
	Code string

	// Memory in MiB, 128 to 10,240. 0 means DefaultMemory. Lambda gives CPU in
	// proportion.
	Memory int

	// Timeout of one invocation, 1 s to 15 min. 0 means DefaultTimeout. A
	// message is hidden for six timeouts while it is worked, so a longer one
	// also delays the retry of a batch that was killed.
	Timeout time.Duration

	// Environment holds variables that need no permission.
	Environment map[string]string

	// Uses are the resources that the handler uses.
	Uses []Use

	// LogRetention is one of the periods that CloudWatch Logs offers: 1, 3, 5,
	// 7, 14, 30, 60, 90 days, and so on. 0 means DefaultLogRetention.
	LogRetention time.Duration
}

// withDefaults returns a copy.
func (f FunctionProps) withDefaults() FunctionProps {
	f.Memory = orElse(f.Memory, DefaultMemory)
	f.Timeout = orElse(f.Timeout, DefaultTimeout)
	f.LogRetention = orElse(f.LogRetention, DefaultLogRetention)
	return f
}

// validate expects the defaults filled in. It asks the CDK and may panic.
func (f *FunctionProps) validate(p *problems) {
	if !regexp.MustCompile(`^\./([A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+$`).MatchString(f.Handler) {
		p.add("Function.Handler", "%q is not a package below the module's root: give one such as ./handlers/charge-payment", f.Handler)
	}
	validateCode(p, f.Code)
	p.between("Function.Memory", f.Memory, 128, 10240)
	p.seconds("Function.Timeout", f.Timeout, time.Second, 15*time.Minute)
	if _, ok := logRetentions()[f.LogRetention]; !ok {
		p.add("Function.LogRetention", "CloudWatch Logs cannot keep logs for %v: give 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days", f.LogRetention)
	}
	validateEnvironment(p, f)
}

func validateCode(p *problems, dir string) {
	if dir == "" {
		p.add("Function.Code", "it is empty: give the directory of the built handler")
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		p.add("Function.Code", "there is no built handler: build it first: %v", err)
		return
	}
	if len(entries) != 1 || entries[0].Name() != "bootstrap" {
		p.add("Function.Code", "%s must hold one file, bootstrap, and nothing else: all of it would be deployed", dir)
		return
	}
	info, err := os.Stat(filepath.Join(dir, "bootstrap"))
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		p.add("Function.Code", "%s/bootstrap is not an executable file: build the handler again", dir)
	}
}

// Consumer is what every consumer has, whatever feeds it. The fields are there
// to be read, referred to and extended.
type Consumer struct {
	Function awslambda.Function
	Role     awsiam.Role
	LogGroup awslogs.LogGroup

	// DeadLetters keeps the messages that could not be processed.
	DeadLetters *DeadLetters

	// DeliveryDeadLetters keeps the messages that a topic or a rule could not
	// hand over. Nil as long as the consumer has neither.
	DeliveryDeadLetters *DeadLetters
}

// newFunction makes the function of a consumer with its role and its logs.
// set are the framework's own variables, uses the framework's own resources.
func newFunction(scope cdkconstructs.Construct, source string, props *FunctionProps, set map[string]string, uses []Use) *Consumer {
	logs := awslogs.NewLogGroup(scope, jsii.String("Logs"), &awslogs.LogGroupProps{
		Retention: logRetentions()[props.LogRetention],
		// Logs explain the dead letters, which are kept as well.
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
	})
	// Not the role that the CDK would make: that one has an AWS managed policy
	// which allows writing to every log group of the account.
	role := awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	allow(role, logs.LogGroupArn(), "logs:CreateLogStream", "logs:PutLogEvents")

	fn := awslambda.NewFunction(scope, jsii.String("Function"), &awslambda.FunctionProps{
		Runtime:               awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:          awslambda.Architecture_ARM_64(),
		Handler:               jsii.String("bootstrap"),
		Code:                  awslambda.Code_FromAsset(jsii.String(props.Code), nil),
		MemorySize:            jsii.Number(props.Memory),
		Timeout:               duration(props.Timeout),
		Tracing:               awslambda.Tracing_ACTIVE,
		LogGroup:              logs,
		LoggingFormat:         awslambda.LoggingFormat_JSON,
		ApplicationLogLevelV2: awslambda.ApplicationLogLevel_INFO,
		SystemLogLevelV2:      awslambda.SystemLogLevel_INFO,
		Role:                  role,
	})
	describe(fn, source, props.Handler)

	for _, variables := range []map[string]string{set, props.Environment} {
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			fn.AddEnvironment(jsii.String(name), jsii.String(variables[name]), nil)
		}
	}
	for _, u := range slices.Concat(uses, props.Uses) {
		u.apply(fn, role)
	}
	return &Consumer{Function: fn, Role: role, LogGroup: logs}
}

// describe writes what a template's Code, which is only a hash, does not say.
func describe(fn awslambda.Function, source, handler string) {
	resource, ok := fn.Node().DefaultChild().(awslambda.CfnFunction)
	if !ok {
		return // not a function of this module's making
	}
	resource.AddMetadata(jsii.String("Sluice"), map[string]string{"Handler": handler, "Source": source})
	// The asset is the built program. Without this SAM takes it for sources
	// and tries to build it (sam-cli, resource_metadata_normalizer.py).
	resource.AddMetadata(jsii.String("aws:asset:is-bundled"), true)
}

func duration(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}

// logRetentions are the periods of up to two years that CloudWatch Logs takes
// (PutRetentionPolicy).
func logRetentions() map[time.Duration]awslogs.RetentionDays {
	return map[time.Duration]awslogs.RetentionDays{
		1 * day:   awslogs.RetentionDays_ONE_DAY,
		3 * day:   awslogs.RetentionDays_THREE_DAYS,
		5 * day:   awslogs.RetentionDays_FIVE_DAYS,
		7 * day:   awslogs.RetentionDays_ONE_WEEK,
		14 * day:  awslogs.RetentionDays_TWO_WEEKS,
		30 * day:  awslogs.RetentionDays_ONE_MONTH,
		60 * day:  awslogs.RetentionDays_TWO_MONTHS,
		90 * day:  awslogs.RetentionDays_THREE_MONTHS,
		120 * day: awslogs.RetentionDays_FOUR_MONTHS,
		150 * day: awslogs.RetentionDays_FIVE_MONTHS,
		180 * day: awslogs.RetentionDays_SIX_MONTHS,
		365 * day: awslogs.RetentionDays_ONE_YEAR,
		400 * day: awslogs.RetentionDays_THIRTEEN_MONTHS,
		545 * day: awslogs.RetentionDays_EIGHTEEN_MONTHS,
		731 * day: awslogs.RetentionDays_TWO_YEARS,
	}
}
