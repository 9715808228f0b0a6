"""Edge cases of LiteLLM: arguments without names, bodies beside them, headers."""

from __future__ import annotations

import litellm
import pytest

from outlay import BudgetManager, Guard, PolicyError, RateLimiter, RateLimitExceeded, SharedPool
from outlay.litellm import wrap
from outlay.testing import Reply

NEARLY_FULL = {"x-ratelimit-limit-tokens": "100000", "x-ratelimit-remaining-tokens": "40"}
HI = [{"role": "user", "content": "Hi"}]


class Asked:
    """A user's own budget that writes the output of each estimate down."""

    def __init__(self):
        self.output = []

    def reserve(self, estimate, **labels):
        """Write it down."""
        self.output.append(estimate.output_tokens)
        return SharedPool().reserve(estimate)


def test_arguments_without_names_are_seen(serve, ask):
    server, asked = serve([Reply(text="Hello")] * 2), Asked()
    arguments = ask(server)
    model, messages = arguments.pop("model"), arguments.pop("messages")
    complete = wrap(litellm.completion, asked)
    # timeout, temperature, top_p, n, stream, stream_options, stop, max_completion_tokens
    complete(model, messages, 5, None, None, 3, None, None, None, 50, **arguments)
    stream = complete(model, messages, 5, None, None, None, True, {"include_usage": False}, **arguments)
    assert [chunk for chunk in stream if getattr(chunk, "usage", None)] == []
    assert asked.output == [150, 1_024]
    assert server.requests[0]["n"] == 3
    assert server.requests[1]["stream_options"] == {"include_usage": True}


async def test_arguments_without_names_of_what_names_none(serve, ask, pool):
    server = serve([Reply()])
    options = {name: value for name, value in ask(server).items() if name not in ("model", "messages")}
    await wrap(litellm.aembedding, pool)("openai/e", ["Hi"], **options)
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


def test_arguments_that_do_not_fit_reach_nobody(pool):
    completion = wrap(litellm.completion, pool)
    with pytest.raises(TypeError, match="model"):
        completion("m", HI, model="m")
    with pytest.raises(TypeError, match="names"):
        completion(*range(100))


def test_what_the_extra_body_asks_for_is_reserved(serve, ask):
    asked = Asked()
    server = serve([Reply(text="Hello")])
    wrap(litellm.completion, asked)(**ask(server), extra_body={"n": 2, "max_tokens": 70})
    assert asked.output == [140]


@pytest.mark.parametrize("stream", [False, True])
def test_a_limiter_is_told_the_headers(serve, ask, stream):
    server = serve([Reply(text="Hello", headers=NEARLY_FULL)])
    completion = wrap(litellm.completion, RateLimiter(100_000))
    answer = completion(**ask(server, stream=stream))
    if stream:
        list(answer)
    with pytest.raises(RateLimitExceeded):
        completion(**ask(server))
    assert server.calls == 1


async def test_the_adaptive_limiters_of_a_guard_are_told_of_a_429(serve, ask):
    server = serve([Reply(status=429, headers={"retry-after": "60"})])
    guard = Guard({"limiter": [{"name": "tpm", "tokens_per_minute": 90_000, "adaptive": "headers"}]})
    completion = wrap(litellm.acompletion, guard)
    with pytest.raises(litellm.RateLimitError):
        await completion(**ask(server))
    with pytest.raises(RateLimitExceeded):
        await completion(**ask(server))
    assert server.calls == 1


@pytest.mark.parametrize("budget", [None, [], "pool", 3, object(), SharedPool, {}, BudgetManager(), [None]])
def test_what_is_no_budget_is_refused(budget):
    with pytest.raises(PolicyError, match="budget"):
        wrap(litellm.completion, budget)
