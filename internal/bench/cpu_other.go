//go:build !unix

package main

import "time"

var start = time.Now()

// cpu returns the time that has passed, where what this process used of it cannot be told.
func cpu() time.Duration { return time.Since(start) }
