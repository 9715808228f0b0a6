"""`wrap` gives a guarded copy of a client; the original and its other endpoints are left as they were."""

from __future__ import annotations

import importlib
import json
import pickle
import subprocess
import sys

import openai
import pytest

from outlay import BudgetExceeded, LimitExceeded, PolicyError, SharedPool, usd
from outlay.openai import wrap
from outlay.testing import Reply

MESSAGES = [{"role": "user", "content": "hi"}]
PRICES = {"gpt-x": {"input": "2.00", "output": "8.00", "cache_read": "0.50"}}
USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 400},
}


def ask(client, **options):
    """Ask for one chat completion."""
    return client.chat.completions.create(model="gpt-x", messages=MESSAGES, **options)


class Recorded:
    """A user's own budget that counts what it is asked."""

    def __init__(self, pool):
        self.pool, self.asked = pool, []

    def reserve(self, estimate, **labels):
        """Write the request down."""
        self.asked.append((estimate, labels))
        return self.pool.reserve(estimate)


def test_the_original_stays_unguarded(serve, plain, pool):
    """The copy is another client of the same class over the same connections."""
    server = serve(Reply(text="a"), Reply(text="b"))
    client = plain(server)
    guarded = wrap(client, pool)
    assert isinstance(guarded, openai.OpenAI)
    assert type(guarded).__name__ == "OpenAI"
    assert guarded._client is client._client
    assert ask(client).choices[0].message.content == "a"
    assert pool.committed().total_tokens == 0
    ask(guarded)
    assert pool.committed().total_tokens == server.billed[1]["total_tokens"]


def test_resources_used_before_the_wrap_are_not_carried_over(serve, plain, pool, bill):
    """`client.chat` is kept by the client on first use, and belongs to the original."""
    server = serve(Reply(text="a"), Reply(text="b"))
    client = plain(server)
    kept = client.chat.completions
    guarded = wrap(client, pool)
    ask(guarded)
    assert client.chat.completions is kept
    assert pool.committed().total_tokens == bill(server) > 0


@pytest.mark.parametrize("copied", ["copy", "with_options"])
def test_copies_keep_the_budget(serve, plain, pool, bill, copied):
    """A copy of a guarded client, and a copy of that, spend from the same pool."""
    server = serve(Reply(text="a"), Reply(text="b"))
    client = getattr(wrap(plain(server), pool), copied)(timeout=5)
    assert client.timeout == 5
    ask(client)
    ask(client.with_options(max_retries=1))
    assert server.calls == 2
    assert pool.committed().total_tokens == bill(server)


def test_a_subclass_with_another_constructor_is_wrapped(serve, pool, bill):
    """The copy is not built anew from the arguments that OpenAI's class knows."""
    server = serve(Reply(text="a"))

    class Ours(openai.OpenAI):
        def __init__(self, where):
            super().__init__(base_url=where, api_key="none")

    ask(wrap(Ours(server.base_url), pool))
    assert pool.committed().total_tokens == bill(server) > 0


def test_a_client_made_from_a_guarded_class_says_that_it_has_no_budget(serve, plain, pool):
    """It would be unguarded where a guard was meant."""
    server = serve(Reply(text="a"))
    other = type(wrap(plain(server), pool))(base_url=server.base_url, api_key="none")
    with pytest.raises(PolicyError, match="no budget"):
        ask(other)
    assert server.calls == 0


@pytest.mark.parametrize("client", [None, "gpt", openai.OpenAI, object()])
def test_what_is_no_client_is_refused(client, pool):
    """The error says what is allowed."""
    with pytest.raises(PolicyError, match="AsyncOpenAI"):
        wrap(client, pool)


def test_azure_is_guarded_under_its_own_paths(serve, pool, bill):
    """Azure names the deployment in the path, after the budget was asked."""
    server = serve(Reply(text="a"))
    endpoint = server.base_url.removesuffix("/v1")
    client = openai.AzureOpenAI(azure_endpoint=endpoint, api_key="none", api_version="2024-10-21")
    ask(wrap(client, pool).with_options(timeout=5))
    assert server.paths == ["/openai/deployments/gpt-x/chat/completions"]
    assert pool.committed().total_tokens == bill(server) > 0


async def test_async_azure_is_guarded(serve, pool, bill):
    """As the sync one."""
    server = serve(Reply(text="a"))
    endpoint = server.base_url.removesuffix("/v1")
    client = openai.AsyncAzureOpenAI(azure_endpoint=endpoint, api_key="none", api_version="2024-10-21")
    await ask(wrap(client, pool))
    await client.close()
    assert pool.committed().total_tokens == bill(server) > 0


