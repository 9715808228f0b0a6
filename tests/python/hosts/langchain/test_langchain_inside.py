"""The models that a wrap finds inside its argument, and its labels for a prompt."""

from __future__ import annotations

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from outlay import PolicyError
from outlay.langchain import wrap
from outlay.langchain._estimate import read_prompt
from outlay.testing import ScriptedChatModel

USAGE = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}


@pytest.mark.parametrize(
    "around",
    [
        lambda model: model.with_retry(wait_exponential_jitter=False),
        lambda model: model.with_fallbacks([model]),
        lambda model: model.bind(stop=["x"]).with_retry().with_config(tags=["t"]),
    ],
    ids=["retry", "fallbacks", "bound"],
)
def test_models_inside_retries_and_fallbacks_are_wrapped(around, pool):
    """Each model inside asks for itself, so each attempt is one lease."""
    model = ScriptedChatModel(script=[ConnectionError("x"), AIMessage("a", usage_metadata=USAGE)])
    assert wrap(around(model), pool).invoke("hi").text == "a"
    assert (len(model.calls), pool.committed().total_tokens) == (2, 42)


def test_of_an_agent_the_way_out_is_named(pool):
    """A graph has no one model: what it is given is what can be wrapped."""
    with pytest.raises(PolicyError, match="wrap the model that it is given"):
        wrap(create_agent(ScriptedChatModel(script=[]), []), pool)


def test_the_prompt_tells_a_guard_who_asks():
    """The provider, and the agent where it has a name."""
    seen = []

    class Watched(ScriptedChatModel):
        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            seen.append(dict(read_prompt(self, messages, kwargs).labels))
            return super()._generate(messages, stop, run_manager, **kwargs)

    create_agent(Watched(script=["a"]), [], name="coder").invoke({"messages": [("user", "hi")]})
    assert seen[0]["agent"] == "coder"
    assert read_prompt(ChatOpenAI(model="m", api_key="none"), [], {}).labels == {"provider": "openai"}
