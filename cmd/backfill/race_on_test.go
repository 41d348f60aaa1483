//go:build race

package main

// raceDetector says that the worker is built with the race detector, as the tests are.
const raceDetector = true
