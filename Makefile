# `make help` lists the targets from the comments behind them; a new target needs a comment, too.

## ARGS     arguments to pass on: make run ARGS='model=legendre', make test ARGS='-k forecast'
## PORT     the port of make ui
## OUTPUTS  the folder whose runs make ui shows
## FULL     FULL=1 makes make test-kernels run all numeric tests
## SAMPLE   SAMPLE=1 makes make test-reliability run a sample
## REPORT   REPORT=1 makes make test-reliability write docs/reliability.md
## SEED     the seed of the samples of make test-kernels and make test-reliability
## PYTHON   the Python that .venv is made with

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
PORT ?= 5000
OUTPUTS ?= $(CURDIR)/outputs

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MLFLOW_DISABLE_TELEMETRY ?= true

.PHONY: help run test test-slow test-malformed test-kernels test-reliability test-wheel test-scale test-browser screenshots docs bench accuracy dist lint format ui clean
.DEFAULT_GOAL := run

.venv/polyexp: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/dev: .venv/polyexp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv/scale: .venv/dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[joblib,submitit,ray,postgresql]'
	touch $@

.venv/bench: .venv/polyexp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@

.venv/docs: .venv/polyexp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

run: .venv/polyexp ## set up .venv and run the default experiment (the default target)
	$(BIN)/python -m polyexp $(ARGS)

test: .venv/dev ## run the tests, but for the slow ones
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-slow: .venv/dev ## run the tests that take long or start servers
	$(BIN)/python -m pytest -n 2 -m slow $(ARGS)

test-malformed: .venv/dev ## run the tables of malformed input, each of which is refused in one sentence
	$(BIN)/python -m pytest -n 2 -m malformed tests/malformed $(ARGS)

# Each kernel in processes of its own, which alone set OPENBLAS_CORETYPE.
test-kernels: .venv/dev ## run a sample of the numeric tests under other processors' kernels; all: FULL=1
	$(BIN)/python -m tests.kernels $(if $(FULL),--full) $(if $(SEED),--seed $(SEED))

# Real processes, which wait most of the time; as an administrator with small disks that are full or read-only, too.
test-reliability: .venv/dev ## let stores fail and interrupt runs; a sample of it: SAMPLE=1
	$(BIN)/python -m tests.reliability.suite $(if $(SAMPLE),--sample) $(if $(REPORT),--report) $(if $(SEED),--seed $(SEED))

# Built, installed into an environment of its own and run from another folder.
test-wheel: .venv/dev ## build and test the wheel elsewhere, and test plugins of Hydra
	$(BIN)/python -m pytest -m wheel $(ARGS)

# One after another: each starts several processes. Debian starts no PostgreSQL of its own that way.
test-scale: .venv/scale ## run sweeps on joblib, submitit and Ray, with PostgreSQL, all of which it installs (Debian, Ubuntu)
	command -v initdb || ls /usr/lib/postgresql/*/bin/initdb || { mkdir -p /etc/postgresql-common/createcluster.d && \
		echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/no-cluster.conf && \
		apt-get update && apt-get install --yes postgresql; }
	$(BIN)/python -m pytest -m scale tests/scale $(ARGS)

# The tools of .venv build both, so that nothing is downloaded.
dist: .venv/dev ## build the sdist and the wheel into dist/
	$(BIN)/python -m build --no-isolation

# Nothing that it shows is loaded from elsewhere. The pages that come from the code are made by docs/hooks.
docs: export NO_MKDOCS_2_WARNING := 1
docs: .venv/docs ## build the documentation site into build/site
	$(BIN)/python -m mkdocs build --strict

# Everything on one core; the table goes to benchmarks/results/.
bench: .venv/bench ## run the benchmarks and write them to benchmarks/results/
	$(BIN)/python -m benchmarks

accuracy: .venv/dev ## compute the table of docs/accuracy.md
	$(BIN)/python -m benchmarks.accuracy

test-browser: .venv/dev ## test MLflow's pages in Chromium (installed where missing: Debian, Ubuntu)
	command -v chromium || command -v chromium-browser || command -v google-chrome || \
		(apt-get update && apt-get install --yes chromium)
	$(BIN)/python -m pytest -m browser $(ARGS)

screenshots: export POLYEXP_SCREENSHOTS = $(CURDIR)/docs/images
screenshots: test-browser ## run test-browser and renew the pictures of docs/comparing-runs.md

lint: .venv/dev ## check style and types with ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One worker and no job runners: ready in 6 seconds instead of 19, and a sixth of the memory.
ui: .venv/polyexp ## serve MLflow's pages over outputs/mlflow.db
	-@$(BIN)/python -c 'import sys; from polyexp.tracking.store import open_store; from polyexp.tracking.view import links; \
		print(*links(open_store(sys.argv[1]).client, sys.argv[2]), sep="\n")' \
		"sqlite:///$(OUTPUTS)/mlflow.db" "http://127.0.0.1:$(PORT)"
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --workers 1 --host 127.0.0.1 --port $(PORT) \
		--backend-store-uri "sqlite:///$(OUTPUTS)/mlflow.db" --default-artifact-root "$(OUTPUTS)/artifacts" \
		--artifacts-destination "$(OUTPUTS)/artifacts"

clean: ## remove everything that was built, but never outputs/
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
