// Package bench is the module of Sluice's comparisons: with a plain
// aws-lambda-go handler, with the idempotency protocol that others use, and
// with peers.
//
// It is a module of its own, so that what it compares with is never a
// dependency of Sluice's users. baseline/ holds what is compared with, byte for
// byte as it was first measured; a test holds its checksums. See README.md for
// the method, and for how to run the commands.
package bench
