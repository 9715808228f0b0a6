"""The fields of a usage that most calls do not have: sound, units, and the way of billing."""

import copy
import pickle

import pytest

from outlay import InvalidAmount, SharedPool, Usage, UsageEstimate

BOTH = pytest.mark.parametrize("kind", [Usage, UsageEstimate])
FULL = {
    "input_tokens": 10,
    "audio_input_tokens": 3,
    "audio_output_tokens": 4,
    "units": {"web_search": 3, "image": 1},
    "billed_as": ("priority", "us"),
}


@BOTH
def test_they_are_empty_unless_given_and_then_kept(kind):
    plain, full = kind(input_tokens=10), kind(**FULL)
    assert (plain.audio_input_tokens, plain.audio_output_tokens, plain.units, plain.billed_as) == (
        0,
        0,
        {},
        (),
    )
    assert (full.audio_input_tokens, full.audio_output_tokens) == (3, 4)
    assert (full.units, full.billed_as) == ({"image": 1, "web_search": 3}, ("priority", "us"))
    assert full != plain
    assert "billed_as=('priority', 'us')" in repr(full)
    assert "units" not in repr(plain)


@BOTH
def test_they_are_compared_hashed_copied_and_pickled(kind):
    full = kind(**FULL)
    same = kind(**{**FULL, "billed_as": ["us", "priority", "us"], "units": {**FULL["units"], "page": 0}})
    assert (full, hash(full)) == (same, hash(same))
    assert full != kind(**{**FULL, "units": {"web_search": 3}})
    assert pickle.loads(pickle.dumps(full)) == copy.copy(full) == copy.deepcopy(full) == full
    assert eval(repr(full), {kind.__name__: kind}) == full


def test_the_units_are_a_copy_each_time():
    usage = Usage(units={"web_search": 3})
    usage.units["web_search"] = 9
    assert usage.units == {"web_search": 3}


def test_units_add_by_name_and_a_sum_is_billed_as_what_both_are():
    one = Usage(units={"web_search": 3}, audio_input_tokens=1, billed_as=("us", "priority"))
    two = Usage(units={"web_search": 1, "image": 2}, audio_input_tokens=2, billed_as={"us", "batch"})
    assert one + two == two + one
    assert one + two == Usage(units={"web_search": 4, "image": 2}, audio_input_tokens=3, billed_as=("us",))
    assert Usage.zero() + one == one + Usage.zero() == one
    with pytest.raises(InvalidAmount):
        Usage(units={"web_search": 2**64 - 1}) + Usage(units={"web_search": 1})


@BOTH
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"units": [1]}, "units must be a dict of names and whole counts"),
        ({"units": {1: 2}}, "units must be a dict of names and whole counts"),
        ({"units": {"a": -1}}, r'units\["a"\] must be a whole number from 0 to 2\*\*64 - 1, not -1'),
        ({"units": {"a": 1.5}}, r'units\["a"\] must be a whole number'),
        ({"units": {"a": True}}, r'units\["a"\] must be a whole number'),
        ({"units": {"Web Search": 1}}, 'units: a name is 1 to 64 lowercase .* not "Web Search"'),
        ({"units": {"": 1}}, "units: a name is"),
        ({"billed_as": "priority"}, "billed_as must be a tuple, list or set of names"),
        ({"billed_as": 5}, "billed_as must be a tuple, list or set of names"),
        ({"billed_as": [1]}, "billed_as must be a tuple, list or set of names"),
        ({"billed_as": ["x" * 65]}, "billed_as: a name is"),
        ({"audio_input_tokens": -1}, "audio_input_tokens must be a whole number"),
        ({"audio_output_tokens": 0.5}, "audio_output_tokens must be a whole number"),
    ],
)
def test_bad_names_and_counts_are_refused_by_name(kind, fields, said):
    with pytest.raises(InvalidAmount, match=said):
        kind(**fields)


def test_a_lease_and_a_pool_carry_them():
    pool = SharedPool(capacity_tokens=100)
    lease = pool.reserve(UsageEstimate(**FULL))
    assert lease.reserved == UsageEstimate(**FULL)
    lease.commit(Usage(**FULL))
    lease.commit(Usage(**FULL))  # the same end once more
    assert pool.committed() == Usage(**FULL)
    assert Usage.from_response(Usage(**FULL)) == Usage(**FULL)
