//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpu returns how much of the processors this process has used. Where other programs want them too, that tells
// more than the time that passed.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic("bench: getrusage: " + err.Error()) // only for arguments that it does not take
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
