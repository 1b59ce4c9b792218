# Everything there is to do here. `make help` lists it.
# Works with GNU make 3.81 and later, and with the POSIX tools of Debian and macOS.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
WEB_INSTALLED := web/node_modules/.installed
INTEROP_INSTALLED := tests/interop/node_modules/.installed
PACKED_INSTALLED := tests/packed/node_modules/.installed
PEERS_INSTALLED := benchmarks/node_modules/.installed
PAGE := src/careerlens/api/static/index.html
WEB_SOURCES := $(shell find web/packages web/apps \( -name node_modules -o -name dist -o -name static \) -prune -o -type f -print 2>/dev/null)
NPM_CI := npm ci --no-audit --no-fund --loglevel=error

# The résumé that `make run ONCE=1` analyses, and the role it is meant for.
FILE ?=
ROLE ?=
# In how many processes the tests run, a file at a time: most of their time is waiting.
TEST_PROCESSES ?= 2
# How many jobs `make soak` runs, and what else pytest or the benchmark is told.
JOBS ?=
ARGS ?=
QUICK ?=
# Tests of faults that have a full size.
FAULTS := $(addprefix tests/,chaos/test_no_gap.py chaos/test_relay_faults.py chaos/test_client_faults.py \
	chaos/test_events_that_are_gone.py chaos/test_crowds_that_come_back.py \
	chaos/test_slow_consumers.py chaos/test_slow_roads.py security/test_places_that_are_none.py \
	security/test_tokens_that_end_on_the_way.py security/test_greedy_sockets.py \
	security/test_sockets_of_one_address.py browser/test_two_tabs_show_the_truth.py \
	security/test_each_user_sees_only_their_own_jobs.py security/test_web_origins_over_http.py \
	security/test_the_running_product_keeps_users_apart.py security/test_revoked_tokens.py \
	security/test_tickets_for_event_streams.py security/test_socket_walls.py)
export JOBS QUICK

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(INSTALLED) $(PAGE) ## Start everything (ONCE=1: analyse one résumé and stop; FILE=, ROLE=)
ifeq ($(ONCE),)
	@exec $(VENV)/bin/careerlens run
else
	@exec $(VENV)/bin/careerlens run --once $(if $(FILE),--file "$(FILE)") $(if $(ROLE),--role "$(ROLE)")
endif

.PHONY: setup
setup: $(INSTALLED) $(PAGE) ## Install what is needed, build the web page, start nothing

.PHONY: web
web: $(PAGE) ## Build the React package and the web page

.PHONY: wheel
wheel: $(INSTALLED) $(PAGE) ## Build the wheel, web page included, into dist/
	@$(VENV_PYTHON) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

.PHONY: test
test: $(INSTALLED) $(PAGE) $(INTEROP_INSTALLED) ## Run every test, those in a real browser included
	@browser=$$(sh scripts/browser.sh $(VENV_PYTHON)) || exit 1; \
	CHROMIUM="$$browser"; export CHROMIUM; \
	npm --prefix web test && $(VENV_PYTHON) -m pytest \
		--numprocesses=$(TEST_PROCESSES) --dist=loadfile $(ARGS)

.PHONY: test-packed
test-packed: $(INSTALLED) $(PAGE) $(PACKED_INSTALLED) ## Try the packed React package in the Next.js example
	@browser=$$(sh scripts/browser.sh $(VENV_PYTHON)) || exit 1; \
	CHROMIUM="$$browser"; export CHROMIUM; \
	$(VENV_PYTHON) -m pytest tests/packed -o norecursedirs=".* node_modules" $(ARGS)

.PHONY: lint
lint: $(INSTALLED) $(WEB_INSTALLED) ## Check style and types, Python and TypeScript
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy
	npm --prefix web run typecheck

.PHONY: bench
bench: bench-queue bench-api bench-realtime ## Measure everything beside others (QUICK=1: only try it)

.PHONY: bench-queue
bench-queue: $(INSTALLED) $(PEERS_INSTALLED) ## Measure the queue beside ten others (JOBS=, ARGS=)
	$(VENV_PYTHON) benchmarks/queue/measure.py $(ARGS)
