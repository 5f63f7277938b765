# Each target works in a fresh clone: the environment is made when it is missing, or older than what it is made from.
.PHONY: check test frameworks recipes bench demo pictures

PYTHON ?= python3
BENCH ?= checkpoint
BIN := .venv/bin
FRAMEWORKS := .venv-frameworks/bin

check: .venv/made  ## lint, format, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: .venv/made  ## all tests, or those of TESTS=tests/worker
	$(BIN)/python -m pytest -q $(TESTS)

frameworks: .venv-frameworks/made  ## adapters on their real frameworks, which are 1.4 GB to install; tells what is skipped
	OMP_NUM_THREADS=1 $(FRAMEWORKS)/python -m pytest -q -n 1 -rs --no-fold-skipped tests/frameworks

recipes: .venv-frameworks/made  ## all of docs/recipes, and programs that join: 0.6 GB more
	$(FRAMEWORKS)/python -m pip install --quiet --no-compile --editable '.[dev,frameworks,recipes]'
	OMP_NUM_THREADS=1 $(FRAMEWORKS)/python -m pytest -q -n 1 -rs --no-fold-skipped tests/frameworks/test_recipes.py tests/runs/test_frameworks.py

bench: .venv/made  ## one benchmark: BENCH=reload, ARGUMENTS='--saves 100'
	PYTHONPATH=. $(BIN)/python tests/bench/$(BENCH).py $(ARGUMENTS)

demo: .venv/made  ## the sample deck on the screen
	$(BIN)/tunedeck demo

pictures: .venv/made  ## docs/first-minute.gif, screen.png and gallery; needs rsvg-convert and the font Fira Code
	$(BIN)/python -m pip install --quiet pillow
	$(BIN)/python docs/pictures.py

.venv/made: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.venv-frameworks/made: pyproject.toml
	$(PYTHON) -m venv .venv-frameworks
	$(FRAMEWORKS)/python -m pip install --quiet --no-compile --editable '.[dev,frameworks]'
	touch $@
