package main

import (
	"testing"

	"example.com/dynamostore/example/frameworks/internal/sitetest"
)

func TestSessions(t *testing.T) { sitetest.Run(t, newHandler) }
