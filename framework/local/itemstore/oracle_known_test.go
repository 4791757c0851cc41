package itemstore

// knownDifferences lists where this package follows AWS and DynamoDB Local
// does not, or refuses on purpose, each with its reason. An entry that no case
// needs any more fails the oracle.
func knownDifferences() []difference {
	return []difference{
		{
			reason: "AWS words a missing table for the operations on items like this",
			theirs: "Cannot do operations on a non-existent table", ours: `"Requested resource not found`,
		},
		{
			reason: "AWS's text for a key that does not fit the schema",
			theirs: "The number of conditions on the keys is invalid|One of the required keys was not given a value|Type mismatch for key",
			ours:   errKeySchema,
		},
		{
			reason: "AWS names the key and the types in an item to put",
			theirs: "One of the required keys was not given a value|Type mismatch for key",
			ours:   "Missing the key .* in the item|Type mismatch for key .* expected: .* actual: ",
		},
		{
			reason: "AWS names the key and the index",
			theirs: "Type mismatch for Index Key", ours: "Type mismatch for Index Key .* Expected: .* Actual: .* IndexName: ",
		},
		{
			reason: "AWS's texts for the size of keys",
			theirs: "Hash primary key values must be under 2048 bytes", ours: "exceeded the maximum size limit of2048 bytes",
		},
		{
			reason: "AWS's texts for numbers",
			theirs: "A value provided cannot be converted into a number|DynamoDB only supports precision up to 38 digits",
			ours:   errNotNumber + "|" + errNumberPrecision + "|" + errNumberOverflow,
		},
		{
			reason: "AWS's text for duplicates in a set ends with a period, and prints binaries",
			theirs: "contains duplicates", ours: `contains duplicates\.`,
		},
		{
			reason: "AWS checks required members, enumerations and bounds in one place, with one text",
			theirs: "Item to put in PutItem cannot be null|Cannot have null key|Return values set to invalid value|" +
				"Limit must be greater|Limit in ListTables|Select must be|Value null at|Value \\[\\] at|must satisfy enum value set|" +
				"cannot have a null or no requests|must have some requests set|has empty list|cannot be null or empty|Member must have|The statement was empty|" +
				"Value x* at 'clientRequestToken'",
			ours: "1 validation error detected: Value",
		},
		{
			reason: "AWS's text for ReturnValues of PutItem and DeleteItem",
			theirs: "Return values set to invalid value", ours: "ReturnValues can only be ALL_OLD or NONE",
		},
		{
			reason: "AWS returns exactly the updated paths, DynamoDB Local the whole attributes around them",
			op:     "UpdateItem", body: `"UpdateExpression":"[^"]*[a-z0-9][.[].*"ReturnValues":"UPDATED_(NEW|OLD)"`, theirs: `"status":200`, ours: `"status":200`,
		},
		{
			reason: "on AWS an update that only removes does not create the item",
			op:     "UpdateItem", body: `"none[12]"`, theirs: `"Attributes"`, ours: `^{"status":200}$`,
		},
		{
			reason: "the item that DynamoDB Local made by removing from nothing",
			op:     "GetItem", body: `"none[12]"`, theirs: `"Item"`, ours: `^{"status":200}$`,
		},
		{
			reason: "SIZE and CONVERT are in AWS's list of reserved words",
			theirs: "ConditionalCheckFailedException", ours: "reserved keyword: (size|convert)",
		},
		{
			reason: "DynamoDB Local lists types that DynamoDB does not have, or in the order of a hash",
			theirs: "valid types: |operand type: {[A-Z]+,", ours: "valid types: |operand type: {NS,SS,L",
		},
		{
			reason: "DynamoDB Local prints a Java object in place of a binary",
			theirs: "java.nio.HeapByteBuffer", ours: "BETWEEN operator requires",
		},
		{
			reason: "malformed JSON and a missing statement are the client's error on AWS, an internal failure of DynamoDB Local",
			theirs: "InternalFailure", ours: "SerializationException|Value null at 'statement'",
		},
		{
			reason: "AWS does not convert JSON numbers to strings and the like; DynamoDB Local does",
			theirs: `"status":200|Invalid table/index name`, ours: "SerializationException",
		},
		{
			reason: "DynamoDB Local ignores enumerations that it does not use",
			body:   `"Return(ConsumedCapacity|ItemCollectionMetrics)":"X"`, theirs: `"status":200`, ours: "must satisfy enum value set",
		},
		{
			reason: "DynamoDB Local tells the capacity of deleting nothing without being asked",
			op:     "DeleteItem", theirs: `^{"ConsumedCapacity".*"status":200}$`, ours: `^{"status":200}$`,
		},
		{
			reason: "types that no key can have are a schema error on AWS like any other",
			theirs: "Invalid attribute value type", ours: errKeySchema + "|Type mismatch for key",
		},
		{
			reason: "DynamoDB Local words null members of its own",
			theirs: "contains a null AttributeValue|may not have a null string", ours: errEmptyValue + "|null cannot be converted",
		},
		{
			reason: "an exponent of eleven digits is out of range, not unreadable",
			body:   "1e-99999999999", theirs: "converted into a number", ours: errNumberUnderflow,
		},
		{
			reason: "digits are ASCII digits",
			body:   "１", theirs: `"status":200`, ours: errNotNumber,
		},
		{
			reason: "DynamoDB Local reads the name before the other members",
			body:   `{"TableName":1}`, theirs: "Invalid table/index name", ours: "'item'",
		},
		{
			reason: "AWS reports what fails while a transaction runs among its reasons (TransactWriteItems API reference)",
			op:     "TransactWriteItems", theirs: `"error":"ValidationException"`, ours: `"Code":"ValidationError","Message":"(The provided expression|The document path|Item size to update)`,
		},
		{
			reason: "UpdateExpression is required in a transaction's Update",
			op:     "TransactWriteItems", theirs: `"status":200`, ours: "updateExpression",
		},
		{
			reason: "DynamoDB Local ends the message with a period for a ConditionCheck only",
			op:     "TransactWriteItems", theirs: `The conditional request failed\."`, ours: `The conditional request failed"`,
		},
		{
			reason: "the message of a reused token",
			op:     "TransactWriteItems", theirs: `"error":"IdempotentParameterMismatchException"`, ours: `"error":"IdempotentParameterMismatchException"`,
		},
		{
			reason: "DynamoDB Local charges transactions less than two units for each item",
			op:     "TransactWriteItems", body: "ReturnConsumedCapacity", theirs: `"status":200`, ours: `"status":200`,
		},
		{
			reason: "AWS's texts for starting keys",
			theirs: "Exclusive Start Key must have same size|starting key does not match|Type mismatch for attribute to update",
			ours:   "starting key is|cannot be restarted",
		},
		{
			reason: "AWS names the missing key attribute",
			theirs: "Query condition missed key schema element", ours: "Query condition missed key schema element: ",
		},
		{
			reason: "AWS looks at a key condition's form before it looks at the table",
			op:     "Query", theirs: "Key attributes must be scalars", ours: "conditions on nested attributes",
		},
		{
			reason: "which of two indexes with the same key is named",
			theirs: "IndexName: gkk", ours: "IndexName: gsi",
		},
		{
			reason: "AWS's texts for segments",
			op:     "Scan", theirs: "segment", ours: "Segment",
		},
		{
			reason: "AWS's texts for tables and their definitions",
			op:     "CreateTable", theirs: `"status":400`, ours: `"status":400`,
		},
		{
			reason: "AWS refuses capacity units for a table that is paid by request",
			op:     "CreateTable", theirs: `"status":200`, ours: "Neither ReadCapacityUnits nor",
		},
		{
			reason: "AWS answers that the table is being deleted; or the table is one that was refused here",
			op:     "DeleteTable", theirs: `"TableStatus":"ACTIVE"`, ours: `"TableStatus":"DELETING"|not found`,
		},
		{
			reason: "AWS's texts for the required members of a time to live",
			op:     "UpdateTimeToLive", theirs: "cannot be null|must be between 1 and 255", ours: "1 validation error detected: Value",
		},
		{
			reason: "AWS names the attribute",
			op:     "UpdateTimeToLive", theirs: "active on a different AttributeName", ours: "current AttributeName is exp",
		},
		{
			reason: "AWS's names for errors of PartiQL statements end in Exception",
			op:     "ExecuteStatement", theirs: `"error":"DuplicateItem"`, ours: `"error":"DuplicateItemException"`,
		},
		{
			reason: "DynamoDB Local never tells the capacity that a statement consumed",
			op:     "", body: `"Statement.*ReturnConsumedCapacity`, theirs: `"status":200`, ours: `ConsumedCapacity.*"status":200`,
		},
		{
			reason: "DynamoDB Local keeps the trailing zeros of a sum or a literal, and prints them ever after",
			theirs: `"123.000"|"1.50"`, ours: `"123"|"1.5"`,
		},
		{
			reason: "DynamoDB Local ignores parameters that no ? uses, or reports them without the table",
			body:   `"Parameters":`, theirs: `"status":200`, ours: "Number of parameters",
		},
		{
			reason: "DynamoDB Local returns the old item in a batch; AWS accepts the member and ignores it",
			op:     "BatchExecuteStatement", body: "ReturnValuesOnConditionCheckFailure", theirs: `"Item"`, ours: "ConditionalCheckFailed",
		},
		{
			reason: "what a PartiQL parser says about statements that are not well formed",
			op:     "ExecuteStatement", theirs: `"error":"ValidationException"`, ours: "The second argument to SET_|Statement wasn't well formed|Duplicate keys in tuple|An string set  may not be empty",
		},
		{
			reason: "DynamoDB Local returns whole attributes for MODIFIED",
			op:     "ExecuteStatement", body: `v\.c = .*RETURNING MODIFIED`, theirs: `"status":200`, ours: `"status":200`,
		},
		{
			reason: "DynamoDB Local words the limit of 25 as that of another operation",
			op:     "BatchExecuteStatement", theirs: "more than 25 items", ours: "less than or equal to 25",
		},
		{
			reason: "refused by name where AWS would do something that is not emulated",
			theirs: ".", ours: "is not emulated by the local runtime",
		},
	}
}
