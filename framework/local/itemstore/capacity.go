package itemstore

// capacityMode is ReturnConsumedCapacity: NONE, TOTAL or INDEXES.
type capacityMode string

// Units of capacity (Amazon DynamoDB Developer Guide, "DynamoDB capacity
// units"): a write costs one for each started KB, a strongly consistent read
// one for each started 4 KB, an eventually consistent one half of that, and
// transactions double.
const (
	writeBlock = 1024
	readBlock  = 4096
)

// meter adds up what one request consumes. Nothing is ever throttled.
type meter struct {
	mode   capacityMode
	tables map[string]*usage
}

type usage struct {
	table  float64
	local  map[string]float64
	global map[string]float64
}

func newMeter(mode capacityMode) *meter {
	return &meter{mode: mode, tables: map[string]*usage{}}
}

func (m *meter) usage(t *table) *usage {
	u := m.tables[t.def.Name]
	if u == nil {
		u = &usage{local: map[string]float64{}, global: map[string]float64{}}
		m.tables[t.def.Name] = u
	}
	return u
}

func blocks(size, block int) float64 { return float64(max(1, (size+block-1)/block)) }

// write counts the larger of the old and the new item, and every index entry
// that changes.
func (m *meter) write(t *table, old, changed item, factor float64) {
	u := m.usage(t)
	u.table += factor * blocks(max(itemSize(old), itemSize(changed)), writeBlock)
	for _, ix := range t.indexes {
		cost := ix.writeCost(t, old, changed) * factor
		if cost == 0 {
			continue
		}
		if ix.local {
			u.local[ix.name] += cost
		} else {
			u.global[ix.name] += cost
		}
	}
}

func (ix *index) writeCost(t *table, old, changed item) float64 {
	var before, after item
	if ix.holds(old) {
		before = ix.projected(t, old)
	}
	if ix.holds(changed) {
		after = ix.projected(t, changed)
	}
	switch {
	case before == nil && after == nil:
		return 0
	case before == nil:
		return blocks(itemSize(after), writeBlock)
	case after == nil:
		return blocks(itemSize(before), writeBlock)
	case (Value{Type: TypeM, Map: before}).equal(Value{Type: TypeM, Map: after}):
		return 0
	}
	for _, k := range ix.keys() {
		if !before[k.name].equal(after[k.name]) {
			return blocks(itemSize(before), writeBlock) + blocks(itemSize(after), writeBlock)
		}
	}
	return blocks(max(itemSize(before), itemSize(after)), writeBlock)
}

// read counts a read of so many bytes; ix is nil for the table itself.
func (m *meter) read(t *table, ix *index, size int, factor float64) {
	u, cost := m.usage(t), factor*blocks(size, readBlock)
	switch {
	case ix == nil:
		u.table += cost
	case ix.local:
		u.local[ix.name] += cost
	default:
		u.global[ix.name] += cost
	}
}

// readFactor is what one block costs.
func readFactor(consistent bool) float64 {
	if consistent {
		return 1
	}
	return 0.5
}

func (m *meter) describe(name string) answer {
	u := m.tables[name]
	total := u.table
	list := func(units map[string]float64) answer {
		out := answer{}
		for ix, cost := range units {
			total += cost
			out[ix] = answer{"CapacityUnits": cost}
		}
		return out
	}
	local, global := list(u.local), list(u.global)
	out := answer{"TableName": name, "CapacityUnits": total}
	if m.mode == "INDEXES" {
		out["Table"] = answer{"CapacityUnits": u.table}
		if len(local) > 0 {
			out["LocalSecondaryIndexes"] = local
		}
		if len(global) > 0 {
			out["GlobalSecondaryIndexes"] = global
		}
	}
	return out
}

func (m *meter) wanted() bool { return m.mode == "TOTAL" || m.mode == "INDEXES" }

// addOne puts the consumption of the one table of a request into its answer.
func (m *meter) addOne(out answer) {
	if !m.wanted() {
		return
	}
	for name := range m.tables {
		out["ConsumedCapacity"] = m.describe(name)
	}
}

// addAll puts a list over all tables, sorted by name, into an answer.
func (m *meter) addAll(out answer) {
	if !m.wanted() {
		return
	}
	list := []answer{}
	for _, name := range sortedKeys(m.tables) {
		list = append(list, m.describe(name))
	}
	out["ConsumedCapacity"] = list
}