ifeq ($(ARGS),)
	$(VENV_PYTHON) benchmarks/queue/hotspots.py
	$(VENV_PYTHON) benchmarks/queue/flat.py
endif

.PHONY: bench-profile
bench-profile: $(INSTALLED) $(PEERS_INSTALLED) ## Show where the time of a draining worker goes
	$(VENV_PYTHON) benchmarks/queue/hotspots.py $(ARGS)

.PHONY: bench-flat
bench-flat: $(INSTALLED) ## Compare what calls cost when a thousand jobs wait, and a million
	$(VENV_PYTHON) benchmarks/queue/flat.py $(ARGS)

.PHONY: bench-api
bench-api: $(INSTALLED) $(PEERS_INSTALLED) ## Measure POST /api/jobs beside FastAPI and fastify
	$(VENV_PYTHON) benchmarks/api/measure.py $(ARGS)

.PHONY: bench-realtime
bench-realtime: $(INSTALLED) $(PEERS_INSTALLED) $(PAGE) ## Measure live updates beside Node's socket.io
	$(VENV_PYTHON) benchmarks/realtime/measure.py $(ARGS)

.PHONY: soak
soak: $(INSTALLED) $(PAGE) ## Run for long: every job once, memory flat (JOBS=1000000), faults at full size
	@browser=$$(sh scripts/browser.sh $(VENV_PYTHON)) || exit 1; \
	CHROMIUM="$$browser" WHOLE=1 $(VENV_PYTHON) -m pytest benchmarks/soak $(FAULTS) --timeout=0 --capture=no $(ARGS)

.PHONY: planted
planted: $(INSTALLED) $(PAGE) ## Plant bugs in a copy, and see the tests of faults find each (ARGS=J3)
	@browser=$$(sh scripts/browser.sh $(VENV_PYTHON)) || exit 1; \
	CHROMIUM="$$browser" $(VENV_PYTHON) tests/planted.py $(ARGS)

.PHONY: lock
lock: ## Write the lock files again from pyproject.toml (UPGRADE=1: newest; needs uv)
	@command -v uv >/dev/null 2>&1 || [ -x $(VENV)/bin/uv ] || { echo "uv is missing. Type: $(VENV)/bin/pip install uv" >&2; exit 1; }
	@sh scripts/lock.sh

.PHONY: dockerfiles
dockerfiles: ## Write Dockerfile.worker and Dockerfile.socket again from Dockerfile
	@sh scripts/dockerfiles.sh

.PHONY: clean
clean: ## Remove everything that was made here, except the data in .careerlens
	rm -rf $(VENV) dist build web/node_modules web/packages/*/node_modules web/apps/*/node_modules
	rm -rf benchmarks/node_modules benchmarks/.venv-*
	rm -rf web/packages/*/dist web/apps/*/dist tests/*/node_modules src/careerlens/api/static
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# What follows is set up once, and again when what it depends on has changed.

$(INSTALLED): requirements-dev.lock pyproject.toml
	@sh scripts/venv.sh $(VENV)
	@touch $@

$(WEB_INSTALLED): web/package-lock.json
	@sh scripts/node.sh
	@echo "Installing the web packages…" >&2
	@cd web && $(NPM_CI)
	@touch $@

$(PAGE): $(WEB_INSTALLED) $(WEB_SOURCES)
	@echo "Building the web page…" >&2
	@npm --prefix web run build --silent >&2
	@touch $@

$(INTEROP_INSTALLED): tests/interop/package-lock.json
	@sh scripts/node.sh
	@echo "Installing BullMQ for Node, for the tests beside it…" >&2
	@cd tests/interop && $(NPM_CI)
	@touch $@

$(PACKED_INSTALLED): tests/packed/package-lock.json
	@sh scripts/node.sh
	@echo "Installing Next.js, to try the packed React package in…" >&2
	@cd tests/packed && $(NPM_CI)
	@touch $@

$(PEERS_INSTALLED): benchmarks/requirements-peers.lock benchmarks/requirements-arq.lock benchmarks/package-lock.json
	@sh scripts/node.sh
	@sh benchmarks/peers.sh
	@cd benchmarks && $(NPM_CI)
	@touch $@
