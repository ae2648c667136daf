//go:build race

package bill

// raceDetector: the tests run with the race detector.
const raceDetector = true
