//go:build !race

package main

import "github.com/aws/jsii-runtime-go"

// closeKernel ends Node and removes its scratch files.
func closeKernel() { jsii.Close() }
