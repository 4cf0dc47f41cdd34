# README's two commands are `make run` and `make test`; `make help` lists the others.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := src
# Modules are compiled once, not in every run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv run test test-fast test-hostile lint format docs reference ct data-push data-pull viz mlflow services services-stop jupyter demo bench lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment is made once, and again only when the lock has changed, or when the project was
# moved: the programs of an environment name its place.
# One package (antlr4, of DVC) has no wheel: it is built by the lock's setuptools, not by the newest.
venv: ## create or update .venv from requirements.txt
	@if [ -f $(VENV)/place.txt ] && [ "$$(cat $(VENV)/place.txt)" != "$$(cd $(VENV) && pwd -P)" ]; then \
	  echo "The project was moved: making $(VENV) anew ..."; rm -f $(VENV)/installed.txt $(BIN)/python*; fi
	@cmp -s requirements.txt $(VENV)/installed.txt || $(MAKE) --no-print-directory install

.PHONY: install
install:
	@usable() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }; \
	python=; for name in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  if usable $$name; then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "Error: Python 3.11, 3.12 or 3.13 is needed, but $(or $(PYTHON),none was found)$(if $(PYTHON), is not one)."; \
	  echo "Install one, or name it: make run PYTHON=/path/to/python3.12"; exit 1; fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "Error: $$python has no venv module. On Debian or Ubuntu: apt-get install python3-venv"; \
	  exit 1; fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "Creating $(VENV) with $$($$python --version) ..."; $$python -m venv --clear $(VENV); fi
	@awk '/^(uv|setuptools)==/ {found=1} found {print} found && !/\\$$/ {found=0}' requirements.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.txt
	@$(BIN)/uv pip sync --quiet --require-hashes --no-build-isolation --python $(BIN)/python requirements.txt
	@cd $(VENV) && pwd -P > place.txt
	@cp requirements.txt $(VENV)/installed.txt

run: venv ## the whole loop on iris; ENV=flights for another table
	@$(BIN)/kedro run $(if $(ENV),--env $(ENV))

test: venv ## every test but those of test-hostile
	@$(BIN)/pytest

test-fast: venv ## the unit tests that take no model, no server and no simulation
	@$(BIN)/pytest -m "not slow" --ignore tests/integration

test-hostile: venv ## servers killed, full disks, wrong keys, twelve at once: ten minutes more
	@$(BIN)/pytest tests/hostile

lint: venv ## ruff, mypy and the import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: venv ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: venv ## the documentation as a site, in build/docs; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "Pages: build/docs/index.html"

reference: venv ## write docs/reference anew, after a change of an option, a parameter or a data set
	@$(BIN)/python docs/reference_tables.py

ct: venv ## watch what is in production, retrain when needed; ENV=mine for your table
	@$(BIN)/kedro ct $(if $(ENV),--env $(ENV))

data-push: venv ## version the source with DVC and send it to data_remote
	@$(BIN)/kedro data-push $(if $(ENV),--env $(ENV))

data-pull: venv ## bring the version of the source that its .dvc file names
	@$(BIN)/kedro data-pull $(if $(ENV),--env $(ENV))

viz: venv ## the graph with previews, in the browser
	@$(BIN)/kedro viz run $(if $(ENV),--env $(ENV))

mlflow: venv ## MLflow's pages of all runs, in the browser
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/kedro mlflow ui $(if $(ENV),--env $(ENV))

services: venv ## S3, PostgreSQL and MLflow on this machine, for development: make run ENV=s3
	@$(BIN)/kedro services start

services-stop: venv ## stop them; their data stays in data/services
	@$(BIN)/kedro services stop

jupyter: venv ## notebooks with the catalog loaded
	@$(BIN)/kedro jupyter lab $(if $(ENV),--env $(ENV))

demo: venv ## a year of production on flights, month by month, and a page about it
	@$(BIN)/kedro demo

bench: venv ## measured ratios against plain scripts
	@$(BIN)/python benchmarks/run.py

# --no-config: the constraints in pyproject.toml are made of the last lock.
LOCK := --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-strip-extras --no-emit-index-url --upgrade
lock: venv ## resolve the dependencies anew
	@$(BIN)/uv pip compile pyproject.toml $(LOCK) --extra flights --extra services --extra dvc --extra dask \
	  --extra docs --group dev -o requirements.txt
	@$(BIN)/uv pip compile $(LOCK) --group scorer -c requirements.txt -o requirements-scorer.txt
	@$(BIN)/python .ci/finish_lock.py pyproject.toml requirements.txt requirements-scorer.txt

# By name: tables, releases, databases and keys are ignored by git as caches are, but cannot be made
# again. What is no environment stays, whatever VENV names.
CACHES := .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
clean: ## remove the environment and caches; data, releases, keys and settings stay
	@if [ -e "$(VENV)/pyvenv.cfg" ]; then rm -rf "$(VENV)"; fi
	@rm -rf $(CACHES) src/*.egg-info
	@find src tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
