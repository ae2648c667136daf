//go:build race

package dynamotest

// RaceDetector reports whether the tests run with the race detector, which makes them several times
// as slow.
const RaceDetector = true
