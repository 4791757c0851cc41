package itemstore

import (
	"hash/fnv"
	"slices"
	"strconv"
	"time"
)

// keyAttr is one attribute of a key; its name is empty where there is none.
type keyAttr struct {
	name string
	typ  Type
}

// table is a table and its items: partitions by hash key, each sorted by range
// key. Its methods need the store's lock.
type table struct {
	def         Table
	definitions []keyAttr // AttributeDefinitions, in the request's order
	hash, rng   keyAttr
	indexes     []*index

	arn       string
	id        string
	created   time.Time
	billing   string
	reads     int // provisioned, shown only
	writes    int
	protected bool

	partitions map[string]*partition
	count      int
	bytes      int
}

type index struct {
	name       string
	hash, rng  keyAttr
	local      bool
	projection string   // ALL, KEYS_ONLY, INCLUDE
	include    []string // INCLUDE
}

type partition struct {
	order uint64
	key   string
	rows  []row
}

type row struct {
	rng  Value
	item item
}

// encodeKey is a text that is equal for equal key values only.
func encodeKey(v Value) string {
	if v.Type == TypeB {
		return "B" + string(v.Bin)
	}
	return string(v.Type) + v.Str
}

// keyString identifies an item in its table.
func (t *table) keyString(m item) string {
	hash := encodeKey(m[t.hash.name])
	if t.rng.name == "" {
		return hash
	}
	return strconv.Itoa(len(hash)) + ":" + hash + encodeKey(m[t.rng.name])
}

// keyOf is the primary key of an item.
func (t *table) keyOf(m item) item {
	key := item{t.hash.name: m[t.hash.name]}
	if t.rng.name != "" {
		key[t.rng.name] = m[t.rng.name]
	}
	return key
}

func (p *partition) find(rng Value, sorted bool) (int, bool) {
	if !sorted {
		return 0, len(p.rows) > 0
	}
	return slices.BinarySearchFunc(p.rows, rng, func(r row, v Value) int { return r.rng.compare(v) })
}

func (t *table) get(key item) item {
	p := t.partitions[encodeKey(key[t.hash.name])]
	if p == nil {
		return nil
	}
	i, ok := p.find(key[t.rng.name], t.rng.name != "")
	if !ok {
		return nil
	}
	return p.rows[i].item
}

// put stores an item, which the table owns from then on.
func (t *table) put(m item) {
	key := encodeKey(m[t.hash.name])
	p := t.partitions[key]
	if p == nil {
		p = &partition{key: key, order: scanOrder(key)}
		t.partitions[key] = p
	}
	i, ok := p.find(m[t.rng.name], t.rng.name != "")
	r := row{rng: m[t.rng.name], item: m}
	t.bytes += itemSize(m)
	if ok {
		t.bytes -= itemSize(p.rows[i].item)
		p.rows[i] = r
		return
	}
	t.count++
	p.rows = slices.Insert(p.rows, i, r)
}

func (t *table) remove(key item) {
	name := encodeKey(key[t.hash.name])
	p := t.partitions[name]
	if p == nil {
		return
	}
	i, ok := p.find(key[t.rng.name], t.rng.name != "")
	if !ok {
		return
	}
	t.count--
	t.bytes -= itemSize(p.rows[i].item)
	if p.rows = slices.Delete(p.rows, i, i+1); len(p.rows) == 0 {
		delete(t.partitions, name)
	}
}

// set puts the item, or removes the one of that key when it is nil.
func (t *table) set(key, m item) {
	if m == nil {
		t.remove(key)
		return
	}
	t.put(m)
}

// scanOrder spreads partitions over the table as a hash does on AWS: a Scan's
// order is stable and says nothing.
func scanOrder(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key)) // never fails
	return h.Sum64()
}

// rows are all items in the order of a Scan.
func (t *table) rows() []row {
	partitions := make([]*partition, 0, len(t.partitions))
	for _, p := range t.partitions {
		partitions = append(partitions, p)
	}
	slices.SortFunc(partitions, func(a, b *partition) int { return comparePartitions(a.order, a.key, b.order, b.key) })
	var rows []row
	for _, p := range partitions {
		rows = append(rows, p.rows...)
	}
	return rows
}

func comparePartitions(order1 uint64, key1 string, order2 uint64, key2 string) int {
	switch {
	case order1 != order2:
		if order1 < order2 {
			return -1
		}
		return 1
	case key1 < key2:
		return -1
	case key1 > key2:
		return 1
	}
	return 0
}

func (t *table) index(name string) *index {
	for _, ix := range t.indexes {
		if ix.name == name {
			return ix
		}
	}
	return nil
}

// holds tells whether an item is in the index: it is sparse.
func (ix *index) holds(m item) bool {
	if _, ok := m[ix.hash.name]; !ok {
		return false
	}
	if ix.rng.name == "" {
		return true
	}
	_, ok := m[ix.rng.name]
	return ok
}

// projects tells whether the index holds an attribute.
func (ix *index) projects(t *table, attribute string) bool {
	if ix.projection == "ALL" || slices.Contains(ix.include, attribute) {
		return true
	}
	return slices.Contains([]string{t.hash.name, t.rng.name, ix.hash.name, ix.rng.name}, attribute)
}

// projected is what the index holds of an item.
func (ix *index) projected(t *table, m item) item {
	kept := item{}
	for name, v := range m {
		if ix.projects(t, name) {
			kept[name] = v
		}
	}
	return kept
}
