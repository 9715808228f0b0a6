"""The Strands recipe, in agents with tools and sub-agents."""

from __future__ import annotations

import pytest
from recipe_support import recipe

strands = pytest.importorskip("strands", reason="the Strands recipe needs strands-agents")

from strands.models.openai import OpenAIModel  # noqa: E402

from outlay import LimitExceeded  # noqa: E402
from outlay.testing import Reply  # noqa: E402


@pytest.fixture(scope="module")
def guard():
    return recipe("strands")["guard"]


def agent_of(model, **more):
    return strands.Agent(model=model, callback_handler=None, **more)


def model_of(server):
    options = {"base_url": server.base_url, "api_key": "none", "max_retries": 0}
    return OpenAIModel(client_args=options, model_id="gpt-x")


def text_of(result):
    return str(result).strip()


def test_a_run_is_booked_as_billed(guard, serve, pool, billed):
    server = serve([Reply(text="Hello.")])
    assert text_of(agent_of(guard(model_of(server), pool))("Hi")) == "Hello."
    assert pool.committed().total_tokens == billed(server) > 0


async def test_an_async_run_too(guard, serve, pool, billed):
    server = serve([Reply(text="Hello.")])
    assert text_of(await agent_of(guard(model_of(server), pool)).invoke_async("Hi")) == "Hello."
    assert pool.committed().total_tokens == billed(server) > 0


def test_a_refusal_is_raised_and_not_tried_again(guard, serve, make_pool, counted):
    server, budget = serve([]), counted(make_pool(10))
    with pytest.raises(LimitExceeded) as caught:
        agent_of(guard(model_of(server), budget))("Hi")
    assert caught.value.limit == 10
    assert (budget.asked, server.calls) == (1, 0)


def test_each_turn_of_a_tool_loop_is_booked(guard, serve, pool, billed):
    @strands.tool
    def look_up(word: str) -> str:
        """Look a word up."""
        return "found " + word

    server = serve(
        [Reply(tool_calls=[{"name": "look_up", "args": {"word": "a"}, "id": "c1"}]), Reply(text="Done.")]
    )
    assert text_of(agent_of(guard(model_of(server), pool), tools=[look_up])("Hi")) == "Done."
    assert server.calls == 2
    assert pool.committed().total_tokens == billed(server)


def test_without_a_usage_the_estimate_is_booked(guard, serve, pool):
    server = serve([Reply(text="Hello.", usage=None)])
    agent_of(guard(model_of(server), pool, output_tokens=500))("Hi")
    assert pool.committed().output_tokens == 500


async def test_a_run_that_is_left_is_charged(guard, serve, pool):
    server = serve([Reply(text="Hello there, all of you.")])
    events = guard(model_of(server), pool).stream([{"role": "user", "content": [{"text": "Hi"}]}])
    async for event in events:
        if "contentBlockDelta" in event:
            break
    await events.aclose()
    assert pool.committed().output_tokens == 1_024


def test_a_provider_that_fails_costs_nothing(guard, serve, pool):
    server = serve([Reply(status=400, text="no")])
    with pytest.raises(Exception, match="400"):
        agent_of(guard(model_of(server), pool))("Hi")
    assert pool.committed().total_tokens == 0


def test_an_answer_that_breaks_off_is_charged(guard, pool):
    class Broken(strands.models.Model):
        def update_config(self, **config):
            """Take no settings."""

        def get_config(self):
            """Return no settings."""
            return {}

        def structured_output(self, *args, **kwargs):
            """Make none."""

        async def stream(self, *args, **kwargs):
            """Begin to answer, and fail."""
            yield {"messageStart": {"role": "assistant"}}
            yield {"contentBlockDelta": {"delta": {"text": "Hel"}}}
            raise ConnectionError("cut")

    with pytest.raises(ConnectionError):
        agent_of(guard(Broken(), pool))("Hi")
    assert pool.committed().output_tokens == 1_024


def test_the_limit_of_the_model_is_what_is_reserved(guard, serve, make_pool):
    server = serve([])
    options = {"base_url": server.base_url, "api_key": "none", "max_retries": 0}
    model = OpenAIModel(client_args=options, model_id="gpt-x", params={"max_tokens": 5_000})
    with pytest.raises(LimitExceeded) as caught:
        agent_of(guard(model, make_pool(4_000)))("Hi")
    assert caught.value.requested > 5_000
