# make run    set everything up and serve the wallet       make test   everything that CI runs
# make demo   three people pay each other with no network  make check  format, lint, types, arrow, tidy
.PHONY: help run demo check fix test setup setup-dev schema codes lock clean
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export PYTHONDONTWRITEBYTECODE :=

help:
	@sed -n '1,2s/^# //p' Makefile

# A stamp is as new as the last installation, so that a changed lock file is noticed and nothing else is.
$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/uv
	@echo "Setting up TikiWallet in $(VENV) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements-dev.lock
	@touch $@

setup: $(VENV)/run.stamp
setup-dev: $(VENV)/dev.stamp

run: setup
	@exec $(BIN)/tikiwallet serve

demo: setup
	@exec $(BIN)/python -m demo

check: setup-dev
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(BIN)/python -m pytest tests/tidy
	@echo "check: clean"

fix: setup-dev
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

test: check
	@tests/system-packages
	@$(BIN)/python -m pytest --ignore=tests/tidy --numprocesses=auto --dist=loadfile

schema: setup-dev
	@REWRITE_SCHEMA=1 $(BIN)/python -m pytest tests/tidy/test_schema.py

codes: setup-dev
	@REWRITE_CODES=1 $(BIN)/python -m pytest tests/tidy/test_codes.py

lock: $(VENV)/bin/uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra build --extra dev pyproject.toml -o requirements-dev.lock -c requirements.lock

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
