"""The CrewAI recipe, in calls, in a crew, and against CrewAI's own retries."""

from __future__ import annotations

import pytest
from recipe_support import recipe

crewai = pytest.importorskip("crewai", reason="the CrewAI recipe needs crewai")

from crewai.hooks.dispatch import HookAborted  # noqa: E402

from outlay import LimitExceeded  # noqa: E402
from outlay.testing import Reply  # noqa: E402


@pytest.fixture(scope="module")
def guard():
    return recipe("crewai")["guard"]


def llm_of(server, **more):
    options = {"base_url": server.base_url, "api_key": "none", "max_retries": 0}
    return crewai.LLM(model="openai/gpt-4o", **(options | more))


def crew_of(llm):
    agent = crewai.Agent(role="greeter", goal="Greet.", backstory="Polite.", llm=llm)
    task = crewai.Task(description="Say hello.", expected_output="A greeting.", agent=agent)
    return crewai.Crew(agents=[agent], tasks=[task])


def test_a_call_is_booked_as_billed(guard, serve, pool, billed):
    server = serve([Reply(text="Hello."), Reply(text="Hello again.")])
    llm = guard(llm_of(server), pool)
    assert [llm.call("Hi"), llm.call("Hi")] == ["Hello.", "Hello again."]
    assert pool.committed().total_tokens == billed(server) > 0


async def test_an_async_call_too(guard, serve, pool, billed):
    server = serve([Reply(text="Hello.")])
    assert await guard(llm_of(server), pool).acall("Hi") == "Hello."
    assert pool.committed().total_tokens == billed(server) > 0


def test_a_stream_is_booked_as_billed(guard, serve, pool, billed):
    server = serve([Reply(text="Hello there.")])
    assert guard(llm_of(server, stream=True), pool).call("Hi") == "Hello there."
    assert pool.committed().total_tokens == billed(server) > 0


def test_a_provider_that_fails_costs_nothing(guard, serve, pool):
    server = serve([Reply(status=500, text="down")])
    with pytest.raises(Exception, match="500"):
        guard(llm_of(server), pool).call("Hi")
    assert pool.committed().total_tokens == 0


def test_a_crew_is_booked(guard, serve, pool, billed):
    server = serve(lambda request: Reply(text="Final Answer: Hello."))
    assert "Hello." in crew_of(guard(llm_of(server), pool)).kickoff().raw
    assert pool.committed().total_tokens == billed(server) > 0


def test_a_refusal_ends_a_crew_at_once(guard, serve, counted):
    server, budget = serve([]), counted()
    with pytest.raises(HookAborted) as caught:
        crew_of(guard(llm_of(server), budget)).kickoff()
    assert isinstance(caught.value.source, LimitExceeded)
    assert (budget.asked, server.calls) == (1, 0)


def test_crewai_itself_tries_other_errors_again_and_lets_a_hook_that_fails_pass(serve):
    """What the page says of CrewAI, and why the recipe raises HookAborted."""
    from crewai.hooks.dispatch import InterceptionPoint, get_global_hook_list

    server = serve([Reply(status=400, text="no")] * 3)
    with pytest.raises(Exception, match="400"):
        crew_of(llm_of(server)).kickoff()
    assert server.calls == 3

    def failing(context):
        raise ValueError("no budget")

    server = serve([Reply(text="Hello.")])
    hooks = get_global_hook_list(InterceptionPoint.PRE_MODEL_CALL)
    hooks.append(failing)
    try:
        assert llm_of(server).call("Hi") == "Hello."
    finally:
        hooks.remove(failing)
    assert server.calls == 1


def test_the_limit_of_the_model_is_what_is_reserved(guard, serve, make_pool):
    server = serve([])
    with pytest.raises(HookAborted) as caught:
        guard(llm_of(server, max_tokens=5_000), make_pool(4_000)).call("Hi")
    assert caught.value.source.requested > 5_000
