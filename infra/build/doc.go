// Package build makes the binaries of Lambda handlers, reproducibly: the same
// sources and the same Go version give the same bytes, whatever the directory,
// the commit or the state of the work tree. A CDK asset is named after its
// bytes, so a handler that did not change is not deployed again.
//
// The result is <Out>/<handler>/bootstrap, mode 0755, a static Linux ELF file
// and the only file of its directory: what the provided.al2023 runtime starts,
// and what a CDK asset must contain.
//
// The package uses nothing but the standard library and the go command, which
// has to be on PATH. All functions are safe for concurrent use.
package build
