# Every target sets up .venv by itself; nothing has to be installed first but Python 3.11 or newer.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup improve studio test check format benchmark clean

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# A machine with a CUDA card takes the newest torch with CUDA; every other one the CPU build that was tested.
CUDA := $(shell nvidia-smi -L >/dev/null 2>&1 && echo yes)
CONSTRAINT := $(if $(CUDA),,-c constraints-cpu.txt)

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv and install redraft with its development tools
	@echo "ready: $(BIN)/redraft"

$(STAMP): pyproject.toml constraints-cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11, which redraft needs: run make with PYTHON=python3.11 or newer" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
# Compiled once here: without it a first start compiles 4,000 files of torch, diffusers and transformers (11 s), and
# every start does where PYTHONDONTWRITEBYTECODE is set.
	@echo "installing redraft into $(VENV) $(if $(CUDA),with CUDA,for the CPU)"
	@$(BIN)/python -m pip install -qq uv \
	  && UV_FIND_LINKS="$${PIP_FIND_LINKS:-}" $(BIN)/uv pip install -qq --compile-bytecode -p $(BIN)/python $(CONSTRAINT) -e '.[dev]' \
	  || { echo "uv could not install redraft; trying plain pip" >&2; \
	       $(BIN)/python -m pip install -qq $(CONSTRAINT) -e '.[dev]'; }
	@$(BIN)/python -c 'import sys; from importlib.util import find_spec; sys.exit(find_spec("torchvision") is not None)' || { \
	  echo "torchvision is installed in $(VENV): its wheel is built for CUDA, and next to a CPU torch it breaks the import of" \
	       "transformers and diffusers. Redraft never needs it: run '$(BIN)/python -m pip uninstall torchvision', or" \
	       "'make clean' and try again" >&2; exit 1; }
	@touch $@

improve: $(STAMP) ## run the main job in ./redraft-workspace; options through ARGS="--model builtin:sd"
	@$(BIN)/redraft improve --workspace ./redraft-workspace $(ARGS)

studio: $(STAMP) ## open the studio with ./redraft-workspace; options through ARGS="--port 9000"
	@$(BIN)/redraft studio --workspace ./redraft-workspace --open $(ARGS)

test: $(STAMP) ## run the tests but the slow ones; a part through ARGS="tests/diffusion", all through ARGS='-m "not gpu"'
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow and not gpu" $(ARGS)

check: $(STAMP) ## format, lint, types, walls of the house: under two minutes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the sources as `check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: $(STAMP) ## print the table of speed and memory ratios; options through ARGS
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove .venv and caches; never a workspace
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
