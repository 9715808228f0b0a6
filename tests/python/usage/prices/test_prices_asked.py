"""A request that asks for a service tier, a speed or a place is reserved and booked at its price."""

from contextlib import nullcontext

import pytest

from outlay import BudgetExceeded, Guard, PolicyError, PriceTable, SharedPool, Usage
from outlay._usage.billed import cost_to_book, ways, ways_asked, with_ways
from outlay._usage.prompt import read_body
from outlay.testing import ProviderServer, Reply

PRICE = {"input": "2.50", "output": "10", "multipliers": {"priority": "2", "flex": "0.5", "us": "1.1"}}
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("request_body", "asked"),
    [
        ({}, ()),
        ({"service_tier": "priority"}, ("priority",)),
        ({"service_tier": "auto"}, ()),
        ({"service_tier": "Standard_Only", "inference_geo": "us", "speed": "fast"}, ("fast", "us")),
        ({"serviceTier": "FLEX"}, ("flex",)),
        ({"service_tier": None, "speed": 3, "inference_geo": "no name"}, ()),
    ],
)
def test_what_a_request_asks_for_is_read_from_its_body(request_body, asked):
    assert ways_asked(request_body) == asked
    assert read_body({"model": "m", "messages": MESSAGES, **request_body}, provider="p").billed_as == asked


def test_an_answer_decides_about_the_tier_and_the_request_about_what_it_does_not_name():
    fields = {"input_tokens": 1, "output_tokens": 1}
    assert with_ways(fields, ()) is fields
    assert with_ways(fields, ("priority", "us"))["billed_as"] == ("priority", "us")
    assert with_ways({**fields, "billed_as": ()}, ("priority", "us"))["billed_as"] == ("us",)
    assert with_ways({**fields, "billed_as": ("flex",)}, ("priority", "us"))["billed_as"] == ("flex", "us")
    assert ways(["Default", None, 5, "priority", "PRIORITY"]) == ("priority",)


def test_which_cost_is_booked():
    assert cost_to_book("larger", 3, 5) == cost_to_book("larger", 5, 3) == 5
    assert (cost_to_book("provider", 3, 5), cost_to_book("provider", 0, 5)) == (3, 5)
    assert (cost_to_book("computed", 9, 5), cost_to_book("computed", 9, 0)) == (5, 0)


@pytest.mark.parametrize("own_prices", [True, False])
def test_a_wrapped_client_reserves_the_price_of_the_tier(own_prices):
    openai = pytest.importorskip("openai")
    from outlay.openai import wrap

    # 100 tokens of output and a few of input: 0.0011 USD, and twice as much as a priority.
    limit = {"budget": [{"name": "b", "limit": {"usd": "0.0015"}}]}
    with ProviderServer([Reply(text="a")] * 3) as server:
        for tier, passes in (("priority", False), ("auto", True)):
            guard = Guard(limit if own_prices else {**limit, "prices": {"m": PRICE}})
            prices = {"prices": {"m": PRICE}} if own_prices else {}
            client = wrap(openai.OpenAI(base_url=server.base_url, api_key="k"), guard, **prices)

            request = {"model": "m", "messages": MESSAGES, "max_tokens": 100, "service_tier": tier}
            with nullcontext() if passes else pytest.raises(BudgetExceeded):
                client.chat.completions.create(**request)


def test_langchain_and_pydantic_ai_say_what_they_ask_for():
    langchain = pytest.importorskip("langchain_openai")
    from outlay.langchain._estimate import read_prompt

    model = langchain.ChatOpenAI(model="m", api_key="k", service_tier="priority")
    assert read_prompt(model, [], {}).billed_as == ("priority",)
    assert read_prompt(model, [], {"service_tier": "flex"}).billed_as == ("flex",)
    models = pytest.importorskip("pydantic_ai.models.test")
    from outlay.pydantic_ai._estimate import read_prompt as read

    settings = {"openai_service_tier": "priority", "max_tokens": 5}
    assert read(models.TestModel(), [], settings, None, None).billed_as == ("priority",)
    assert read(models.TestModel(settings=settings), [], None, None, None).billed_as == ("priority",)


def test_a_stream_or_answer_without_a_word_of_its_tier_is_booked_as_asked():
    openai = pytest.importorskip("openai")
    from outlay.openai import wrap

    pool = SharedPool(capacity_cost_micros_usd=10**9)
    with ProviderServer([Reply(text="a")]) as server:
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="k"), pool, prices={"m": PRICE})
        client.chat.completions.create(model="m", messages=MESSAGES, service_tier="priority")
    used = pool.committed()
    assert used.billed_as == ("priority",)
    assert used.cost_micros_usd == used.input_tokens * 5 + used.output_tokens * 20


def test_the_agents_sdk_passes_on_what_its_settings_ask_for():
    agents = pytest.importorskip("agents")
    from outlay.openai_agents._estimate import read_prompt

    settings = agents.ModelSettings(extra_args={"service_tier": "priority"}, extra_body={"speed": "fast"})
    prompt = read_prompt(None, "s", "Hi", settings, [], None, [])
    assert prompt.billed_as == ("fast", "priority")


GOOD = {"input": "1", "output": "2"}


@pytest.mark.parametrize("value", [2.5, 1, True, None, b"1", "\ud800"])
@pytest.mark.parametrize(
    ("place", "price"),
    [
        ('["input"]', lambda value: {**GOOD, "input": value}),
        ('["units"]["web_search"]', lambda value: {**GOOD, "units": {"web_search": value}}),
        ('["multipliers"]["batch"]', lambda value: {**GOOD, "multipliers": {"batch": value}}),
        (
            '["multipliers"]["batch"]["input"]',
            lambda value: {**GOOD, "multipliers": {"batch": {"input": value}}},
        ),
        (
            '["tiers"]["input"]',
            lambda value: {**GOOD, "tiers": [{"above_input_tokens": 9, "input": value}]},
        ),
    ],
)
def test_a_price_that_is_no_text_is_an_error_that_names_it(value, place, price):
    with pytest.raises(PolicyError) as caught:
        PriceTable({"m": price(value)})
    assert str(caught.value).startswith(f'prices["m"]{place} must be plain decimal text')


@pytest.mark.parametrize("tiers", [5, "text", {"above_input_tokens": 5}, [5]])
def test_tiers_that_are_no_list_of_mappings_are_a_policy_error(tiers):
    with pytest.raises(PolicyError, match="mapping"):
        PriceTable({"m": {**GOOD, "tiers": tiers}})


def test_a_model_whose_name_has_no_utf8_form_has_no_price():
    table = PriceTable({"m": GOOD})
    assert not table.knows("\ud800")
    with pytest.raises(PolicyError, match="name no model"):
        table.cost("\ud800", Usage(total_tokens=1))
    assert table.cost("m", Usage(input_tokens=5), provider="\ud800") == 5
