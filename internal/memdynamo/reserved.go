package memdynamo

import (
	_ "embed"
	"strings"
)

//go:embed reserved.txt
var reservedWords string

// reserved are the words that DynamoDB does not allow as attribute names in an expression, in upper
// case and sorted; the match ignores case. The list is Appendix "Reserved words in DynamoDB" of the
// Amazon DynamoDB developer guide.
var reserved = strings.Fields(reservedWords)
