# make run    set everything up and serve the wallet       make test   everything that CI runs
# make demo   three people pay each other with no network  make check  format, lint, types, arrow, tidy
.PHONY: help run demo sim load mutants fuzz faults semgrep bench bench-quick timing bench-web screenshots lighthouse webkit check fix test setup setup-dev web schema codes lock clean
.DEFAULT_GOAL := help
# A distribution builds its Python with profiles of real programs; a version manager's does the same work in a fifth more time.
PYTHON ?= $(or $(shell for each in /usr/bin/python3 python3; do \
	$$each -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done),python3)
VENV := .venv
BIN := $(VENV)/bin
# The longest come first, and who has nothing left takes over from the other: no core waits at the end.
SHARED := --numprocesses=auto --dist=worksteal
CHECKED := tests/tidy tests/web/test_javascript_tidy.py
MONEY := tests/ledger tests/protocol tests/settlement
# A great many runs of the same lines: measuring each line would treble their time.
MANY := $(wildcard tests/*/test_*_worlds.py) $(addprefix tests/,protocol/test_fuzz.py settlement/test_cost.py settlement/test_simulation.py)
SLOW := tests/scenarios tests/platform tests/web
OTHERS := $(filter-out $(MONEY) $(SLOW) tests/browser tests/tidy tests/__pycache__,$(patsubst %/,%,$(wildcard tests/*/)))
COVERED := --cov=tikicash --cov=tikiwallet.ledger --cov-branch --cov-fail-under=95 --cov-report=
UV_VERSION := 0.13.9
NODE_IS_THERE := command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null
export PYTHONDONTWRITEBYTECODE :=

help:
	@sed -n '1,2s/^# //p' Makefile

# A stamp is as new as the last installation, so that a changed lock file is noticed and nothing else is.
$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=."; exit 1; }
	@test -w . || { echo "This folder can't be written; clone TikiWallet to one that can."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/uv
	@echo "Setting up TikiWallet in $(VENV) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(NODE_IS_THERE) || $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-node.lock
	@touch $@

# The web wallet's libraries: fast when nothing changed.
web: $(VENV)/run.stamp
	@$(BIN)/python -m tikiwallet.web.setup

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements-dev.lock
	@touch $@

$(VENV)/load.stamp: requirements-load.lock $(VENV)/dev.stamp
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements-load.lock
	@touch $@

# What the stand-in for the provider of text messages is checked by.
$(VENV)/twilio_api_v2010.json: tests/identity/twilio_description.py | $(VENV)/dev.stamp
	@$(BIN)/python tests/identity/twilio_description.py

# Tools whose pins would pull ours along live in an environment of their own, and are never imported.
$(VENV)/tools.stamp: requirements-tools.lock | $(VENV)/bin/uv
	@$(PYTHON) -m venv --without-pip $(VENV)/tools
	@$(BIN)/uv pip install --quiet --python $(VENV)/tools/bin/python --require-hashes --compile-bytecode -r requirements-tools.lock
	@touch $@

setup: $(VENV)/run.stamp web
setup-dev: $(VENV)/dev.stamp web $(VENV)/twilio_api_v2010.json

run: setup
	@exec $(BIN)/tikiwallet serve

demo: setup
	@exec $(BIN)/python -m demo

sim: setup-dev
	@$(BIN)/python -m sim

# A realistic day, played by Locust against a server of its own; the report is in build/load.
load: setup $(VENV)/load.stamp
	@$(BIN)/python -m bench.load

mutants: setup-dev
	@$(BIN)/python -m sim.mutants

# A million broken codes for Python, a hundred thousand of which JavaScript has to say the same, and the whole HTTP API.
fuzz: setup-dev
	@PYTHONPATH=tests $(BIN)/python -m protocol.fuzz
	@PYTHONPATH=tests $(BIN)/python -m web.fuzz --cases 100000
	@PYTHONPATH=tests $(BIN)/python -m security.fuzz --cases 100

# Mistakes that only this wallet calls mistakes: tools/semgrep/rules.yaml, each rule proven on bad examples first.
semgrep: setup-dev $(VENV)/tools.stamp
	@$(BIN)/python tools/semgrep/check.py $(VENV)/tools/bin/semgrep

# What the web wallet is like on a cheap phone, to look at, by Lighthouse, and in the other engine: see tests/browser.
bench-web: setup-dev
	@tests/system-packages
	@PYTHONPATH=tests $(BIN)/python -m browser.bench

screenshots: setup-dev
	@tests/system-packages
	@PYTHONPATH=tests $(BIN)/python -m browser.pictures

lighthouse: setup-dev
	@tests/system-packages
	@PYTHONPATH=tests $(BIN)/python -m browser.lighthouse

webkit: setup-dev
	@tests/system-packages webkit
	@PYTHONPATH=tests $(BIN)/python -m browser.webkit

# How fast it is, each figure beside its limit: see bench/README.md.
bench: setup-dev
	@$(BIN)/python -m bench

bench-quick: setup-dev
	@$(BIN)/python -m bench --quick

# Does the time of an answer tell whether a phone number has a wallet?
timing: setup-dev
	@$(BIN)/python -m bench.equal_work

check: setup-dev
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(BIN)/python -m pytest $(CHECKED)
	@echo "check: clean"

fix: setup-dev
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

test: check semgrep
	@tests/system-packages
	@$(BIN)/python -m pytest $(MONEY) $(addprefix --ignore=,$(MANY)) $(SHARED) $(COVERED)
	@$(BIN)/python -m pytest $(MANY) $(SLOW) $(OTHERS) $(addprefix --ignore=,$(CHECKED)) $(SHARED)
	@$(BIN)/python -m pytest tests/browser $(SHARED)

# Every point at which a process may die and every way in which Stripe may fail, and not one of each name.
faults: setup-dev
	@ALL_FAULTS=1 $(BIN)/python -m pytest tests/funding/test_stripe_faults.py $(SHARED)

schema: setup-dev
	@REWRITE_SCHEMA=1 $(BIN)/python -m pytest tests/tidy/test_schema.py

codes: setup-dev
	@REWRITE_CODES=1 $(BIN)/python -m pytest tests/tidy/test_codes.py

lock: $(VENV)/bin/uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra build --extra dev pyproject.toml -o requirements-dev.lock -c requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 requirements-node.in -o requirements-node.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 requirements-load.in -o requirements-load.lock -c requirements-dev.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 requirements-tools.in -o requirements-tools.lock

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
