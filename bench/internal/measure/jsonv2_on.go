//go:build goexperiment.jsonv2

package measure

const jsonv2 = true
