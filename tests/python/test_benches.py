"""The benches' own judgement: what got slower or larger is found, and noise is not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHES = Path(__file__).parents[2] / "benches"


def load(monkeypatch, path):
    """Load a module of a bench as its own process would."""
    for folder in (BENCHES / "python", (BENCHES / path).parent):
        monkeypatch.syspath_prepend(str(folder))
        for own in folder.iterdir():
            # Other tests have modules of these names, and get them back.
            monkeypatch.delitem(sys.modules, own.stem, raising=False)
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location(f"bench_{Path(path).stem}", BENCHES / path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    for name in set(sys.modules) - before:
        if str(BENCHES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]  # other tests have modules of these names
    return module


def figure(ratio, without=None):
    return {"best": 25.0 * ratio, "median": 30.0 * ratio, "ratio": ratio, "beside": None, "without": without}


@pytest.fixture
def bounds(monkeypatch):
    return load(monkeypatch, "python/bounds.py")


def test_a_case_above_its_bound_and_margin_is_missed(bounds):
    """A quarter is allowed, more is not; a case without a bound is told."""
    ratios = {"near": 2.0, "slow": 2.0}
    result = {"figures": {"near": figure(2.49), "slow": figure(2.51), "new": figure(1.0)}}
    assert bounds.missed(result, ratios).keys() == {"slow", "new"}


def test_a_difference_of_large_figures_gets_a_part_of_them(bounds):
    """40 x of a whole of 400 x: a twentieth of the whole, 20 x, is as good as nothing."""
    result = {"figures": {"wrap": figure(69.0, without=400 * 25.0)}}
    assert not bounds.missed(result, {"wrap": 40.0})
    result["figures"]["wrap"] = figure(71.0, without=400 * 25.0)
    assert bounds.missed(result, {"wrap": 40.0}).keys() == {"wrap"}


def test_only_what_misses_twice_fails(bounds, monkeypatch, tmp_path):
    """A neighbour that was busy once is forgiven."""
    monkeypatch.setattr(bounds, "FILE", tmp_path / "bounds.json")
    quiet, slow = {"figures": {"case": figure(2.0)}}, {"figures": {"case": figure(3.0)}}
    bounds.write([{"group": quiet}])
    assert bounds.check({"group": slow}, lambda _: quiet) == 0
    assert bounds.check({"group": slow}, lambda _: slow) == 1


def test_bounds_of_another_interpreter_are_not_checked_and_named(bounds, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bounds, "FILE", tmp_path / "bounds.json")
    bounds.write([{"group": {"figures": {"case": figure(2.0)}}}])
    monkeypatch.setattr(bounds, "family", lambda: "Another 9.9")
    slow = {"figures": {"case": figure(9.0)}}
    assert bounds.check({"group": slow}, lambda _: slow) == 0
    assert "NOT CHECKED" in capsys.readouterr().out


def test_a_slower_build_is_told_from_a_noisy_one(monkeypatch, capsys):
    """A tenth slower in each pair is slower; a tenth within processes that differ by a third is noise."""
    compare = load(monkeypatch, "python/compare.py")
    slower = compare.Pair([100.0, 101.0, 100.0], [110.0, 111.0, 110.0])
    noisy = compare.Pair([100.0, 130.0, 100.0], [110.0, 143.0, 110.0])
    same = compare.Pair([100.0, 101.0, 100.0], [101.0, 102.0, 101.0])
    assert compare.show("group", {"slower": slower, "noisy": noisy, "same": same}, {}, 0.05) == ["slower"]
    assert "| slower | 100.0 | 110.0 | 1.100 |" in capsys.readouterr().out


def test_four_instructions_in_a_hundred_are_too_many(monkeypatch):
    count = load(monkeypatch, "instructions/count.py")
    known = {"same": 100.0, "near": 100.0, "more": 100.0}
    told = count.problems({"same": 100.0, "near": 102.9, "more": 104.0, "new": 1.0}, known)
    assert [problem.split(":")[0] for problem in told] == ["more", "new"]
