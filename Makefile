# Everything a newcomer needs: `make demo`, `make test`. Python 3.11, pip and make are all that has to be there.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

# One thread a process: two spin-waiting torch threads are slower than one.
export OMP_NUM_THREADS := 1
export OMP_WAIT_POLICY := passive
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: install demo test test-all check clean

install: $(STAMP)

$(STAMP):
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[train,minigrid,classic,mujoco,plan,verify,llm,textworld,dev]'
	$(BIN)/pip install --quiet -c constraints.txt --no-deps textworld
	@rm -f $(VENV)/.installed-* && touch $@

demo: install
	$(BIN)/agentc compile specs/doorkey.agentspec
	$(BIN)/agentc train specs/doorkey.agentspec
	$(BIN)/agentc eval specs/doorkey.agentspec
	$(BIN)/agentc report specs/doorkey.agentspec

test: install
	$(BIN)/python -m pytest -n 2 tests

test-all: install
	$(BIN)/python -m pytest -n 2 -m 'slow or not slow' tests

check: install
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=.dev $(BIN)/lint-imports

clean:
	rm -rf build runs dist *.egg-info
