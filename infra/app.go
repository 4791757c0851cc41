package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/sluice-go/sluice/infra/constructs"
)

// stackName is CloudFormation's name of the shop, and the template's file name.
const stackName = "Shop"

// synthOptions say what to synthesize from and to.
type synthOptions struct {
	assets string // directory of the built handlers
	digest string // of the sources, which the template carries
	outdir string // receives the cloud assembly
}

// synth writes the cloud assembly. It does not run the CDK concurrently with
// itself, and neither may its caller.
func synth(o synthOptions) error {
	return constructs.Guard("Stack", stackName, func() error {
		app := awscdk.NewApp(&awscdk.AppProps{
			Outdir: jsii.String(o.outdir),
			// The CDK would otherwise write what there is when Node exits, also
			// after an error.
			AutoSynth:          jsii.Bool(false),
			AnalyticsReporting: jsii.Bool(false),
			// After the CLI's own, so that the template is the same without it.
			PostCliContext: new(appContext()),
		})
		s, err := newShop(app, stackName, &shopProps{
			assets: o.assets,
			stack: awscdk.StackProps{
				Description: jsii.String("Sluice sample shop: consumers of orders, payments and stock."),
				// The CLI checks the bootstrap version itself, from the manifest.
				Synthesizer: awscdk.NewDefaultStackSynthesizer(&awscdk.DefaultStackSynthesizerProps{
					GenerateBootstrapVersionRule: jsii.Bool(false),
				}),
			},
		})
		if err != nil {
			return err
		}
		s.TemplateOptions().SetMetadata(&map[string]any{
			"Sluice": map[string]string{"Digest": o.digest},
		})
		app.Synth(nil)
		return nil
	})
}

// appContext is the CDK's context. It is kept here and not in cdk.json, which
// only the CLI reads: the template must not depend on who runs the app.
func appContext() map[string]any {
	return map[string]any{
		// SAM finds the code of a function by these, and tools its construct.
		"aws:cdk:enable-asset-metadata": true,
		"aws:cdk:enable-path-metadata":  true,
		"aws:cdk:version-reporting":     false,

		// Feature flags that the CDK recommends and that touch what is used here.
		"@aws-cdk/aws-iam:minimizePolicies":                        true,
		"@aws-cdk/aws-lambda:createNewPoliciesWithAddToRolePolicy": false,
		"@aws-cdk/aws-lambda:recognizeLayerVersion":                true,
		"@aws-cdk/aws-lambda:useCdkManagedLogGroup":                true,
		"@aws-cdk/aws-events:eventsTargetQueueSameAccount":         true,
		"@aws-cdk/aws-events:requireEventBusPolicySid":             true,
		"@aws-cdk/aws-iam:importedRoleStackSafeDefaultPolicyName":  true,
		"@aws-cdk/aws-dynamodb:resourcePolicyPerReplica":           true,
		"@aws-cdk/aws-dynamodb:retainTableReplica":                 true,
		"@aws-cdk/core:checkSecretUsage":                           true,
		"@aws-cdk/core:enablePartitionLiterals":                    true,
		"@aws-cdk/core:explicitStackTags":                          true,
		"@aws-cdk/core:includePrefixInUniqueNameGeneration":        true,
		"@aws-cdk/core:target-partitions":                          []string{"aws", "aws-cn"},
		"@aws-cdk/core:validateAgainstDefaultRules":                true,
		"@aws-cdk/core:validateSnapshotRemovalPolicy":              true,
	}
}
