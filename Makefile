.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Three at a time, for most tests wait more than they work; the long ones first, so that nobody waits for one at the end.
PYTEST := $(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder -rs
TESTS := integration web unit
LONG_TESTS := infra faults journeys browser real_host bench conformance broker
# What waits for other processes may be too late on a busy machine: what failed runs once more, with nothing beside it,
# and its first failure stays in the output, as something to mend.
run_tests = $(PYTEST) $(addprefix tests/,$(1)) || { test $$? -eq 1 && echo "once more, alone, what failed:" && \
  $(BIN)/pytest --last-failed --last-failed-no-failures none -rA --no-header $(addprefix tests/,$(1)); }
.PHONY: help setup demo test test-long test-host test-sdk-live host-python check lint types imports unit faults faults-short faults-long simulate isolation wide resync sign-in bench bench-memory bench-hosts bench-kills bench-endings bench-startup bench-backfill bench-redrive bench-pages bench-core bench-counting capacity picture lock clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.ready node_modules/.ready ## the environment: Python packages in .venv, the local stack's in node_modules

$(VENV)/.ready: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Profile Relay needs Python 3.11 or newer: set PYTHON=")'
	@echo "setting up $(VENV): Python packages, which takes a minute as a rule"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements-dev.txt >$(VENV)/pip.log 2>&1 & pip=$$!; \
	  while sleep 3; kill -0 $$pip 2>/dev/null; do \
	    if grep -q '^Installing' $(VENV)/pip.log; then echo "  all fetched, being installed"; \
	    else echo "  $$(grep -c '^Collecting ' $(VENV)/pip.log) of up to $$(grep -c '==' requirements-dev.txt) fetched"; fi; done; \
	  wait $$pip || { tail -n 20 $(VENV)/pip.log; exit 1; }
	@touch $@

node_modules/.ready: package-lock.json
	@node -e 'if (+process.versions.node.split(".")[0] < 20) { console.error("Profile Relay needs Node.js 20 or newer"); process.exit(1) }'
	@echo "setting up node_modules: Azurite and what tests need, which takes half a minute as a rule"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup $(if $(filter real,$(HOST)),host-python) ## the main job on a local stack: changes in, exports out, a summary; with KEEP=1 it stays, for the console; ALL=1 shows every export; HOST=real or func
	@$(if $(HOST_PYTHON),FUNCTIONS_HOST_PYTHON=.venv-host-$(subst .,,$(HOST_PYTHON))/bin/python) \
	  $(BIN)/python -m local demo $(if $(HOST),--host $(HOST)) $(if $(KEEP),--keep) $(if $(ALL),--all)

test: setup check ## what the app does, in some ten minutes with set-up: see test-long for the rest
	@$(call run_tests,$(TESTS))

test-long: setup ## the rest of what CI runs: whole journeys, browser, faults, benches in short, other clients, scanners, the deployed Python
	@$(call run_tests,$(LONG_TESTS))
	@$(BIN)/python -m tests.deployed_python

test-host: setup ## what the tests say of the app in the real Functions host, on each Python that its workers know (see CONTRIBUTING.md)
	@$(BIN)/python -m tests.real_host

host-python: setup ## a Python for the worker of the real Functions host, in .venv-host-*
	@$(BIN)/python -m tests.real_host --prepare

test-sdk-live: setup ## the Event Hubs SDK's own live tests against the local broker, outside CI (about 20 minutes)
	@$(BIN)/python -m tests.sdk_live

check: setup lint types imports ## style, types and the layers' import rules

lint: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports --no-logo

picture: setup ## the picture of the console in the README, made anew of the real page
	@WRITE_PICTURE=1 $(BIN)/pytest tests/browser/test_picture.py

unit: setup ## the pure core's tests alone, in seconds
	@$(BIN)/pytest tests/unit

faults: setup ## the long fault load: kills, outages, storage errors; nothing may be lost; then isolation (about an hour)
	@code=0; for part in load isolation; do $(BIN)/python -m tests.faults.$$part || code=1; done; exit $$code

faults-short: setup ## the load in short: calm, killed, one destination dead; in a minute
	@$(BIN)/python -m tests.faults.load --short

faults-long: setup ## the load by 30 seeds, 3,000,000 exports: many hours; what was interrupted goes on; adds up in .local/faults-long.json
	@$(BIN)/python -m tests.faults.load --seeds 30

simulate: setup ## 10,000 seeds on simulated tables, queues and hubs; what fails is told with the command that shows it (under ten minutes)
	@$(BIN)/python -m tests.faults.simulator --runs 10000

isolation: setup ## what dead or stalled destinations cost the others: one of ten (about half an hour)
	@$(BIN)/python -m tests.faults.isolation

wide: setup ## a hundred destinations and unseen profiles at full speed, beside ten that map the same (up to half an hour)
	@$(BIN)/python -m tests.faults.wide

resync: setup ## an audience of 100,000 counted, mapped and resynced by each scope while changes flow, calmly and with kills (about an hour)
	@$(BIN)/python -m tests.faults.resync

sign-in: setup ## the app while its identity endpoint is out: ten minutes at a cold start, then under load (a quarter of an hour)
	@$(BIN)/python -m tests.faults.sign_in

bench: setup ## what the way of a change takes, against the SDKs' tutorials and against the limit (about 8 minutes)
	@$(BIN)/python -m bench

bench-memory: setup ## the memory of a worker over ten minutes
	@$(BIN)/python -m bench --only memory

bench-hosts: setup ## the app in the real Functions host beside the stand-in (about ten minutes)
	@$(BIN)/python -m bench --only hosts

bench-kills: setup ## what killing an instance costs: how soon others have what it had in hand (about half an hour)
	@$(BIN)/python -m bench --only kills

bench-endings: setup ## what deployments and scale-ins cost in delay, by each way an instance ends (about half an hour)
	@$(BIN)/python -m bench.relay.real_host.endings

bench-startup: setup ## what importing the app costs on top of azure.functions
	@$(BIN)/python -m bench.core.startup

bench-backfill: setup ## what backfills take, and what they cost live changes (about 20 minutes); writes bench/backfill.json
	@$(BIN)/python -m bench.backfill

bench-redrive: setup ## how fast two instances send 50,000 parked exports once their hub answers (about five minutes)
	@$(BIN)/python -m bench.redrive

bench-pages: setup ## what each page of the console asks of storage, at 10 destinations and at 100 (three minutes)
	@$(BIN)/python -m bench.pages

bench-core: setup ## what the pure core takes for a change, against bare JSON (a minute)
	@$(BIN)/python -m bench.core

bench-counting: setup ## what counting takes of a change, with audiences and without (two minutes)
	@$(BIN)/python -m tests.counting_cost

capacity: setup ## what rates of changes need and cost, from bench/results.json; puts it into docs/scale.md (two minutes)
	@$(BIN)/python -m bench.capacity --publish

lock: ## pin all packages anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --group dev pyproject.toml -c requirements.txt -o requirements-dev.txt

clean: ## forget environments and what the local stack stored
	rm -rf $(VENV) .venv-* node_modules .local .mypy_cache .ruff_cache .pytest_cache .hypothesis
