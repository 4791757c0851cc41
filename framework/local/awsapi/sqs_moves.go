package awsapi

import "github.com/sluice-go/sluice/framework/local"

func startMessageMoveTask(s *server, req *request) (any, error) {
	in, err := decode[struct {
		SourceArn, DestinationArn    string
		MaxNumberOfMessagesPerSecond *int
	}](req)
	if err != nil {
		return nil, err
	}
	handle, err := s.engine.StartMove(local.MoveInput{SourceARN: in.SourceArn, DestinationARN: in.DestinationArn, MaxPerSecond: in.MaxNumberOfMessagesPerSecond})
	if err != nil {
		return nil, err
	}
	return map[string]string{"TaskHandle": handle}, nil
}

// moveOut is a task as ListMessageMoveTasks answers it. Fields that AWS leaves out where they mean nothing are left out here.
type moveOut struct {
	TaskHandle                        string `json:",omitempty"` // of a running task only
	Status                            local.MoveStatus
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      int    `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64  // Unix milliseconds
}

func listMessageMoveTasks(s *server, req *request) (any, error) {
	in, err := decode[struct {
		SourceArn  string
		MaxResults *int
	}](req)
	if err != nil {
		return nil, err
	}
	limit := 1
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	tasks, err := s.engine.Moves(in.SourceArn, limit)
	if err != nil {
		return nil, err
	}
	results := make([]moveOut, len(tasks))
	for i, task := range tasks {
		results[i] = moveOut{
			Status: task.Status, SourceArn: task.SourceARN, DestinationArn: task.DestinationARN, MaxNumberOfMessagesPerSecond: task.MaxPerSecond,
			ApproximateNumberOfMessagesMoved: task.Moved, ApproximateNumberOfMessagesToMove: task.ToMove, FailureReason: task.FailureReason,
			StartedTimestamp: task.Started.UnixMilli(),
		}
		if task.Status == local.MoveRunning {
			results[i].TaskHandle = task.Handle
		}
	}
	return map[string]any{"Results": results}, nil
}

func cancelMessageMoveTask(s *server, req *request) (any, error) {
	in, err := decode[struct{ TaskHandle string }](req)
	if err != nil {
		return nil, err
	}
	moved, err := s.engine.CancelMove(in.TaskHandle)
	if err != nil {
		return nil, err
	}
	return map[string]int{"ApproximateNumberOfMessagesMoved": moved}, nil
}
