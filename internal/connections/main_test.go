package main

import "testing"

// The budget: 1.25 connections per request in flight.
func TestConnectionsPerRequestInFlight(t *testing.T) {
	for _, c := range clients {
		if c.name != "dynamostore.NewClient" {
			continue
		}
		r, err := measure(t.Context(), c, 64, 60)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.perRequestInFlight(); got > 1.25 || got <= 0 {
			t.Errorf("%s opened %d connections for %d requests, %d in flight: %.2f per request in flight, want at most 1.25",
				c.name, r.connections, len(r.took), r.inFlight, got)
		}
	}
}
