"""LiteLLM's own usage objects: writes for an hour, reasoning beside the output."""

from __future__ import annotations

import litellm
import pytest
from litellm.types.utils import Usage as LiteUsage

from outlay import SharedPool, Usage
from outlay._wraps.arguments import CallOptions, make_layer
from outlay.litellm import wrap
from outlay.litellm._call import lite_call
from outlay.testing import Reply


def response(**usage):
    """Return an answer of LiteLLM with this usage."""
    return litellm.ModelResponse(model="claude-x", usage=LiteUsage(**usage))


def test_a14_what_is_written_for_an_hour_is_read_and_priced():
    details = {
        "cache_creation_tokens": 10_000,
        "cache_creation_token_details": {
            "ephemeral_5m_input_tokens": 6_000,
            "ephemeral_1h_input_tokens": 4_000,
        },
    }
    answer = response(
        prompt_tokens=10_000, completion_tokens=0, total_tokens=10_000, prompt_tokens_details=details
    )
    prices = {"claude-x": {"input": "3", "output": "15", "cache_write": "3.75"}}
    used = Usage.from_response(answer, prices=prices)
    assert (used.cache_write_tokens, used.cache_write_1h_tokens) == (10_000, 4_000)
    assert used.cost_micros_usd == 6_000 * 3.75 + 4_000 * 6


def test_a03_reasoning_beside_the_output_is_booked(serve, ask, pool):
    told = {"reasoning_tokens": 386}
    usage = {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 399}
    server = serve([Reply(text="a", usage={**usage, "completion_tokens_details": told})])
    wrap(litellm.completion, pool)(**ask(server))
    assert (pool.committed().output_tokens, pool.committed().total_tokens) == (387, 399)


def test_a02_an_answer_without_an_input_books_its_estimate(serve, ask, pool):
    server = serve([Reply(text="a", usage={"prompt_tokens": 0, "completion_tokens": 16})] * 2)
    function = wrap(litellm.completion, pool)
    function(**ask(server, "word " * 5_000))
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (8_334 + 4, 16)
    for _ in function(**ask(server, "word " * 5_000, stream=True)):
        pass
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (2 * 8_338, 32)


@pytest.mark.parametrize(
    ("known", "cost"),
    [("asked group model name", 20), ("asked model name", 30), ("asked name", 40), ("asked", 10)],
)
def test_a_call_is_priced_by_the_first_name_of_what_answered_that_has_a_price(known, cost):
    """The Router's group comes before LiteLLM's model, and that before the provider's own name."""
    dollars = {"asked": "1", "group": "2", "model": "3", "name": "4"}
    prices = {name: {"input": dollars[name], "output": dollars[name]} for name in known.split()}
    pool = SharedPool(capacity_tokens=10_000)
    layer = make_layer(pool, CallOptions(prices=prices), made_by="test")
    answer = litellm.ModelResponse(model="name", usage=LiteUsage(prompt_tokens=7, completion_tokens=3))
    answer._hidden_params = {
        "litellm_model_name": "model",
        "additional_headers": {"x-litellm-model-group": "group"},
    }
    messages = [{"role": "user", "content": "Hi"}]
    call = lite_call("completion", [layer], {"model": "asked", "messages": messages})
    call.reserve()
    call.answered(answer)
    call.settle(answer)
    assert pool.committed().cost_micros_usd == cost
