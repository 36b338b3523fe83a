# make run    set up and run the default experiment      make lint     ruff and mypy
# make test   set up and run the tests                   make format   let ruff rewrite what it can
# make ui     MLflow's pages over outputs/mlflow.db      make clean    remove what was built (never outputs/)
# make bench  benchmarks, to benchmarks/results/
# make test-kernels   a sample of the numeric tests under other kernels; all of them with FULL=1, another sample with SEED=1
# make test-browser   look at MLflow's pages in Chromium, which is installed where it is missing (Debian, Ubuntu)
# make screenshots    the same, keeping the pictures of docs/comparing-runs.md

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
PORT ?= 5000
OUTPUTS ?= $(CURDIR)/outputs

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MLFLOW_DISABLE_TELEMETRY ?= true

.PHONY: run test test-slow test-kernels test-wheel test-browser screenshots bench lint format ui clean
.DEFAULT_GOAL := run

.venv/polyexp: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/dev: .venv/polyexp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv/bench: .venv/polyexp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@

run: .venv/polyexp
	$(BIN)/python -m polyexp $(ARGS)

test: .venv/dev
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-slow: .venv/dev
	$(BIN)/python -m pytest -n 2 -m slow $(ARGS)

# Each kernel in processes of its own, which alone set OPENBLAS_CORETYPE.
test-kernels: .venv/dev
	$(BIN)/python -m tests.kernels $(if $(FULL),--full) $(if $(SEED),--seed $(SEED))

# Built, installed into an environment of its own and run from another folder.
test-wheel: .venv/dev
	$(BIN)/python -m pytest -m wheel $(ARGS)

# Everything on one core; the table goes to benchmarks/results/.
bench: .venv/bench
	$(BIN)/python -m benchmarks

test-browser: .venv/dev
	command -v chromium || command -v chromium-browser || command -v google-chrome || \
		(apt-get update && apt-get install --yes chromium)
	$(BIN)/python -m pytest -m browser $(ARGS)

screenshots: export POLYEXP_SCREENSHOTS = $(CURDIR)/docs/images
screenshots: test-browser

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One worker and no job runners: ready in 6 seconds instead of 19, and a sixth of the memory.
ui: .venv/polyexp
	-@$(BIN)/python -c 'import sys; from polyexp.tracking.store import open_store; from polyexp.tracking.view import links; \
		print(*links(open_store(sys.argv[1]).client, sys.argv[2]), sep="\n")' \
		"sqlite:///$(OUTPUTS)/mlflow.db" "http://127.0.0.1:$(PORT)"
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --workers 1 --host 127.0.0.1 --port $(PORT) \
		--backend-store-uri "sqlite:///$(OUTPUTS)/mlflow.db" --default-artifact-root "$(OUTPUTS)/artifacts"

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
