package stack

// readTable follows the template reference of AWS::DynamoDB::Table and of
// GlobalTable, which differ in nothing that a local run needs.
func (r *reader) readTable(res *resource, o *object) {
	t := Table{Resource: r.base(res)}
	o.str("TableName", "")
	types := make(map[string]string)
	for _, a := range o.objects("AttributeDefinitions") {
		types[a.required("AttributeName")] = a.oneOf("AttributeType", "", "S", "N", "B")
		a.done()
	}
	if hash, rng, ok := r.readKeys(o, types); ok {
		t.HashKey, t.RangeKey = hash, rng
	}
	if p := o.object("TimeToLiveSpecification"); p != nil {
		name := p.str("AttributeName", "")
		if p.boolean("Enabled", false) {
			t.TTLAttribute = name
			if name == "" {
				r.fail(p.at("AttributeName"), "is missing: name the attribute, or set Enabled to false")
			}
		}
		p.done()
	}
	t.GlobalIndexes = r.readIndexes(o, "GlobalSecondaryIndexes", types)
	t.LocalIndexes = r.readIndexes(o, "LocalSecondaryIndexes", types)
	o.harmless("capacity is not limited locally", "BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput",
		"WriteProvisionedThroughputSettings", "WriteOnDemandThroughputSettings", "ReadProvisionedThroughputSettings", "ReadOnDemandThroughputSettings", "TableClass")
	o.harmless("there is nothing to back up or protect locally", "PointInTimeRecoverySpecification", "DeletionProtectionEnabled")
	o.harmless("nothing is encrypted locally", "SSESpecification")
	o.harmless("permissions are not checked locally", "ResourcePolicy")
	o.harmless("statistics of DynamoDB itself", "ContributorInsightsSpecification")
	o.harmless("labels only", "Tags")
	o.unsupported("there is no stream of the table's changes", "StreamSpecification", "KinesisStreamSpecification")
	o.unsupported("the table begins empty", "ImportSourceSpecification")
	if res.typ == typeGlobalTable {
		if n := len(o.list("Replicas")); n > 1 {
			o.ignored("there is one table, without replicas", "Replicas")
		}
		o.ignored("there is one table, without replicas", "MultiRegionConsistency", "GlobalTableWitnesses", "GlobalTableSourceArn", "GlobalTableSettingsReplicationMode")
	}
	r.topology.Tables = append(r.topology.Tables, t)
}

// readKeys reads a KeySchema.
func (r *reader) readKeys(o *object, types map[string]string) (hash Key, rng *Key, ok bool) {
	schema := o.objects("KeySchema")
	for _, k := range schema {
		key := Key{Name: k.required("AttributeName")}
		key.Type = types[key.Name]
		if key.Name != "" && key.Type == "" {
			r.fail(k.at("AttributeName"), "%q has no type: add it to AttributeDefinitions", key.Name)
		}
		switch k.oneOf("KeyType", "", "HASH", "RANGE") {
		case "HASH":
			if hash.Name != "" {
				r.fail(k.at("KeyType"), "is a second HASH key: the local runtime has keys of one HASH and one RANGE attribute")
			}
			hash = key
		case "RANGE":
			if rng != nil {
				r.fail(k.at("KeyType"), "is a second RANGE key: the local runtime has keys of one HASH and one RANGE attribute")
			}
			rng = &key
		default:
			r.fail(k.at("KeyType"), "is missing: give HASH or RANGE")
		}
		k.done()
	}
	if hash.Name == "" {
		r.fail(o.at("KeySchema"), "has no HASH key: give one")
		return hash, rng, false
	}
	return hash, rng, true
}

func (r *reader) readIndexes(o *object, name string, types map[string]string) []Index {
	var out []Index
	for _, p := range o.objects(name) {
		x := Index{Name: p.required("IndexName")}
		x.HashKey, x.RangeKey, _ = r.readKeys(p, types)
		if j := p.object("Projection"); j != nil {
			x.Projection = j.oneOf("ProjectionType", "", "ALL", "KEYS_ONLY", "INCLUDE")
			x.Included = j.texts("NonKeyAttributes")
			j.done()
		}
		p.harmless("capacity is not limited locally", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput",
			"WriteProvisionedThroughputSettings", "WriteOnDemandThroughputSettings", "ReadProvisionedThroughputSettings", "ReadOnDemandThroughputSettings")
		p.harmless("statistics of DynamoDB itself", "ContributorInsightsSpecification")
		p.done()
		out = append(out, x)
	}
	return out
}
