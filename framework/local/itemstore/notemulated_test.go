package itemstore

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const refusal = "is not emulated by the local runtime"

// refuse checks that a request is refused, by a message that names what is not
// emulated.
func refuse(t *testing.T, op, body, name string) {
	t.Helper()
	s := testStore(t, testClock)
	err := refused(t, s, op, "%s", body)
	if !strings.Contains(err.Message, refusal) || !strings.Contains(err.Message, name) {
		t.Errorf("%s %s: %v, want a refusal that names %q", op, body, err, name)
	}
}

func TestRefusesOperations(t *testing.T) {
	t.Parallel()
	for _, op := range []string{
		"BatchExecuteStatements", "CreateBackup", "CreateGlobalTable", "DeleteBackup", "DeleteResourcePolicy", "DescribeBackup",
		"DescribeContinuousBackups", "DescribeContributorInsights", "DescribeEndpoints", "DescribeExport", "DescribeGlobalTable",
		"DescribeImport", "DescribeKinesisStreamingDestination", "DescribeLimits", "DescribeTableReplicaAutoScaling",
		"DisableKinesisStreamingDestination", "EnableKinesisStreamingDestination", "ExecuteTransaction", "ExportTableToPointInTime",
		"GetResourcePolicy", "ImportTable", "ListBackups", "ListContributorInsights", "ListExports", "ListGlobalTables", "ListImports",
		"ListTagsOfResource", "PutResourcePolicy", "RestoreTableFromBackup", "RestoreTableToPointInTime", "TagResource", "UntagResource",
		"UpdateContinuousBackups", "UpdateContributorInsights", "UpdateGlobalTable", "UpdateTable", "UpdateTableReplicaAutoScaling", "Nonsense",
	} {
		refuse(t, op, `{}`, op)
		s := testStore(t, nil)
		if err := refused(t, s, op, `{}`); err.Name() != "UnknownOperationException" {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestRefusesLegacyMembers(t *testing.T) {
	t.Parallel()
	const key = `{"TableName":"ttt","Key":{"id":{"S":"a"}}`
	for _, c := range []struct{ op, body, member string }{
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"}},"Expected":{}}`, "Expected"},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"}},"ConditionalOperator":"OR"}`, "ConditionalOperator"},
		{"UpdateItem", key + `,"AttributeUpdates":{}}`, "AttributeUpdates"},
		{"UpdateItem", key + `,"Expected":{}}`, "Expected"},
		{"DeleteItem", key + `,"Expected":{}}`, "Expected"},
		{"GetItem", key + `,"AttributesToGet":["a"]}`, "AttributesToGet"},
		{"Query", `{"TableName":"ttt","KeyConditionExpression":"id = :a","KeyConditions":{}}`, "KeyConditions"},
		{"Query", `{"TableName":"ttt","KeyConditionExpression":"id = :a","QueryFilter":{}}`, "QueryFilter"},
		{"Query", `{"TableName":"ttt","KeyConditionExpression":"id = :a","AttributesToGet":["a"]}`, "AttributesToGet"},
		{"Scan", `{"TableName":"ttt","ScanFilter":{}}`, "ScanFilter"},
		{"Scan", `{"TableName":"ttt","ConditionalOperator":"OR"}`, "ConditionalOperator"},
		{"BatchGetItem", `{"RequestItems":{"ttt":{"Keys":[{"id":{"S":"a"}}],"AttributesToGet":["a"]}}}`, "AttributesToGet"},
	} {
		refuse(t, c.op, c.body, c.member)
	}
}

func TestRefusesUnknownMembers(t *testing.T) {
	t.Parallel()
	for op, body := range map[string]string{
		"PutItem":               `{"TableName":"ttt","Item":{"id":{"S":"a"}},"Novelty":1}`,
		"Scan":                  `{"TableName":"ttt","Novelty":true}`,
		"TransactWriteItems":    `{"TransactItems":[{"Put":{"TableName":"ttt","Item":{"id":{"S":"a"}},"Novelty":1}}]}`,
		"TransactGetItems":      `{"TransactItems":[{"Get":{"TableName":"ttt","Key":{"id":{"S":"a"}},"Novelty":1}}]}`,
		"BatchExecuteStatement": `{"Statements":[{"Statement":"INSERT INTO ttt VALUE {'id':'a'}","Novelty":1}]}`,
		"ListTables":            `{"Novelty":1}`,
	} {
		refuse(t, op, body, "Novelty")
	}
	// Null is the same as absent.
	s := testStore(t, nil)
	must(t, s, "Scan", `{"TableName":"ttt","Novelty":null,"Limit":null}`)
}

func TestRefusesTableFeatures(t *testing.T) {
	t.Parallel()
	const table = `{"TableName":"new","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST",`
	refuse(t, "CreateTable", table+`"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}`, "StreamSpecification")
	refuse(t, "CreateTable", table+`"OnDemandThroughput":{"MaxReadRequestUnits":1}}`, "OnDemandThroughput")
	refuse(t, "CreateTable", table+`"WarmThroughput":{}}`, "WarmThroughput")
	refuse(t, "CreateTable", table+`"ResourcePolicy":"{}"}`, "ResourcePolicy")
	s := testStore(t, nil)
	must(t, s, "CreateTable", table+`"StreamSpecification":{"StreamEnabled":false}}`)
}

