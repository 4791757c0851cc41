package telemetry

import "github.com/sluice-go/sluice/framework/consumer"

// maxValues is the format's limit of values of one metric in a document.
const maxValues = 100

// counts are the metrics of an invocation that have one value.
type counts struct {
	succeeded, failed, deadLettered, skipped, duplicates int

	inProgress, takenOver, retries, completionLost int
}

func countMessages(messages []consumer.Observation) (c counts) {
	for i := range messages {
		m := &messages[i]
		switch m.Outcome {
		case consumer.OutcomeDone:
			c.succeeded++
		case consumer.OutcomeDeadLettered:
			c.deadLettered++
		case consumer.OutcomeSkipped:
			c.skipped++
		case consumer.OutcomeDuplicate:
			c.duplicates++
		default:
			c.failed++ // what is not known to be settled comes back
		}
		c.inProgress += count(m.InProgress)
		c.takenOver += count(m.TakenOver)
		c.retries += count(m.Meta.ReceiveCount > 1)
		c.completionLost += count(m.CompletionLost)
	}
	return c
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// metric is one of a document's metrics with one value.
type metric struct {
	name  string
	value int
}

// counters are a document's counters in their order, zeros included.
func (c *counts) counters(r *consumer.Report) [11]metric {
	return [...]metric{
		{"Processed", len(r.Messages)},
		{"Succeeded", c.succeeded},
		{"Failed", c.failed},
		{"DeadLettered", c.deadLettered},
		{"Skipped", c.skipped},
		{"Duplicates", c.duplicates},
		{"InProgress", c.inProgress},
		{"TakenOver", c.takenOver},
		{"Retries", c.retries},
		{"CompletionLost", c.completionLost},
		{"InvocationErrors", count(r.Err != nil)},
	}
}

// evenZero reports whether a counter is written when it is zero.
func (m metric) evenZero() bool { return m.name == "Processed" || m.name == "Failed" }
