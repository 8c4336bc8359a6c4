# make up [MODEL=hub-id-or-folder]   start server, learner and UI
# make test                          everything the tests need, and the tests
# make clients                       the programs that the tests try as clients, in environments of their own
# make test-vllm [VLLM_REQUESTS=200] sampling on vLLM, which is installed for it in an environment of its own
# make check                         formatting, lint, types, import arrows
# make faults [ROWS=kill] [SEED=1]   breaks the product on purpose, and a table of what stood (hours)
# make security [ROWS=keys]          each sentence that is promised about security, and what shows it
# make bench                         does the loop learn? (PREFERENCE=, RANKINGS=, SEED=)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .clients
VLLM := .vllm
MODEL ?=
PREFERENCE ?= benchmarks/preferences.py:asks_back
RANKINGS ?= 200
SEED ?= 0

# Plain `pip install torch` on Linux may take a CUDA build of several GB. On a box without a GPU, give the
# address of PyTorch's CPU builds: make up TORCH_INDEX=...
TORCH := torch==2.13.0
TORCH_INDEX ?=

.PHONY: up test test-vllm clients check faults security bench

up: $(VENV)/.installed
	@$(BIN)/rankloop up $(if $(MODEL),--model $(MODEL))

test: $(VENV)/.installed-dev clients
	@$(MAKE) --no-print-directory chromium
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-vllm: export VLLM_REQUESTS := $(or $(VLLM_REQUESTS),200)
test-vllm: $(VENV)/.installed-dev $(VLLM)/.installed
	$(BIN)/python -m pytest -m vllm tests/vllm

clients: $(CLIENTS)/.installed

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

faults: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults $(if $(ROWS),--rows '$(ROWS)') --seed $(SEED)

security: $(VENV)/.installed-dev
	$(BIN)/python -m tests.security $(if $(ROWS),--rows '$(ROWS)')

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.closed_loop --preference $(PREFERENCE) --rankings $(RANKINGS) --seed $(SEED)

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Rankloop needs Python 3.11 or newer; make PYTHON=/path/to/python3.11 up"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { \
	  $(PYTHON) -m venv --without-pip --clear $(VENV) \
	  && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	@echo "installing (a few minutes the first time)"
	@if command -v nvidia-smi >/dev/null; then $(BIN)/pip install --quiet $(TORCH); else \
	  $(BIN)/pip install --quiet "$(TORCH)+cpu" 2>/dev/null \
	  || $(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH); fi
	@$(BIN)/pip install --quiet --editable .
	@# An installation that is broken is seen here, not at the start.
	@$(BIN)/python -c 'import fastapi, gradio, sqlmodel, torch, transformers.modeling_utils'
	@# What is compiled for this processor is there before the first answer waits for it.
	@$(BIN)/python -c 'from policy import kernels; kernels.prepare()'
	@touch $@

define debian
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
  echo "installing $(1) for the tests"; \
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
else \
  echo "the tests need $(1): sudo apt-get install $(1)"; exit 1; \
fi
endef

# Each in an environment of its own, since no two agree on their libraries; what they do not name they find in
# the project's.
$(CLIENTS)/.installed: tests/clients/requirements.txt tests/clients/package.json $(VENV)/.installed-dev
	@command -v npm >/dev/null || { $(call debian,nodejs npm); }
	@echo "installing clients for the tests"
	@libraries=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	while read -r client; do \
	  at=$(CLIENTS)/$$(echo "$$client" | sed 's/[^a-z-].*//'); \
	  $(BIN)/python -m venv --without-pip $$at || exit 1; \
	  echo "$$libraries" >"$$(echo $$at/lib/python3*/site-packages)/project.pth"; \
	  $(BIN)/python -m pip --python $$at/bin/python install --quiet "$$client" || exit 1; \
	done < tests/clients/requirements.txt
	@cp tests/clients/package.json $(CLIENTS)/
	@npm install --prefix $(CLIENTS) --silent --no-audit --no-fund --no-package-lock
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

# vLLM wants older libraries than the project, and the same torch, which it finds in the project's environment.
$(VLLM)/.installed: tests/vllm/install.py $(VENV)/.installed-dev
	@echo "installing vLLM for a CPU (a few minutes)"
	@$(BIN)/python -m venv --without-pip $(VLLM)
	@libraries=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	  echo "$$libraries" >"$$(echo $(VLLM)/lib/python3*/site-packages)/project.pth"
	@$(VLLM)/bin/python tests/vllm/install.py
	@touch $@

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || command -v google-chrome >/dev/null || { $(call debian,chromium); }
