# The few verbs that people and CI use. Each makes its own environment if it is missing, and works twice.
# lab, course and prove take CLUSTER=embedded|kind|context[:NAME], and for kind ISTIO=1.29.6|newest, KUBERNETES=1.34.
#   make lab      open the course in JupyterLab
#   make course   execute every notebook; the results are in build/
#   make test     lint, unit tests, integration tests on a real embedded cluster, every notebook twice
#   make prove    every notebook (papermill, nbval) and every lab, on the cluster that CLUSTER names
#   make bench    how fast and how big: measured here, now
#   make lint     the rules of the house
#   make clean    remove what the other verbs made

VENV := .venv
BIN := $(VENV)/bin
# Jupyter wants to be told that one means it (in a container one often is root).
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
CLUSTER ?= $(MESHCOURSE_CLUSTER)
ISTIO ?= $(MESHCOURSE_ISTIO)
KUBERNETES ?= $(MESHCOURSE_KUBERNETES)
# Where prove writes, and the report of an earlier one that it compares with.
OUT ?= build
AGAINST ?=
# Which notebooks and labs: those that have it in their name; all of them without.
ONLY ?=
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))

.PHONY: lab course test prove bench lint clean
.DEFAULT_GOAL := lab

lab course prove: export MESHCOURSE_CLUSTER := $(CLUSTER)
course prove: export MESHCOURSE_CELL_TIMEOUT := $(if $(filter kind context%,$(CLUSTER)),1200,180)
lab course prove: export MESHCOURSE_ISTIO := $(ISTIO)
lab course prove: export MESHCOURSE_KUBERNETES := $(KUBERNETES)

lab: $(VENV)/.learner
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter lab $(AS_ROOT) --ServerApp.root_dir="$(CURDIR)" \
		notebooks/00-start-here.ipynb

course: $(VENV)/.learner
	$(BIN)/python -m meshcourse.lab.execute --out build $(NOTEBOOKS)

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m tests.conformance

prove: $(VENV)/.developer
	$(BIN)/python -m tests.real --out "$(OUT)" $(if $(AGAINST),--against "$(AGAINST)") $(if $(ONLY),--only "$(ONLY)")

bench: $(VENV)/.learner
	$(BIN)/python -m tests.bench --out build/bench.json

lint: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m meshcourse.lab.notebook_lint $(NOTEBOOKS)
	$(BIN)/mypy

clean:
	rm -rf build .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.learner: requirements.txt pyproject.toml .ci/venv .ci/jupyterlab.json
	@sh .ci/venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@cp .ci/jupyterlab.json $(VENV)/share/jupyter/lab/settings/overrides.json
	@touch $@

$(VENV)/.developer: $(VENV)/.learner tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@
