package local_test

import (
	"testing"
	"time"

	"github.com/sluice-go/sluice/framework/local"
)

func TestMappingValidates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, local.Options{})
	q := w.queue(local.QueueConfig{Name: "q"})
	fifo := w.queue(local.QueueConfig{Name: "q.fifo"})
	w.function("f", nil, nil)
	w.function("slow", func(c *local.FunctionConfig) { c.Timeout = time.Minute }, nil)
	existing := w.mapping(local.MappingConfig{QueueARN: q.ARN(), Function: "f"})
	for _, c := range []struct {
		config     local.MappingConfig
		code, text string
	}{
		{local.MappingConfig{QueueARN: q.ARN(), Function: "f", BatchSize: 11}, "InvalidParameterValueException", "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"},
		{local.MappingConfig{QueueARN: q.ARN(), Function: "f", BatchSize: 10001, Window: time.Second}, "InvalidParameterValueException", "10000"},
		{local.MappingConfig{QueueARN: fifo.ARN(), Function: "f", BatchSize: 11, Window: time.Second}, "InvalidParameterValueException", "FIFO"},
		{local.MappingConfig{QueueARN: fifo.ARN(), Function: "f", Window: time.Second}, "InvalidParameterValueException", "FIFO"},
		{local.MappingConfig{QueueARN: q.ARN(), Function: "f", Window: 301 * time.Second}, "InvalidParameterValueException", "300"},
		{local.MappingConfig{QueueARN: q.ARN(), Function: "f", MaximumConcurrency: 1}, "InvalidParameterValueException", "between 2 and 1000"},
		{local.MappingConfig{QueueARN: q.ARN(), Function: "slow"}, "InvalidParameterValueException", "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"},
		{local.MappingConfig{QueueARN: q.ARN() + "x", Function: "f"}, "InvalidParameterValueException", "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue."},
		{local.MappingConfig{QueueARN: q.ARN(), Function: "g"}, "ResourceNotFoundException", "Function not found"},
		{local.MappingConfig{QueueARN: q.ARN(), Function: "f"}, "ResourceConflictException",
			`An event source mapping with SQS arn (" ` + q.ARN() + ` ") and function (" f ") already exists. Please update or delete the existing mapping with UUID ` + existing.UUID()},
		{local.MappingConfig{QueueARN: q.ARN(), Function: "f", FilterPatterns: []string{`{"body":["x"]}`}}, "NotImplemented", "FilterCriteria of an event source mapping is not emulated"},
		{local.MappingConfig{QueueARN: q.ARN(), Function: "f", ProvisionedPollers: true}, "NotImplemented", "ProvisionedPollerConfig of an event source mapping is not emulated"},
	} {
		_, err := w.CreateMapping(c.config)
		wantError(t, err, c.code, c.text)
	}
}
