// Package stack reads a synthesized CloudFormation template into a [Topology]:
// the queues, topics, buses, functions, mappings and tables that the local
// runtime creates, with every reference resolved.
//
// # What holds
//
//   - Nothing is read silently wrong. Every resource type and every property
//     is understood, harmless (it can not change what a local run does; listed
//     with the reason in [Topology.Harmless]), or reported in
//     [Topology.Findings] with what its absence means.
//   - A value that an understood property needs and that can not be resolved is
//     an error naming its path. All errors of a template are reported at once.
//   - The same template and options give the same topology, in the same order:
//     every list is sorted by logical id.
//
// # Templates
//
// JSON as `cdk synth` writes it. YAML and templates with a Transform (SAM) are
// refused: they are not what is deployed. Intrinsic functions: Ref, Fn::GetAtt,
// Fn::Sub, Fn::Join, Fn::Select, Fn::Split, Fn::If, Fn::Equals, Fn::And, Fn::Or,
// Fn::Not, Fn::FindInMap, Fn::ImportValue and Fn::Base64. All others are refused
// by name.
//
// # Names
//
// A resource without a name gets the stack's name, "-", and its logical id
// without the eight hexadecimal digits that CDK appends, unless another resource
// of its type would then have the same; ".fifo" is appended where AWS requires
// it. AWS appends random characters instead, so names differ from deployed ones;
// nothing may depend on them. A name that would be too long is cut and ends in
// eight digits of the logical id's SHA-256.
//
// Rules that come from AWS are those of the CloudFormation user guide, "Template
// reference": return values, defaults and update behaviour of each type.
package stack
