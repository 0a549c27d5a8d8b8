# `make help` lists what there is. Every target that needs the environment sets it up itself.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
RUN    := $(BIN)/python run.py
# make reproduce LAUNCHER=slurm (or local, or "slurm hydra.launcher.partition=gpu"): the same runs, as jobs of a cluster
SWEEP   = $(if $(LAUNCHER),hydra/launcher=$(LAUNCHER))
# two halves side by side, for runs that one core computes
SHARDS  = shard.count=2 $(or $(SWEEP),hydra/launcher=local hydra.launcher.processes=2)
QUESTIONS = $(BIN)/python -c "from igbaselines.running.study import *; print(*(e.name for e in experiments().values() if e.is_question))"
.DEFAULT_GOAL := help
.PHONY: help setup reproduce reproduce-hep hep-pythia hep-synthetic sig-gridworld sig-photographs reproduce-questions reproduce-wg reproduce-sig comparison report status docs test test-slow slurm-test lint bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/##/' | awk -F '##' '{printf "  %-20s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Make the virtual environment (does nothing when it is up to date)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,samples,gridworld,pythia]"
	@touch $@

reproduce: setup ## The three papers and the comparison at demo scale, then the report, which says what did not work too
	+$(MAKE) --keep-going reproduce-hep reproduce-sig reproduce-wg comparison; code=$$?; $(MAKE) --no-print-directory report || exit; exit $$code

reproduce-hep: hep-pythia hep-synthetic ## 2412.13864 at demo scale: averaged background baselines, on Pythia's and on synthetic events

hep-pythia: setup
	$(RUN) experiment=hep_baselines $(SWEEP)

hep-synthetic: setup
	$(RUN) experiment=hep_baselines dataset=hep_synthetic $(SWEEP)

reproduce-questions: setup ## What papers leave open, at demo scale: of 2412.13864 six studies of rankings, one of events; errors and seeds of Shapley IG
	code=0; for name in $$($(QUESTIONS)); do $(RUN) experiment=$$name $(SWEEP) || code=1; done; exit $$code

reproduce-wg: setup ## 2505.03201 at demo scale: Weighted Gradients on 20 photographs
	$(RUN) experiment=weighted_gradients $(SWEEP)

reproduce-sig: sig-gridworld sig-photographs ## 2310.04821 at demo scale: Shapley IG on grid worlds and on photographs

sig-gridworld: setup
	$(RUN) experiment=shapley_gridworld $(SHARDS)

sig-photographs: setup
	$(RUN) experiment=shapley_images $(SWEEP)

comparison: setup ## Every method on every kind of data by every metric, at equal cost, at demo scale: what to take, then?
	$(RUN) experiment=comparison $(SHARDS)

report: setup ## Rebuild outputs/report/index.html from what is in outputs/, and say what it found
	$(RUN) action=report

docs: setup ## Build the documentation in site/, offline, with warnings as errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

status: setup ## Print which runs are there, which failed and why, and which still run
	$(RUN) action=status

test: setup ## Run the tests, a file a core at a time
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

test-slow: setup ## Run the tests that take minutes: generation at scale, closures, whole runs that are killed or compared
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m slow

slurm-test: setup ## Run the tests on a SLURM cluster of their own (Debian or Ubuntu, as root; elsewhere they are skipped)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm tests/slurm

lint: setup ## Check style, types and which way imports run
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Time everything against other tools and the bare limits: tables and figures in outputs/benchmarks/
	$(BIN)/python -m benchmarks.bench

clean: ## Remove the environment and the caches (never outputs/ or data/)
	rm -rf $(VENV) .pytest_cache .mypy_cache .import_linter_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
