package itemstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

func (s *Store) createTable(members map[string]any) (answer, *Error) {
	r := newRequest("CreateTable", members,
		"TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput",
		"GlobalSecondaryIndexes", "LocalSecondaryIndexes", "StreamSpecification",
		"DeletionProtectionEnabled", "SSESpecification", "TableClass", "Tags")
	t := &table{
		billing:   r.enum("BillingMode", "PROVISIONED, PAY_PER_REQUEST", "PROVISIONED", "PAY_PER_REQUEST"),
		protected: r.flag("DeletionProtectionEnabled"),
	}
	t.def.Name = r.text("TableName")
	if stream := newRequest("CreateTable StreamSpecification", r.object("StreamSpecification"), "StreamEnabled", "StreamViewType"); stream.flag("StreamEnabled") {
		r.fail(notEmulated("a stream (StreamSpecification of CreateTable)"))
	}
	for _, raw := range r.list("AttributeDefinitions") {
		d := r.nested("AttributeDefinitions", raw, "AttributeName", "AttributeType")
		t.definitions = append(t.definitions, keyAttr{d.text("AttributeName"), Type(d.text("AttributeType"))})
		r.take(d)
	}
	t.def.HashKey, t.def.RangeKey = r.keySchema()
	t.reads, t.writes = r.throughput()
	t.def.Local = r.indexes("LocalSecondaryIndexes", t.billing)
	t.def.Global = r.indexes("GlobalSecondaryIndexes", t.billing)
	if !r.has("TableName") {
		return nil, missing("TableName")
	}
	if r.err != nil {
		return nil, r.err
	}
	switch {
	case t.billing == "PAY_PER_REQUEST" && r.has("ProvisionedThroughput"):
		return nil, invalid("%sNeither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST", errParameter)
	case t.billing == "PROVISIONED" && (t.reads < 1 || t.writes < 1):
		return nil, invalid("%sReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED", errParameter)
	}
	if err := s.create(t); err != nil {
		return nil, err
	}
	return answer{"TableDescription": t.describe()}, nil
}

// nested starts reading a structure inside a list; take its failure back with
// take.
func (r *request) nested(what string, raw any, known ...string) *request {
	members, err := jsonMap(raw, what)
	if err != nil {
		r.fail(err)
	}
	return newRequest(r.what+" "+what, members, known...)
}

func (r *request) take(inner *request) {
	if inner.err != nil {
		r.fail(inner.err)
	}
}

