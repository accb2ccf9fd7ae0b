# Two commands do everything: `make demo` and `make test`. Both make the virtual environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One thread a process: the tests run side by side, and the figures of a benchmark mean one core.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test proof bench lint format reference clean

demo: $(STAMP)
	$(BIN)/governance demo --folder demo-output

# In the order of the files: the long ones come first, and the many short ones at the end leave no process idle.
test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Longer than the tests, bounded: kills and crashes, and every way to alter a ledger, on SQLite and on PostgreSQL; and every
# pipeline class, where the tests run one of each family, and every alteration before several processes on both databases.
proof: $(STAMP)
	PYTHONPATH=.:tests $(BIN)/python -m proof.kills
	PYTHONPATH=.:tests $(BIN)/python -m proof.mutations
	$(BIN)/python -m pytest -n 2 --every-class tests/integration/test_pipeline_classes.py tests/integration/test_verify_processes.py

bench: $(STAMP)
	$(BIN)/python benchmarks/line.py
	$(BIN)/python benchmarks/policy.py
	$(BIN)/python benchmarks/normalise.py
	$(BIN)/python benchmarks/describe.py
	$(BIN)/python benchmarks/similarity.py
	$(BIN)/python benchmarks/recall.py
	$(BIN)/python benchmarks/stream.py
	$(BIN)/python benchmarks/sealing.py
	$(BIN)/python benchmarks/api.py
	$(BIN)/python benchmarks/ledger.py
	$(BIN)/python benchmarks/dataset_audit.py
	$(BIN)/python benchmarks/dataset_images.py
	$(BIN)/python benchmarks/dataset_contains.py
	$(BIN)/python benchmarks/lineage.py

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Trains the shipped weights again, from nothing. Takes about an hour.
reference: $(STAMP)
	$(BIN)/python -m governance_adapters.reference.train --out reference-model

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all]' --group dev
	# It requires the OpenCV that needs system libraries of a desktop; the headless one is here already.
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps invisible-watermark
	touch $(STAMP)

clean:
	rm -rf $(VENV) demo-output