def test_wraps_stack_and_charge_an_account_once(serve, plain, pool, make_pool):
    """The outer wrap's budget and the inner one's are both asked, a shared one once."""
    server = serve(Reply(usage=USAGE))
    inner, outer = Recorded(make_pool()), Recorded(make_pool())
    ask(wrap(wrap(plain(server), [pool, inner], who="in"), [pool, outer], who="out"))
    assert pool.committed().total_tokens == 1_100
    assert [labels for _, labels in inner.asked + outer.asked] == [
        {"provider": "openai", "model": "gpt-x", "who": "in"},
        {"provider": "openai", "model": "gpt-x", "who": "out"},
    ]


def test_a_wrapped_client_under_a_wrapped_langchain_model_charges_once(serve, plain, pool):
    """The model's call covers the client's."""
    langchain_openai = pytest.importorskip("langchain_openai")
    from outlay.langchain import wrap as wrap_model

    server = serve(Reply(text="a", usage=USAGE), Reply(text="b", usage=USAGE))
    client = wrap(plain(server), pool)
    own = {"root_client": client, "client": client.chat.completions}
    # The client hides the usage that it forces, so the model above it must ask for it too.
    chat = langchain_openai.ChatOpenAI(model="gpt-x", api_key="none", stream_usage=True, **own)
    model = wrap_model(chat, pool)
    model.invoke("hi")
    assert pool.committed().total_tokens == 1_100
    assert "".join(chunk.text for chunk in model.stream("hi")) == "b"
    assert pool.committed().total_tokens == 2_200


def test_a_wrapped_client_below_the_network_of_another_charges_once(serve, plain, pool):
    """What a client's own transport calls is part of the call."""
    http = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    inner = wrap(plain(serve(*[Reply(usage=USAGE)] * 2)), pool).chat.completions.with_raw_response

    def forward(request):
        answer = inner.create(**json.loads(request.content))
        return http.Response(200, json=answer.http_response.json())

    transport = openai.DefaultHttpxClient(transport=http.MockTransport(forward))
    outer = openai.OpenAI(base_url="http://proxy/v1", api_key="none", http_client=transport)
    ask(wrap(outer, pool))
    assert pool.committed().total_tokens == 1_100
    ask(outer)
    assert pool.committed().total_tokens == 2_200


def test_cost_is_exact_and_the_cache_cheaper(serve, plain, make_pool):
    """600 tokens at $2, 400 at $0.50 and 100 at $8 a million."""
    pool = make_pool(capacity_cost_micros_usd=usd("1"))
    ask(wrap(plain(serve(Reply(usage=USAGE))), pool, prices=PRICES))
    assert pool.committed().cost_micros_usd == 1_200 + 200 + 800


def test_a_cost_limit_without_a_price_is_refused_before_any_request(serve, plain, make_pool):
    """Never $0: without prices the wrap is refused, without this model's price the call."""
    server = serve(Reply())
    pool = make_pool(capacity_cost_micros_usd=usd("1"))
    with pytest.raises(PolicyError, match="prices"):
        wrap(plain(server), pool)
    with pytest.raises(PolicyError, match="gpt-x"):
        ask(wrap(plain(server), pool, prices={"gpt-y": PRICES["gpt-x"]}))
    assert server.calls == 0


def test_other_endpoints_pass_untouched(serve, plain):
    """What is no call of a model asks no budget."""
    full = SharedPool(capacity_tokens=0)
    client = wrap(plain(serve(Reply())), full)
    with pytest.raises(openai.NotFoundError):
        client.moderations.create(input="hi")
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_1")
    with pytest.raises(openai.APIStatusError):
        client.models.list()


def test_a_refusal_is_openais_error_too_and_is_not_retried(serve, plain, make_pool):
    """One question to the budget, although the client retries."""
    server = serve(Reply())
    budget = Recorded(make_pool(10))
    with pytest.raises(openai.OpenAIError) as raised:
        ask(wrap(plain(server, max_retries=2), budget))
    assert isinstance(raised.value, BudgetExceeded)
    assert not isinstance(raised.value, openai.APIError)
    assert (server.calls, len(budget.asked)) == (0, 1)
    again = pickle.loads(pickle.dumps(raised.value))
    assert isinstance(again, LimitExceeded)
    assert (again.limit, str(again)) == (10, str(raised.value))


def test_missing_client_names_the_extra():
    """The error says what to install."""
    code = (
        "import sys; sys.modules['openai'] = None\n"
        "try:\n    import outlay.openai\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "outlay.openai needs OpenAI's client: pip install outlay[openai]"
