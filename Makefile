# `make demo` and `make test` install everything on a machine with Python 3.11+, Node 20+ and git.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(HOME)/.local/bin:$(PATH)
export UV_PROJECT_ENVIRONMENT := .venv

PYTHON := .venv/bin/python
SITE := lwise_core/local/site/index.html
PYTEST_ON_2 := OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder
FAST_TESTS := $(addprefix tests/,authoring experiments records sessions test_architecture.py test_atomic_files.py test_dirmap.py test_keyed_random.py test_yaml_files.py) -k "not dynamodb and not test_rules and not test_report and not test_figures"
SITE_SOURCES := $(shell find experiment_site -type f -not -path '*/node_modules/*' -not -path '*/experiments/*')

.PHONY: help demo test check mutants lint format site wheel clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

demo: .venv/.ready $(SITE) ## Every step on one machine; DEMO="--no-serve" passes options
	$(PYTHON) -m lwise_core.cli demo $(DEMO)

test: .venv/.ready $(SITE) node_modules/.ready browser ## Every test, including those in real browsers
	npm --prefix experiment_site test
	$(PYTEST_ON_2) -m "not browser" $(PYTEST) || [ $$? = 5 ]  # 5: no test selected
	$(PYTEST_ON_2) -m "browser and not exclusive" $(PYTEST) || [ $$? = 5 ]
	$(PYTHON) -m pytest -m exclusive $(PYTEST) || [ $$? = 5 ]

check: lint ## The inner loop: style, types, imports and the fast tests
	npm --prefix experiment_site test
	$(PYTEST_ON_2) --durations=3 $(FAST_TESTS)

mutants: .venv/.ready experiment_site/node_modules/.ready node_modules/.ready $(SITE) ## Plant 200 faults, one at a time, and list those that no test detects
	uv pip install --quiet --python $(PYTHON) --group mutants
	nice $(PYTHON) -m tests.mutants $(MUTANTS)

lint: .venv/.ready experiment_site/node_modules/.ready node_modules/.ready ## Style, types, imports and copied code
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	npm --prefix experiment_site run lint
	npx jscpd

format: .venv/.ready experiment_site/node_modules/.ready ## Format all sources
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	npm --prefix experiment_site run format

site: $(SITE) ## Build the participant's page into the package

wheel: .venv/.ready $(SITE) ## Build dist/*.whl with the participant's page inside
	uv build --quiet

clean: ## Remove what the other targets created
	rm -rf .venv cdk.out dist demo node_modules experiment_site/node_modules lwise_core/local/site

.venv/.ready: pyproject.toml lwise_core/__init__.py
	@command -v uv >/dev/null || python3 -m pip install --quiet --user uv || python3 -m pip install --quiet --user --break-system-packages uv
	uv sync --quiet --extra vision --extra local --extra analysis --extra infra --extra sagemaker --group test --group lint --no-default-groups --python 3.11
	@touch $@

experiment_site/node_modules/.ready: experiment_site/package.json experiment_site/package-lock.json
	npm --prefix experiment_site ci --no-audit --no-fund --loglevel=error
	@touch $@

node_modules/.ready: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(SITE): experiment_site/node_modules/.ready $(SITE_SOURCES)
	npm --prefix experiment_site run build
	@touch $@

.PHONY: browser
browser: .venv/.ready
	@$(PYTHON) tests/browser.py
