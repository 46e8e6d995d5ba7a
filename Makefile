# One command to see it, one to test it. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 3
OLDEST := 3.11
# The interpreter for a new environment: the first of these that runs and is new enough.
FITS := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(or $(firstword $(foreach name,python3.11 python3 python3.12 python3.13 python3.14,\
  $(shell $(name) $(FITS) 2>/dev/null && echo $(name)))),python3)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FAST := not slow and not systems and not services and not simulators

# Compiled once, not by every process anew: the tests start hundreds of them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run check test lint types imports unit bench screenshots format clean

help: ## Show what there is to make
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

run: $(VENV)/.installed ## Install if needed, start the example company, show its customers
	@$(BIN)/kehu demo

check: lint types imports unit ## Lint, types, import rules and fast tests: under two minutes

test: lint types imports ## Everything, with real PostgreSQL, Valkey and other people's systems
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

lint: $(VENV)/.installed-test ## Lint and check the format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test ## Check the types, strictly
	$(BIN)/mypy

imports: $(VENV)/.installed-test ## Check that imports point downwards only
	$(BIN)/lint-imports

unit: $(VENV)/.installed-test ## Run the fast tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -q -m "$(FAST)" --hypothesis-profile brief

bench: $(VENV)/.installed-test ## Measure; prints the figures that docs/performance.md states
	$(BIN)/python -m benchmarks

screenshots: $(VENV)/.installed-test ## Photograph the pages of the example company for the README
	PYTHONPATH=. $(BIN)/python docs/screenshot.py

format: $(VENV)/.installed-test ## Format the code and sort its imports
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

clean: ## Remove the environment, caches and the demo's folder
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist kehu-demo *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) $(FITS) 2>/dev/null || { \
	  echo "kehu needs Python $(OLDEST) or newer; $$($(PYTHON) --version 2>/dev/null || echo '$(PYTHON) is missing')." >&2; \
	  echo "Install it, or name it: make run PYTHON=/path/to/python$(OLDEST)" >&2; exit 1; }
	@echo "Making the environment in $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV) || { echo "Making it failed. On Debian and Ubuntu: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing kehu (a minute or so, the first time) ..." >&2
	@$(PIP) install --prefer-binary --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	@echo "Installing kehu and its tests ..." >&2
	@$(PIP) install --prefer-binary --editable '.[test]'
	@touch $@ $(VENV)/.installed
