"""The other providers that LiteLLM translates: their usage is booked to the token, plain and streamed."""

from __future__ import annotations

import litellm
import pytest

from outlay import BudgetExceeded, Guard
from outlay.litellm import wrap
from outlay.testing import Reply

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
PROVIDERS = {
    "anthropic/claude-x": "anthropic_url",
    "gemini/gemini-x": "gemini_url",
    "openai/gpt-x": "base_url",
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("model", PROVIDERS)
def test_what_the_provider_bills_is_what_is_booked(model, stream, serve, ask, pool):
    server = serve([Reply(text="Hello there", usage=USAGE)])
    arguments = ask(server, model=model, api_base=getattr(server, PROVIDERS[model]), stream=stream)
    answer = wrap(litellm.completion, pool)(**arguments)
    if stream:
        chunks = list(answer)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello there"
        assert all(getattr(chunk, "usage", None) is None for chunk in chunks)
    used = pool.committed()
    assert (used.input_tokens, used.output_tokens, used.cache_read_tokens) == (100, 50, 30)


@pytest.mark.parametrize("model", PROVIDERS)
def test_the_label_provider_is_litellms_name_of_it(model):
    from outlay.litellm._call import read_prompt

    prompt = read_prompt("completion", (), {"model": model, "messages": []})
    assert prompt.labels == {"provider": model.split("/")[0]}
    assert read_prompt("completion", (), {"model": "gpt-4o"}).labels == {"provider": "openai"}
    assert read_prompt("completion", (), {"model": "a-group"}).labels == {"provider": "litellm"}


@pytest.mark.parametrize(
    ("address", "provider"),
    [("https://api.deepseek.com", "deepseek"), ("https://gateway.example.com/v1", "openai")],
)
def test_the_label_provider_follows_the_address_of_an_openai_model(address, provider):
    """The limit of a provider refuses its models, before they send anything."""
    rules = [
        {"name": one, "scope": {"provider": one}, "limit": {"calls": 0}} for one in ("openai", "deepseek")
    ]
    asked = wrap(litellm.completion, Guard({"budget": rules}))
    messages = [{"role": "user", "content": "Hi"}]
    with pytest.raises(BudgetExceeded) as caught:
        asked(model="openai/m", api_base=address, api_key="k", messages=messages)
    assert caught.value.scope["budget"] == provider
