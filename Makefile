# `make demo` and `make test` set everything up by themselves; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test lint types bench parity docs clean
help:  ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

demo: $(READY)  ## train on real digits for about three minutes and make pictures, a time-lapse, plots and a page
	$(BIN)/limner demo

test: $(READY)  ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3

lint: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(READY)  ## time our training step and loader against plain peers
	$(BIN)/python -m benchmarks

parity: .venv-parity/.ready  ## let pytorch-fid, torch-fidelity and clean-fid measure again what the tests compare with
	PYTHONPATH=tests .venv-parity/bin/python -m reference.record

.venv-parity/.ready: tests/reference/requirements.txt
	$(PYTHON) -m venv .venv-parity
	.venv-parity/bin/pip install --quiet --disable-pip-version-check -r tests/reference/requirements.txt
	@touch .venv-parity/.ready

docs: $(READY)  ## build the documentation into site/
	$(BIN)/python docs/build.py

clean:  ## remove what the commands above made, but no runs
	rm -rf .venv .venv-parity site build .pytest_cache .ruff_cache
