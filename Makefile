# make run · test · lint · bench · train-SLUG · deploy: each sets up what it needs.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)
TORCH := $(shell sed -n 's/^torch==\([0-9.]*\).*/\1/p' requirements-cpu.txt)
BENCHES := $(patsubst benchmarks/%.py,%,$(wildcard benchmarks/*.py))

.PHONY: run test test-fast lint bench deploy setup dev browser clean
.DEFAULT_GOAL := run

run: setup  ## the app on http://127.0.0.1:7860
	$(BIN)/python app.py

test: dev browser lint  ## everything, the browser tests included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile  # two files at a time, a thread each

test-fast: dev  ## without the browser and the slow ones
	$(BIN)/python -m pytest -m "not browser and not slow"

lint: dev
	$(BIN)/ruff check .

bench: dev  ## every table in benchmarks/, or one: make bench BENCHES=attention
	for name in $(BENCHES); do $(BIN)/python -m benchmarks.$$name || exit 1; done

train-%: setup  ## make train-xiangqi ARGS="--model sighted --minutes 60"
	$(BIN)/python -m spaces.$*.train $(ARGS)

deploy: setup  ## make deploy SPACE=USER/NAME, with HF_TOKEN set
	$(BIN)/python -m shared.deploy $(if $(SPACE),--space $(SPACE)) $(ARGS)

setup: $(VENV)/.run
dev: $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: set PYTHON=python3.12, say")'
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq $(notdir $(PYTHON))-venv >/dev/null; \
	  $(PYTHON) -m venv --clear $(VENV); } \
	|| { echo "make: no virtual environment can be made here: apt-get install $(notdir $(PYTHON))-venv"; exit 1; }
	@$(BIN)/pip install --quiet --upgrade pip

# torch first and alone: its CPU build is a tenth of the ordinary one's size, and what comes after accepts either.
# Where pip's index has only the ordinary build, PIP_EXTRA_INDEX_URL may name PyTorch's index of CPU wheels.
$(VENV)/.run: requirements-cpu.txt | $(VENV)/bin/python
	@if command -v nvidia-smi >/dev/null; then $(BIN)/pip install --quiet -r requirements.txt; else \
	  $(BIN)/pip install --quiet "torch==$(TORCH)+cpu" 2>/dev/null \
	  || { echo "make: no CPU build of torch $(TORCH) within reach; installing the ordinary one (several GB)"; $(BIN)/pip install --quiet "torch==$(TORCH)"; } ; \
	  $(BIN)/pip install --quiet -r requirements-cpu.txt; fi
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@$(BIN)/pip install --quiet -r requirements-dev.txt
	@touch $@

browser:  ## Chromium and CJK fonts for the browser tests
	@sh tests/browser/install.sh

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
