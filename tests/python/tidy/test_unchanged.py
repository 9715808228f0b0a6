"""The comparison of two trees of tests overlooks moves, and nothing else."""

from __future__ import annotations

import pytest
from unchanged import compare

PYTHON = '''"""About budgets."""
from outlay._budget import Call
import pytest

LIMITS = [1, 2]


@pytest.mark.parametrize("limit", LIMITS)
def test_a(limit, monkeypatch):
    """Say what."""
    from outlay import _late
    monkeypatch.setattr("outlay._late.Told", None)  # why
    assert Call(limit) == "it is told"


class Watched:
    def read(self):
        return 1
'''
MOVED = '''from outlay._calls.call import Call
import pytest
LIMITS = [1, 2]
class Watched:
    def read(self):
        return 1
@pytest.mark.parametrize("limit", LIMITS)
def test_a(
    limit,
    monkeypatch,
):
    """Say it in other words."""
    monkeypatch.setattr("outlay._calls.inner_usage.InnerUsage", None)
    assert Call(limit) == "it is reported"
'''
TABLE = {"Told": "InnerUsage", '"it is told"': '"it is reported"'}
RUST = """//! About accounts.
use outlay::ledger::account::Account;

const ROUNDS: u32 = 3;

#[test]
fn a_charge_counts() {
    let account = outlay::ledger::Account::new("a // b", &[1, 2]); // why
    assert_eq!(account.used(), 3);
}
"""
RUST_MOVED = """use outlay::Account;
const ROUNDS: u32 = 3;
/// Says what.
#[test]
fn a_charge_counts() {
    let account = Account::new(
        "a // b",
        &[
            1,
            2,
        ],
    );
    assert_eq!(account.used(), 3);
}
"""


@pytest.mark.parametrize(("path", "old", "new"), [("a.py", PYTHON, MOVED), ("a.rs", RUST, RUST_MOVED)])
def test_a_move_leaves_nothing(path, old, new):
    assert compare({path: old}, {f"rooms/{path}": new}, TABLE) == ({}, [], [])


@pytest.mark.parametrize(
    ("path", "text", "old", "new", "name"),
    [
        ("a.py", PYTHON, "== ", "!= ", "test_a"),
        ("a.py", PYTHON, "it is told", "it was told", "test_a"),
        ("a.py", PYTHON, "[1, 2]", "[1]", "LIMITS"),
        ("a.py", PYTHON, "return 1", "return 2", "Watched.read"),
        ("a.py", PYTHON, '@pytest.mark.parametrize("limit", LIMITS)\n', "@pytest.mark.skip\n", "test_a"),
        ("a.rs", RUST, "used(), 3", "used(), 4", "a_charge_counts"),
        ("a.rs", RUST, "a // b", "a // c", "a_charge_counts"),
        ("a.rs", RUST, "u32 = 3", "u32 = 1", "ROUNDS"),
        ("a.rs", RUST, "#[test]", "#[ignore]\n#[test]", "a_charge_counts"),
    ],
)
def test_what_a_test_says_otherwise_is_left(path, text, old, new, name):
    assert text.count(old) == 1
    compared = compare({path: text}, {path: text.replace(old, new)}, {})
    assert (list(compared.left), compared.gone, compared.new) == ([name], [], [])


def test_a_lost_test_is_gone_and_another_is_new():
    compared = compare({"a.rs": RUST}, {"a.rs": RUST.replace("a_charge_counts", "it_counts")}, {})
    assert compared == ({}, ["a_charge_counts"], ["it_counts"])


def test_tests_of_one_name_are_told_apart():
    other = "def test_a():\n    assert 1\n"
    both = {"a.py": PYTHON, "b.py": other}
    assert compare(both, {"x/b.py": other, "x/a.py": PYTHON}, {}) == ({}, [], [])
    assert compare(both, {"a.py": PYTHON}, {}).gone == ["test_a"]
