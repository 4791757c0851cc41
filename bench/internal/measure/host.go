package measure

import (
	"fmt"
	"runtime"
)

// Host describes what a table was measured with, for its head.
func Host() string {
	experiment := "encoding/json v1"
	if jsonv2 {
		experiment = "encoding/json backed by v2 (GOEXPERIMENT=jsonv2)"
	}
	return fmt.Sprintf("%s %s/%s, %d CPUs, GOMAXPROCS %d, %s",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), experiment)
}
