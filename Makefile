# Everything that a fresh machine needs: `make demo` and `make test` set themselves up from nothing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Neighbours stay together, for they share what their module makes.
# Compiled once: pytest compiles thousands of assertions anew in each process where it may not keep them. It is kept beside
# the modules, where pip has put what it compiled, unless PYTHONPYCACHEPREFIX says where.
TESTED := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal
# What is compiled to libraries, where there is a compiler.
COMPILED := $(wildcard dataguard/dataset/*.c dataguard/dataset/*.h)
# What the lock files must not carry away from the machine that wrote them.
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help demo test unit lint types docs lock benchmarks clean

help: ## Say what there is to make.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

# The version is tested before anything is installed, because pip's own message for it is long and late.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "dataguard needs Python 3.11 or later; say which with: make PYTHON=python3.11 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements.txt pyproject.toml hatch_build.py $(COMPILED)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python requirements-dev.txt pyproject.toml hatch_build.py $(COMPILED)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run

demo: $(VENV)/.run ## Check scikit-learn's handwritten digits, then a copy with planted faults.
	$(BIN)/python examples/demo.py demo

test: $(VENV)/.dev ## Run every test that this machine can run.
	$(TESTED)

unit: $(VENV)/.dev ## Run the unit tests alone.
	$(TESTED) -m "not slow" --hypothesis-profile=unit

lint: $(VENV)/.dev ## Check style.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check types.
	$(BIN)/mypy

docs: $(VENV)/.dev ## Write what is generated: rule pages and JSON Schemas.
	$(BIN)/python docs/generate.py

lock: $(VENV)/.dev ## Compile requirements.txt and requirements-dev.txt anew.
	$(COMPILE) --output-file=requirements.txt requirements.in
	$(COMPILE) --output-file=requirements-dev.txt requirements-dev.in

benchmarks: $(VENV)/.dev ## Measure speed and accuracy; takes minutes.
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean: ## Remove the virtual environment and what was built.
	rm -rf $(VENV) build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
