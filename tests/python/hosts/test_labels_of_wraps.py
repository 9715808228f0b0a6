"""`labels=`: every wrap, middleware and transport takes labels as a mapping too, as `Guard.reserve` does."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import uuid
from pathlib import Path
from types import MappingProxyType

import pytest

import outlay
from outlay import Guard, InvalidId, PolicyError
from outlay.testing import ProviderServer, Reply, ScriptedChatModel, tool_call

ODD = {"cost-center": "r&d", "class": "batch", "operation": "o", "ttl": "t", "timeout": "u", "self": "s"}
BODY = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
FACES = {}


def face(*names):
    """Register what makes one wrap and one call through it, under the public names that it is for."""

    def register(ask):
        FACES.update(dict.fromkeys(names, ask))
        return ask

    return register


def module_of(name):
    """Return the module of a public name, where its host is installed."""
    return pytest.importorskip(name.rpartition(".")[0], exc_type=ImportError)


def served(ask):
    """Make one call with a server that answers it."""
    with ProviderServer([Reply(text="Hi.")]) as server:
        ask(server)
        assert server.calls == 1


@face("outlay.governed")
def ask_governed(_name, budget, **keywords):
    assert outlay.governed(budget, estimate=5, **keywords)(len)("abc") == 3


@face("outlay.openai.wrap", "outlay.anthropic.wrap")
def ask_sdk(name, budget, **keywords):
    module, sdk = module_of(name), importlib.import_module(name.split(".")[1])

    def ask(server):
        if sdk.__name__ == "openai":
            with sdk.OpenAI(base_url=server.base_url, api_key="none") as client:
                module.wrap(client, budget, **keywords).chat.completions.create(**BODY)
        else:
            with sdk.Anthropic(base_url=server.base_url.removesuffix("/v1"), api_key="none") as client:
                module.wrap(client, budget, **keywords).messages.create(**BODY)

    served(ask)


@face("outlay.httpx.wrap", "outlay.httpx2.wrap", "outlay.httpx.transport", "outlay.httpx2.transport")
def ask_http(name, budget, **keywords):
    module, hx = module_of(name), importlib.import_module(name.split(".")[1])

    def ask(server):
        if name.endswith("wrap"):
            client = module.wrap(hx.Client(), budget, **keywords)
        else:
            client = hx.Client(transport=module.transport(budget, **keywords))
        with client:
            client.post(server.base_url + "/chat/completions", json=BODY)

    served(ask)


@face("outlay.httpx.async_transport", "outlay.httpx2.async_transport")
def ask_async_transport(name, budget, **keywords):
    module, hx = module_of(name), importlib.import_module(name.split(".")[1])

    async def ask(server):
        async with hx.AsyncClient(transport=module.async_transport(budget, **keywords)) as client:
            await client.post(server.base_url + "/chat/completions", json=BODY)

    served(lambda server: asyncio.run(ask(server)))


@face("outlay.litellm.wrap")
def ask_litellm(name, budget, **keywords):
    module, litellm = module_of(name), importlib.import_module("litellm")
    to = {"custom_llm_provider": "openai", "api_key": "none"}
    served(
        lambda server: module.wrap(litellm.completion, budget, **keywords)(
            **BODY, **to, base_url=server.base_url
        )
    )


@face("outlay.langchain.wrap", "outlay.langchain.audit")
def ask_langchain(name, budget, **keywords):
    module, model = module_of(name), ScriptedChatModel(script=["Hi."])
    if name.endswith("wrap"):
        module.wrap(model, budget, **keywords).invoke("Hi")
    else:
        with module.audit(budget, **keywords) as seen:
            model.invoke("Hi")
        assert [call.booked for call in seen.calls] == [True]


@face("outlay.langchain.BudgetMiddleware")
def ask_langchain_tools(name, budget, **keywords):
    module, agents = module_of(name), importlib.import_module("langchain.agents")

    def look_up(word: str) -> str:
        """Look a word up."""
        return "found " + word

    model = ScriptedChatModel(script=[tool_call("look_up", word="a"), "Done."])
    middleware = [module.BudgetMiddleware(budget, **keywords)]
    agents.create_agent(model, [look_up], middleware=middleware).invoke({"messages": [("user", "Hi")]})


@face("outlay.pydantic_ai.wrap", "outlay.pydantic_ai.BudgetCapability")
def ask_pydantic_ai(name, budget, **keywords):
    module, host = module_of(name), importlib.import_module("pydantic_ai")
    model = importlib.import_module("pydantic_ai.models.test").TestModel()
    if name.endswith("wrap"):
        agent = host.Agent(module.wrap(model, budget, **keywords))
    else:
        agent = host.Agent(model, capabilities=[module.BudgetCapability(budget, **keywords)])
    asyncio.run(agent.run("Hi"))


@face("outlay.openai_agents.wrap", "outlay.openai_agents.BudgetProvider", "outlay.openai_agents.guard_tools")
def ask_openai_agents(name, budget, **keywords):
    module, agents = module_of(name), importlib.import_module("agents")
    testing = importlib.import_module("agents.testing")
    last = [testing.assistant_message("Hi.")]
    settings, tools = {"tracing_disabled": True}, []
    if name.endswith("wrap"):
        model = module.wrap(testing.ScriptedModel([last]), budget, **keywords)
    elif name.endswith("guard_tools"):
        tools = module.guard_tools([agents.function_tool(lambda: "x", name_override="t")], budget, **keywords)
        model = testing.ScriptedModel([[testing.function_call("t", {}, call_id="c")], last])
    else:

        class Offline(agents.ModelProvider):
            def get_model(self, model_name):
                return testing.ScriptedModel([last])

        model, settings["model_provider"] = "gpt-x", module.BudgetProvider(Offline(), budget, **keywords)
    agent = agents.Agent("a", model=model, tools=tools)
    asyncio.run(agents.Runner.run(agent, "Hi", run_config=agents.RunConfig(**settings)))


@face("outlay.mcp.wrap", "outlay.mcp.BudgetMiddleware")
def ask_mcp(name, budget, **keywords):
    module, fastmcp = module_of(name), pytest.importorskip("fastmcp")
    if name.endswith("wrap"):
        server = module.wrap(fastmcp.FastMCP("s"), budget, **keywords)
    else:
        server = fastmcp.FastMCP("s", middleware=[module.BudgetMiddleware(budget, **keywords)])
    server.tool(lambda: "x", name="t")

    async def ask():
        async with fastmcp.Client(server) as client:
            assert not (await client.call_tool_mcp("t", {})).is_error

    asyncio.run(ask())


@face("outlay.mcp.wrap_sampling")
def ask_sampling(name, budget, **keywords):
    module, types = module_of(name), importlib.import_module("mcp.types")
    question = {"role": "user", "content": {"type": "text", "text": "A colour?"}}
    asked = types.CreateMessageRequestParams.model_validate({"messages": [question], "maxTokens": 60})
    guarded = module.wrap_sampling(lambda _context, _params: "Blue.", budget, **keywords)
    assert asyncio.run(guarded(None, asked)) == "Blue."


def takers():
    """Yield the public names that take labels as keywords, beside the methods of the core's classes."""
    roots = [each.name for each in pkgutil.iter_modules(outlay.__path__) if not each.name.startswith("_")]
    for root in ["outlay", *(f"outlay.{name}" for name in roots)]:
        try:
            module = importlib.import_module(root)
        except ImportError:  # its host is not installed
            continue
        for name in getattr(module, "__all__", ()):
            one = getattr(module, name)
            if callable(one) and "named" in parameters(one):
                yield f"{root}.{name}"


