# The commands of the project. Each installs what it needs into .venv; only Python >= 3.11, a Rust
# toolchain and make have to be there.

PYTHON ?= python3
SEED ?= 20261122
ROUNDS ?= 301
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
OTHERS := .venv-others
PEERS := .venv-peers
OTHER_TESTS := $(addprefix tests/python/hosts/, openai httpx litellm_sdk langchain/test_deepagents.py \
    test_mcp_1_client.py) tests/python/conformance tests/python/recipes tests/python/usage/corpus \
    tests/python/tidy/test_public_names.py tests/python/typing/test_docstrings.py \
    tests/python/typing/test_public_docstrings.py
# Where there is a `timeout`: what hangs fails.
LIMITED := $(if $(shell command -v timeout),timeout 3600,)
# The rooms of the tests that need no SDK of a provider; process has the exits and forks.
CORE_TESTS := tests/python/accounts tests/python/limiter tests/python/waiting tests/python/allowances \
    tests/python/process
FUZZ_SECONDS ?= 20
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
GLIBC = $(shell ldd --version 2>&1 | grep -i -e glibc -e 'gnu libc')
LIBGCC = $(shell cc -print-file-name=libgcc_s.so.1)
# What cargo-fuzz passes to the compiler, less the sanitizer, which stable Rust has not.
COVERAGE := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing
# $(call FUZZED,name,command): runs a target; shows how much it ran, or all it said if it failed.
FUZZED = if $(2) -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -print_final_stats=1 \
    -artifact_prefix=target/fuzz-corpus/ target/fuzz-corpus/$(1) fuzz/seeds/$(1) >target/fuzz-corpus/$(1).log 2>&1; \
    then echo "fuzz $(1): $$(grep -o 'executed_units: .*' target/fuzz-corpus/$(1).log)"; \
    else tail -n 40 target/fuzz-corpus/$(1).log; exit 1; fi
SOURCES := Cargo.toml Cargo.lock pyproject.toml build.rs $(shell find src -name '*.rs') \
    python/outlay/_core.pyi $(shell find python/outlay/_stubs -name '*.pyi')

.PHONY: demo test lint cargo-test loom pytest pytest-others soak bench bench-peers bench-check bench-compare wheel clean

## Build, install into .venv, and run the demo on real input: offline, without a key.
demo: $(INSTALLED)
	$(BIN)/outlay demo

## The whole test suite: lints, types and stubs, cargo tests, loom, pytest in both environments, the wheel.
## What Rust compiles runs side by side, for one link uses one core; the rest one after the other. Loom comes
## first: it reports in a moment a deadlock in which real threads would hang.
test: $(INSTALLED)
	$(MAKE) --jobs 2 loom lint cargo-test
	$(MAKE) pytest pytest-others bench-check fuzz deny wheel-check

## What a developer runs after each change: lints, types, tidiness, Rust's tests and the fast half of pytest.
.PHONY: check pytest-fast
check: $(INSTALLED)
	$(MAKE) --jobs 2 --output-sync lint cargo-test pytest-fast

pytest-fast: $(INSTALLED)
	$(BIN)/python -m pytest --fast

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "maturin>=1.16,<2" uv

$(INSTALLED): $(BIN)/python $(SOURCES)
	. $(BIN)/activate && UV_COMPILE_BYTECODE=1 maturin develop --quiet --uv --release --group dev
	touch $@

lint: $(INSTALLED)
	cargo fmt --check
	cargo clippy --quiet --all-targets -- --deny warnings
	cargo clippy --quiet --features python -- --deny warnings
	$(BIN)/ruff format --check python tests benches examples packaging fuzz docs
	$(BIN)/ruff check python tests benches examples packaging fuzz docs
	$(BIN)/mypy python/outlay
	$(BIN)/mypy tests/python/typing/programs
	$(BIN)/python tests/python/typing/check_stubs.py

## The property tests take SEED, so that a run can be repeated; SEED=7 takes other histories.
cargo-test:
	PROPTEST_RNG_SEED=$(SEED) $(LIMITED) cargo test --quiet

