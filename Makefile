# `make demo` and `make test` need Python 3.11 or newer and make. All that they install lies in .venv; they install again
# only when pyproject.toml or constraints.txt has changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt

# Written for any Python, so that an old one can say what is wrong with it.
TOO_OLD = "import sys; sys.exit(sys.version_info < (3, 11) and 'jaxseq needs Python 3.11 or newer; $(1) is ' + \
	sys.version.split()[0] + '. Write the name of a newer one: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.11')"

.PHONY: help demo test test-full docs lint types pytest pytest-full clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    install into $(VENV) and train a perceptron, a convnet and an LSTM on handwritten digits"
	@echo "make test    install the test tools too; run ruff, pyright and the tests, but for those marked full"
	@echo "make test-full     the same with all tests, those marked full, too, and docs: two to three times as long"
	@echo "make docs    install MkDocs too and write the documentation into site/; whatever it warns of is an error"
	@echo "make lint    ruff and pyright alone"
	@echo "make reliability   count kills, crashes, faults, hostile files, mutants and flipped bits: half an hour"
	@echo "make bench-setup   install what jaxseq is compared with, into environments under benchmarks/"
	@echo "make bench   compare with whatever of it is there: half an hour or more; nothing else should run meanwhile"
	@echo "make clean   remove $(VENV) and the caches"
	@echo "PYTHON=...   which Python makes $(VENV); now $(PYTHON)"

demo: $(VENV)/installed
	@$(BIN)/python -m jaxseq demo

test: lint pytest

test-full: lint docs pytest-full

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build --strict

lint: style types

.PHONY: style
style: $(VENV)/installed-test
	$(BIN)/ruff check --color never .
	$(BIN)/python tools/check_files.py

types: $(VENV)/installed-test
	$(BIN)/pyright --pythonpath $(BIN)/python

pytest: $(VENV)/installed-test style types
	$(BIN)/python -m pytest --color no -n 2 --dist loadfile -m "not full"

pytest-full: $(VENV)/installed-test style types
	$(BIN)/python -m pytest --color no -n 2 --dist loadfile

.PHONY: reliability
reliability: $(VENV)/installed-test
	cd tests && $(abspath $(BIN))/python -m reliability

.PHONY: bench bench-setup
bench-setup:
	$(PYTHON) benchmarks/environments.py

bench: $(VENV)/installed-test
	$(BIN)/python benchmarks

$(VENV)/installed: pyproject.toml constraints.txt
	@test -x $(BIN)/pip || { $(PYTHON) -c $(call TOO_OLD,$(PYTHON)) && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -c $(call TOO_OLD,$(BIN)/python)
	@echo "Installing jaxseq into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	@echo "Installing what the tests need into $(VENV)"
	@$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed
	@echo "Installing what the documentation is built with into $(VENV)"
	@$(PIP) --editable '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist site *.egg-info