def parameters(one):
    try:
        return inspect.signature(one).parameters
    except (TypeError, ValueError):
        return {}


def count_for(labels):
    """Return a guard that counts the calls by each of these labels, and the events of its decisions."""
    scope = dict.fromkeys(labels, "*")
    guard, told = Guard({"budget": [{"name": "b", "scope": scope, "limit": {"calls": 9}}]}), []
    guard.events(told.append)
    return guard, told


def test_every_public_taker_of_labels_is_here():
    """And takes `labels` as a keyword that has a default; none has keywords of another name."""
    found = set(takers())
    assert found <= set(FACES)
    assert "outlay.governed" in found
    for name in found:
        root, _, last = name.rpartition(".")
        given = parameters(getattr(importlib.import_module(root), last))["labels"]
        assert (given.kind, given.default) == (inspect.Parameter.KEYWORD_ONLY, None)
    sources = [path for path in Path(outlay.__path__[0]).rglob("*.py") if "_calls" not in path.parts]
    assert [path for path in sources if "**labels: str" in path.read_text()] == []


@pytest.mark.parametrize("name", FACES)
def test_labels_of_a_mapping_reach_the_guard(name):
    """Beside keywords, and with names that no keyword can have."""
    team = {"team": "x", **ODD}
    guard, told = count_for({**team, "user": "*"})
    FACES[name](name, guard, labels=MappingProxyType(team), team="x", user="ann")
    (decision,) = (event for event in told if event["event"] == "decision")
    assert decision["labels"].items() >= {**team, "user": "ann"}.items()
    (counter,) = guard.snapshot()
    assert (counter["values"], counter["limits"]["calls"]["used"]) == ({**team, "user": "ann"}, 1)


@pytest.mark.parametrize("name", FACES)
def test_a_uuid_is_its_text(name):
    """As in `reserve`."""
    guard, told = count_for(["user"])
    user = uuid.uuid4()
    FACES[name](name, guard, labels={"user": user})
    (decision,) = (event for event in told if event["event"] == "decision")
    assert decision["labels"]["user"] == str(user)


@pytest.mark.parametrize(
    ("labels", "error", "text"),
    [
        ({"team": "y"}, PolicyError, "the label 'team' is given twice"),
        ("team", PolicyError, "labels must be a mapping of names to values, not a str"),
        ([("team", "x")], PolicyError, "labels must be a mapping of names to values, not a list"),
        ({1: "x"}, InvalidId, "a name in labels must be a str"),
        ({"": "x"}, InvalidId, "a name in labels must be"),
        ({" landing": "x"}, InvalidId, "a name in labels must be text without a space at its start"),
        ({"user": 7}, PolicyError, "label user: a str or a uuid.UUID is allowed, not int"),
        ({"user": ""}, InvalidId, "user must be"),
    ],
)
@pytest.mark.parametrize("name", FACES)
def test_bad_labels_are_refused_by_name(name, labels, error, text):
    """Where they are given, before any call."""
    guard, told = count_for(["team"])
    with pytest.raises(error, match=text):
        FACES[name](name, guard, team="x", labels=labels)
    assert told == []


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("outlay.governed", "model"),
        ("outlay.httpx.transport", "provider"),
        ("outlay.httpx2.wrap", "provider"),
        ("outlay.mcp.wrap", "agent"),
        ("outlay.mcp.BudgetMiddleware", "agent"),
    ],
)
def test_a_keyword_that_is_a_label_too_is_not_given_another_value(name, own):
    """`labels` would win in silence."""
    guard, told = count_for([own])
    with pytest.raises(PolicyError, match=f"the label '{own}' is given twice"):
        FACES[name](name, guard, labels={own: "a"}, **{own: "b"})
    FACES[name](name, guard, labels={own: "a"}, **{own: "a"})
    (decision,) = (event for event in told if event["event"] == "decision")
    assert decision["labels"][own] == "a"
