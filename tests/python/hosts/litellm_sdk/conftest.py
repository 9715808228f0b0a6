"""Fixtures of the LiteLLM tests: no network at its import, and the arguments of a request."""

from __future__ import annotations

import importlib.util
import os

import pytest

# Before LiteLLM is imported: otherwise it fetches its prices from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
collect_ignore_glob = [] if importlib.util.find_spec("litellm") else ["test_*.py"]

MODEL = "openai/gpt-x"
# "Hi": ceil(2 bytes / 3) + 4 for the message + 1,024 for the output.
HI_ESTIMATE = 1 + 4 + 1024


def pytest_report_header():
    return "tests of outlay.litellm: left out, litellm is not installed" if collect_ignore_glob else None


@pytest.fixture(autouse=True)
def quiet():
    import litellm

    litellm.suppress_debug_info = True
    litellm.cache = None
    yield
    litellm.cache = None


@pytest.fixture
def ask():
    """Return the arguments of one request to a server."""

    def arguments(server, text="Hi", **more):
        return {
            "model": MODEL,
            "messages": [{"role": "user", "content": text}],
            "api_base": server.base_url,
            "api_key": "none",
            "max_retries": 0,
        } | more

    return arguments


@pytest.fixture
def hi_estimate():
    return HI_ESTIMATE
