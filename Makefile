# make demo, make test: both set up .venv first. PYTHON chooses the interpreter, TORCH the build to install where none is.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: help env demo test test-slow lint types check bench clean

help:
	@echo "make demo       the whole pipeline (dvc repro) on the built-in simulated study"
	@echo "make test       the tests"
	@echo "make test-slow  the tests that take longer than ten seconds"
	@echo "make check      lint and types"
	@echo "make bench      timings and memory, as JSON"
	@echo "make env        .venv alone"
	@echo "make clean      remove what demo made"

env: $(READY)

# A torch that is there already (say, one with CUDA, with VENV_ARGS=--system-site-packages) is kept.
$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV_ARGS) $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet -e ".[all,dev]"
	@touch $@

demo: env
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro
	@echo
	@$(BIN)/omicstore info || test $$? -eq 3
	@echo "Reports: reports/report.html, reports/validation.html. Next: $(BIN)/omicstore query --cohort BRCA --modalities rna,meth"

test: env
	$(BIN)/python -m pytest

test-slow: env
	$(BIN)/python -m pytest -m slow

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env
	$(BIN)/mypy

check: lint types

bench: env
	@$(BIN)/python benchmarks/run.py

clean:
	rm -rf data/raw data/store data/parts plan splits artifacts reports .omicstore
