package itemstore

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Table defines a table, for CreateTable.
type Table struct {
	Name string
	// HashKey is the partition key, RangeKey the optional sort key.
	HashKey, RangeKey string
	// Types gives the type of every attribute that is a key of the table or
	// of an index, and of no other: TypeS, TypeN or TypeB.
	Types map[string]Type
	// TTL is the time-to-live attribute; empty for none.
	TTL string
	// Global and Local are secondary indexes.
	Global, Local []Index
}

// Index defines a secondary index. A local index needs a RangeKey and has the
// table's HashKey.
type Index struct {
	Name              string
	HashKey, RangeKey string
	// Projection is ALL, KEYS_ONLY or INCLUDE. Default: ALL.
	Projection string
	// Include are the projected attributes beyond the keys; INCLUDE only.
	Include []string
}

// CreateTable makes an empty table. The error is an *Error with AWS's text: a
// definition that AWS refuses, or a name that is taken.
func (s *Store) CreateTable(def Table) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &table{billing: "PAY_PER_REQUEST"}
	for _, name := range sortedKeys(def.Types) {
		t.definitions = append(t.definitions, keyAttr{name, def.Types[name]})
	}
	def.Global, def.Local = slices.Clone(def.Global), slices.Clone(def.Local)
	for _, list := range [][]Index{def.Global, def.Local} {
		for i := range list {
			list[i].Include = slices.Clone(list[i].Include)
			if list[i].Projection == "" {
				list[i].Projection = "ALL"
			}
		}
	}
	t.def = def
	if err := s.create(t); err != nil {
		return err
	}
	return nil
}

// create checks a definition and adds the table.
func (s *Store) create(t *table) *Error {
	def := &t.def
	if !validTableName(def.Name) {
		return invalid("%s", errTableName)
	}
	if err := t.resolve(); err != nil {
		return err
	}
	if _, taken := s.tables[def.Name]; taken {
		return dynamoError("ResourceInUseException", "Table already exists: %s", def.Name)
	}
	t.created = s.clock()
	t.arn = s.tableARN(def.Name)
	sum := sha256.Sum256([]byte(t.arn + t.created.String()))
	id := hex.EncodeToString(sum[:16])
	t.id = strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")
	t.partitions = map[string]*partition{}
	s.tables[def.Name] = t
	return nil
}

// resolve checks the definition and fills in keys and indexes.
func (t *table) resolve() *Error {
	def := &t.def
	defined := make([]string, 0, len(t.definitions))
	for _, d := range t.definitions {
		if !d.typ.ordered() {
			return constraint(string(d.typ), "AttributeDefinitions.1.member.attributeType", "Member must satisfy enum value set: [B, N, S]")
		}
		defined = append(defined, d.name)
	}
	used := map[string]bool{}
	resolve := func(hash, rng string) (h, r keyAttr, err *Error) {
		keys := []string{hash}
		if rng != "" {
			keys = append(keys, rng)
		}
		for _, k := range keys {
			if !slices.Contains(defined, k) {
				return h, r, invalid("%sSome index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]",
					errParameter, strings.Join(keys, ", "), strings.Join(defined, ", "))
			}
			used[k] = true
		}
		if hash == rng {
			return h, r, invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
		}
		h = t.definitions[slices.Index(defined, hash)]
		if rng != "" {
			r = t.definitions[slices.Index(defined, rng)]
		}
		return h, r, nil
	}
	var err *Error
	if t.hash, t.rng, err = resolve(def.HashKey, def.RangeKey); err != nil {
		return err
	}
	names := map[string]bool{}
	for i, list := range [][]Index{def.Local, def.Global} {
		for _, d := range list {
			ix := &index{name: d.Name, projection: d.Projection, include: d.Include, local: i == 0}
			if ix.hash, ix.rng, err = resolve(d.HashKey, d.RangeKey); err != nil {
				return err
			}
			if err := t.checkIndex(ix); err != nil {
				return err
			}
			if names[d.Name] {
				return invalid("%sDuplicate index name: %s", errParameter, d.Name)
			}
			names[d.Name] = true
			t.indexes = append(t.indexes, ix)
		}
	}
	if len(used) != len(defined) {
		return invalid("%sNumber of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions", errParameter)
	}
	switch {
	case len(def.Local) > 5:
		return invalid("%sNumber of LocalSecondaryIndexes exceeds per-table limit of 5", errParameter)
	case len(def.Global) > 20:
		return invalid("%sGlobalSecondaryIndex count exceeds the per-table limit of 20", errParameter)
	}
	return nil
}

func (t *table) checkIndex(ix *index) *Error {
	if !validTableName(ix.name) {
		return invalid("%s", errTableName)
	}
	if ix.local {
		switch {
		case t.rng.name == "":
			return invalid("%sTable KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex", errParameter)
		case ix.rng.name == "":
			return invalid("%sIndex KeySchema does not have a range key for index: %s", errParameter, ix.name)
		case ix.hash.name != t.hash.name:
			return invalid("%sIndex KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s",
				errParameter, ix.name, ix.hash.name, t.hash.name)
		}
	}
	switch ix.projection {
	case "ALL", "KEYS_ONLY":
		if len(ix.include) > 0 {
			return invalid("%sProjectionType is %s, but NonKeyAttributes is specified", errParameter, ix.projection)
		}
	case "INCLUDE":
		if len(ix.include) == 0 {
			return invalid("%sProjectionType is INCLUDE, but NonKeyAttributes is not specified", errParameter)
		}
	case "":
		return invalid("%sUnknown ProjectionType: null", errParameter)
	default:
		return constraint(ix.projection, "projection.projectionType", "Member must satisfy enum value set: [ALL, INCLUDE, KEYS_ONLY]")
	}
	return nil
}