## The ledger's locking, the ends of leases and waiting, in every order of the threads.
loom:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom CARGO_PROFILE_RELEASE_LTO=off \
	    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 $(LIMITED) cargo test --quiet --release --no-default-features --test loom

## More random histories and sums than the suite has time for; each run takes others.
.PHONY: soak-cargo
soak-cargo:
	OUTLAY_HISTORIES=50000 OUTLAY_SUMS=200000 $(LIMITED) cargo test --quiet --test ledger --test guard --test amounts \
	    -- histories:: glitches:: sums::

## The simulation of stores, 10^8 steps in an optimised build; the larger model, and SQLite.
.PHONY: soak-stores
soak-stores:
	OUTLAY_SEEDS=10000 OUTLAY_STEPS=10000 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	    $(LIMITED) cargo test --quiet --release --test store -- --nocapture laws_hold
	OUTLAY_LIMIT=2 OUTLAY_MESSAGES=3 $(LIMITED) cargo test --quiet --test store no_order -- --nocapture
	OUTLAY_KILLS=500 OUTLAY_CROWD=600 OUTLAY_FILE_SEEDS=1000 $(LIMITED) cargo test --quiet --test store -- sqlite::

pytest: $(INSTALLED)
	$(BIN)/python -m pytest

## What only many repetitions find: ten times as many exits of busy interpreters as in the tests.
soak: $(INSTALLED)
	OUTLAY_FORKS=50 OUTLAY_EXITS=200 $(BIN)/python -m pytest tests/python/store/workers/test_forks.py --quiet
	OUTLAY_SOAK=10 $(BIN)/python -m pytest tests/python/process/test_exit.py tests/python/waiting/test_waiting_process.py \
	    tests/python/guard/rules/test_forgotten.py

## The integrations with the other majors of the SDKs, and the frameworks that pin them.
pytest-others: $(OTHERS)/.installed
	PYTHONPATH=python $(OTHERS)/bin/python -m pytest $(OTHER_TESTS)

$(OTHERS)/.installed: $(INSTALLED)
	test -x $(OTHERS)/bin/python || $(PYTHON) -m venv $(OTHERS)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(OTHERS)/bin/python \
	    --group pyproject.toml:others
	touch $@

## What outlay costs, each case beside an empty call, the same by hand or a client that is not wrapped; the worst
## calls; memory; waiting; instructions. docs/benchmarks.md explains it. Fails where a bound is missed twice.
bench: $(INSTALLED) $(OTHERS)/.installed
	cargo bench --no-default-features --bench hot_path --bench waiting
	$(BIN)/python benches/python/run.py --check --others $(OTHERS)/bin/python
	$(BIN)/python benches/python/worst.py
	$(BIN)/python benches/python/memory/run.py --check
	$(BIN)/python benches/python/limiter_traces.py --check
	$(BIN)/python benches/python/waiting.py --waiters 10000 --check
	$(BIN)/python benches/instructions/count.py --check

## outlay beside its peers, in one process; prints the tables of docs/benchmarks.md.
bench-peers: $(INSTALLED) $(PEERS)/.installed
	PYTHONPATH=python:benches/python $(PEERS)/bin/python -m peers --rounds $(ROUNDS)

$(PEERS)/.installed: pyproject.toml | $(INSTALLED)
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(BIN)/python benches/python/peers/install.py $(BIN)/uv $(PEERS)/bin/python
	touch $@

## Every bench once, in small, so that none rots; nothing is measured, so nothing is optimised across crates.
bench-check: export CARGO_PROFILE_BENCH_LTO = off
bench-check: export CARGO_PROFILE_BENCH_CODEGEN_UNITS = 16
bench-check: $(INSTALLED) $(OTHERS)/.installed
	cargo bench --quiet --no-default-features --bench hot_path --bench waiting --bench instructions -- --test
	$(BIN)/python benches/python/run.py --rounds 2 --others $(OTHERS)/bin/python
	$(BIN)/python benches/python/worst.py --calls 200 --leases 1000
	$(BIN)/python benches/python/memory/run.py --count 500
	$(BIN)/python benches/python/limiter_traces.py
	$(BIN)/python benches/python/waiting.py --rounds 2
	@if test -e $(PEERS)/.installed; then $(MAKE) bench-peers ROUNDS=3; \
	    else echo "NOT RUN: the benches beside the peers; \`make bench-peers\` installs them (a minute)" >&2; fi
	$(BIN)/python benches/instructions/count.py --small 50 charges decisions

