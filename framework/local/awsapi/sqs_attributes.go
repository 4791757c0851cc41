package awsapi

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-go/sluice/framework/local"
)

func unknownAttribute(name string) error {
	return &local.Error{Code: "InvalidAttributeName", Message: "Unknown Attribute " + name + "."}
}

func badAttribute(name string) error {
	return &local.Error{Code: "InvalidAttributeValue", Message: "Invalid value for the parameter " + name + "."}
}

// applyAttributes writes queue attributes of a request into a configuration.
func applyAttributes(c *local.QueueConfig, attrs map[string]string, create bool) error {
	if create {
		c.FIFO = attrs["FifoQueue"] == "true"
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		if err := applyAttribute(c, name, attrs[name], create); err != nil {
			return err
		}
	}
	return nil
}

func applyAttribute(c *local.QueueConfig, name, value string, create bool) error {
	duration := func(into *time.Duration) error {
		n, err := strconv.Atoi(value)
		if err != nil {
			return badAttribute(name)
		}
		*into = time.Duration(n) * time.Second
		if n == 0 && name == "MessageRetentionPeriod" {
			*into = -1 // zero would mean the default
		}
		return nil
	}
	var err error
	switch name {
	case "FifoQueue":
		switch {
		case !c.FIFO:
			return unknownAttribute(name)
		case value != "true" && !create:
			return &local.Error{Code: "InvalidAttributeValue", Message: "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."}
		}
	case "VisibilityTimeout":
		c.VisibilityTimeout = new(time.Duration)
		return duration(c.VisibilityTimeout)
	case "DelaySeconds":
		return duration(&c.Delay)
	case "ReceiveMessageWaitTimeSeconds":
		return duration(&c.ReceiveWait)
	case "MessageRetentionPeriod":
		return duration(&c.Retention)
	case "MaximumMessageSize":
		if c.MaximumMessageSize, err = strconv.Atoi(value); err != nil || c.MaximumMessageSize == 0 {
			return badAttribute(name)
		}
	case "RedrivePolicy":
		c.Redrive, err = local.ParseRedrivePolicy(value)
	case "RedriveAllowPolicy":
		c.RedriveAllow, err = local.ParseRedriveAllowPolicy(value)
	case "ContentBasedDeduplication":
		if !c.FIFO {
			return unknownAttribute(name)
		}
		if c.ContentBasedDeduplication, err = strconv.ParseBool(value); err != nil {
			return badAttribute(name)
		}
	case "DeduplicationScope":
		c.DeduplicationScope = value
	case "FifoThroughputLimit":
		c.FifoThroughputLimit = value
	case "Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled":
		stored := maps.Clone(c.Stored)
		if stored == nil {
			stored = map[string]string{}
		}
		if stored[name] = value; value == "" {
			delete(stored, name)
		}
		c.Stored = stored
	default:
		return unknownAttribute(name)
	}
	return err
}

// attributes are a queue's attributes as GetQueueAttributes returns them.
func attributes(q *local.Queue) map[string]string {
	c, counts := q.Config(), q.Counts()
	whole := func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
	a := map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(counts.Visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(counts.InFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(counts.Delayed),
		"CreatedTimestamp":                      strconv.FormatInt(q.Created().Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.Modified().Unix(), 10),
		"DelaySeconds":                          whole(c.Delay),
		"MaximumMessageSize":                    strconv.Itoa(c.MaximumMessageSize),
		"MessageRetentionPeriod":                whole(c.Retention),
		"QueueArn":                              q.ARN(),
		"ReceiveMessageWaitTimeSeconds":         whole(c.ReceiveWait),
		"VisibilityTimeout":                     whole(*c.VisibilityTimeout),
		"SqsManagedSseEnabled":                  strconv.FormatBool(c.Stored["KmsMasterKeyId"] == ""),
	}
	maps.Copy(a, c.Stored)
	if c.FIFO {
		a["FifoQueue"] = "true"
		a["ContentBasedDeduplication"] = strconv.FormatBool(c.ContentBasedDeduplication)
		a["DeduplicationScope"] = c.DeduplicationScope
		a["FifoThroughputLimit"] = c.FifoThroughputLimit
	}
	if c.Redrive != nil {
		a["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, c.Redrive.DeadLetterTargetARN, c.Redrive.MaxReceiveCount)
	}
	if c.RedriveAllow != nil {
		sources := ""
		if len(c.RedriveAllow.SourceARNs) > 0 {
			sources = `,"sourceQueueArns":["` + strings.Join(c.RedriveAllow.SourceARNs, `","`) + `"]`
		}
		a["RedriveAllowPolicy"] = fmt.Sprintf(`{"redrivePermission":%q%s}`, c.RedriveAllow.Permission, sources)
	}
	return a
}

var queueAttributeNames = []string{
	"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed", "CreatedTimestamp", "LastModifiedTimestamp",
	"DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "QueueArn", "ReceiveMessageWaitTimeSeconds", "VisibilityTimeout", "SqsManagedSseEnabled",
	"Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "RedrivePolicy", "RedriveAllowPolicy", "FifoQueue", "ContentBasedDeduplication",
	"DeduplicationScope", "FifoThroughputLimit",
}

func getQueueAttributes(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl       string
		AttributeNames []string
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	all, out := attributes(q), map[string]string{}
	for _, name := range in.AttributeNames {
		switch value, ok := all[name]; {
		case name == "All":
			out = all
		case ok:
			out[name] = value
		case !slices.Contains(queueAttributeNames, name):
			return nil, unknownAttribute(name)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return map[string]any{"Attributes": out}, nil
}

func setQueueAttributes(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl   string
		Attributes map[string]string
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	var bad error
	err = q.Update(func(c *local.QueueConfig) { bad = applyAttributes(c, in.Attributes, false) })
	if bad != nil {
		return nil, bad
	}
	return nil, err
}
