# The two commands of the README are "make demo" and "make test"; "make help" lists the rest.

GO      ?= go
TIMEOUT ?= 60m
TAGS    := fixtures pages torture # all that test files are tagged with
export CGO_ENABLED = 1

.DEFAULT_GOAL := build
.PHONY: build demo test unit race lint fuzz pg clients golden fixtures bench profile torture help tools

build: tools ## Build ./forkpoint
	$(GO) build -o forkpoint ./cmd/forkpoint

demo: build ## Show a fail-over, its diagnosis and a rewind on real servers
	@walinspect/pgtest/fetch.sh programs
	PATH="$(CURDIR):$$PATH" docs/demo.sh

test: tools pg ## Run all tests, with real servers of every major version
	$(GO) vet -tags '$(TAGS)' ./...
	$(GO) test -pgo=off -count=1 -timeout=$(TIMEOUT) ./...

unit: tools ## Run the tests that need no server
	$(GO) test -pgo=off -short -count=1 ./...

race: tools ## Run the tests that need no server under the race detector
	$(GO) test -pgo=off -short -race -count=1 ./...

lint: ## Check formatting and run go vet
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet -tags '$(TAGS)' ./...

fuzz: ## Run every fuzz target for 30 seconds (FUZZTIME=5m for longer)
	@.ci/fuzz $(or $(FUZZTIME),30s)

pg: ## Install the PostgreSQL servers that the tests use, where missing
	@walinspect/pgtest/fetch.sh

golden: ## Rewrite the golden files of the command-line tests
	$(GO) test -count=1 ./cmd/forkpoint -update

fixtures: pg ## Make the shared fixtures in testdata anew
	testdata/generate.sh

# The comparisons need all programs of PostgreSQL 15 and 17 GB in
# FORKPOINT_BENCH_DIR, where the clusters stay; ROUNDS=5 and
# FORKPOINT_BENCH_SCALE=20 set sizes.
bench: tools pg ## Run the benchmarks, also against pg_rewind and pg_waldump
	$(GO) test -short -run='^$$' -bench=. -benchmem ./...
	$(GO) test -timeout=2h -run='^$$' -bench='^Benchmark(Indexing|Rewind)$$' -benchtime=$(or $(ROUNDS),3)x ./cmd/forkpoint

# What the compiler is told of where time goes. It compiles SQLite once more for
# that, so tests are built without.
profile: tools pg ## Make cmd/forkpoint/default.pgo anew from the benchmarks
	@dir=$$(mktemp -d) && chmod 777 $$dir && FORKPOINT_PROFILE=$$dir \
		$(GO) test -pgo=off -timeout=2h -run='^$$' -bench='^Benchmark(Indexing|Rewind)$$' -benchtime=3x ./cmd/forkpoint && \
		$(GO) tool pprof -proto $$dir/*.pprof >$$dir/merged && mv $$dir/merged cmd/forkpoint/default.pgo; status=$$?; rm -rf $$dir; exit $$status

torture: tools pg clients ## Run the long tests: many fail-overs, crashes at every step
	FORKPOINT_TORTURE=1 $(GO) test -tags torture -count=1 -timeout=4h ./...

clients: ## Install what calls pg_rewind, for make torture
	@walinspect/pgtest/fetch.sh clients

help: ## List the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# A C compiler for SQLite; installed on Debian when make runs as root.
tools:
	@command -v $(or $(CC),cc) >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null; } || \
		{ echo "a C compiler is missing; as root: apt-get install gcc libc6-dev" >&2; exit 1; }
