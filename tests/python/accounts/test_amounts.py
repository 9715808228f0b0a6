"""Usage, UsageEstimate, RequestBudget, Remaining, usd: exact, frozen, compared by value."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from face_support import BAD_AMOUNTS, MAX, THREES, budget_limit
from hypothesis import given
from hypothesis import strategies as st

from outlay import (
    BudgetInfo,
    BudgetManager,
    InvalidAmount,
    ManualClock,
    OutlayError,
    Remaining,
    RequestBudget,
    SharedPool,
    Usage,
    UsageEstimate,
    usd,
)

FIELDS = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_micros_usd",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
]


def a_full_info():
    """Return all about one agent."""
    manager = BudgetManager(clock=ManualClock())  # what is left of the window does not run
    manager.set_budget(budget_limit("a", 10, 2, 60))
    return manager.full_info("a")


VALUES = [
    Usage(input_tokens=1, output_tokens=2, cost_micros_usd=3, cache_read_tokens=1),
    UsageEstimate(total_tokens=7),
    RequestBudget(tokens=1),
    RequestBudget.unlimited(),
    Remaining(1, None, True),
    budget_limit('a"', 5, None, 0.1),
    BudgetInfo(1, None, 1.5, False),
    a_full_info(),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_value_classes_pickle_copy_and_compare_by_value(value):
    """A copy is equal; another value is not; the repr is that of a Python call."""
    for again in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert again == value
        assert type(again) is type(value)
        assert repr(again) == repr(value)
    assert value != 5
    assert repr(value).startswith(type(value).__name__ + "(")
    names = vars(__import__("outlay"))
    assert eval(repr(value), dict(names)) == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_value_classes_are_frozen(value):
    """No attribute can be set or deleted."""
    name = next(
        name for name in dir(value) if not name.startswith("_") and not callable(getattr(value, name))
    )
    with pytest.raises(AttributeError):
        setattr(value, name, 1)
    with pytest.raises(AttributeError):
        delattr(value, name)


def test_value_classes_are_hashable():
    """What is frozen and compares by value goes into a set."""
    assert len({Usage(total_tokens=1), Usage(total_tokens=1), Usage()}) == 2
    assert len({RequestBudget(tokens=1), RequestBudget.from_tokens(1)}) == 1
    assert len({budget_limit("a"), budget_limit("a"), budget_limit("b")}) == 2
    assert len({Remaining(1, 2, False), Remaining(1, 2, False)}) == 1


def test_reports_are_hashable_like_the_other_values():
    """Frozen values that compare by value, as Remaining does."""
    assert hash(BudgetInfo(1, 2, 3.0, False)) == hash(BudgetInfo(1, 2, 3.0, False))
    assert hash(a_full_info()) == hash(a_full_info())


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("cls", [Usage, UsageEstimate])
def test_each_field_takes_whole_numbers_alone(cls, name):
    """Bad ones are refused by name; numpy integers are integers."""
    for label, bad in BAD_AMOUNTS.items():
        with pytest.raises(InvalidAmount, match=name):
            pytest.fail(f"{label}: {cls(**{name: bad})}")
    for three in THREES:
        assert getattr(cls(**{name: three}), name) == 3
    assert getattr(cls(**{name: MAX}), name) == MAX


def test_the_total_is_the_sum_unless_it_is_given():
    """Input includes cache, output includes reasoning: neither is added."""
    usage = Usage(input_tokens=5, output_tokens=6, cache_read_tokens=4, reasoning_tokens=3)
    assert usage.total_tokens == 11
    assert Usage(input_tokens=5, total_tokens=0).total_tokens == 0


def test_a_sum_that_would_wrap_is_refused():
    """Neither in the constructor nor in an addition does a count wrap."""
    with pytest.raises(InvalidAmount):
        Usage(input_tokens=MAX, output_tokens=1)
    with pytest.raises(InvalidAmount):
        Usage(total_tokens=MAX) + Usage(total_tokens=1)
    assert Usage(total_tokens=MAX) + Usage.zero() == Usage(total_tokens=MAX)


@given(st.lists(st.integers(0, 2**60), min_size=14, max_size=14))
def test_adding_adds_every_field(numbers):
    """The sum of two usages is the sum of each field."""
    left = Usage(**dict(zip(FIELDS, numbers[:7], strict=True)))
    right = Usage(**dict(zip(FIELDS, numbers[7:], strict=True)))
    for name in FIELDS:
        assert getattr(left + right, name) == getattr(left, name) + getattr(right, name)


def test_a_usage_is_not_an_estimate():
    """The two are of one shape and of two types."""
    assert Usage(total_tokens=1) != UsageEstimate(total_tokens=1)
    with pytest.raises(TypeError):
        Usage() + UsageEstimate()
    with pytest.raises(TypeError):
        Usage() + 1


def test_positional_fields_are_refused():
    """Seven numbers in a row would be a riddle."""
    with pytest.raises(TypeError):
        Usage(1, 2)
    with pytest.raises(TypeError):
        RequestBudget(1, 2)


@pytest.mark.parametrize("name", ["tokens", "cost_micros_usd"])
def test_a_request_budget_takes_whole_numbers_or_none(name):
    """None is no cap; zero is a cap."""
    for bad in BAD_AMOUNTS.values():
        with pytest.raises(InvalidAmount, match=name):
            RequestBudget(**{name: bad})
        with pytest.raises(InvalidAmount, match=name):
            getattr(RequestBudget, f"from_{name}")(bad)
    assert RequestBudget(**{name: None}) == RequestBudget.unlimited()
    assert getattr(RequestBudget(**{name: 0}), name) == 0
    assert RequestBudget.with_limits(1, None) == RequestBudget(tokens=1)


@pytest.mark.parametrize(
    ("dollars", "micros"),
    [
        ("12.34", 12_340_000),
        ("0.000001", 1),
        (".5", 500_000),
        ("1.0000000000", 1_000_000),
        (Decimal("0.1"), 100_000),
        (Decimal("1E+3"), 1_000_000_000),
        (Decimal("1E-6"), 1),
        (Decimal("-0"), 0),
        (7, 7_000_000),
        (np.int64(7), 7_000_000),
        ("18446744073709.551615", MAX),
        (0, 0),
    ],
)
def test_dollars_are_exact(dollars, micros):
    """Whole micro-USD, never a float between."""
    assert usd(dollars) == micros


BAD_DOLLARS = {
    "text": [
        "",
        ".",
        "-1",
        "nan",
        "inf",
        "1e3",
        "1,5",
        "$1",
        "0.0000001",
        "1_0",
        "\uff11",
        "--1",
        "9" * 10**6,
    ],
    "too large": ["18446744073709.551616", 2**64, 10**5000, Decimal("1E+100000")],
    "Decimal": [Decimal("nan"), Decimal("sNaN"), Decimal("inf"), Decimal(-1), Decimal("1E-7")],
    "float": [0.1, 1.0, float("nan"), np.float64(1)],
    "other": [True, None, -1, b"1", Fraction(1), [1], 1j],
}


@pytest.mark.parametrize("values", BAD_DOLLARS.values(), ids=BAD_DOLLARS)
def test_what_is_not_exact_dollars_is_refused(values):
    """A float above all: 0.1 has no exact binary form."""
    for dollars in values:
        with pytest.raises(InvalidAmount, match="dollars"):
            usd(dollars)


def test_dollars_with_a_lone_surrogate_are_bad_input():
    """As any text that has no UTF-8 form."""
    with pytest.raises(OutlayError, match="dollars"):
        usd("1\ud800")


def test_three_times_a_tenth_fits_a_cap_of_three_tenths():
    """PEERS: $0.10 x 3 under a $0.30 cap admits 2 where money is a float."""
    pool = SharedPool(capacity_cost_micros_usd=usd("0.30"))
    for _ in range(3):
        pool.reserve(UsageEstimate(cost_micros_usd=usd("0.10"))).commit()
    assert pool.remaining() == Remaining(tokens=None, cost_micros_usd=0, below_threshold=True)


@given(st.decimals(0, 18_446_744_073_709, places=6, allow_nan=False, allow_infinity=False))
def test_all_dollars_of_six_decimals_are_exact(dollars):
    """As a Decimal and as its text."""
    assert usd(dollars) == usd(f"{dollars:f}") == int(dollars * 10**6)
