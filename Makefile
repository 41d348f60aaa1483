# `make` lists the targets. Everything builds from the Go module alone; the
# sandbox needs a C compiler (DuckDB), the worker does not.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
WORKER   := bin/backfill
SANDBOX  := bin/sandbox
EVENTS   ?= 1000000
# Pinned tools, built from the module proxy into .tools.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.DEFAULT_GOAL := help
.PHONY: help build worker e2e demo loadtest loadairflow soak test faults mutations browser guarantees archives errors metrics receiver race check dags format vet staticcheck vulnerabilities imports fuzz bench microbench image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: worker ## build bin/backfill (static) and bin/sandbox
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags '-s -w' -o $(SANDBOX) ./cmd/sandbox

worker: ## build bin/backfill (static)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(WORKER) ./cmd/backfill

demo: build ## the main job on a month of payroll events, against the sandbox (EVENTS=1000000)
	cmd/sandbox/demo.sh $(EVENTS)

test: ## all tests (also needs python3 with venv, PyPI and psql, for the clients and the DAGs, and zstd, for the oracle)
	$(GO) test -timeout 30m ./...
	python3 -m unittest discover --start-directory internal/sandbox/oracle
	dags/check tests
	dags/loadtest/run tests

FAULTS    ?= all
SEQUENCES ?= 2000
faults: ## the whole fault matrix and 2000 random sequences of runs (FAULTS=100 SEQUENCES=50 for some)
	@mkdir -p bin && $(GO) test -c -o bin/faults.test ./cmd/backfill
	cd cmd/backfill && BACKFILL_FAULTS=$(FAULTS) BACKFILL_SEQUENCES=$(SEQUENCES) ../../bin/faults.test -test.timeout 5h -test.run '^(TestFault|TestSequence|TestGCMeetsEveryFault)'

MUTATIONS ?= 500
mutations: ## 500 random plantings of wrong rows, reconciled and compared with an exact join (MUTATIONS=50 for some)
	BACKFILL_MUTATIONS=$(MUTATIONS) $(GO) test -count=1 -timeout 5h -run '^TestMutations' ./cmd/backfill

AXE := 4.14.1
browser: ## the report's page in headless Chromium without network: speed, axe-core (from npm), pictures and A4 in bin/browser
	@mkdir -p bin/browser && cd bin/browser && npm pack --silent axe-core@$(AXE) && tar -xzf axe-core-$(AXE).tgz package/axe.min.js
	BACKFILL_BROWSER=$(CURDIR)/bin/browser BACKFILL_AXE=$(CURDIR)/bin/browser/package/axe.min.js $(GO) test -count=1 -v -run '^TestBrowser$$' ./internal/report

guarantees: ## write README's table of guarantees from the tests' names
	BACKFILL_UPDATE_README=1 $(GO) test -count=1 -run TestGuaranteesTable ./cmd/backfill

archives: ## write README's table of archives from what the tests see
	BACKFILL_UPDATE_README=1 $(GO) test -count=1 -run TestArchivers ./jobs/workspace

errors: ## write the page of error codes from the program
	BACKFILL_UPDATE_README=1 $(GO) test -count=1 -run TestErrorsPage ./cmd/backfill

metrics: ## write the page of metrics from the program
	BACKFILL_UPDATE_README=1 $(GO) test -count=1 -run TestMetricsPage ./internal/metrics

receiver: ## runs into Prometheus' statsd_exporter, another's receiver of DogStatsD, over UDP and a unix socket
	@mkdir -p bin && test -x bin/statsd_exporter || GOBIN=$(CURDIR)/bin $(GO) install github.com/prometheus/statsd_exporter@v0.31.0
	BACKFILL_STATSD_EXPORTER=$(CURDIR)/bin/statsd_exporter $(GO) test -count=1 -v -run TestMetricsReceived ./cmd/backfill

race: ## all tests under the race detector
	$(GO) test -race -timeout 60m ./...

check: format vet staticcheck imports dags race vulnerabilities ## format, vet, staticcheck, import direction, ruff and mypy, race tests, vulnerabilities

dags: ## ruff and mypy on the DAGs
	dags/check lint

format:
	@out=$$(gofmt -l cmd jobs internal); if [ -n "$$out" ]; then echo "not gofmt-clean:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

imports: ## imports go one way: cmd, jobs, engines, features, leaves
	$(GO) test -count=1 -run TestImports ./cmd/backfill

# Without access to the vulnerability database nothing was checked: that is said, not passed over.
vulnerabilities: ## known vulnerabilities in what the worker calls
	@out=$$($(GO) run $(GOVULNCHECK) ./cmd/backfill 2>&1); code=$$?; echo "$$out"; \
	case "$$out" in *"fetching vulnerabilities"*) echo "vulnerabilities: NOT CHECKED, the database can't be reached"; exit 0;; esac; exit $$code

FUZZTIME ?= 30s
# Go takes a minute to make each input smaller that reaches new code, and tries
# nothing new meanwhile: targets with many such inputs would stand still.
FUZZMINIMIZE ?= 10x
fuzz: ## every fuzz target for FUZZTIME (default 30s)
	@for pkg in $$($(GO) list ./...); do \
	  dir=$$($(GO) list -f '{{.Dir}}' $$pkg); \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | cut -c6-); do \
	    echo "== $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime $(FUZZMINIMIZE) $$pkg || exit 1; \
	  done; done

BENCH_ROWS      ?= 400000
BENCH_PAIRS     ?= 3
BENCH_WORKLOADS ?= all
BENCH_PEERS     ?=
BENCH_TARGETS   ?= all
BENCH_FLAGS     ?=
bench: build ## convert against its peers, in turn (BENCH_ROWS, _PAIRS, _WORKLOADS, _PEERS, _TARGETS, _DIR, BENCH_FLAGS=--full)
	$(GO) run ./cmd/bench --rows $(BENCH_ROWS) --pairs $(BENCH_PAIRS) --workloads '$(BENCH_WORKLOADS)' --peers '$(BENCH_PEERS)' \
	  --targets '$(BENCH_TARGETS)' --dir '$(BENCH_DIR)' $(BENCH_FLAGS)

microbench: ## Go benchmarks of the hot path's stages
	$(GO) test -run '^$$' -bench . -benchmem ./internal/codec ./internal/decode ./internal/canon ./internal/parquetio ./internal/scan

image: worker ## the container image, from scratch: bin/backfill-image.tar, and into docker, podman or buildah
	GO=$(GO) docker/build-image $(VERSION)

E2E ?=
e2e: build ## on a real Kubernetes: KUBECONFIG, or the one of ../shared/kube (E2E=test_kubernetes.IndexedJob for a part)
	GO=$(GO) dags/e2e/run $(E2E)

USERS    ?= 6
STEPS    ?= 3
DURATION ?= 240
loadtest: build ## payday with Locust (PyPI) against the sandbox, in steps (USERS=6 STEPS=3 DURATION=240); results in .loadtest/load
	USERS=$(USERS) STEPS=$(STEPS) DURATION=$(DURATION) dags/loadtest/run load

loadairflow: build ## the same through the REST API of an Airflow of its own, on the cluster of make e2e; results in .loadtest/airflow
	GO=$(GO) USERS=$(USERS) STEPS=$(STEPS) DURATION=$(DURATION) dags/loadtest/run airflow

MINUTES ?= 10
soak: build ## one chain of commands for MINUTES=10, which must leave nothing behind; results in .loadtest/soak
	MINUTES=$(MINUTES) dags/loadtest/run soak

clean: ## remove what make built
	rm -rf bin .demo .loadtest .tools
