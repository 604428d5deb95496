# Developer's shortcuts; the README's commands do not need them.
PYTHON ?= .venv/bin/python

.PHONY: test lint docs oracles bench reliability reliability-quick fuzz

MINUTES ?= 10

test:
	$(PYTHON) -m pytest -q -n 2

lint:
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy

docs:
	$(PYTHON) -m nntrain.config.explain > docs/config.md

# Everything that PyTorch can be the oracle of; large, so no part of the development extra.
oracles:
	$(PYTHON) -m pip install -q "torch>=2.5"
	$(PYTHON) -m pytest -q -n 2 -k torch

bench:
	$(PYTHON) -m pip install -q -e '.[bench]'
	$(PYTHON) benchmarks/held_out.py
	$(PYTHON) benchmarks/run.py

# Half an hour on two cores; what needs strace or root is told as not measured where there is none.
reliability:
	$(PYTHON) reliability/run.py; code=$$?; $(PYTHON) reliability/run.py --page; exit $$code

# A sample of everything, in a minute; the test suite has a still smaller one.
reliability-quick:
	$(PYTHON) reliability/run.py --quick --out reliability/results/quick

# Random bytes at every reader of files; what it finds lies in fuzz-findings/.
fuzz:
	$(PYTHON) reliability/fuzz.py --minutes $(MINUTES)
