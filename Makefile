# `make help` lists the targets. PYTHON picks the interpreter for the virtual environment.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# All cores; tests/conftest.py says what stays together. WORKERS=0 runs all in one process.
WORKERS ?= logical
PYTEST  = $(BIN)/pytest -n $(WORKERS)
# Where it is set, each worker and each `agentbox` that a test starts would compile its modules anew.
unexport PYTHONDONTWRITEBYTECODE
C_FILES = $(wildcard csrc/*.c csrc/*.h)

.PHONY: help venv build test check lint format bench docs record engine clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(BIN)/.ready ## make the virtual environment and install agentbox with what its tests need

$(BIN)/.ready: pyproject.toml setup.py $(C_FILES) agentbox/_vault_build.py
	@# venv keeps the interpreter that is there: with another Python that would be a mixture of both.
	@[ "$$($(BIN)/python -VV 2>&1)" = "$$($(PYTHON) -VV)" ] || rm -rf $(BIN)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

build: venv ## build the wheel into dist/
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

test: venv ## the fast tests: no engine, nothing from npm, one of each kind (a minute or two)
	$(PYTEST) -q -m 'not engine and not npm and not slow'

check: venv ## every test; starts with the linters, needs an engine (`make engine` brings one up)
	$(MAKE) lint
	$(PYTEST) -ra

lint: venv ## ruff, mypy, and shellcheck where it is installed
	$(BIN)/ruff check agentbox containers tests bench tools setup.py
	$(BIN)/ruff format --check agentbox containers tests bench tools setup.py
	$(BIN)/mypy agentbox
	MYPYPATH=containers/egress $(BIN)/mypy -p broker
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run tools/*.sh csrc/*.sh containers/*.sh containers/*/*.sh agentbox/verify/inside/*.sh; fi

format: venv ## rewrite the Python files in the house format
	$(BIN)/ruff check --fix agentbox containers tests bench tools setup.py
	$(BIN)/ruff format agentbox containers tests bench tools setup.py

bench: venv ## the speed ratios, side by side in one run
	$(BIN)/python -m bench; missed=$$?; $(BIN)/python -m bench.firewall && exit $$missed

docs: venv ## regenerate docs/cli.md, docs/*.schema.json, containers/compose.yaml and containers/seccomp.json
	$(BIN)/python -m agentbox.generate
	$(BIN)/python tools/render_seccomp.py

record: venv ## record the sessions that README.md shows into docs/*.svg: needs an engine, and no key
	$(BIN)/python tools/sessions.py

engine: ## bring up a Docker Engine, Compose v2 and base images on a bare Debian machine (root)
	tools/engine-up.sh

clean: ## remove what the targets above made
	rm -rf $(VENV) build dist agentbox/lib agentbox/_vault.c agentbox/_vault.*.so *.egg-info
