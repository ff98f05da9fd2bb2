# Everything a developer runs. The first `make demo` or `make test` prepares .venv; later ones find it ready.

VENV := .venv
RUN := $(VENV)/bin
# Installed for `make demo`, and for everything else; newer lock files install again.
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
INSTALL := $(RUN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation
# uv writes one lock for every platform and Python version; it is needed for nothing else.
UV := uv==0.13.*

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test check static format lint types imports openapi soak bench messages screenshots lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## load the example cases and serve them (CASEFLOW_PORT=8000)
	$(RUN)/caseflow demo

# A file's tests stay together: many share what is dear to make; tests/conftest.py says which begin.
# More processes than that only wait.
test: $(DEVELOPMENT) ## run all tests, PostgreSQL included (ARGS="-k feed" for some)
	$(RUN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile \
	    --no-loadscope-reorder $(ARGS)

check: static test ## everything that must hold before a commit

static: lint types imports openapi ## check without running the tests

format: $(DEVELOPMENT) ## put the code into the common format
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix-only .

lint: $(DEVELOPMENT) ## format and lint rules
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .

types: $(DEVELOPMENT) ## strict types
	$(RUN)/mypy --strict src

imports: $(DEVELOPMENT) ## the import contract: who may know whom
	$(RUN)/lint-imports

openapi: $(DEVELOPMENT) ## the committed API document equals the code
	$(RUN)/caseflow openapi --check

soak: $(DEVELOPMENT) ## minutes of load against real databases
	$(RUN)/python -m pytest -m soak $(ARGS)

bench: $(DEVELOPMENT) ## speed against the limits of this machine (ARGS="--events 1000000")
	$(RUN)/python -m bench $(ARGS)

# What pages say is found in the code and the templates; what is missing in a language is left empty.
messages: $(RUNTIME) ## bring the catalogues of the pages up to what the pages say
	$(RUN)/pybabel --quiet extract --mapping-file src/caseflow/web/locale/babel.cfg --no-location --sort-output \
	    --omit-header --keywords 'say mark say_plural:1,2' --output-file $(VENV)/web.pot src/caseflow/web
	for language in ru kk en; do \
	    $(RUN)/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete --no-wrap --omit-header --domain web \
	        --init-missing --locale $$language --input-file $(VENV)/web.pot --output-dir src/caseflow/web/locale || exit 1; \
	done

screenshots: $(DEVELOPMENT) ## pictures of the pages for docs/images (needs Chromium)
	$(RUN)/python -m tools.screenshots

# Kept pins stay as long as they fit; `make lock UPGRADE=--upgrade` takes the newest of everything.
lock: $(RUN)/python ## write the lock files anew from pyproject.toml
	$(RUN)/python -m venv --clear $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check '$(UV)'
	$(call compile,requirements.lock,pyproject.toml)
	$(call compile,requirements-build.lock,--group build)
	$(call compile,requirements-dev.lock,pyproject.toml --group dev --constraint requirements.lock)
	rm -rf $(VENV)/lock

# The lock says what to install and by which hash, never from where.
compile = $(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) --output-file $(1) $(2)

clean: ## remove the environment and all caches
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN)/python:
	@for python in $(PYTHON) python3.11 python3 python3.12 python3.13; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Preparing $(VENV) (once, about a minute)"; \
	        $$python -m venv $(VENV) && exit 0; \
	        rm -rf $(VENV); \
	        echo "$$python cannot make a virtual environment; on Debian: apt install python3-venv" >&2; \
	        exit 1; \
	    fi; \
	done; \
	echo "caseflow needs Python 3.11 or later; name one with: make PYTHON=/path/to/python3.11" >&2; \
	exit 1

$(RUNTIME): requirements-build.lock requirements.lock pyproject.toml | $(RUN)/python
	$(INSTALL) --require-hashes -r requirements-build.lock
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --editable .
	@touch $@

$(DEVELOPMENT): $(RUNTIME) requirements-dev.lock
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
