//go:build !unix

package measure

import (
	"errors"
	"time"
)

func cpuTime() (time.Duration, error) {
	return 0, errors.New("CPU time is measured by getrusage, which this system does not have: run the comparison on Linux or macOS")
}
