package local

import "time"

// Delete removes a message. A handle of a message that is gone succeeds. On a standard queue so does an outdated one; it removes the message
// unless it was received again since (AWS: "might not be deleted"). On a FIFO queue a handle whose visibility timeout is over is an error.
func (q *Queue) Delete(receiptHandle string) error { return q.withHandle(receiptHandle, q.delete) }

// ChangeVisibility hides a message for timeout from now, 0 s to 12 h, never more than 12 h from when it was received. 0 makes it visible.
func (q *Queue) ChangeVisibility(receiptHandle string, timeout time.Duration) error {
	return q.withHandle(receiptHandle, func(handle string, now time.Time) error { return q.changeVisibility(handle, timeout, now) })
}

func (q *Queue) withHandle(handle string, apply func(string, time.Time) error) error {
	q.engine.mu.Lock()
	defer q.engine.unlock()
	if q.deleted {
		return errQueueMissing()
	}
	now := q.engine.now()
	q.settle(now)
	return apply(handle, now)
}

func (q *Queue) delete(handle string, _ time.Time) error {
	m, err := q.parseHandle(handle)
	switch {
	case err != nil:
		return err
	case m == nil:
		return nil
	case q.config.FIFO && (!m.inFlight || m.handle != handle):
		return errExpired(handle)
	case m.handle != handle:
		q.engine.record(Entry{Kind: Warning, Queue: q.name, MessageID: m.id, ReceiveCount: m.receives,
			Detail: "a delete with an outdated receipt handle was answered with success and did nothing: the message was received again since"})
		return nil
	}
	q.remove(m)
	q.recordDeleted(m, "client", nil)
	q.engine.bump()
	return nil
}

func errExpired(handle string) error {
	return errInvalidValue("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", handle)
}

func (q *Queue) changeVisibility(handle string, timeout time.Duration, now time.Time) error {
	if timeout < 0 || timeout > maximumVisibility || timeout%time.Second != 0 {
		return errInvalidValue("Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200", timeout/time.Second)
	}
	m, err := q.parseHandle(handle)
	switch {
	case err != nil:
		return err
	case m == nil, m.handle != handle && !q.config.FIFO:
		return errInvalidValue("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", handle)
	case q.config.FIFO && (!m.inFlight || m.handle != handle):
		return errExpired(handle)
	case now.Add(timeout).Sub(m.received) > maximumVisibility:
		return errInvalidValue("Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]", timeout/time.Second)
	}
	m.visibleAt = now.Add(timeout)
	q.engine.record(Entry{Kind: MessageVisibility, Queue: q.name, MessageID: m.id, GroupID: m.group, ReceiveCount: m.receives, VisibleAt: m.visibleAt.UTC()})
	if timeout == 0 && m.inFlight {
		q.returned(m, "visibility set to 0")
	}
	m.inFlight = timeout > 0
	q.engine.bump()
	return nil
}
