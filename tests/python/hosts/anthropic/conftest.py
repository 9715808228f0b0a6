"""Fixtures of the Anthropic tests: real clients on loopback."""

from __future__ import annotations

import pytest

try:
    # Not the bare name, which this folder has too.
    import anthropic.types
except ImportError:
    collect_ignore_glob = ["test_*"]

HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def client():
    """Make an `Anthropic` that talks to a loopback server."""

    def make(server, *, max_retries=0, **keywords):
        return anthropic.Anthropic(
            api_key="none", base_url=server.anthropic_url, max_retries=max_retries, **keywords
        )

    return make


@pytest.fixture
def async_client():
    """Make an `AsyncAnthropic` that talks to a loopback server."""

    def make(server, *, max_retries=0, **keywords):
        return anthropic.AsyncAnthropic(
            api_key="none", base_url=server.anthropic_url, max_retries=max_retries, **keywords
        )

    return make


@pytest.fixture
def hi():
    """Return the arguments of a short call: 1 + 4 tokens of input, and 100 of output, are reserved."""
    return {"model": "claude-test", "max_tokens": 100, "messages": HI}


@pytest.fixture
def hi_estimate():
    """Return what that call reserves."""
    return 1 + 4 + 100


@pytest.fixture(autouse=True)
def no_delays(monkeypatch):
    """Let the SDK's retries follow at once."""
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.0)
    monkeypatch.setattr("anthropic._base_client.MAX_RETRY_DELAY", 0.0)
