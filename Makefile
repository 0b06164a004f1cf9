# Two commands do everything: `make run` sets up and runs the example, `make test` checks it all.
# Needs Python 3.11 or newer and make; whatever else is needed is installed into .venv.

VENV := .venv
BIN := $(VENV)/bin
SYNC = $(BIN)/uv pip install --quiet --python $(BIN)/python
PROJECT = --no-deps --no-build-isolation --editable .
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
# The tests share nothing, so each core takes some of them.
SIDE_BY_SIDE = --numprocesses auto --maxprocesses 4 --dist worksteal
EXAMPLE := examples/seattle
DATA := $(EXAMPLE)/data/seattle-weather.csv

# Behind a proxy with a certificate of its own, only the machine's store knows it.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= 1
endif

# The tests start hundreds of processes: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-fast services lint docs docs-check bench soak lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/ready-to-run $(DATA) ## Set up, then run the example chain on real data
	@$(BIN)/drawloom run $(EXAMPLE)/chain.yaml
	@echo "The report: $(EXAMPLE)/data/report.md"
	@echo "To have the command drawloom at hand:  . $(BIN)/activate"

test: $(VENV)/ready-to-test $(DATA) ## Lint, and every test there is (a few minutes)
	@status=0; $(MAKE) --no-print-directory lint || status=1; \
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(SIDE_BY_SIDE) || status=1; \
	exit $$status

test-fast: $(VENV)/ready-to-test $(DATA) ## The tests that take seconds, not minutes
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow" -q

services: $(VENV)/ready-to-test ## The servers that tests need, found or started, until Ctrl-C
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.servers

# All four speak, even if the first has something to say.
lint: $(VENV)/ready-to-test ## Style, types and the import contracts
	@status=0; for check in "ruff check ." "ruff format --check ." mypy "lint-imports --no-logo"; do \
		echo "$$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

docs: $(VENV)/ready-to-test ## Write the reference pages and build the site into site/
	$(BIN)/python tools/reference
	$(BIN)/zensical build --clean --strict

docs-check: $(VENV)/ready-to-test ## Fail if a generated reference page is out of date
	$(BIN)/python tools/reference --check

bench: $(VENV)/ready-to-test ## Measure the workloads, peers included where installed
	$(BIN)/python -m bench
	$(BIN)/python -m bench.databases

soak: $(VENV)/ready-to-test ## A thousand runs at once for ten minutes: nothing may fail or grow
	$(BIN)/python -m bench.soak

lock: $(VENV)/ready ## Renew the locked versions in requirements/
	$(LOCK) requirements/uv.in --output-file requirements/uv.txt
	$(LOCK) pyproject.toml --extra all requirements/build.in --output-file requirements/run.txt
	$(LOCK) pyproject.toml --all-extras requirements/build.in requirements/dev.in \
		--constraint requirements/run.txt --output-file requirements/dev.txt
	$(LOCK) requirements/servers.in --output-file requirements/servers.txt
	$(LOCK) --no-deps requirements/examples.in --output-file requirements/examples.txt

clean: ## Remove the environment, caches, the site and the example's output
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache
	rm -rf $(EXAMPLE)/data $(EXAMPLE)/report $(EXAMPLE)/.drawloom

# A stamp is newer than what it was made from, so a second `make run` starts at once.
$(VENV)/ready: tools/venv.sh requirements/uv.txt
	@sh tools/venv.sh $(VENV)
	@touch $@

$(VENV)/ready-to-run: $(VENV)/ready requirements/run.txt requirements/examples.txt pyproject.toml
	@echo "Installing Drawloom into $(VENV) ..."
	@$(SYNC) --require-hashes --requirement requirements/run.txt
	@$(SYNC) --require-hashes --no-deps --requirement requirements/examples.txt
	@$(SYNC) $(PROJECT)
	@touch $@

$(VENV)/ready-to-test: $(VENV)/ready-to-run requirements/dev.txt
	@echo "Installing the tools of development into $(VENV) ..."
	@$(SYNC) --require-hashes --requirement requirements/dev.txt
	@touch $@

$(DATA): $(VENV)/ready-to-run tools/example_data.py
	@$(BIN)/python tools/example_data.py seattle-weather.csv $(dir $@)