func TestRefusesItemCollectionMetrics(t *testing.T) {
	t.Parallel()
	refuse(t, "PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"}},"ReturnItemCollectionMetrics":"SIZE"}`, "ReturnItemCollectionMetrics")
	refuse(t, "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"ttt","Item":{"id":{"S":"a"}}}}],"ReturnItemCollectionMetrics":"SIZE"}`, "ReturnItemCollectionMetrics")
}

func TestRefusesPartiQL(t *testing.T) {
	t.Parallel()
	for statement, name := range map[string]string{
		`SELECT * FROM ttt`:                                                                                "SELECT",
		`EXISTS(SELECT * FROM ttt WHERE id='a')`:                                                           "EXISTS",
		`INSERT INTO ttt VALUES (1)`:                                                                       "VALUES",
		`INSERT INTO ttt VALUE ?`:                                                                          "parameter",
		`INSERT INTO ttt VALUE {'id':'a'} ON CONFLICT DO NOTHING`:                                          "ON CONFLICT",
		`INSERT INTO ttt VALUE {'id':'a','s':<<1,'a'>>}`:                                                   "set of mixed",
		`DELETE FROM ttt.gsi WHERE id='a'`:                                                                 "index",
		`UPDATE ttt SET a = size(b) WHERE id='a'`:                                                          "size",
		`UPDATE ttt SET a = frobnicate(b) WHERE id='a'`:                                                    "frobnicate",
		`UPDATE ttt SET a = if_not_exists(b, set_add(c, <<1>>)) WHERE id='a'`:                              "set_add",
		`UPDATE ttt SET a = 1 WHERE id='a' AND attribute_exists(x) AND if_not_exists(b, 1) = 1`:            "if_not_exists",
		`INSERT INTO ttt VALUE {'id':'a','v':` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`: "nested",
	} {
		refuse(t, "ExecuteStatement", `{"Statement":"`+statement+`"}`, name)
	}
	refuse(t, "BatchExecuteStatement", `{"Statements":[{"Statement":"SELECT * FROM ttt WHERE id='a'"}]}`, "SELECT")
	refuse(t, "ExecuteStatement", `{"Statement":"DELETE FROM ttt WHERE id='a'","NextToken":"x"}`, "NextToken")
	refuse(t, "ExecuteStatement", `{"Statement":"DELETE FROM ttt WHERE id='a'","Limit":1}`, "Limit")
}

// TestInertMembers are accepted and change nothing that the store shows but
// itself: capacity is never enforced, encryption, class and tags have no
// effect here.
func TestInertMembers(t *testing.T) {
	t.Parallel()
	s := testStore(t, nil)
	must(t, s, "CreateTable", `{"TableName":"new","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1},"SSESpecification":{"Enabled":true},"TableClass":"STANDARD","Tags":[{"Key":"a","Value":"b"}]}`)
	for range 50 {
		must(t, s, "PutItem", `{"TableName":"new","Item":{"id":{"S":"a"},"v":{"S":%q}}}`, strings.Repeat("x", 100_000))
		must(t, s, "GetItem", `{"TableName":"new","Key":{"id":{"S":"a"}},"ConsistentRead":false}`)
	}
}

// TestImmediateStates: tables and indexes are ACTIVE, and gone, at once; and
// global indexes are never behind.
func TestImmediateStates(t *testing.T) {
	t.Parallel()
	s := pagedStore(t, 1)
	description := must(t, s, "DescribeTable", `{"TableName":"paged"}`)["Table"].(map[string]any)
	if description["TableStatus"] != "ACTIVE" {
		t.Errorf("TableStatus %v", description["TableStatus"])
	}
	must(t, s, "UpdateItem", `{"TableName":"paged","Key":{"pk":{"S":"p0"},"sk":{"N":"0"}},"UpdateExpression":"SET g = :g","ExpressionAttributeValues":{":g":{"S":"moved"}}}`)
	const query = `{"TableName":"paged","IndexName":"gsi","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":%q}},"Select":"COUNT"}`
	if moved, old := must(t, s, "Query", query, "moved")["Count"], must(t, s, "Query", query, "g")["Count"]; moved != 1.0 || old != 0.0 {
		t.Errorf("%v under the new key, %v under the old", moved, old)
	}
	must(t, s, "DeleteTable", `{"TableName":"paged"}`)
	refused(t, s, "DescribeTable", `{"TableName":"paged"}`)
}

// TestNotEmulatedNamesTests holds the list to the tests that it cites.
func TestNotEmulatedNamesTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("NOT_EMULATED.md")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(data)
	}
	rows := 0
	for line := range strings.SplitSeq(string(page), "\n") {
		if !strings.HasPrefix(line, "- ") {
			continue
		}
		rows++
		names := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test is named by: %s", line)
		}
		for _, n := range names {
			if !strings.Contains(source.String(), "func "+n[1]+"(t *testing.T)") {
				t.Errorf("%s does not exist, named by: %s", n[1], line)
			}
		}
	}
	if rows < 10 {
		t.Errorf("only %d lines", rows)
	}
}
