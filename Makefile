# Two commands for a newcomer: make demo, make test. Each makes .venv first when it has to.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: help install demo test interop lint format bench clean

help:
	@echo "make demo     decide a small cohort and show every reason, keep it in a database, hand over and say so"
	@echo "make test     run all tests"
	@echo "make interop  fetch files and tools of others, and test on them; says what it skips"
	@echo "make lint     formatting, style, types, import contracts"
	@echo "make bench    measure speed; prints a table, writes bench/results.json"
	@echo "make chaos    10,000 payouts, a vendor that fails at a third of the calls, workers killed at random"
	@echo "make install  set up .venv (the others do it when they need it)"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "cm-engine needs Python 3.11 or later, with venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[dev]"
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/python examples/cohort.py
	@$(BIN)/python examples/durable.py
	@$(BIN)/python -m examples.delivery

test: $(STAMP)
	$(BIN)/python -m pytest

interop: $(STAMP)
	$(BIN)/python -m tests.interop

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)
	$(BIN)/python -m bench.run

chaos: $(STAMP)
	$(BIN)/python -m tests.chaos 10000 sqlite
	$(BIN)/python -m tests.chaos 10000 postgresql

clean:
	rm -rf .venv
