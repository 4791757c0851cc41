package telemetry

import (
	"log/slog"
	"strings"
)

// The levels that Lambda has beyond slog's.
const (
	LevelTrace slog.Level = -8
	LevelFatal slog.Level = 12 // a line like any other: nothing exits
)

// levelName returns the one of Lambda's six levels that l belongs to. Lambda
// takes a line with any other level, such as slog's "INFO+2", for INFO:
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelDebug:
		return "TRACE"
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < slog.LevelWarn:
		return "INFO"
	case l < slog.LevelError:
		return "WARN"
	case l < LevelFatal:
		return "ERROR"
	default:
		return "FATAL"
	}
}

// parseLevel returns INFO for a name that it does not know.
func parseLevel(name string) (level slog.Level, known bool) {
	for _, l := range []slog.Level{LevelTrace, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, LevelFatal} {
		if strings.EqualFold(name, levelName(l)) {
			return l, true
		}
	}
	return slog.LevelInfo, false
}
