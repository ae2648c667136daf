package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/dynamostore/dynamostoretest"
)

// Two visits, and what they left in traces and metrics.
func TestTracesAndMetrics(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	reader := sdkmetric.NewManualReader()
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	handler, err := newHandler(t.Context(), dynamostoretest.NewClient(t, instrument(traces, metrics)), traces, metrics)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	client := server.Client()
	client.Jar, _ = cookiejar.New(nil)
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}

	var visits []sdktrace.ReadOnlySpan
	for _, span := range spans.Ended() {
		if span.Name() == "GET /" {
			visits = append(visits, span)
		}
	}
	if len(visits) != 2 {
		t.Fatalf("%d spans of visits, want 2", len(visits))
	}
	second := visits[1]
	var events []string
	for _, e := range second.Events() {
		events = append(events, e.Name)
	}
	if want := []string{"session load", "session update"}; !slices.Equal(events, want) {
		t.Errorf("events = %q, want %q", events, want)
	}
	var requests []string
	for _, span := range spans.Ended() {
		if span.Parent().SpanID() == second.SpanContext().SpanID() {
			requests = append(requests, span.Name())
		}
	}
	if want := []string{"DynamoDB.GetItem", "DynamoDB.UpdateItem"}; !slices.Equal(requests, want) {
		t.Errorf("spans of the SDK in the visit's = %q, want %q", requests, want)
	}

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	operations := make(map[string]int64)
	sdk := false
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			sdk = sdk || strings.HasPrefix(m.Name, "client.call.")
			if m.Name != "session.operations" {
				continue
			}
			for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
				op, _ := point.Attributes.Value(attribute.Key("op"))
				operations[op.AsString()] = point.Value
			}
		}
	}
	if operations["load"] != 2 || operations["create"] != 1 || operations["update"] != 1 {
		t.Errorf("operations = %v, want 2 loads, 1 create, 1 update", operations)
	}
	if !sdk {
		t.Error("the SDK measured nothing")
	}
}
