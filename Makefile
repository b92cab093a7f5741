# isthmus: two commands matter, `make demo` and `make test`. Both set everything up first.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# A machine that forbids it compiles every module again in every process, a second each time; we start many.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-long mutants check lock bench conformance clean
.DEFAULT_GOAL := help

help: ## show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# One lock file serves both installers: uv where it is there and works, otherwise venv and pip (docs/decisions/0001).
.venv/.ready: requirements.lock pyproject.toml
	@if command -v uv >/dev/null 2>&1 && echo "setting up .venv with uv" && \
	  uv venv --quiet --allow-existing --python $(PYTHON) .venv && \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps -e . ; \
	then : ; else \
	  echo "setting up .venv with pip (a minute the first time)" && \
	  $(PYTHON) -m venv .venv && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . ; \
	fi
	@touch $@

setup: .venv/.ready ## make .venv with isthmus in .venv/bin

demo: setup ## both simulated APIs, a backfill, live traffic with faults, the dashboard on http://127.0.0.1:8080
	@$(BIN)/isthmus demo

test: setup ## the whole suite; prints the time on the clock and the processor time it took
	@$(BIN)/python -m tests.conformance.fetch --if-missing
	@$(BIN)/python -m tests.timed $(BIN)/python -m pytest -n 2 --dist worksteal

test-long: setup ## the whole suite with long random histories
	@$(BIN)/python -m tests.conformance.fetch --if-missing
	@ISTHMUS_TEST_LONG=1 PYTEST_TIMEOUT=4500 $(BIN)/python -m tests.timed $(BIN)/python -m pytest -n 2 --dist worksteal

mutants: setup ## change the deciders in thousands of small ways and list each change that no test notices
	@rm -rf mutants
	@$(BIN)/mutmut run && $(BIN)/mutmut results

check: setup ## style, types, the dependency rule
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: setup ## every figure the documents quote
	@$(BIN)/python -m bench

conformance: setup ## fetch Shopify's own published schema and samples, then hold ours against them
	@$(BIN)/python -m tests.conformance.fetch
	@$(BIN)/python -m pytest -q tests/conformance

lock: ## re-resolve requirements.lock (needs uv)
	@uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet $(LOCK_ARGS) -o requirements.lock

clean: ## forget the environment and the embedded database
	@rm -rf .venv .isthmus .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
