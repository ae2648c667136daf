// Command otel is a web application whose traces show each request's session and what it asked of
// DynamoDB. It writes them to standard output:
//
//	go run . & curl localhost:8080
//
// The spans of the DynamoDB requests, with their retries, are the AWS SDK's own. What the store did
// is an event on the application's span, by Config.Observe, and a count of each operation.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/metrics/smithyotelmetrics"
	"github.com/aws/smithy-go/tracing/smithyoteltracing"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

func main() {
	exporter, err := stdouttrace.New(stdouttrace.WithPrettyPrint())
	if err != nil {
		log.Fatal(err)
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	metrics := sdkmetric.NewMeterProvider()
	// With AWS: dynamostore.NewClient(cfg, instrument(traces, metrics)), of config.LoadDefaultConfig's cfg.
	client := dynamostoretest.Open(instrument(traces, metrics))
	handler, err := newHandler(context.Background(), client, traces, metrics)
	if err != nil {
		log.Fatal(err)
	}
	log.Print("listening on http://localhost:8080")
	log.Fatal(http.ListenAndServe("localhost:8080", handler))
}

// instrument has the SDK trace and measure each of its operations, and each attempt in it.
func instrument(traces trace.TracerProvider, metrics metric.MeterProvider) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.TracerProvider = smithyoteltracing.Adapt(traces)
		o.MeterProvider = smithyotelmetrics.Adapt(metrics)
	}
}

// observe returns a Config.Observe that notes each operation on the span of its request, and counts it.
func observe(metrics metric.MeterProvider) (func(context.Context, dynamostore.Event), error) {
	meter := metrics.Meter("example.com/dynamostore")
	operations, err := meter.Int64Counter("session.operations", metric.WithDescription("Operations on sessions."))
	if err != nil {
		return nil, err
	}
	units, err := meter.Float64Counter("session.units", metric.WithDescription("Capacity units that they used."))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, e dynamostore.Event) {
		by := metric.WithAttributes(attribute.String("op", string(e.Op)), attribute.Bool("failed", e.Err != nil))
		operations.Add(ctx, 1, by)
		units.Add(ctx, e.ReadUnits, by, metric.WithAttributes(attribute.String("kind", "read")))
		units.Add(ctx, e.WriteUnits, by, metric.WithAttributes(attribute.String("kind", "write")))
		span := trace.SpanFromContext(ctx)
		span.AddEvent("session "+string(e.Op), trace.WithAttributes(
			attribute.Int("requests", e.Requests),
			attribute.Int("bytes", e.Bytes),
			attribute.Float64("read_units", e.ReadUnits),
			attribute.Float64("write_units", e.WriteUnits),
			attribute.String("duration", e.Duration.String()),
		))
		if e.Err != nil { // it holds no session ID, cookie or value
			span.RecordError(e.Err)
		}
	}, nil
}

// newHandler returns an application that counts visits.
func newHandler(ctx context.Context, client *dynamodb.Client, traces trace.TracerProvider, metrics metric.MeterProvider) (http.Handler, error) {
	observe, err := observe(metrics)
	if err != nil {
		return nil, err
	}
	store, err := dynamostore.New(client, dynamostore.Config{Observe: observe}, []byte(rand.Text() + rand.Text())[:32])
	if err != nil {
		return nil, err
	}
	if err := store.EnsureTable(ctx); err != nil {
		return nil, err
	}
	tracer := traces.Tracer("example.com/dynamostore/example/otel")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), r.Method+" "+r.URL.Path, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		r = r.WithContext(ctx)
		session, err := store.Get(r, "session")
		if err != nil {
			log.Print(err)
		}
		visits, _ := session.Values["visits"].(int)
		session.Values["visits"] = visits + 1
		if err := session.Save(r, w); err != nil {
			span.SetStatus(codes.Error, "session not saved")
			http.Error(w, "Please try again soon.", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "visit %d\n", visits+1)
	}), nil
}
