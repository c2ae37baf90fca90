# Everything starts here. Needs Python 3.11 or newer, make and a package registry; installs the rest into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check fix bench soak shape docs clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY) ## install everything into .venv (done by the other targets when needed)

$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Pennyworth needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=python3.12, say.")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --locked --inexact
	@touch $(READY)

demo: $(READY) ## the main job: real questions through a real gateway, and proof that the books balance
	@$(BIN)/pennyworth demo $(ARGS)

run: $(READY) ## the gateway on 127.0.0.1:8080, its admin port on 127.0.0.1:8081
	@$(BIN)/pennyworth serve $(ARGS)

test: $(READY) ## all tests (under six minutes on two cores)
	@$(BIN)/pytest $(ARGS)

check: $(READY) ## format, lint, strict types, import layers, docs fresh
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q tests/docs

fix: $(READY) ## format, and mend what the linter can mend
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench: $(READY) ## speed and memory, with method and spread
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(READY) ## what takes longer than a test may: a million requests, a million simulated ones, long fuzzing
	@$(BIN)/python -m benchmarks.soak $(ARGS)

shape: $(READY) ## longest functions, biggest files, import cycles
	@$(BIN)/python -m benchmarks.shape src/pennyworth

clean: ## remove .venv and caches (never the state directory)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
