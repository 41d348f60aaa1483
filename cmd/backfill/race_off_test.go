//go:build !race

package main

// raceDetector says that the worker is built without the race detector, as the tests are.
const raceDetector = false
