"""Fixtures of the tests of OpenAI's client: real clients on loopback."""

from __future__ import annotations

import pytest

openai = pytest.importorskip("openai")


MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
def plain():
    """Make an unguarded `OpenAI`, which does not retry."""

    def make(server, cls=openai.OpenAI, **options):
        options = {"api_key": "none", "max_retries": 0, "timeout": 10, **options}
        return cls(base_url=server.base_url, **options)

    return make


@pytest.fixture
async def plain_async():
    """Make an unguarded `AsyncOpenAI`, which is closed after the test."""
    made = []

    def make(server, cls=openai.AsyncOpenAI, **options):
        options = {"api_key": "none", "max_retries": 0, "timeout": 10, **options}
        made.append(cls(base_url=server.base_url, **options))
        return made[-1]

    yield make
    for client in made:
        await client.close()
