package itemstore

import (
	"fmt"
	"slices"
	"strconv"
)

// maxPage is the data that one Query or Scan reads at most, before its filter
// (Amazon DynamoDB Developer Guide, "Paginating table query results").
const maxPage = 1 << 20

func (s *Store) scan(members map[string]any) (answer, *Error) {
	r := newRequest("Scan", members, "TableName", "IndexName", "FilterExpression", "ProjectionExpression",
		"ExpressionAttributeNames", "ExpressionAttributeValues", "Limit", "Select", "ConsistentRead",
		"ExclusiveStartKey", "Segment", "TotalSegments", "ReturnConsumedCapacity")
	segment, hasSegment := r.number("Segment")
	total, hasTotal := r.number("TotalSegments")
	if err := checkSegments(segment, total, hasSegment, hasTotal); err != nil {
		r.fail(err)
	}
	p, err := s.decodePage(r, "FilterExpression")
	if err != nil {
		return nil, err
	}
	mine := func(m item) bool {
		return !hasTotal || scanOrder(encodeKey(m[p.src.hash.name]))%uint64(total) == uint64(segment)
	}
	if p.start != nil && !mine(p.start) {
		return nil, invalid("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", total, segment)
	}
	var items []item
	for _, row := range p.src.table.rows() {
		if (p.src.index == nil || p.src.index.holds(row.item)) && mine(row.item) {
			items = append(items, row.item)
		}
	}
	// An index is scanned in the order of its own hash key.
	compare := p.src.table.compareKeys
	if p.src.index != nil {
		compare = p.src.compareScan
		slices.SortFunc(items, compare)
	}
	return p.page(items, func(item) bool { return true }, func(m item) bool { return compare(m, p.start) > 0 }), nil
}

func (src *source) compareScan(a, b item) int {
	x, y := encodeKey(a[src.hash.name]), encodeKey(b[src.hash.name])
	if c := comparePartitions(scanOrder(x), x, scanOrder(y), y); c != 0 {
		return c
	}
	return src.compare(a, b)
}

func checkSegments(segment, total int, hasSegment, hasTotal bool) *Error {
	switch {
	case hasSegment && !hasTotal:
		return invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case hasTotal && !hasSegment:
		return invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case hasTotal && total < 1:
		return constraint(strconv.Itoa(total), "TotalSegments", "Member must have value greater than or equal to 1")
	case hasTotal && total > 1000000:
		return constraint(strconv.Itoa(total), "TotalSegments", "Member must have value less than or equal to 1000000")
	case hasSegment && segment < 0:
		return constraint(strconv.Itoa(segment), "Segment", "Member must have value greater than or equal to 0")
	case hasSegment && segment >= total:
		return invalid("%s", fmt.Sprintf("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", segment, total))
	}
	return nil
}

// page cuts one page out of the rows: those after the start, in range, up to
// the limit and to 1 MB, of which it returns those that pass the filter.
func (p *pageRequest) page(rows []item, inRange, after func(item) bool) answer {
	items := []item{}
	scanned, count, size := 0, 0, 0
	var last item
	out := answer{}
	for _, m := range rows {
		if !inRange(m) || p.start != nil && !after(m) {
			continue
		}
		// AWS stops at the limit without looking whether more follows, so
		// that a full last page is followed by an empty one; the size limit
		// stops after the item that crosses it.
		scanned++
		size += p.sizeOf(m)
		last = m
		if p.parsed.filter == nil || p.parsed.filter.holds(m) {
			count++
			items = append(items, p.shape(m))
		}
		if scanned == p.limit || size > maxPage {
			out["LastEvaluatedKey"] = p.src.keyOf(last)
			break
		}
	}
	if p.sel != "COUNT" {
		out["Items"] = items
	}
	out["Count"] = count
	out["ScannedCount"] = scanned
	p.meter.read(p.src.table, p.src.index, size, readFactor(p.consistent))
	p.meter.addOne(out)
	return out
}

func (p *pageRequest) sizeOf(m item) int {
	if p.src.index == nil {
		return itemSize(m)
	}
	return itemSize(p.src.index.projected(p.src.table, m))
}

// shape is the part of an item that the request returns.
func (p *pageRequest) shape(m item) item {
	switch {
	case p.parsed.projection != nil:
		return project(m, p.parsed.projection)
	case p.src.index != nil && p.sel != "ALL_ATTRIBUTES":
		return p.src.index.projected(p.src.table, m)
	}
	return m
}
