# The commands of the project. Each installs what it needs into .venv; only Python >= 3.11, a Rust
# toolchain and make have to be there.

PYTHON ?= python3
SEED ?= 20261122
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
OTHERS := .venv-others
OTHER_TESTS := tests/python/openai tests/python/httpx tests/python/litellm_sdk tests/python/recipes \
    tests/python/conformance tests/python/langchain/test_deepagents.py tests/python/test_mcp_1_client.py \
    tests/python/test_docstrings.py tests/python/test_public_docstrings.py
# Where there is a `timeout`: what hangs fails.
LIMITED := $(if $(shell command -v timeout),timeout 3600,)
SOURCES := Cargo.toml Cargo.lock pyproject.toml build.rs $(shell find src -name '*.rs') \
    python/outlay/_core.pyi $(wildcard python/outlay/_stubs/*.pyi)

.PHONY: demo test lint cargo-test loom pytest pytest-others soak bench bench-check wheel clean

## Build, install into .venv, and run the demo on real input: offline, without a key.
demo: $(INSTALLED)
	$(BIN)/outlay demo

## The whole test suite: lints, types and stubs, cargo tests, loom, pytest in both environments, the wheel.
## What Rust compiles runs side by side, for one link uses one core; the rest one after the other. Loom comes
## first: it reports in a moment a deadlock in which real threads would hang.
test: $(INSTALLED)
	$(MAKE) --jobs 2 loom lint cargo-test
	$(MAKE) pytest pytest-others bench-check wheel-check

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "maturin>=1.9.4,<2" uv

$(INSTALLED): $(BIN)/python $(SOURCES)
	. $(BIN)/activate && UV_COMPILE_BYTECODE=1 maturin develop --quiet --uv --release --extras dev
	touch $@

lint: $(INSTALLED)
	cargo fmt --check
	cargo clippy --quiet --all-targets -- --deny warnings
	cargo clippy --quiet --features python -- --deny warnings
	$(BIN)/ruff format --check python tests benches examples
	$(BIN)/ruff check python tests benches examples
	$(BIN)/mypy python/outlay
	$(BIN)/mypy tests/python/typing
	$(BIN)/python tests/python/check_stubs.py

## The property tests take SEED, so that a run can be repeated; SEED=7 takes other histories.
cargo-test:
	PROPTEST_RNG_SEED=$(SEED) $(LIMITED) cargo test --quiet

## The ledger's locking, the ends of leases and waiting, in every order of the threads.
loom:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom CARGO_PROFILE_RELEASE_LTO=off \
	    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 $(LIMITED) cargo test --quiet --release --test loom --test loom_waiting

## More random histories and sums than the suite has time for; each run takes others.
.PHONY: soak-cargo
soak-cargo:
	OUTLAY_HISTORIES=50000 OUTLAY_SUMS=200000 $(LIMITED) cargo test --quiet --test ledger_model --test guard_model \
	    --test usage_sums

pytest: $(INSTALLED)
	$(BIN)/python -m pytest

## What only many repetitions find: ten times as many exits of busy interpreters as in the tests.
soak: $(INSTALLED)
	OUTLAY_SOAK=10 $(BIN)/python -m pytest tests/python/test_exit.py tests/python/test_waiting_process.py

## The integrations with the other majors of the SDKs, and the frameworks that pin them.
pytest-others: $(OTHERS)/.installed
	PYTHONPATH=python $(OTHERS)/bin/python -m pytest $(OTHER_TESTS)

$(OTHERS)/.installed: $(INSTALLED)
	test -x $(OTHERS)/bin/python || $(PYTHON) -m venv $(OTHERS)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(OTHERS)/bin/python \
	    --requirement pyproject.toml --extra others
	touch $@

## What checking costs, beside an empty call and a hand-written class; what a guard costs; memory of a million
## agents; what waiting costs.
## Fails where a floor is missed: on a busy machine, run it again.
bench: $(INSTALLED) $(OTHERS)/.installed
	cargo bench --bench hot_path --bench waiting
	$(BIN)/python benches/python/hot_path.py --check
	PYTHONPATH=python $(OTHERS)/bin/python benches/python/guard.py --check
	$(BIN)/python benches/python/memory.py --check
	$(BIN)/python benches/python/limiter.py --check
	$(BIN)/python benches/python/limiter_traces.py --check
	$(BIN)/python benches/python/waiting.py --waiters 10000 --check

## Every bench once, in small, so that none rots; nothing is measured, so nothing is optimised across crates.
bench-check: $(INSTALLED)
	CARGO_PROFILE_BENCH_LTO=off CARGO_PROFILE_BENCH_CODEGEN_UNITS=16 \
	    cargo bench --quiet --bench hot_path --bench waiting -- --test
	$(BIN)/python benches/python/hot_path.py --rounds 3
	$(BIN)/python benches/python/guard.py --rounds 3
	$(BIN)/python benches/python/memory.py --agents 20000
	$(BIN)/python benches/python/limiter.py --rounds 3
	$(BIN)/python benches/python/limiter_traces.py
	$(BIN)/python benches/python/waiting.py --rounds 2

wheel: $(BIN)/python
	$(BIN)/maturin build --quiet --release --out dist

## The wheel installs and imports in an empty virtual environment.
.PHONY: wheel-check
wheel-check: wheel
	rm -rf target/wheel-check
	$(PYTHON) -m venv target/wheel-check
	target/wheel-check/bin/python -m pip install --quiet --no-index $$(ls -t dist/*.whl | head -1)
	cd target && wheel-check/bin/python -c "import outlay, sys; \
	    outlay.AgentTokenBudget.hourly('a', 1).consume('query', 1); \
	    assert not {'langchain_core', 'pydantic'} & set(sys.modules)"

clean:
	rm -rf target dist $(VENV)