func (r *request) keySchema() (hash, rng string) {
	list := r.list("KeySchema")
	if len(list) == 0 {
		r.fail(missing("KeySchema"))
	}
	if len(list) > 2 {
		r.fail(constraint(strconv.Itoa(len(list)), "KeySchema", "Member must have length less than or equal to 2"))
	}
	for i, raw := range list {
		k := r.nested("KeySchema", raw, "AttributeName", "KeyType")
		name, kind := k.text("AttributeName"), k.text("KeyType")
		r.take(k)
		switch {
		case i == 0 && kind != "HASH":
			r.fail(invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"))
		case i == 1 && kind != "RANGE":
			r.fail(invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"))
		case i == 0:
			hash = name
		case i == 1:
			rng = name
		}
	}
	return hash, rng
}

func (r *request) throughput() (reads, writes int) {
	if !r.has("ProvisionedThroughput") {
		return 0, 0
	}
	p := r.nested("ProvisionedThroughput", r.members["ProvisionedThroughput"], "ReadCapacityUnits", "WriteCapacityUnits")
	reads, _ = p.number("ReadCapacityUnits")
	writes, _ = p.number("WriteCapacityUnits")
	r.take(p)
	return reads, writes
}

func (r *request) indexes(member, billing string) []Index {
	list := r.list(member)
	if r.has(member) && len(list) == 0 {
		r.fail(invalid("%sList of %s is empty", errParameter, member))
	}
	var out []Index
	for _, raw := range list {
		x := r.nested(member, raw, "IndexName", "KeySchema", "Projection", "ProvisionedThroughput")
		d := Index{Name: x.text("IndexName")}
		d.HashKey, d.RangeKey = x.keySchema()
		p := x.nested("Projection", x.members["Projection"], "ProjectionType", "NonKeyAttributes")
		d.Projection = p.text("ProjectionType")
		for _, a := range p.list("NonKeyAttributes") {
			name, err := jsonString(a)
			if err != nil {
				p.fail(err)
			}
			d.Include = append(d.Include, name)
		}
		x.take(p)
		if x.has("ProvisionedThroughput") && billing == "PAY_PER_REQUEST" {
			x.fail(invalid("%sProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", errParameter, d.Name))
		}
		r.take(x)
		out = append(out, d)
	}
	return out
}

func (s *Store) deleteTable(members map[string]any) (answer, *Error) {
	r := newRequest("DeleteTable", members, "TableName")
	if r.err != nil {
		return nil, r.err
	}
	t, err := s.control(r)
	if err != nil {
		return nil, err
	}
	if t.protected {
		return nil, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	delete(s.tables, t.def.Name)
	description := t.describe()
	description["TableStatus"] = "DELETING"
	return answer{"TableDescription": description}, nil
}

func (s *Store) describeTable(members map[string]any) (answer, *Error) {
	r := newRequest("DescribeTable", members, "TableName")
	if r.err != nil {
		return nil, r.err
	}
	t, err := s.control(r)
	if err != nil {
		return nil, err
	}
	return answer{"Table": t.describe()}, nil
}

func (s *Store) listTables(members map[string]any) (answer, *Error) {
	r := newRequest("ListTables", members, "ExclusiveStartTableName", "Limit")
	limit, limited := r.number("Limit")
	after := r.text("ExclusiveStartTableName")
	if r.err != nil {
		return nil, r.err
	}
	switch {
	case !limited:
		limit = 100
	case limit < 1:
		return nil, constraint(strconv.Itoa(limit), "Limit", "Member must have value greater than or equal to 1")
	case limit > 100:
		return nil, constraint(strconv.Itoa(limit), "Limit", "Member must have value less than or equal to 100")
	}
	names := []string{}
	out := answer{}
	for _, name := range sortedKeys(s.tables) {
		if name <= after {
			continue
		}
		if len(names) == limit {
			out["LastEvaluatedTableName"] = names[limit-1]
			break
		}
		names = append(names, name)
	}
	out["TableNames"] = names
	return out, nil
}

// epoch is a time as the JSON protocol writes it: seconds with a fraction.
func epoch(t time.Time) json.Number {
	return json.Number(fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond)))
}

func schema(hash, rng keyAttr) []answer {
	list := []answer{{"AttributeName": hash.name, "KeyType": "HASH"}}
	if rng.name != "" {
		list = append(list, answer{"AttributeName": rng.name, "KeyType": "RANGE"})
	}
	return list
}

// describe is the table's description. Sizes and counts are exact and current,
// where AWS renews them every six hours.
func (t *table) describe() answer {
	definitions := make([]answer, 0, len(t.definitions))
	for _, d := range t.definitions {
		definitions = append(definitions, answer{"AttributeName": d.name, "AttributeType": d.typ})
	}
	throughput := answer{"NumberOfDecreasesToday": 0, "ReadCapacityUnits": t.reads, "WriteCapacityUnits": t.writes}
	out := answer{
		"AttributeDefinitions":      definitions,
		"TableName":                 t.def.Name,
		"KeySchema":                 schema(t.hash, t.rng),
		"TableStatus":               "ACTIVE",
		"CreationDateTime":          epoch(t.created),
		"ProvisionedThroughput":     throughput,
		"TableSizeBytes":            t.bytes,
		"ItemCount":                 t.count,
		"TableArn":                  t.arn,
		"TableId":                   t.id,
		"DeletionProtectionEnabled": t.protected,
	}
	if t.billing == "PAY_PER_REQUEST" {
		out["BillingModeSummary"] = answer{"BillingMode": t.billing, "LastUpdateToPayPerRequestDateTime": epoch(t.created)}
	}
	for _, ix := range t.indexes {
		count, bytes := 0, 0
		for _, row := range t.rows() {
			if ix.holds(row.item) {
				count++
				bytes += itemSize(ix.projected(t, row.item))
			}
		}
		projection := answer{"ProjectionType": ix.projection}
		if len(ix.include) > 0 {
			projection["NonKeyAttributes"] = ix.include
		}
		d := answer{
			"IndexName": ix.name, "KeySchema": schema(ix.hash, ix.rng), "Projection": projection,
			"IndexSizeBytes": bytes, "ItemCount": count, "IndexArn": t.arn + "/index/" + ix.name,
		}
		member := "LocalSecondaryIndexes"
		if !ix.local {
			member = "GlobalSecondaryIndexes"
			d["IndexStatus"] = "ACTIVE"
			d["ProvisionedThroughput"] = throughput
		}
		list, _ := out[member].([]answer)
		out[member] = append(list, d)
	}
	return out
}
