"""LangChain: a wrapped `ChatOpenAI`, and agents of `create_agent`."""

from __future__ import annotations

from contextlib import aclosing, closing

import langchain_openai
import openai
from kit import keep
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.caches import InMemoryCache
from langchain_core.exceptions import ModelError
from openai_kit import guarded_http
from pydantic import BaseModel

from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing import Reply

TEXT = "Hello there, friend."


class Word(BaseModel):
    """What an answer is to be parsed as."""

    word: str


class Driver:
    """A chat model in its four modes, and what agents do with it."""

    name = "langchain"
    package = "langchain_openai"
    gaps: dict[str, str] = {}
    scripts = {
        "sub_agent": [
            Reply(tool_calls=[{"name": "ask_helper", "args": {"question": "How?"}, "id": "call-1"}]),
            Reply(text="So."),
            Reply(text=TEXT),
        ]
    }

    def make(self, server, budget, **keywords):
        """Wrap a model that asks its streams for their usage."""
        return wrap(self._model(server), budget, **keywords)

    def retrying(self, server, budget):
        """Wrap a model whose client retries; the server says how soon."""
        return wrap(self._model(server, max_retries=2), budget)

    def hurried(self, server, budget, retries):
        """Wrap a model whose client waits for no more than a moment."""
        return wrap(self._model(server, max_retries=retries, timeout=0.3), budget)

    def stacked(self, server, budget):
        """Wrap twice."""
        return wrap(wrap(self._model(server), budget), budget)

    def over_transport(self, server, budget):
        """Wrap a model whose client's transport is guarded too."""
        sync, asynchronous = guarded_http(budget)
        return wrap(self._model(server, http_client=sync, http_async_client=asynchronous), budget)

    def _model(self, server, **options):
        # LangChain leaves usage out of the streams of a base_url unless it is told. It keeps a client for
        # each address, of one event loop, and ports are used again.
        own = {"http_async_client": openai.DefaultAsyncHttpxClient()}
        options = {"max_retries": 0, "stream_usage": True, "timeout": 10, **own, **options}
        return langchain_openai.ChatOpenAI(
            model="gpt-test", base_url=server.base_url, api_key="none", **options
        )

    def host_error(self):
        """Return what a refusal must also be."""
        return ModelError

    def call(self, client, text="Hi"):
        """Invoke the model."""
        return client.invoke(text).text

    async def acall(self, client, text="Hi"):
        """Invoke the model."""
        return (await client.ainvoke(text)).text

    def stream(self, client, text="Hi", *, usage=True):
        """Stream the answer."""
        with closing(keep(client.stream(text, stream_usage=usage))) as chunks:
            for chunk in chunks:
                if chunk.text:
                    yield chunk.text

    async def astream(self, client, text="Hi", *, usage=True):
        """Stream the answer."""
        async with aclosing(keep(client.astream(text, stream_usage=usage))) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    yield chunk.text

    def fallback(self, server, budget):
        """Fall back from one wrapped model to another."""
        model = self.make(server, budget).with_fallbacks([self.make(server, budget)])
        return model.invoke("Hi").text

    def five_tools(self, server, budget):
        """Run an agent whose tool calls are the steps of the budget."""

        def look_up(word: str) -> str:
            """Look a word up."""
            return f"found {word}"

        agent = create_agent(self._model(server), [look_up], middleware=[BudgetMiddleware(budget)])
        messages = agent.invoke(_user("Look up five words."))["messages"]
        return [message.status for message in messages if message.type == "tool"]

    def unguarded_method(self, server, budget, unguarded):
        """Fall back to a model that is not wrapped."""
        self.make(server, budget, unguarded=unguarded).with_fallbacks([self._model(server)])

    def refused_inside_tool(self, server, budget, tool):
        """Run an agent with a tool whose own budget refuses."""
        agent = create_agent(self._model(server), [tool], middleware=[BudgetMiddleware(budget)])
        messages = agent.invoke(_user("Look a word up."))["messages"]
        told = next(message for message in messages if message.type == "tool")
        assert told.status == "error"
        return told.content, messages[-1].text

    def sub_agent(self, server, budget):
        """Run an agent with a tool that is an agent."""
        helper = create_agent(self.make(server, budget), [])

        def ask_helper(question: str) -> str:
            """Ask a helper."""
            return helper.invoke(_user(question))["messages"][-1].text

        create_agent(self.make(server, budget), [ask_helper]).invoke(_user("Ask the helper."))

    def internal_call(self, server, budget):
        """Run an agent whose history is summarised first."""
        summarise = SummarizationMiddleware(
            self.make(server, budget), trigger=("messages", 2), keep=("messages", 1)
        )
        agent = create_agent(self.make(server, budget), [], middleware=[summarise])
        agent.invoke({"messages": [("user", "One."), ("assistant", "Two."), ("user", "Three.")]})

    # Of what does not parse, the host's error carries no usage.
    unparsed_is_told = False

    def unparsed_answer(self, server, budget):
        """Ask for structured output and get an answer that is cut short."""
        model = wrap(self._model(server, max_tokens=500), budget)
        model.with_structured_output(Word).invoke("Hi")

    def cache_hit(self, server, budget):
        """Ask the same twice, with a cache."""
        model = wrap(self._model(server, cache=InMemoryCache()), budget)
        assert model.invoke("Hi").text == model.invoke("Hi").text


def _user(text):
    return {"messages": [("user", text)]}


DRIVER = Driver()
