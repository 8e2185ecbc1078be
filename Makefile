# Set-up, start and tests, all inside .venv; "make" alone lists the commands.
#
# Each step of the set-up leaves a stamp in .venv that carries the content hash of what it came
# from: a second start installs nothing, a changed lock installs again, and a step that was
# interrupted is done again. The steps themselves are in .ci/setup.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# A person's own settings of Python must not bring other packages than the locked ones.
unexport PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER
# Compiled once, not by each process of the tests anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
stamp = .venv/stamps/$(1)-$(shell cat $(2) | git hash-object --stdin)
PACKAGES := $(call stamp,packages,requirements.txt)
TEST_PACKAGES := $(call stamp,test-packages,requirements-test.txt)
PROJECT := $(call stamp,project,pyproject.toml)
# What the notebooks of this place need beside the locked packages; the operator's own file.
OWN := $(if $(wildcard packages.txt),$(call stamp,own-packages,packages.txt requirements.txt .ci/setup))
PROXY := $(call stamp,proxy,package-lock.json requirements-node.txt .ci/setup)
# Several processes, each with all tests that share a hub: some always wait for something.
# Browsers are busy enough for two.
AT_ONCE := $(BIN)/pytest --dist loadfile --no-loadscope-reorder
TEST_NODE := $(call stamp,test-node,tests/node/package-lock.json .ci/setup)

.PHONY: help hub test test-fast test-all benchmark benchmark-access lint types install lock clean

help: ## This list.
	@echo 'Atrium: Jupyter notebooks as live dashboards'
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | \
	  while read -r name what; do printf '  make %-16s %s\n' "$$name" "$$what"; done

hub: $(PACKAGES) $(OWN) $(PROJECT) $(PROXY) ## Set up what is missing, then start the hub. Ctrl-C stops it.
	@PATH="$(CURDIR)/$(BIN):$$PATH" exec $(BIN)/jupyterhub -f jupyterhub_config.py

test: $(PACKAGES) $(PROJECT) $(PROXY) $(TEST_NODE) lint ## Set up what is missing, then the checks, and the tests of what people do each day.
	@chrome="$$(.ci/setup chromium)" || exit 1; \
	.ci/setup beside '$(MAKE) types' $(AT_ONCE) -n 3 -m 'not slow and not browser' || exit 1; \
	if [ -n "$$chrome" ]; then CHROME="$$chrome" $(AT_ONCE) -n 2 -m 'browser and not slow'; \
	else echo 'The tests in a browser were left out: this machine has no Chromium (see above).'; fi

test-fast: lint $(PROJECT) ## Checks and unit tests, within a minute: no hub, no browser.
	@.ci/setup beside '$(MAKE) types' $(AT_ONCE) -n 2 \
	  -m 'not hub and not browser and not long and not slow' --ignore tests/browser --ignore tests/integration

test-all: test ## The same as test, then the tests that take long.
	@$(AT_ONCE) -n 3 -m 'slow and not browser'
	@CHROME="$$(.ci/setup chromium)" $(AT_ONCE) -n 2 -m 'slow and browser'

benchmark-access: $(TEST_PACKAGES) $(PROJECT) $(PROXY) ## Measure how fast access ends and what that costs (half an hour; PARTS=peer, QUICK=--quick).
	@$(BIN)/python -m tests.benchmarks.access $(QUICK) $(PARTS)

benchmark: $(TEST_PACKAGES) $(PROJECT) $(PROXY) ## Measure how soon a dashboard is open, beside the peer (an hour; PARTS=thirty,idle, PAIRS=10, QUICK=--quick).
	@.ci/setup peer
	@CHROME="$$(.ci/setup chromium)" $(BIN)/python -m tests.benchmarks.opening $(QUICK) \
	  $(if $(PARTS),--only $(PARTS)) $(if $(PAIRS),--pairs $(PAIRS))

lint: $(TEST_PACKAGES)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || \
	  { echo 'Some files are not formatted; mend it with: $(BIN)/ruff format .'; exit 1; }
	@find notebooks -name '*.ipynb' -not -path '*/.*' -print0 | xargs -0 $(BIN)/nbstripout --keep-id --verify || \
	  { echo 'A notebook carries outputs; clear them with: $(BIN)/nbstripout --keep-id <notebook>'; exit 1; }

types: $(TEST_PACKAGES) $(PROJECT)
	@$(BIN)/basedpyright --level error

install: $(PACKAGES) $(OWN) $(PROJECT) $(PROXY) ## Set up what is missing, start nothing.

lock: $(PACKAGES) ## Write the locks anew after a change of pyproject.toml (UPGRADE=--upgrade: newest).
	@.ci/setup lock $(UPGRADE)

clean: ## Remove .venv and what tests wrote. Keeps .atrium, the hub's state, .env and packages.txt.
	rm -rf .venv .venv-peer *.egg-info build test-results .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment that is broken, moved or half-filled is made again, with all that is in it.
ifneq ($(shell .ci/setup whole && echo yes),yes)
.PHONY: $(BIN)/pip
endif
$(BIN)/pip:
	@.ci/setup venv

$(PACKAGES): $(BIN)/pip
	@.ci/setup packages requirements.txt 'one to three minutes' && touch $@

ifneq ($(OWN),)
$(OWN): $(PACKAGES)
	@.ci/setup own-packages && touch $@
endif

$(TEST_PACKAGES): $(PACKAGES)
	@.ci/setup packages requirements-test.txt 'about half a minute' && touch $@

$(PROJECT): $(PACKAGES)
	@.ci/setup project && touch $@

$(PROXY): $(BIN)/pip
	@.ci/setup proxy && touch $@

$(TEST_NODE): $(PROXY)
	@.ci/setup test-node && touch $@
