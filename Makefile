# Two commands matter: `make book` builds the book, `make test` proves it.
PROFILE ?= smoke
PYTHON ?= python3
BIN := .venv/bin
UV := 0.13.9
SNAKEMAKE := 9.27.1
MUTMUT := 3.8.1
# What Jupyter Book brings, without its old Sphinx
NEWEST := sphinx myst-nb sphinx-book-theme sphinx-copybutton sphinx-design \
  sphinx-external-toc sphinx-multitoc-numbering sphinx-togglebutton sphinxcontrib-bibtex
CORES ?= 2
PORT ?= 8000

# Threads that spin while they wait would steal the cores from one another.
export OMP_WAIT_POLICY := PASSIVE
# Without compiled files every kernel would compile torch again.
unexport PYTHONDONTWRITEBYTECODE
# Text is UTF-8, whatever the locale.
export PYTHONUTF8 := 1
# What programs would keep in a home, which a container may lack.
export FERSEP_BUILD ?= $(CURDIR)/_build
export MPLCONFIGDIR ?= $(FERSEP_BUILD)/cache/matplotlib
export IPYTHONDIR ?= $(FERSEP_BUILD)/cache/ipython
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export HOME := $(FERSEP_BUILD)/cache/home
endif

.PHONY: book test evidence mutants env link browser lab serve student pdf epub sphinx lock \
  clean clean-all help
# Two targets would share the cores and the chapters.
.NOTPARALLEL:

book: env  ## run stale chapters and build the HTML (PROFILE=smoke, cpu or gpu)
	@FERSEP_PROFILE=$(PROFILE) $(BIN)/python book/_ext/commands.py book

test: env browser  ## check the code, run units and chapters, open every page in a browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest

evidence: env  ## run what is missing of experiments/NAME.yml (ROOT=photographs, CORES=2, ARGS=-n to only say what)
	@test -n "$(NAME)" || { echo "Name an experiment: make evidence NAME=$$(ls experiments/*.yml | xargs -n1 basename -s .yml | head -1)"; exit 1; }
	@$(BIN)/uv tool run --quiet snakemake==$(SNAKEMAKE) -s experiments/Snakefile --cores $(CORES) --config experiment=$(NAME) $(if $(ROOT),root=$(ROOT)) $(ARGS)

mutants: env  ## try every small change of the equations and losses against their tests
	@SITE=$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])'); \
	for step in run results; do \
	  $(BIN)/uv tool run --quiet --python $(BIN)/python --from mutmut==$(MUTMUT) env PYTHONPATH="$$SITE" mutmut $$step; \
	done

env:  ## make .venv and install the locked packages, unless they are there
	@set -e; if ! cat requirements.lock pyproject.toml | cmp -s - .venv/installed; then \
	  if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "fersep needs Python 3.11 or newer, and $(PYTHON) is not: install one and name it, like make env PYTHON=python3.12"; exit 1; fi; \
	  if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "$(PYTHON) cannot make virtual environments: install the package python3-venv and try again"; exit 1; fi; \
	  echo "Installing into .venv: about 6 GB, a few minutes the first time"; \
	  test -w . || { echo "$(CURDIR) cannot be written: copy it to a folder of your own, and make it there"; exit 1; }; \
	  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV); \
	  $(BIN)/uv venv --quiet --relocatable --allow-existing --python $(BIN)/python .venv; \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock; \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .; \
	  cat requirements.lock pyproject.toml > .venv/installed; \
	fi
	@test ! -w .venv || $(MAKE) --silent link

# Relative to the packages, so that the folder may move, and may have any name. The last
# line reaches kernels that papermill starts alone, before torch does.
link:
	@printf '%s\n' ../../../.. ../../../../book \
	  'import os; os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")' > "$$(echo .venv/lib/python3*/site-packages)/_fersep.pth"

browser:  ## install Chromium for the site tests, where that is possible
	@for name in "$$FERSEP_BROWSER" chromium chromium-browser google-chrome; do \
	  "$$name" --version >/dev/null 2>&1 && exit 0; done; \
	{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
	echo "No Chromium: install chromium or google-chrome, or name one in FERSEP_BROWSER; the site tests are skipped until then"

lab: book  ## open the chapters in JupyterLab, as copies of this build (ARGS="--port 9999")
	@$(BIN)/python -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS) "$(FERSEP_BUILD)/notebooks"

serve: book  ## serve the HTML on this machine (PORT=8000)
	@echo "Open http://localhost:$(PORT)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory "$(FERSEP_BUILD)/html"

student: book  ## write the chapters without solutions to _build/student
	@$(BIN)/python book/_ext/commands.py student

pdf: book browser  ## write the book as one PDF, which every page then offers
	@$(BIN)/python -m fersep_book pdf

epub: book browser  ## write the book as EPUB, which every page then offers
	@$(BIN)/python -m fersep_book epub

sphinx: book  ## build the pages with the newest Sphinx too, in an environment of its own
	@set -e; trap 'rm -f conf.py conf.py.old' EXIT; own="$(FERSEP_BUILD)/sphinx/env"; \
	$(BIN)/uv venv --quiet --allow-existing "$$own"; \
	grep -Ev '^(jupyter-book|sphinx|sphinx-book-theme)==' requirements.txt | \
	  $(BIN)/uv pip install --quiet --python "$$own/bin/python" --compile-bytecode -r - $(NEWEST); \
	$(BIN)/jupyter-book config sphinx . >/dev/null; \
	sed -i.old "s/'jupyter_book', 'sphinx_comments', //; s/, 'sphinx_jupyterbook_latex'//" conf.py; \
	PYTHONPATH=.:book:book/_ext FERSEP_CHAPTERS=fresh FERSEP_PROFILE=$(PROFILE) \
	  "$$own/bin/sphinx-build" -q -n -W --keep-going . "$(FERSEP_BUILD)/sphinx/html"; \
	echo "$(FERSEP_BUILD)/sphinx/html/index.html, by $$("$$own/bin/sphinx-build" --version)"

lock: env  ## compile requirements.lock anew from requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	  --no-emit-package fersep requirements.txt -o requirements.lock

clean:  ## remove pages and caches; chapters, drawn faces and trained networks stay
	@cd "$(FERSEP_BUILD)" 2>/dev/null && rm -rf html notebooks student .doctrees site.json cache || true
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@echo "Kept in $(FERSEP_BUILD), which 'make clean-all YES=1' removes: executed chapters, drawn faces, trained networks"

clean-all:  ## name all that was computed and, with YES=1, remove it; .venv stays
	@du -sh "$(FERSEP_BUILD)"/* 2>/dev/null || true
	@if test "$(YES)$(notdir $(FERSEP_BUILD))" = 1_build; then rm -rf "$(FERSEP_BUILD)"; \
	else echo "Hours of computing may lie here: 'make clean-all YES=1' removes it"; fi

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12
