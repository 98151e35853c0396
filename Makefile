# Everything on a bare machine with python 3.11 or newer and make: `make demo`, `make test`.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && { echo $$p; break; }; done)
JOBS ?= 2
BIN := .venv/bin

.PHONY: help demo test lint bench install clean
.DELETE_ON_ERROR:

help:
	@echo "make demo     train CVPO on SafetyCarCircle, evaluate it, draw curves and a video (about 4 minutes on two cores)"
	@echo "make test     the whole test suite"
	@echo "make lint     style and who imports whom"
	@echo "make bench    speeds, into benchmarks/results/speed.md"
	@echo "make install  just the environment, .venv"
	@echo "make clean    forget .venv and caches; runs stay"

demo: .venv/.installed
	@$(BIN)/python examples/demo.py

test: .venv/.installed
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: .venv/.installed
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

bench: .venv/.installed
	@$(BIN)/python benchmarks/speed.py

install: .venv/.installed

# Pinned wheels, by uv where it can be had (seconds), else by pip (a minute or two).
.venv/.installed: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	@echo "installing pinned packages into .venv"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv || echo "no uv here: going on with pip"
	@{ test -x $(BIN)/uv \
		&& $(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -b constraints.txt -e '.[test]'; } \
		|| PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@

# Where ensurepip is not installed (some Linux packages of Python), the system's pip puts pip into the environment.
.venv/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "bridle needs Python 3.11 to 3.14; found none (name one: make PYTHON=/path/to/python)"; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null \
		|| { $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install -q pip; }

clean:
	rm -rf .venv .cache .pytest_cache .hypothesis .ruff_cache .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
