# The everyday commands. `make` alone lists them.

CORES ?= all
PYTHON ?= python3
WORKERS ?= 2
RUN := .venv/bin/python -m
SHELL := /bin/bash

# Snakemake stops without a cache; where none can be made at home, it lies here.
ifeq ($(shell mkdir -p "$${XDG_CACHE_HOME:-$$HOME/.cache}/snakemake" 2> /dev/null || echo no),no)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export XDG_CONFIG_HOME := $(CURDIR)/.cache
endif

.DEFAULT_GOAL := help
.PHONY: help demo app app-test test lint format dag clean cluster-test faults fuzz audit coverage pythons doctor status verify

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) \
		| awk -F ':.*## ' '{ printf "make %-12s %s\n", $$1, $$2 }'

demo: .venv/.ok ## two drawn dancers, filmed, trained and transferred (minutes, no GPU needed)
	$(RUN) snakemake --cores $(CORES) --configfile config/demo.yaml -- demo
	@$(RUN) edn_core.summary demo_source demo_target

app: .venv/.ok ## a page for all of it: http://127.0.0.1:7860
	@$(RUN) edn_core.app --cores $(CORES) $(ARGS)

test: .venv/.ok ## all tests; `make test ARGS="-k smoothing"` runs some
	$(RUN) pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: .venv/.ok ## ruff, snakefmt, snakemake --lint, mypy; changes nothing
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) snakefmt --check Snakefile workflow
	$(RUN) snakemake --lint
	$(RUN) mypy

format: .venv/.ok ## rewrite Python and Snakemake files in the project's format
	$(RUN) ruff check --fix .
	$(RUN) ruff format .
	$(RUN) snakefmt Snakefile workflow

dag: .venv/.ok ## draw the demo's rules: dag.mmd (Mermaid), and dag.svg where Graphviz is installed
	$(RUN) snakemake --configfile config/demo.yaml --rulegraph mermaid-js -- demo > dag.mmd
	@if command -v dot > /dev/null; then \
		$(RUN) snakemake --configfile config/demo.yaml --rulegraph dot -- demo | dot -Tsvg > dag.svg \
		&& echo "wrote dag.mmd and dag.svg"; \
	else echo "wrote dag.mmd (no dag.svg: Graphviz' dot is not installed)"; fi

status: .venv/.ok ## what is done, what runs, and the last line of each
	@$(RUN) edn_core.status $(ARGS)

verify: .venv/.ok ## compare everything in results/ with its checksums
	@$(RUN) edn_core.verify $(ARGS)

doctor: .venv/.ok ## what this machine has; paste it into a bug report
	@$(RUN) edn_core.doctor $(ARGS)

coverage: .venv/.ok ## all tests once more, counting the lines of edn_core they run
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)
	$(RUN) coverage combine -q --keep
	$(RUN) coverage report

faults: .venv/.ok ## break it on purpose, some hundred times; prints a table (docs/reliability.md)
	PYTHONPATH=.:tests .venv/bin/python tests/faults/matrix.py $(ARGS)

fuzz: .venv/.ok ## a million bad settings and keypoint files
	.venv/bin/python tests/fuzz/run.py $(ARGS)

cluster-test: .venv/.ok ## the demo on a real Slurm of one node, preempted on the way (root, Debian or Ubuntu)
	PATH="$$PWD/.venv/bin:$$PATH" bash tests/cluster/run.sh $(ARGS)

app-test: .venv/.ok ## the page in headless Chromium, from two dropped videos to a film; minutes
	$(RUN) pytest tests/app/journey.py $(ARGS)

audit: .venv/.ok ## known vulnerabilities of the packages in requirements.lock
	bash tests/audit.sh

pythons: ## all fast tests with every Python 3.11 to 3.13 on this machine
	bash tests/pythons.sh $(ARGS)

clean: ## remove .venv, build, caches and dag.*; videos, results, logs and models stay
	rm -rf .venv .venv-audit .cache build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage dag.mmd dag.svg
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# `.ok` is written last: an environment without it is half an installation and is made anew.
# Tools are run as `python -m`, because scripts in .venv/bin break when the folder is moved.
# A python3 that does not fit is passed over for another; one named by hand (PYTHON=...) is not.
.venv/.ok: pyproject.toml requirements.lock
	@set -e; \
	case "$$PWD" in *[{}:]*) \
		echo "edn: error: $$PWD: Snakemake cannot run in a folder with { or } in its path, nor can" \
			".venv lie in one with a colon; rename it" >&2; exit 1;; \
	esac; \
	if [ "$(origin PYTHON)" = file ]; then others="python3.13 python3.12 python3.11"; fi; \
	fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	for one in "$(PYTHON)" $$others; do \
		if "$$one" -c "$$fits" > /dev/null 2>&1; then python=$$one; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		found=$$("$(PYTHON)" --version 2> /dev/null) || found="missing or broken"; \
		echo "edn: error: expected Python 3.11, 3.12 or 3.13, but $(PYTHON) is $$found;" \
			"install one of these or name it: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	if [ ! -f .venv/.ok ]; then \
		rm -rf .venv; \
		"$$python" -m venv .venv || { rm -rf .venv; \
			echo "edn: error: $$python could not make .venv (see above);" \
			"on Debian and Ubuntu the package python3-venv is missing" >&2; exit 1; }; \
	fi; \
	rm -f .venv/.ok; \
	echo "installing into .venv with $$(.venv/bin/python --version): 2 GB with a CPU build of torch," \
		"about 6 GB with CUDA; a minute or more"; \
	.venv/bin/python -m pip install -qq --disable-pip-version-check -r requirements.lock \
		|| { echo "edn: error: pip could not install requirements.lock (see above);" \
			"run the same make again when that is mended" >&2; exit 1; }; \
	touch .venv/.ok
