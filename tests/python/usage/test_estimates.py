"""Strict estimates are a fence, expected ones are learnt; what was used is booked exactly with both."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay import AgentTokenBudget, BudgetExceeded, PolicyError, SharedPool, estimates
from outlay._usage import calibration as _calibration
from outlay._usage.calibration import FACTOR_MAX, FACTOR_MIN, OUTPUTS_MIN, WARM_UP_CALLS, Calibration
from outlay._usage.prompt import Prompt
from outlay._wraps.arguments import CallOptions, make_layer
from outlay._wraps.model_call import ModelCall

MODEL = "test-estimates"


@pytest.fixture(autouse=True)
def forget():
    """Start without what other tests taught."""
    _calibration._errors.clear()


def prompt(input_tokens=100, output_limit=1_000, choices=1, model=MODEL):
    return Prompt(model_name=model, input_tokens=input_tokens, output_limit=output_limit, choices=choices)


def layer(mode="expected", pool=None, **keywords):
    return make_layer(pool or SharedPool(), CallOptions(estimate=mode, **keywords), made_by="test")


def fields(given, made):
    return {"input_tokens": given, "output_tokens": made}


def make_call(one, asked, told, **ending):
    call = ModelCall([one], asked, lambda refusal: refusal)
    call.reserve()
    call.commit(told, **ending)


def teach(one, times, given=50, made=10, **keywords):
    for _ in range(times):
        make_call(one, prompt(**keywords), fields(given, made))


def held(one, asked):
    estimate = one.estimate(asked)
    return estimate.input_tokens, estimate.output_tokens


# What is reserved.


def test_strict_reserves_all_whatever_was_learnt():
    one, usual = layer("strict"), layer(None)
    teach(one, 100)
    teach(usual, 100)
    assert held(usual, prompt()) == (100, 1_000)
    assert held(one, prompt()) == (150, 1_000)


def test_the_first_calls_never_lower_the_estimate():
    one = layer()
    for _ in range(WARM_UP_CALLS):
        assert held(one, prompt())[0] == 100
        teach(one, 1, given=50)
    assert held(one, prompt())[0] == 50


def test_the_first_calls_raise_it_at_once():
    one = layer()
    teach(one, 1, given=200)
    assert held(one, prompt())[0] == 200


def test_the_newest_calls_count_most():
    one = layer()
    teach(one, 50, given=100)
    teach(one, 20, given=200)
    assert 195 <= held(one, prompt())[0] <= 200


@pytest.mark.parametrize(("given", "factor"), [(1, FACTOR_MIN), (100_000, FACTOR_MAX)])
def test_the_factor_stays_between_its_bounds(given, factor):
    one = layer()
    teach(one, 30, given=given)
    assert held(one, prompt())[0] == 100 * factor


def test_the_output_is_the_limit_until_enough_was_seen():
    one = layer()
    teach(one, OUTPUTS_MIN - 1, made=10)
    assert held(one, prompt())[1] == 1_000
    teach(one, 1, made=10)
    assert held(one, prompt())[1] == 10


def test_the_output_is_what_95_of_100_stayed_below():
    one = layer()
    for made in range(1, 101):
        make_call(one, prompt(), fields(50, made))
    assert held(one, prompt())[1] == 95


def test_old_outputs_are_forgotten():
    one = layer()
    teach(one, 300, made=900)
    teach(one, _calibration.OUTPUTS_KEPT, made=3)
    assert held(one, prompt())[1] == 3


def test_the_output_is_never_above_the_limit_of_the_call():
    one = layer()
    teach(one, OUTPUTS_MIN, made=500)
    assert held(one, prompt(output_limit=7))[1] == 7


def test_the_output_is_at_least_one():
    one = layer()
    teach(one, OUTPUTS_MIN, made=0)
    assert held(one, prompt())[1] == 1


def test_the_default_output_is_no_limit_to_what_is_learnt():
    one = layer(output_tokens=100)
    teach(one, OUTPUTS_MIN, made=400, output_limit=None)
    assert held(one, prompt(output_limit=None))[1] == 400


def test_every_choice_is_expected_its_output():
    one = layer()
    teach(one, OUTPUTS_MIN, made=40, choices=4)
    assert held(one, prompt(choices=4))[1] == 40
    assert held(one, prompt(choices=1))[1] == 10


def test_each_model_and_each_wrap_learns_for_itself():
    one, other = layer(), layer()
    teach(one, 50)
    assert held(one, prompt(model="another")) == (100, 1_000)
    assert held(other, prompt()) == (100, 1_000)


def test_a_priced_estimate_costs_what_is_expected():
    one = layer(prices={MODEL: {"input": "1", "output": "10"}})
    teach(one, 50)
    assert one.estimate(prompt()).cost_micros_usd == 50 + 100


@pytest.mark.parametrize(
    ("told", "ending"), [(None, {}), (fields(50, 10), {"cut": True}), (fields(2**70, 10), {})]
)
def test_only_complete_calls_teach(told, ending):
    one = layer()
    for _ in range(50):
        make_call(one, prompt(), told, **ending)
    assert held(one, prompt()) == (100, 1_000)
    assert estimates() == {}


def test_calls_that_failed_do_not_teach():
    one = layer()
    for _ in range(50):
        call = ModelCall([one], prompt(), lambda refusal: refusal)
        call.reserve()
        call.fail(ConnectionError("x"))
    assert estimates() == {}


def test_the_mode_is_checked():
    with pytest.raises(PolicyError, match="estimate"):
        layer("loose")


def test_a_stream_cut_before_its_output_is_told_charges_the_output_that_was_reserved():
    for mode, output in (("strict", 1_000), ("expected", 10)):
        pool = SharedPool()
        one = layer(mode, pool)
        teach(one, 50)
        before = pool.committed().output_tokens
        make_call(one, prompt(), fields(50, 0), cut=True)
        assert pool.committed().output_tokens - before == output


# What is told of it.


def test_the_error_of_the_estimates_is_told_by_model():
    one = layer(None)
    for used in range(1, 101):
        make_call(one, prompt(), fields(used, 500))
    teach(layer(None), 1, model="another", given=100, made=1_000)
    seen = estimates()
    assert set(seen) == {MODEL, "another"}
    assert (seen[MODEL].calls, seen["another"].calls) == (100, 1)
    assert seen[MODEL].input_mean == pytest.approx(0.505)
    assert seen[MODEL].input_p95 == pytest.approx(0.95)
    assert (seen[MODEL].output_mean, seen[MODEL].output_p95) == (0.5, 0.5)
    assert (seen["another"].input_mean, seen["another"].output_p95) == (1.0, 1.0)


def test_an_unnamed_model_and_an_empty_prompt_are_told_too():
    make_call(layer(), prompt(0, 0, model=None), fields(5, 5))
    assert estimates()["(unnamed)"].calls == 1
    assert estimates()["(unnamed)"].input_mean == 0.0


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(_calibration, "MODELS_MAX", 3)
    one = layer()
    for name in ("a", "b", "c", "a", "d"):
        teach(one, 1, model=name)
    assert set(estimates()) == set(one.calibration._models) == {"c", "a", "d"}
    teach(one, 1_000)
    assert one.calibration._models[MODEL].outputs_seen() == _calibration.OUTPUTS_KEPT
    assert len(_calibration._errors[MODEL].input._last) == _calibration.RATIOS_KEPT


def test_many_threads_teach_one_calibration():
    one = layer(pool=SharedPool())

    def run():
        for _ in range(200):
            make_call(one, prompt(), fields(50, 10))
            estimates()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert estimates()[MODEL].calls == 1_600
    assert held(one, prompt()) == (50, 10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_while_the_lock_is_held_can_still_learn():
    with _calibration._lock:
        child = os.fork()
        if not child:
            Calibration().learn(prompt(), layer().estimate(prompt()), fields(1, 1))
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


# What is booked.

requests = st.builds(
    lambda size, limit, given, made: (prompt(size, limit), given, made),
    st.integers(0, 400),
    st.integers(1, 400),
    st.floats(0, 1),
    st.floats(0, 1),
)
#: A request, or the number of an open call to settle.
steps = st.lists(st.one_of(requests, st.integers(0, 20)), max_size=60)


def run_steps(one, many, bill):
    """Yield what each step was billed by the provider, when it has happened."""
    running = []
    for step in many:
        if isinstance(step, int):
            if running:
                yield settle(*running.pop(step % len(running)))
        else:
            call = ModelCall([one], step[0], lambda refusal: refusal)
            try:
                call.reserve()
            except BudgetExceeded:
                continue
            running.append((call, bill(*step)))
            yield 0
    for call, usage in running:
        yield settle(call, usage)


def settle(call, usage):
    call.commit(usage)
    return sum(usage.values())


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(500, 4_000))
def test_a_strict_estimate_at_or_above_the_bill_never_lets_a_limit_be_crossed(many, capacity):
    pool, budget = SharedPool(capacity_tokens=capacity), AgentTokenBudget.hourly("a", capacity // 2)

    def bill(asked, given, made):
        return fields(int(asked.input_tokens * given) + 1, int((asked.output_limit - 1) * made))

    strict = make_layer([pool, budget], CallOptions(estimate="strict"), made_by="test")
    for _ in run_steps(strict, many, bill):
        assert pool.committed().total_tokens + pool.reserved().total_tokens <= capacity
        assert budget.used() + budget.reserved() <= capacity // 2


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(500, 4_000))
def test_an_expected_estimate_books_exactly_what_was_billed(many, capacity):
    pool = SharedPool(capacity_tokens=capacity)

    def bill(asked, given, made):
        # Up to eight times what was thought of the input, and all of the output.
        return fields(int(asked.input_tokens * given * 8) + 1, int(asked.output_limit * made))

    one = layer(pool=pool)
    teach(layer(), 3)
    billed = sum(run_steps(one, many, bill))
    assert pool.committed().total_tokens == billed
    assert (pool.reserved().total_tokens, pool.open_leases()) == (0, [])
