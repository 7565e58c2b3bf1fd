.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
KEEP ?=
SEED ?=
ONLY ?=
COUNT ?=
QUICK ?=
WITH_PICTURE := .venv/.ready-bench
PEERS_BIN := .venv-peers/bin
WITH_PEERS := .venv-peers/.ready
MUTANTS = $(BIN)/python -m scripts.mutants $(if $(SEED),--seed $(SEED))
STORM = $(BIN)/python -m proofs.storm $(if $(SEED),--seed $(SEED))

##@ Use it

.PHONY: demo
demo: $(READY) ## Run 27 refunds through faults on a real Temporal server, then audit the money (KEEP=1 leaves it running)
	$(BIN)/antom-refunds demo $(if $(KEEP),--keep)

.PHONY: up
up: $(READY) ## Start the local stack: Temporal with its UI, simulator, webhook, worker
	$(BIN)/antom-refunds up

.PHONY: bench
bench: $(WITH_PEERS) ## Measure speed and cost, and render docs/benchmarks.md (ONLY="floor cost", QUICK=1)
	$(PEERS_BIN)/python -m bench $(ONLY) $(if $(QUICK),--quick)

.PHONY: bench-cost
bench-cost: $(READY) ## Count history events, billable actions and calls in each scenario
	$(BIN)/python -m bench cost --quick

.PHONY: storm
storm: $(WITH_PICTURE) ## Break everything for three minutes, then count what was lost (SEED=n repeats one)
	$(STORM) usual --picture storm.png

.PHONY: storm-long
storm-long: $(WITH_PICTURE) ## The same for half an hour
	$(STORM) long --picture storm-long.png

.PHONY: storm-short
storm-short: $(READY) ## The same in a minute, without a picture
	$(STORM) short

.PHONY: storm-mutations
storm-mutations: $(READY) ## Break the product on purpose: the storm must find each mutation
	$(BIN)/python -m proofs.storm mutations $(ARGS)

.PHONY: mutants
mutants: $(READY) ## Change the code in small places: a test must find each change (SEED=n, COUNT=n of each area, ONLY="domain antom")
	$(MUTANTS) --count $(or $(COUNT),40) $(ONLY)

.PHONY: mutants-short
mutants-short: $(READY) ## The same in about two minutes: a few in the state machine and in Antom's client
	$(MUTANTS) --count $(or $(COUNT),10) $(or $(ONLY),domain antom)

##@ Work on it

.PHONY: setup
setup: $(READY) ## Make the virtual environment with every pinned package

.PHONY: test
test: $(READY) ## Run all tests with branch coverage
	$(BIN)/pytest --cov --cov-report=term:skip-covered --cov-fail-under=90 $(ARGS)
	@$(BIN)/coverage report --include='antom_refunds/domain/*,antom_refunds/antom/*' --fail-under=100 > .coverage-core || { cat .coverage-core; exit 1; }

.PHONY: test-slow
test-slow: $(READY) ## Run the tests that take long: workers lost at every step, whole processes and stacks
	$(BIN)/pytest -m slow $(ARGS)

.PHONY: check
check: $(READY) ## Formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: $(READY) ## Rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: docs
docs: $(READY) ## Write what the docs derive from the code: settings, result codes, .env.example
	$(BIN)/python -m scripts.render_docs

.PHONY: fuzz
fuzz: $(READY) ## Fuzz every input, FUZZ_SECONDS each (60)
	scripts/fuzz

.PHONY: histories
histories: $(READY) ## Record a history of each path for this release; existing ones are kept
	scripts/record-histories

.PHONY: lock
lock: $(READY) ## Pin every dependency again, with hashes
	scripts/lock

.PHONY: clean
clean: ## Remove what the other targets created
	rm -rf .venv .venv-peers .demo .demo.lock .up .up.lock .storm .bench .fuzz .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml app/pyproject.toml requirements/dev.txt scripts/setup
	PYTHON=$(PYTHON) scripts/setup
	@touch $@

$(WITH_PICTURE): $(READY) requirements/bench.txt
	PYTHON=$(PYTHON) scripts/setup requirements/bench.txt
	@touch $@

$(WITH_PEERS): requirements/peers.txt scripts/setup-peers
	PYTHON=$(PYTHON) scripts/setup-peers
	@touch $@
