package itemstore

import (
	"fmt"
	"time"
)

func (s *Store) updateTTL(members map[string]any) (answer, *Error) {
	r := newRequest("UpdateTimeToLive", members, "TableName", "TimeToLiveSpecification")
	spec := newRequest("UpdateTimeToLive TimeToLiveSpecification", r.object("TimeToLiveSpecification"), "AttributeName", "Enabled")
	attribute, enabled := spec.text("AttributeName"), spec.flag("Enabled")
	r.take(spec)
	switch {
	case r.err != nil:
		return nil, r.err
	case !r.has("TimeToLiveSpecification"):
		return nil, missing("TimeToLiveSpecification")
	case !spec.has("Enabled"):
		return nil, missing("timeToLiveSpecification.enabled")
	case attribute == "":
		return nil, constraint(attribute, "timeToLiveSpecification.attributeName", "Member must have length greater than or equal to 1")
	}
	t, err := s.control(r)
	if err != nil {
		return nil, err
	}
	switch {
	case enabled && t.def.TTL == attribute:
		return nil, invalid("TimeToLive is already enabled")
	case t.def.TTL != "" && t.def.TTL != attribute:
		return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.def.TTL)
	case !enabled && t.def.TTL == "":
		return nil, invalid("TimeToLive is already disabled")
	case enabled:
		t.def.TTL = attribute
	default:
		t.def.TTL = ""
	}
	return answer{"TimeToLiveSpecification": answer{"AttributeName": attribute, "Enabled": enabled}}, nil
}

func (s *Store) describeTTL(members map[string]any) (answer, *Error) {
	r := newRequest("DescribeTimeToLive", members, "TableName")
	if r.err != nil {
		return nil, r.err
	}
	t, err := s.control(r)
	if err != nil {
		return nil, err
	}
	d := answer{"TimeToLiveStatus": "DISABLED"}
	if t.def.TTL != "" {
		d = answer{"TimeToLiveStatus": "ENABLED", "AttributeName": t.def.TTL}
	}
	return answer{"TimeToLiveDescription": d}, nil
}

// Sweep deletes what AWS's background process would: items whose TTL attribute
// is a Number of seconds since the Unix epoch that is in the past, by no more
// than five years. Until it runs, expired items are read and written like any
// other, and conditions never look at the TTL attribute by themselves: AWS
// deletes "within a few days" (Amazon DynamoDB Developer Guide, "Using time to
// live"). It returns the count of deleted items.
func (s *Store) Sweep() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	deleted := 0
	for _, t := range s.tables {
		if t.def.TTL == "" {
			continue
		}
		for _, row := range t.rows() {
			if expired(row.item[t.def.TTL], now) {
				t.remove(t.keyOf(row.item))
				deleted++
			}
		}
	}
	return deleted
}

func expired(v Value, now time.Time) bool {
	if v.Type != TypeN {
		return false
	}
	expires := mustDecimal(v.Str)
	return expires.cmp(seconds(now)) < 0 && expires.cmp(seconds(now.AddDate(-5, 0, 0))) >= 0
}

// seconds is an exact time since the epoch, for times after it.
func seconds(t time.Time) decimal {
	return mustDecimal(fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()))
}
