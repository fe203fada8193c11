# Every target sets itself up on a fresh machine (Python 3.11+, JDK 17+, Maven) and passes ARGS="..." on.

# The first interpreter that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

define bench
	@test -e bench/$(1).py -o -d bench/$(1) || { echo "bench/$(1) does not exist yet" >&2; exit 2; }
	$(BIN)/python -m bench.$(1) $(ARGS)
endef

.PHONY: help setup jars compose-secrets demo up test check bench-ingest bench-streams bench-sinks eval-fraud eval-field soak rehearse clean
.DEFAULT_GOAL := help

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: $(READY) jars  ## virtual environment with pinned packages, Kafka jars

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing: install it, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Fetching the Python packages into $(VENV), some 500 MB, once: a minute or a few ..."
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
	@echo "The packages are there. For the shell to find sori: source $(BIN)/activate"

jars: $(READY)
	@$(BIN)/sori broker --fetch-only

compose-secrets:  ## random secrets for docker-compose.yml
	@$(PYTHON) deploy/docker/make_secrets.py $(ARGS)

demo: setup  ## the whole pipeline with labelled traffic, a live table and a reconciliation
	$(BIN)/sori demo $(ARGS)

up: setup  ## the whole pipeline, until Ctrl-C
	$(BIN)/sori up $(ARGS)

test: setup  ## every test, three files at a time, on real Kafka and the real ClickHouse engine
	$(BIN)/pytest $(or $(ARGS),-n 3 --dist loadfile)

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check . $(ARGS)
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-ingest: setup  ## events/s of one ingress process, beside its peers
	$(call bench,ingest)

bench-streams: setup  ## events/s of the stream stage, beside Flink, Kafka Streams, Pathway, Quix, Bytewax and a Faust table
	$(call bench,streams)

bench-sinks: setup  ## rows/s into ClickHouse, beside its peers
	$(call bench,sinks)

eval-fraud: setup  ## precision, recall and delay of the fraud rules
	$(call bench,fraud)

eval-field: setup  ## the same on worlds as met in the field, by an author who did not know the rules
	$(call bench,fraud.field)

soak: setup  ## 15 minutes of the whole pipeline at 1,000 events/s: nothing lost, memory flat
	$(call bench,soak)

rehearse: setup  ## docker-compose.yml and deploy/k8s as closed real processes, with traffic (needs root)
	$(BIN)/python -m testkit.rehearsal $(ARGS)

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache *.egg-info
