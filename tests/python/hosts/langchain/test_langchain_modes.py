"""Every way of calling a wrapped model: charged what the provider bills, and refused without a request."""

from __future__ import annotations

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from outlay import BudgetExceeded
from outlay.langchain import wrap
from outlay.testing import Reply, ScriptedChatModel, tool_call


class Sum(BaseModel):
    """The sum of two numbers."""

    value: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def invoke(model):
    """One call."""
    return [model.invoke("hi")]


async def ainvoke(model):
    """One call in asyncio."""
    return [await model.ainvoke("hi")]


async def stream(model):
    """One stream."""
    return list(model.stream("hi"))


async def astream(model):
    """One stream in asyncio."""
    return [chunk async for chunk in model.astream("hi")]


async def batch(model):
    """Two calls in threads."""
    return model.batch(["hi", "hi"])


async def abatch(model):
    """Two calls in tasks."""
    return await model.abatch(["hi", "hi"])


async def generate(model):
    """Two prompts, one after the other."""
    return model.generate([[HumanMessage("hi")], [HumanMessage("hi")]]).generations


async def agenerate(model):
    """Two prompts at once."""
    return (await model.agenerate([[HumanMessage("hi")], [HumanMessage("hi")]])).generations


async def stream_events(model):
    """Read the events of one call."""
    return [event async for event in model.astream_events("hi", version="v2")]


async def stream_events_v3(model):
    """Read the events of one call, by the newer protocol."""
    return list(model.stream_events("hi", version="v3"))


async def bound_tools(model):
    """Call a model with tools."""
    return [model.bind_tools([add]).invoke("hi")]


async def bound_tools_async(model):
    """Call a model with tools, in asyncio."""
    return [await model.bind_tools([add]).ainvoke("hi")]


async def structured_output(model):
    """Ask for an object."""
    return [model.with_structured_output(Sum, method="function_calling").invoke("hi")]


async def structured_output_async(model):
    """Ask for an object, in asyncio."""
    return [await model.with_structured_output(Sum, method="function_calling").ainvoke("hi")]


async def agent(model):
    """Run an agent."""
    return create_agent(model, [add]).invoke({"messages": [("user", "hi")]})["messages"]


async def agent_async(model):
    """Run an agent in asyncio."""
    return (await create_agent(model, [add]).ainvoke({"messages": [("user", "hi")]}))["messages"]


async def agent_stream(model):
    """Run an agent whose model streams."""
    return list(create_agent(model, [add]).stream({"messages": [("user", "hi")]}, stream_mode="messages"))


MODES = {
    mode.__name__: mode
    for mode in (
        invoke,
        ainvoke,
        stream,
        astream,
        batch,
        abatch,
        generate,
        agenerate,
        stream_events,
        stream_events_v3,
        bound_tools,
        bound_tools_async,
        structured_output,
        structured_output_async,
        agent,
        agent_async,
        agent_stream,
    )
}


def answer(request):
    """Answer with a call of the schema where one is forced, with words otherwise."""
    if request.get("tool_choice"):
        return Reply(tool_calls=[{"name": "Sum", "args": {"value": 4}, "id": "c1"}])
    return Reply(text="four it is")


@pytest.fixture(params=MODES)
def mode(request):
    """Each call mode in turn."""
    return MODES[request.param]


async def test_mode_charges_exactly_what_the_server_bills(mode, serve, chat, pool):
    """A call that is admitted is charged its usage, whichever way it is made."""
    server = serve(answer)
    assert await mode(wrap(chat(server, stream_usage=True), pool))
    assert server.calls == len(server.billed) > 0
    assert pool.committed().total_tokens == sum(usage["total_tokens"] for usage in server.billed)


