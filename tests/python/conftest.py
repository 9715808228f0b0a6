"""Fixtures of all tests: clocks moved by hand, pools that end without open leases, and servers."""

from __future__ import annotations

import gc
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from tempfile import mkdtemp

import pytest

from outlay import ManualClock, SharedPool
from outlay.testing import ProviderServer, Reply


class _NoFolders(MetaPathFinder):
    """A folder of tests is no package: where `openai` is not installed, there is no `openai` to import."""

    folders = {path.name for path in Path(__file__).parent.rglob("*") if path.is_dir()}

    def find_spec(self, name, path=None, target=None):
        """Find nothing; refuse the name of a folder that no file of a package goes with."""
        if path is None and name in self.folders:
            found = PathFinder.find_spec(name)
            if found is not None and found.origin is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _NoFolders())


def pytest_configure(config):
    """Let clients trust a single authority: each of them reads the whole list, a tenth of a second long.

    The servers of the tests speak no TLS.
    """
    try:
        import certifi
    except ImportError:
        return
    one, end, _ = certifi.contents().partition("-----END CERTIFICATE-----")
    path = Path(mkdtemp(prefix="outlay-tests-")) / "authority.pem"
    path.write_text(f"{one[one.index('-----BEGIN') :]}{end}\n", encoding="ascii")
    os.environ["SSL_CERT_FILE"] = str(path)


#: What takes the most time and finds the least in a change of a line: `--fast` leaves it out.
SLOW = (
    "accounts/test_persist.py",
    "accounts/test_threads.py",
    "cli",
    "conformance",
    "docs/test_examples.py",
    "docs/test_integration_pages.py",
    "docs/test_picture.py",
    "docs/test_readme.py",
    "process",
    "settling/test_audit_run.py",
    "settling/test_settling_edges.py",
    "test_valgrind.py",
    "usage/corpus",
    "waiting/test_waiting_cancel.py",
    "waiting/test_waiting_loops.py",
    "waiting/test_waiting_process.py",
)


def pytest_addoption(parser):
    """Let `make check` run the half of the tests that takes a fifth of the time."""
    parser.addoption("--fast", action="store_true", help="leave out the slow files (SLOW in conftest.py)")


def pytest_ignore_collect(collection_path, config):
    """Leave out what is slow where `--fast` asks for it."""
    if config.getoption("--fast"):
        here = Path(__file__).parent
        return True if any(collection_path == here / slow for slow in SLOW) else None
    return None


def pytest_collection_finish(session):
    """Leave what is imported by now out of the collections that tests ask for: they take long with it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def said(monkeypatch):
    """Forget which methods have been warned of: that is said once in a process."""
    said = {}
    monkeypatch.setattr("outlay._wraps.unguarded._said", said)
    return said


class Counted:
    """A budget that counts how often it is asked, and lets another one decide."""

    def __init__(self, budget):
        self.budget, self.asked = budget, 0

    def reserve(self, estimate, **labels):
        """Count, and ask the budget inside."""
        self.asked += 1
        return self.budget.reserve(estimate)


@pytest.fixture
def counted():
    """Return what counts how often a budget is asked; without a budget, one that refuses every call."""
    return lambda budget=None: Counted(budget or SharedPool(capacity_tokens=1))


@pytest.fixture
def clock():
    """Return a clock that stands still until the test moves it."""
    return ManualClock()


@pytest.fixture
def make_pool():
    """Make pools; after the test none of them may have an open lease."""
    pools = []

    def make(capacity_tokens=100_000, **keywords):
        pool = SharedPool(capacity_tokens=capacity_tokens, **keywords)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        assert pool.open_leases() == []
        assert pool.reserved().total_tokens == 0


@pytest.fixture
def pool(make_pool):
    """Return a pool with room for many calls."""
    return make_pool()


@pytest.fixture
def serve():
    """Start loopback servers, each with its replies or its script; no script may have failed."""
    servers = []

    def start(*script, **keywords):
        alone = len(script) == 1 and not isinstance(script[0], Reply)
        server = ProviderServer(script[0] if alone else script, **keywords).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
        assert server.errors == []


@pytest.fixture
def bill():
    """Return a function that says how many tokens the other side bills."""
    return lambda server: sum(usage["total_tokens"] for usage in server.billed)
