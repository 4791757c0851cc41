package idempotency

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// Cached remembers, in this process, which keys are completed, and answers for
// them without asking the store: a duplicate that comes to the same sandbox
// costs no request. It forgets a key after cacheLife, when its record expires,
// or when size other keys were used since, so that what an operator does to the
// table by hand takes effect. Only completions are remembered; everything else
// is the store's to say. It is safe for concurrent use.
//
// Fresh keys gain nothing by it: use it where duplicates come in bursts. It has
// no InTx: handlers use that of the store which it wraps.
func Cached(store Store, size int) Store {
	return &cached{Store: store, size: max(size, 1), entries: map[string]*list.Element{}, recent: list.New()}
}

// cacheLife bounds how long the store's word is not asked for again.
const cacheLife = 5 * time.Minute

var errAnswers = errors.New("idempotency: the store answered fewer keys than it was asked for")

type cached struct {
	Store
	size int

	mu      sync.Mutex
	entries map[string]*list.Element
	recent  *list.List // of cacheEntry, the most recently used first
}

type cacheEntry struct {
	key    string
	result ClaimResult
	until  time.Time
}

// Claim implements Store.
func (c *cached) Claim(ctx context.Context, requests []ClaimRequest) ([]ClaimResult, error) {
	results := make([]ClaimResult, len(requests))
	var ask []ClaimRequest
	var at []int
	for i, req := range requests {
		if result, ok := c.get(req); ok {
			results[i] = result
			continue
		}
		ask, at = append(ask, req), append(at, i)
	}
	if len(ask) == 0 {
		return results, nil
	}
	answers, err := c.Store.Claim(ctx, ask)
	if err != nil {
		if len(ask) == len(requests) {
			return nil, err
		}
		for _, i := range at { // something is known: what the cache said
			results[i] = ClaimResult{Err: err}
		}
		return results, nil
	}
	for n, i := range at {
		if n >= len(answers) {
			results[i] = ClaimResult{Err: errAnswers}
			continue
		}
		results[i] = answers[n]
		if answers[n].Outcome == Completed {
			c.put(requests[i].Key, answers[n], requests[i].Now)
		}
	}
	return results, nil
}

func (c *cached) get(req ClaimRequest) (ClaimResult, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[req.Key]
	if !ok {
		return ClaimResult{}, false
	}
	entry, _ := e.Value.(cacheEntry)
	if entry.until.Before(req.Now) {
		c.recent.Remove(e)
		delete(c.entries, req.Key)
		return ClaimResult{}, false
	}
	c.recent.MoveToFront(e)
	return entry.result, true
}

func (c *cached) put(key string, result ClaimResult, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := now.Add(cacheLife)
	if !result.Until.IsZero() && result.Until.Before(until) {
		until = result.Until
	}
	if e, ok := c.entries[key]; ok {
		c.recent.Remove(e)
	}
	c.entries[key] = c.recent.PushFront(cacheEntry{key, result, until})
	if c.recent.Len() > c.size {
		last := c.recent.Back()
		entry, _ := last.Value.(cacheEntry)
		c.recent.Remove(last)
		delete(c.entries, entry.key)
	}
}