async def test_mode_refused_makes_no_request(mode, serve, chat, make_pool):
    """A call that does not fit is refused before the provider is touched, and costs nothing."""
    server, pool = serve(answer), make_pool(10)
    with pytest.raises(BudgetExceeded) as caught:
        await mode(wrap(chat(server, stream_usage=True), pool))
    assert server.calls == 0
    assert pool.committed().total_tokens == 0
    assert caught.value.payload["error"] in {"threshold_exceeded", "budget_exceeded"}


async def test_mode_of_scripted_model_charges_its_usage(mode, pool):
    """The scripted model is guarded in the same modes, and its usage is charged."""

    def play(_messages):
        forced = "structured" in mode.__name__
        usage = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}
        calls = tool_call("Sum", value=4).tool_calls if forced else []
        return AIMessage("" if forced else "four it is", tool_calls=calls, usage_metadata=usage)

    model = ScriptedChatModel(script=[play], repeat=True)
    assert await mode(wrap(model, pool))
    assert pool.committed().total_tokens == 42 * len(model.calls) > 0


async def test_mode_of_scripted_model_refused_is_never_called(mode, make_pool):
    """A refused scripted model records no call."""
    model = ScriptedChatModel(script=["four it is"])
    with pytest.raises(BudgetExceeded):
        await mode(wrap(model, make_pool(10)))
    assert model.calls == []


def test_structured_output_by_json_schema_is_charged_once_when_streamed(serve, chat, pool):
    """The parsing client repeats the usage of a stream; it is booked once."""
    server = serve(lambda _request: Reply(text='{"value": 4}'))
    model = wrap(chat(server, stream_usage=True), pool)
    structured = model.with_structured_output(Sum, method="json_schema")
    assert structured.invoke("hi") == Sum(value=4)
    assert list(structured.stream("hi"))[-1] == Sum(value=4)
    assert pool.committed().total_tokens == sum(usage["total_tokens"] for usage in server.billed)


def delegating(inner_model):
    """Return a tool that runs an agent of its own."""

    def research(topic: str) -> str:
        """Research a topic."""
        return create_agent(inner_model, []).invoke({"messages": [("user", topic)]})["messages"][-1].text

    return research


def test_sub_agent_is_charged_with_its_parent(serve, chat, pool):
    """An agent run by a tool of another agent spends from the same pool, each call once."""
    delegate = Reply(tool_calls=[{"name": "research", "args": {"topic": "hi"}, "id": "c1"}])
    server = serve([delegate, Reply(text="found"), Reply(text="done")])
    model = wrap(chat(server), pool)
    outcome = create_agent(model, [delegating(model)]).invoke({"messages": [("user", "hi")]})
    assert outcome["messages"][-1].text == "done"
    assert server.calls == 3
    assert pool.committed().total_tokens == sum(usage["total_tokens"] for usage in server.billed)


def test_sub_agent_refused_makes_no_request(serve, chat, pool, make_pool):
    """A sub-agent without room is refused before its call, and its parent's call stands."""
    server = serve([Reply(tool_calls=[{"name": "research", "args": {"topic": "hi"}, "id": "c1"}])])
    inner = wrap(chat(server), make_pool(10))
    parent = create_agent(wrap(chat(server), pool), [delegating(inner)])
    with pytest.raises(BudgetExceeded):
        parent.invoke({"messages": [("user", "hi")]})
    assert server.calls == 1
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


def test_generate_refused_at_second_prompt_charges_the_first(make_pool, hi_estimate):
    """Each prompt of a batch has a lease of its own: the refused one leaves the paid one alone."""
    pool = make_pool(hi_estimate + 10)
    model = ScriptedChatModel(script=["one"], repeat=True)
    with pytest.raises(BudgetExceeded):
        wrap(model, pool).generate([[HumanMessage("hi")], [HumanMessage("hi" * 900)]])
    assert len(model.calls) == 1
    assert pool.committed().total_tokens == model_usage(model)


def model_usage(model):
    """Return what one call of the scripted model with "hi" and "one" uses: 3 + 1 in, 1 out."""
    return 5 * len(model.calls)
