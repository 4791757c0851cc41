package itemstore

// knownDifferences lists where this package follows AWS and DynamoDB Local
// does not, or refuses on purpose, each with its reason. An entry that no case
// needs any more fails the oracle.
func knownDifferences() []difference {
	return []difference{}
}
