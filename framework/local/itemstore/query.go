package itemstore

import (
	"slices"
	"strconv"
	"strings"
)

// source is what a Query or Scan reads: the table, or one of its indexes.
type source struct {
	table     *table
	index     *index // nil for the table
	hash, rng keyAttr
}

func (t *table) source(indexName string, consistent bool) (*source, *Error) {
	if indexName == "" {
		return &source{table: t, hash: t.hash, rng: t.rng}, nil
	}
	ix := t.index(indexName)
	if ix == nil {
		return nil, invalid("The table does not have the specified index: %s", indexName)
	}
	if consistent && !ix.local {
		return nil, invalid("Consistent reads are not supported on global secondary indexes")
	}
	return &source{table: t, index: ix, hash: ix.hash, rng: ix.rng}, nil
}

// keyNames are the attributes of a LastEvaluatedKey.
func (src *source) keyNames() []string {
	names := []string{src.table.hash.name}
	for _, n := range []string{src.table.rng.name, src.hash.name, src.rng.name} {
		if n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func (src *source) keyOf(m item) item {
	key := item{}
	for _, n := range src.keyNames() {
		key[n] = m[n]
	}
	return key
}

// pageRequest is what Query and Scan have in common.
type pageRequest struct {
	src        *source
	parsed     *parsedExpressions
	limit      int // 0 for none
	start      item
	sel        string // Select
	consistent bool
	meter      *meter
}

// decodePage reads the common members. Which check comes first follows AWS.
func (s *Store) decodePage(r *request, users ...string) (*pageRequest, *Error) {
	p := &pageRequest{consistent: r.flag("ConsistentRead"), meter: newMeter(r.consumed())}
	limit, limited := r.number("Limit")
	p.limit = limit
	if limited && limit < 1 {
		r.fail(constraint(strconv.Itoa(limit), "Limit", "Member must have value greater than or equal to 1"))
	}
	p.sel = r.enum("Select", "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES",
		"", "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
	if r.has("ExclusiveStartKey") {
		p.start = r.values("ExclusiveStartKey")
	}
	e := r.expressions()
	indexName := r.text("IndexName")
	if r.err != nil {
		return nil, r.err
	}
	if err := checkSelect(p.sel, e.projection != nil, indexName != ""); err != nil {
		return nil, err
	}
	var err *Error
	if p.parsed, err = e.parse(users...); err != nil {
		return nil, err
	}
	t, err := s.table(r)
	if err != nil {
		return nil, err
	}
	if p.src, err = t.source(indexName, p.consistent); err != nil {
		return nil, err
	}
	if err := p.checkFilter(); err != nil {
		return nil, err
	}
	if err := p.checkProjection(); err != nil {
		return nil, err
	}
	if err := t.checkNestedKeys(p.parsed.filterNested); err != nil {
		return nil, err
	}
	return p, p.checkStart()
}

func checkSelect(sel string, projection, index bool) *Error {
	switch {
	case projection && sel == "COUNT":
		return invalid("Cannot specify the ProjectionExpression when choosing to get only the Count")
	case projection && sel != "" && sel != "SPECIFIC_ATTRIBUTES":
		return invalid("Cannot specify the ProjectionExpression when choosing to get %s", sel)
	case !projection && sel == "SPECIFIC_ATTRIBUTES":
		return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case sel == "ALL_PROJECTED_ATTRIBUTES" && !index:
		return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	return nil
}

// checkProjection refuses what a global index does not hold. A local index
// fetches it from the table.
func (p *pageRequest) checkProjection() *Error {
	t, ix := p.src.table, p.src.index
	if err := t.checkNestedKeys(p.parsed.nested); err != nil {
		return err
	}
	if ix == nil || ix.local || ix.projection == "ALL" {
		return nil
	}
	if p.sel == "ALL_ATTRIBUTES" {
		return invalid("%sSelect type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", errParameter, ix.name)
	}
	if missing := ix.without(t, p.parsed.projected); missing != "" {
		return invalid("%sGlobal secondary index %s does not project [%s]", errParameter, ix.name, missing)
	}
	return nil
}

// checkFilter refuses filters on what the index does not hold.
func (p *pageRequest) checkFilter() *Error {
	ix := p.src.index
	if ix == nil {
		return nil
	}
	if missing := ix.without(p.src.table, p.parsed.filterHeads); missing != "" {
		return invalid("%sSecondary index %s does not project one or more filter attributes: [%s]", errParameter, ix.name, missing)
	}
	return nil
}

// without lists the attributes that the index does not hold.
func (ix *index) without(t *table, attributes map[string]bool) string {
	var missing []string
	for _, name := range sortedKeys(attributes) {
		if !ix.projects(t, name) {
			missing = append(missing, name)
		}
	}
	return strings.Join(missing, ", ")
}

func (p *pageRequest) checkStart() *Error {
	if p.start == nil {
		return nil
	}
	const text = "The provided starting key is invalid"
	names := p.src.keyNames()
	for _, n := range names {
		if _, ok := p.start[n]; !ok || len(names) != len(p.start) {
			return invalid("%s", text)
		}
	}
	if err := p.src.table.checkKey(p.src.table.keyOf(p.start)); err != nil {
		return invalid("%s: %s", text, err.Message)
	}
	for _, k := range []keyAttr{p.src.hash, p.src.rng} {
		if k.name != "" && p.start[k.name].Type != k.typ {
			return invalid("%s", text)
		}
	}
	return nil
}

func (s *Store) query(members map[string]any) (answer, *Error) {
	r := newRequest("Query", members, "TableName", "IndexName", "KeyConditionExpression", "FilterExpression",
		"ProjectionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "Limit", "Select",
		"ScanIndexForward", "ConsistentRead", "ExclusiveStartKey", "ReturnConsumedCapacity")
	if r.err == nil && !r.has("KeyConditionExpression") {
		r.fail(invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."))
	}
	backward := r.has("ScanIndexForward") && !r.flag("ScanIndexForward")
	p, err := s.decodePage(r, "FilterExpression", "KeyConditionExpression")
	if err != nil {
		return nil, err
	}
	conditions, err := keyConditions(p.parsed.key)
	if err != nil {
		return nil, err
	}
	want, err := p.src.keyRange(conditions)
	if err != nil {
		return nil, err
	}
	for _, k := range []keyAttr{p.src.hash, p.src.rng} {
		if k.name != "" && p.parsed.filterHeads[k.name] {
			return nil, invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", k.name)
		}
	}
	if p.start != nil {
		if err := want.checkStart(p.start, p.src); err != nil {
			return nil, err
		}
	}
	rows := p.src.sorted(want.hash)
	if backward {
		slices.Reverse(rows)
	}
	return p.page(rows, want.matches, func(m item) bool {
		c := p.src.compare(m, p.start)
		if backward {
			c = -c
		}
		return c > 0
	}), nil
}

// sorted are the items of one hash key in the order of the range key; in an
// index, items of equal keys follow the order of their primary key.
func (src *source) sorted(hash Value) []item {
	var items []item
	if src.index == nil {
		if p := src.table.partitions[encodeKey(hash)]; p != nil {
			for _, r := range p.rows {
				items = append(items, r.item)
			}
		}
		return items
	}
	for _, r := range src.table.rows() {
		if src.index.holds(r.item) && r.item[src.hash.name].equal(hash) {
			items = append(items, r.item)
		}
	}
	slices.SortFunc(items, src.compare)
	return items
}

// compare orders two items of one hash key, or an item and a starting key.
func (src *source) compare(a, b item) int {
	if src.rng.name != "" {
		if c := a[src.rng.name].compare(b[src.rng.name]); c != 0 {
			return c
		}
	}
	if src.index == nil {
		return 0
	}
	return src.table.compareKeys(a, b)
}

// compareKeys is the order of a Scan.
func (t *table) compareKeys(a, b item) int {
	x, y := encodeKey(a[t.hash.name]), encodeKey(b[t.hash.name])
	if c := comparePartitions(scanOrder(x), x, scanOrder(y), y); c != 0 || t.rng.name == "" {
		return c
	}
	return a[t.rng.name].compare(b[t.rng.name])
}
