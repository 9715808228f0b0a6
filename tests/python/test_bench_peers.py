"""The benches beside the peers: each call is proven before it is timed, and a missing peer is named.

Only the peers that the tests need anyway are installed here; `make bench-check` runs them all.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benches" / "python"))
from peers import correctness, installed, report
from peers.case import BOOK, Case, Crowd, Made
from peers.measure import measure
from peers.proof import prove

HERE = {"outlay", "limits", "aiolimiter", "langchain", "pydantic_ai"}
FOUND = installed.find()
CASES = [case for adapter in FOUND.adapters for case in adapter.CASES]
CROWDS = [crowd for adapter in FOUND.adapters for crowd in adapter.CROWDS]
OURS = FOUND.adapters[0]


def case_of(loop, **options):
    return Case(BOOK, "planted", "", lambda limit: Made(loop(limit)), **options)


def test_every_adapter_is_found_or_named_with_its_reason():
    found = {adapter.__name__.rpartition(".")[2] for adapter in FOUND.adapters}
    folder = Path(installed.__file__).parent / "adapters"
    assert found >= HERE
    assert found | set(FOUND.left_out) == {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert found.isdisjoint(FOUND.left_out)
    assert all(FOUND.left_out.values())


def test_a_peer_that_is_left_out_is_named_above_the_tables():
    peers = installed.Peers(left_out={"floodgate_rs": "No module named 'floodgate'"})
    assert "**Left out: floodgate_rs**" in "\n".join(report.heading(peers, 3))
    assert "No module named 'floodgate'" in "\n".join(report.heading(peers, 3))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}: {case.name}")
async def test_a_call_admits_three_and_refuses_the_fourth(case):
    await prove(case)


def test_a_case_stands_beside_a_call_of_outlay_in_its_group():
    ours = {(case.group, case.name) for case in OURS.CASES}
    assert {(case.group, case.beside) for case in CASES} == ours


async def test_a_peer_that_never_refuses_is_found():
    with pytest.raises(AssertionError, match=r"planted: \[True, True, True, True\]"):
        await prove(case_of(lambda limit: lambda calls: True))


async def test_a_peer_that_admits_too_few_is_found():
    def loop(limit):
        left = iter([True] * (limit - 1))
        return lambda calls: next(left, False)

    with pytest.raises(AssertionError, match=r"planted: \[True, True, False, False\]"):
        await prove(case_of(loop))


async def test_an_error_that_is_no_refusal_is_not_taken_for_one():
    def loop(limit):
        def run(calls):
            raise TypeError("an argument is missing")

        return run

    with pytest.raises(TypeError, match="an argument is missing"):
        await prove(case_of(loop, refusal=(ValueError,)))


async def test_every_case_is_timed_in_every_round():
    table = await measure(CASES, rounds=2)
    assert set(table.cases) == set(CASES)
    rows = [table.loop, table.call, table.ready, *table.cases.values()]
    assert all(len(row.times) == 2 and min(row.times) > 0 for row in rows)
    lines = list(report.timings(table))
    assert all(any(case.name in line for line in lines) for case in CASES)


async def test_no_call_of_outlay_in_flight_is_above_the_budget():
    for crowd in OURS.CROWDS:
        assert await correctness.calls_in_flight(crowd) == correctness.CALLS, crowd.name


async def test_a_budget_that_books_after_the_call_lets_all_agents_through():
    def make(limit):
        used = 0

        async def agent(call):
            nonlocal used
            if used < limit:
                await call()
                used += 1

        return agent

    assert await correctness.calls_in_flight(Crowd("planted", "", make)) == correctness.AGENTS


async def test_an_agent_that_fails_is_not_taken_for_a_refused_one():
    def make(limit):
        async def agent(call):
            raise TypeError("an argument is missing")

        return agent

    with pytest.raises(TypeError, match="an argument is missing"):
        await correctness.calls_in_flight(Crowd("planted", "", make, (ValueError,)))


def test_threads_are_admitted_exactly_as_often_as_the_limit_of_outlay_says():
    for case in OURS.CASES:
        if case.threads:
            assert correctness.admitted_by_threads(case, 200) == 200, case.name


def test_what_outlay_admits_above_its_limit_is_reported():
    crowd, call = OURS.CROWDS[0].name, OURS.CASES[0].name
    assert report.wrong({crowd: ("", 100)}, 200, {call: [200, 200]}) == []
    assert report.wrong({crowd: ("", 101)}, 200, {call: [200, 201]}) == [
        f"{crowd}: 101 calls of 100",
        f"{call}: [200, 201] admitted of 200",
    ]
