package awsapi

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-go/sluice/framework/local"
)

var sqsOperations = map[string]func(*server, *request) (any, error){
	"CreateQueue":                  createQueue,
	"GetQueueUrl":                  getQueueURL,
	"GetQueueAttributes":           getQueueAttributes,
	"SetQueueAttributes":           setQueueAttributes,
	"ListQueues":                   listQueues,
	"ListDeadLetterSourceQueues":   listDeadLetterSourceQueues,
	"DeleteQueue":                  deleteQueue,
	"PurgeQueue":                   purgeQueue,
	"TagQueue":                     tagQueue,
	"UntagQueue":                   untagQueue,
	"ListQueueTags":                listQueueTags,
	"SendMessage":                  sendMessage,
	"SendMessageBatch":             sendMessageBatch,
	"ReceiveMessage":               receiveMessage,
	"DeleteMessage":                deleteMessage,
	"DeleteMessageBatch":           deleteMessageBatch,
	"ChangeMessageVisibility":      changeMessageVisibility,
	"ChangeMessageVisibilityBatch": changeMessageVisibilityBatch,
	"StartMessageMoveTask":         startMessageMoveTask,
	"ListMessageMoveTasks":         listMessageMoveTasks,
	"CancelMessageMoveTask":        cancelMessageMoveTask,
}

// QueueURL is the URL of a queue at a server reached as host, "127.0.0.1:4566".
func QueueURL(host string, engine *local.Engine, queue string) string {
	return "http://" + host + "/" + engine.Account() + "/" + queue
}

func (s *server) queueURL(req *request, q *local.Queue) string {
	return QueueURL(req.http.Host, s.engine, q.Name())
}

var errNoQueue = local.Error{Code: "AWS.SimpleQueueService.NonExistentQueue", Shape: "QueueDoesNotExist", Message: "The specified queue does not exist."}

// queue resolves a queue URL by its last two path parts, whatever its host: a client may have got it under another name of this server.
func (s *server) queue(queueURL string) (*local.Queue, error) {
	if queueURL == "" {
		return nil, &local.Error{Code: "MissingParameter", Shape: "MissingRequiredParameterException", Message: "The request must contain the parameter QueueUrl."}
	}
	path := queueURL
	if u, err := url.Parse(queueURL); err == nil && u.Path != "" {
		path = u.Path
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	name := parts[len(parts)-1]
	if len(parts) > 1 && parts[len(parts)-2] != s.engine.Account() {
		return nil, new(errNoQueue)
	}
	q, ok := s.engine.Queue(name)
	if !ok {
		return nil, new(errNoQueue)
	}
	return q, nil
}

func createQueue(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueName  string
		Attributes map[string]string
		Tags       map[string]string `json:"tags"`
	}](req)
	if err != nil {
		return nil, err
	}
	config := local.QueueConfig{Name: in.QueueName, Tags: in.Tags}
	if existing, ok := s.engine.Queue(in.QueueName); ok {
		config = existing.Config() // attributes that the request does not name do not conflict with those the queue has
	}
	if err := applyAttributes(&config, in.Attributes, true); err != nil {
		return nil, err
	}
	q, err := s.engine.CreateQueue(config)
	if err != nil {
		return nil, err
	}
	return map[string]string{"QueueUrl": s.queueURL(req, q)}, nil
}

func getQueueURL(s *server, req *request) (any, error) {
	in, err := decode[struct{ QueueName, QueueOwnerAWSAccountId string }](req)
	if err != nil {
		return nil, err
	}
	q, ok := s.engine.Queue(in.QueueName)
	if !ok || in.QueueOwnerAWSAccountId != "" && in.QueueOwnerAWSAccountId != s.engine.Account() {
		return nil, new(errNoQueue)
	}
	return map[string]string{"QueueUrl": s.queueURL(req, q)}, nil
}

// page cuts a list of names to one page; tokens are opaque, as on AWS.
func page(names []string, maximum *int, token string) (part []string, next string, err error) {
	if token != "" {
		last, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			return nil, "", &local.Error{Code: "InvalidParameterValue", Shape: "InvalidParameterValueException", Message: "Invalid or expired NextToken"}
		}
		i, _ := slices.BinarySearch(names, string(last)+"\x00")
		names = names[i:]
	}
	if maximum != nil && len(names) > *maximum && *maximum > 0 {
		names = names[:*maximum]
		next = base64.StdEncoding.EncodeToString([]byte(names[len(names)-1]))
	}
	return names, next, nil
}

func (s *server) listURLs(req *request, queues []*local.Queue, key string, maximum *int, token string) (any, error) {
	names := []string{}
	for _, q := range queues {
		names = append(names, q.Name())
	}
	slices.Sort(names)
	names, next, err := page(names, maximum, token)
	if err != nil {
		return nil, err
	}
	urls := []string{}
	for _, name := range names {
		urls = append(urls, QueueURL(req.http.Host, s.engine, name))
	}
	out := map[string]any{key: urls}
	if next != "" {
		out["NextToken"] = next
	}
	return out, nil
}

func listQueues(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueNamePrefix, NextToken string
		MaxResults                 *int
	}](req)
	if err != nil {
		return nil, err
	}
	queues := slices.DeleteFunc(s.engine.Queues(), func(q *local.Queue) bool { return !strings.HasPrefix(q.Name(), in.QueueNamePrefix) })
	return s.listURLs(req, queues, "QueueUrls", in.MaxResults, in.NextToken)
}

func listDeadLetterSourceQueues(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl, NextToken string
		MaxResults          *int
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return s.listURLs(req, q.Sources(), "queueUrls", in.MaxResults, in.NextToken)
}

// onlyQueue makes an operation of one that needs nothing but the queue.
func onlyQueue(s *server, req *request, apply func(*local.Queue) error) (any, error) {
	in, err := decode[struct{ QueueUrl string }](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, apply(q)
}

func deleteQueue(s *server, req *request) (any, error) {
	return onlyQueue(s, req, func(q *local.Queue) error { return s.engine.DeleteQueue(q.Name()) })
}

func purgeQueue(s *server, req *request) (any, error) {
	return onlyQueue(s, req, (*local.Queue).Purge)
}

func tagQueue(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl string
		Tags     map[string]string
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, q.Update(func(c *local.QueueConfig) {
		if c.Tags == nil {
			c.Tags = map[string]string{}
		}
		maps.Copy(c.Tags, in.Tags)
	})
}

func untagQueue(s *server, req *request) (any, error) {
	in, err := decode[struct {
		QueueUrl string
		TagKeys  []string
	}](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, q.Update(func(c *local.QueueConfig) {
		for _, k := range in.TagKeys {
			delete(c.Tags, k)
		}
	})
}

func listQueueTags(s *server, req *request) (any, error) {
	in, err := decode[struct{ QueueUrl string }](req)
	if err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if tags := q.Config().Tags; len(tags) > 0 {
		return map[string]any{"Tags": tags}, nil
	}
	return nil, nil
}

func seconds(n *int) *time.Duration {
	if n == nil {
		return nil
	}
	return new(time.Duration(*n) * time.Second)
}
