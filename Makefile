# Development commands. `make help` lists them; CI runs `make ci`, nothing else.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

# Every directory with a go.mod is covered without editing this file.
ALL_MODULES := $(patsubst %/,%,$(dir $(sort $(shell find . -name go.mod \
	-not -path '*/node_modules/*' -not -path '*/testdata/*' -not -path './tmp/*'))))
# tools/ is not part of the product. Not under the race detector: bench/ and
# ferrettest, whose dependencies take minutes to build with it, and programs
# without goroutines of their own.
MODULES      := $(filter-out ./tools,$(ALL_MODULES))
RACE_MODULES := $(filter-out ./bench ./bench/peers/orm ./cmd/troupe ./orm/mongo/ferrettest ./orm/ormbench,$(MODULES))

FUZZTIME  ?= 10s
FUZZJOBS  ?= 2
TESTFLAGS ?=
GOLANGCI  := $(CURDIR)/bin/golangci-lint

# each runs a command in every module of a list, and stops at the first failure.
each = for m in $(1); do echo "== $$m: $(strip $(2))"; (cd $$m && $(2)) || exit 1; done

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The root module is tested with the versions that its users get; the workspace
# may raise them.
.PHONY: test
test: ## unit tests of all modules
	@$(call each,.,GOWORK=off go test $(TESTFLAGS) ./...)
	@$(call each,$(filter-out .,$(MODULES)) ./tools,go test $(TESTFLAGS) ./...)

.PHONY: race
race: ## tests under the race detector
	@$(call each,$(RACE_MODULES),go test -race -timeout 8m $(TESTFLAGS) ./...)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s)
	@go -C tools run ./cmd/fuzz -root .. -time $(FUZZTIME) -jobs $(FUZZJOBS)

.PHONY: stress
stress: ## race tests again and again with several GOMAXPROCS
	@go test -race -count 5 -cpu 1,2,4,16 -timeout 20m ./...

.PHONY: bench
bench: ## comparison with channels and other libraries, as a table
	@go -C bench run ./cmd/compare

.PHONY: bench-once
bench-once: ## every benchmark once: they must run, whatever the figures
	@$(call each,$(MODULES),go test -run '^$$' -bench . -benchtime 1x ./...)
	@if [ -d bench ]; then go -C bench run ./cmd/compare -smoke; fi

.PHONY: fmt
fmt: $(GOLANGCI) ## format the code; lint checks it
	@$(call each,$(MODULES) ./tools,$(GOLANGCI) fmt --config $(CURDIR)/.golangci.yml ./...)

.PHONY: vet
vet: ## go vet, all modules, also for 32 bits
	@$(call each,$(MODULES) ./tools,go vet ./...)
	@GOARCH=386 go vet ./...
	@go vet -tags mpscmodel ./internal/mpsc

.PHONY: test-386
test-386: ## the lock-free packages' tests on 386
	@pkgs="."; if [ -d internal/mpsc ]; then pkgs="$$pkgs ./internal/mpsc/..."; fi; \
	if [ -d internal/wheel ]; then pkgs="$$pkgs ./internal/wheel/..."; fi; \
	CGO_ENABLED=0 GOARCH=386 go test -short $$pkgs

.PHONY: lint
lint: $(GOLANGCI) ## linters and format of all modules
	@failed=0; for m in $(MODULES) ./tools; do echo "== $$m: lint"; \
		(cd $$m && $(GOLANGCI) run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...) || failed=1; done; exit $$failed

.PHONY: verify
verify: ## module files tidy, dependency budget, documents, workspace
	@go mod verify
	@go -C tools run ./cmd/deps -root ..
	@go -C tools run ./cmd/doccheck -root ..

# Packages in other languages: their own tests, where there are any.
.PHONY: web
web: ## npm packages: install, type-check, test
	@for f in $$(git ls-files '*package.json'); do d=$$(dirname $$f); echo "== $$d: npm"; \
		(cd $$d && { [ -d node_modules ] || npm ci --no-audit --no-fund --silent; } && \
		npm run --silent --if-present check && npm run --silent --if-present test) || exit 1; done

# Every go:generate line that calls the generator is run again, with -check.
.PHONY: gen-check
gen-check: bin/troupe ## generated code is up to date and compatible with its lock
	@failed=0; while IFS=: read -r file line; do d=$$(dirname $$file); flags=$${line##*troupe gen}; \
		echo "== $$d: troupe gen -check$$flags"; \
		(cd $$d && $(CURDIR)/bin/troupe gen -check $$flags </dev/null) || failed=1; \
	done < <(git grep -E '^//go:generate .*troupe gen' -- '*.go' ':!*_test.go'); exit $$failed

.PHONY: bin/troupe
bin/troupe:
	@go -C cmd/troupe build -o $(CURDIR)/bin/troupe .

.PHONY: model
model: ## the mailbox against its reference with tiny segments
	@go test -tags mpscmodel ./internal/mpsc

.PHONY: work
work: ## write go.work from the modules that exist
	@go -C tools run ./cmd/deps -root .. -write-work

.PHONY: tidy
tidy: work ## tidy the module files of all modules
	@for m in $(ALL_MODULES); do (cd $$m && GOWORK=off go mod tidy) || exit 1; done

# Proofs: the layers and the invariants are in docs/RELIABILITY-REPORT.md.
.PHONY: mutants
mutants: ## break one rule at a time: the checks must notice (MUTANTS=-fast: three)
	@go run ./chaos/mutants $(MUTANTS)

# Real processes that are killed, paused and cut off for a minute, and three
# mutants. CI runs only the mutants, until the known fault of the README is mended.
.PHONY: proof
proof: ## a minute of real faults and three mutants
	@if [ -d /dev/shm ]; then export TMPDIR=/dev/shm; fi; go run ./chaos -duration 1m -every 3s \
		-faults kill,kill-leader,stop-three-ttl,stop-leader,isolate,isolate-leader -seed 1 -json
	@$(MAKE) mutants-fast

.PHONY: mutants-fast
mutants-fast: ## three mutants
	@go run ./chaos/mutants -fast

# About an hour; PROVE="-seeds 200 -runs 1 -duration 1m" is the short version.
.PHONY: prove
prove: ## all proofs: model, simulation, real faults, mutants, with a report
	@if [ -d /dev/shm ]; then export TMPDIR=/dev/shm; fi; go run ./chaos/prove $(PROVE)

# Cheap checks first; the race run is last so that the log ends with its result.
.PHONY: ci
ci: verify vet gen-check lint test model web test-386 bench-once mutants-fast fuzz race ## all that CI runs

$(GOLANGCI): tools/go.mod tools/go.sum
	@mkdir -p bin
	@echo "building the linters (the first time takes minutes)"
	@go -C tools build -o ../bin/ tool
	@touch $@
