"""A retry around a governed function: it repeats a refusal unless it is told what to leave alone."""

from __future__ import annotations

import pytest

from outlay import BudgetExceeded, LimitExceeded, governed

tenacity = pytest.importorskip("tenacity")

EACH = {"reraise": True, "stop": tenacity.stop_after_attempt(3)}
SPARED = {"retry": tenacity.retry_if_not_exception_type(LimitExceeded)}


@pytest.mark.parametrize(("options", "times"), [({}, 3), (SPARED, 1)])
def test_a_retry_of_any_exception_asks_each_time(counted, options, times):
    budget = counted()
    ask = tenacity.retry(**EACH, **options)(governed(budget, estimate=9)(lambda: None))
    with pytest.raises(BudgetExceeded):
        ask()
    assert budget.asked == times


def test_a_retry_inside_is_one_question(counted, make_pool):
    budget, tries = counted(make_pool()), []

    @governed(budget, estimate=9)
    @tenacity.retry(**EACH)
    def ask():
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError

    ask()
    assert (len(tries), budget.asked, budget.budget.committed().total_tokens) == (3, 1, 9)
