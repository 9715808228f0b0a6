"""The label `provider` of a wrapped client follows the address of the client."""

from __future__ import annotations

import openai
import pytest

from outlay import Guard
from outlay.openai import wrap
from outlay.testing import ProviderServer, Reply

PRICES = {"deepseek:deepseek-chat": {"input": "1", "output": "1"}, "openai:m": {"input": "1", "output": "1"}}


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.x.ai/v1", "xai"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://api.together.xyz/v1", "together"),
        ("https://api.moonshot.ai/v1", "moonshotai"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "google"),
        ("https://my-name.openai.azure.com/openai/v1/", "azure"),
        ("https://gateway.example.com/v1", "openai"),
        ("http://127.0.0.1:8000/v1", "openai"),
        ("https://api.deepseek.com.example.com/v1", "openai"),
    ],
)
def test_the_provider_is_that_of_the_address(address, provider):
    """The limit of a provider refuses the clients of that provider, before they send anything."""
    rules = [
        {"name": one, "scope": {"model": f"{one}:*"}, "limit": {"calls": 0}}
        for one in ("openai", "deepseek", "xai", "openrouter", "groq", "mistral", "together", "moonshotai")
    ]
    rules += [{"name": one, "scope": {"provider": one}, "limit": {"calls": 0}} for one in ("google", "azure")]
    client = wrap(openai.OpenAI(base_url=address, api_key="k", max_retries=0), Guard({"budget": rules}))
    with pytest.raises(openai.OpenAIError) as caught:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.scope["budget"] == provider


def test_the_price_of_the_address_counts_and_a_local_address_keeps_the_price_of_openai():
    """A server on loopback speaks for OpenAI, as before."""
    guard = Guard({"budget": [{"name": "b", "limit": {"usd": "1"}}], "prices": PRICES})
    with ProviderServer([Reply(text="a")]) as server:
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="k"), guard)
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert guard.snapshot()[0]["limits"]["cost_micros_usd"]["used"] > 0


def test_a_bound_view_is_a_budget_of_a_wrapped_client():
    """Also where a guard around it names the same accounts: the call is charged once."""
    guard = Guard({"budget": [{"name": "b", "scope": {"user": "*"}, "limit": {"calls": 9}}]})
    with ProviderServer([Reply(text="a"), Reply(text="b")]) as server:
        plain = openai.OpenAI(base_url=server.base_url, api_key="k")
        ann, bob = wrap(plain, guard.bind(user="ann")), wrap(plain, guard.bind(user="bob"))
        with guard.scope(user="scope"):
            ann.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        twice = wrap(bob, guard, user="bob")
        twice.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    used = {one["values"]["user"]: one["limits"]["calls"]["used"] for one in guard.snapshot()}
    assert used == {"ann": 1, "bob": 1}
