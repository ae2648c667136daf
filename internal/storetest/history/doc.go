// Package history tests a Store by checking histories, as Jepsen does with databases. Browsers use
// an application on several instances, over a network to DynamoDB that fails in many ways. What is
// then in the sessions is compared with what the calls returned.
//
// The package knows nothing of how a Store works. It calls the exported API and sees the network,
// and it looks at the result by loading sessions.
//
// A history is made from a seed. The seed decides on the configuration, on what each browser's tabs
// request and when, on what the handlers do, on what becomes of each request to DynamoDB, and on
// when instances crash. Histories run in the virtual time of testing/synctest, hundreds a second,
// or in real time over HTTP, on memdynamo or on DynamoDB Local.
//
// Every write that was acknowledged is a fact. One that failed is a maybe: it may be there, may
// arrive later, or may never do so. One that returned an error which says that nothing was written
// (ErrConflict, ErrGone and the like) is not there and never will be.
//
// A Regenerate that finds its session moved by another request starts a session of its own, with
// what the request changed. To the checker, that is another session, which must hold nothing else.
//
// From all that follows what each load, and the last one after all messages have been delivered,
// may find; what it must not find is a violation. The rules are in the files check_*_test.go and
// audit_test.go.
//
// In Merge, Refuse and Lock an acknowledged change is there until an acknowledged or possible
// change takes it away. In Overwrite the session is what some Save made of it, and no acknowledged
// Save began after that one ended.
//
// When a history shows a violation, shrinking looks for a shorter one that does as well: with fewer
// requests, fewer operations in handlers, fewer faults and a plainer configuration. It prints what
// happened, line by line.
//
// # Running
//
//	go test ./internal/storetest/history                          a few seconds of each kind
//	go test ./internal/storetest/history -duration 20m -timeout 1h
//	go test ./internal/storetest/history -run Virtual -seed 42 -histories 1 -modes Merge
//	go test ./internal/storetest/history -run Mutants -mutants
//
// The environment variable DYNAMOSTORE_TEST_ENDPOINT has TestLoopback run on that engine.
//
// # Extending
//
//   - A part of the API that handlers call: an action and a template in handlers_test.go, and a
//     method of visit that performs it. What it writes goes through facts.beginWrite and endWrite.
//   - A configuration: a field of setup, chosen in newSetup, used in world.config, and named in
//     setup.String.
//   - A way to fail: a fateKind, and what network.carry does with it.
//   - A rule: in the check file of what it looks at, and a Kind if none of those there are fits.
package history