## Is any case slower than at BASE, a git ref? Both builds in turn, in fresh processes. GROUPS names some cases only.
bench-compare: $(INSTALLED) $(OTHERS)/.installed
	@test -n "$(BASE)" || { echo "say what to compare with: make bench-compare BASE=v0.1.0"; exit 2; }
	$(BIN)/python benches/python/build.py . target/compare/base --ref $(BASE)
	$(BIN)/python benches/python/build.py . target/compare/now
	$(BIN)/python benches/python/compare.py --base target/compare/base --now target/compare/now \
	    --others $(OTHERS)/bin/python --check $(GROUPS)

## One wheel for every CPython >= 3.11 of the platform. On Linux with glibc it is a manylinux2014 wheel, linked by
## zig against libgcc_s: CPython before 3.14 ends daemon threads by libgcc's forced unwind, and a wheel with an
## unwinder of its own crashes there.
wheel: $(BIN)/python
	rm -rf dist
	$(if $(GLIBC),$(BIN)/uv pip install --quiet --python $(BIN)/python ziglang && \
	    PATH="$(CURDIR)/$(BIN):$$PATH" maturin build --quiet --release --locked --zig --compatibility manylinux2014 \
	    --out dist -- -C link-arg=$(LIBGCC),$(BIN)/maturin build --quiet --release --locked --out dist)

## The wheel says the right things, holds the licences, installs in an empty environment, and passes the core tests
## on every CPython >= 3.11 of this machine.
.PHONY: wheel-check
wheel-check: wheel
	$(BIN)/python packaging/third_party.py --check
	$(BIN)/uv pip install --quiet --python $(BIN)/python pyelftools
	$(BIN)/python packaging/check_wheel.py dist/*.whl
	rm -rf target/wheel-check
	$(PYTHON) -m venv target/wheel-check
	target/wheel-check/bin/python -m pip install --quiet --no-index dist/*.whl
	cd target && wheel-check/bin/python -c "import outlay, sys; \
	    outlay.AgentTokenBudget.hourly('a', 1).consume('query', 1); \
	    assert not {'langchain_core', 'pydantic'} & set(sys.modules)"
	$(BIN)/python packaging/interpreters.py dist/*.whl $(CORE_TESTS)

## Twenty seconds of random input for what reads files and answers of others: policies, HTTP bodies. FUZZ_SECONDS=600
## takes longer. Findings are written to target/fuzz-corpus.
.PHONY: fuzz
fuzz: $(INSTALLED)
	mkdir -p target/fuzz-corpus/policy_reader target/fuzz-corpus/http_body
ifneq ($(shell command -v c++),)
	RUSTFLAGS="$(COVERAGE)" CARGO_TARGET_DIR=target/fuzz cargo build --quiet --release --locked \
	    --manifest-path fuzz/Cargo.toml --target $(HOST)
	@$(call FUZZED,policy_reader,target/fuzz/$(HOST)/release/policy_reader -dict=fuzz/policy.dict)
else
	@echo "SKIPPED: the fuzz target policy_reader needs a C++ compiler (c++), and there is none"
endif
	@if $(BIN)/uv pip install --quiet --python $(BIN)/python --only-binary atheris atheris; then \
	    $(call FUZZED,http_body,env PYTHONPATH=python $(BIN)/python fuzz/http_body.py); \
	else echo "SKIPPED: the fuzz target http_body needs atheris, which has no wheel for this interpreter"; fi

## What the crates may be: their licences and where they come from. Only where cargo-deny is installed.
.PHONY: deny
deny:
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --all-features check bans licenses sources; \
	else echo "SKIPPED: cargo-deny is not installed"; fi

## Draw the picture of the README anew, from a run of the demo.
.PHONY: picture
picture: $(INSTALLED)
	$(BIN)/python docs/picture.py

clean:
	rm -rf target dist $(VENV) $(OTHERS) $(PEERS)
