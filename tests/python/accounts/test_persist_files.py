"""What persist replaces and restore reads: regular files, and the file of the system that is continued."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import stat
import subprocess
import sys

import pytest
from face_support import DAY, HOUR, budget_limit

from outlay import BudgetInfo, BudgetManager, ManualClock, NotConfigured, StoreCorrupt, StoreUnavailable


def named_pipe(folder):
    """Return the path of a named pipe."""
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def unix_socket(folder):
    """Return the path of a socket. It is bound from its folder: a path of a socket must be short."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("socket")
    finally:
        os.chdir(here)
    return folder / "socket"


def folder_inside(folder):
    """Return the path of a folder."""
    (folder / "folder").mkdir()
    return folder / "folder"


def device(folder):
    """Return the path of a link to the device that takes everything."""
    (folder / "device").symlink_to("/dev/null")
    return folder / "device"


PLACES = {
    "a named pipe": named_pipe,
    "a socket": unix_socket,
    "a folder": folder_inside,
    "a device": device,
}


def linked(folder, target):
    """Return a link to a link to the target."""
    (folder / "first").symlink_to(target)
    (folder / "second").symlink_to("first")
    return folder / "second"


@pytest.mark.parametrize("links", [False, True], ids=["direct", "behind links"])
@pytest.mark.parametrize("what", PLACES)
def test_what_is_no_regular_file_is_neither_replaced_nor_read(what, links, tmp_path):
    """A named pipe became a file, and would as root have been /dev/null."""
    place = PLACES[what](tmp_path)
    path = linked(tmp_path, place) if links else place
    before, status = sorted(os.listdir(tmp_path)), os.lstat(place)
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", 5))
    for act in (manager.persist, manager.restore):
        with pytest.raises(StoreUnavailable, match=f"it is {what}, and must be a regular file") as caught:
            act(path)
        assert str(path) in str(caught.value)
    after = os.lstat(place)
    assert (after.st_ino, stat.S_IFMT(after.st_mode)) == (status.st_ino, stat.S_IFMT(status.st_mode))
    assert sorted(os.listdir(tmp_path)) == before
    assert [info.agent_id for info in manager.all_full_info()] == ["a"]


def test_restore_of_a_named_pipe_does_not_wait_for_a_writer(tmp_path):
    """It blocked for ever, and Ctrl-C was not seen."""
    code = "import sys; from outlay import BudgetManager; BudgetManager().restore(sys.argv[1])"
    command = [sys.executable, "-c", code, named_pipe(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "StoreUnavailable: cannot read" in done.stderr


def test_links_to_a_regular_file_are_followed(tmp_path):
    """The file behind them is replaced and read; the links stay."""
    (tmp_path / "file.json").write_text("old")
    path = linked(tmp_path, tmp_path / "file.json")
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", 5))
    manager.persist(path)
    assert json.loads((tmp_path / "file.json").read_text())["agents"][0]["agent_id"] == "a"
    assert path.is_symlink()
    assert BudgetManager().restore(path)


@pytest.mark.parametrize("what", ["a named pipe", "a socket", "a folder"])
def test_what_is_in_the_way_of_the_new_file_stays(what, tmp_path):
    """The new file is written beside its place, under a name that something else may have."""
    place = PLACES[what](tmp_path)
    place.rename(tmp_path / ".f.json.tmp")
    with pytest.raises(StoreUnavailable, match="in the way"):
        BudgetManager().persist(tmp_path / "f.json")
    assert os.listdir(tmp_path) == [".f.json.tmp"]


ANN, BOB = "5f0c1b54-93a4-4a37-8a0b-2b1f5d1c9a01", "0e9d3a9e-7d0c-4f2c-b7f0-5b2f0f6f3b02"
CONTINUED = {
    "budgets": {
        ANN: {"agent_id": ANN, "token_budget": 1000, "calls_budget": 10, "window_secs": 3600},
        BOB: {"agent_id": BOB, "token_budget": 500, "calls_budget": 5, "window_secs": 60},
    },
    "usage": {
        ANN: {"tokens_used": 400, "calls_used": 3, "window_start": "2026-01-01T09:40:00.000000001Z"},
        BOB: {"tokens_used": 500, "calls_used": 5, "window_start": "2026-01-01T10:58:00+01:00"},
    },
}


def restored(folder, content):
    """Return a manager at ten o'clock that has restored such a file, and its clock."""
    clock = ManualClock()
    clock.set_time(dt.datetime(2026, 1, 1, 10))
    manager = BudgetManager(clock=clock)
    (folder / "f.json").write_text(content if isinstance(content, str) else json.dumps(content))
    assert manager.restore(folder / "f.json") is True
    return manager, clock


def continued(**changes):
    """Return the file with other fields of its first budget."""
    first = {**CONTINUED["budgets"][ANN], **changes}
    return {**CONTINUED, "budgets": {ANN: first}}


def test_the_file_of_the_system_that_is_continued_is_restored(tmp_path):
    """Limits, what was used, and when the windows began; one of them is over."""
    manager, clock = restored(tmp_path, CONTINUED)
    assert [info.agent_id for info in manager.all_full_info()] == [BOB, ANN]
    assert manager.remaining(ANN) == BudgetInfo(600, 7, 2400.000000001, False)
    assert manager.remaining(BOB) == BudgetInfo(500, 5, 60.0, False)
    clock.advance(2401)
    assert manager.remaining(ANN) == BudgetInfo(1000, 10, HOUR - 0.999999999, False)
    manager.persist(tmp_path / "f.json")
    assert json.loads((tmp_path / "f.json").read_text())["format"] == "outlay.budget_manager"


@pytest.mark.parametrize(
    "usage", [{}, {"usage": None}, {"usage": {}}, {"usage": {ANN: None}}, {"usage": {ANN: {}}}]
)
def test_an_agent_without_usage_has_used_nothing_and_begins_now(usage, tmp_path):
    """Missing and null are the same there."""
    manager, _ = restored(tmp_path, {"budgets": continued()["budgets"], **usage})
    assert manager.remaining(ANN) == BudgetInfo(1000, 10, float(HOUR), False)


def test_null_is_no_limit_and_a_window_of_ages_never_ends(tmp_path):
    """As for BudgetLimit."""
    manager, _ = restored(tmp_path, continued(token_budget=None, window_secs=2**64 - 1))
    assert manager.remaining(ANN) == BudgetInfo(None, 7, None, False)
    manager, _ = restored(tmp_path, continued(calls_budget=None, window_secs=None))
    assert manager.remaining(ANN) == BudgetInfo(600, None, None, False)


def test_a_budget_of_null_is_none_and_usage_of_others_is_not_read_as_one(tmp_path):
    """They are refused, as agents without a budget."""
    manager, _ = restored(tmp_path, {"budgets": {ANN: None}, "usage": CONTINUED["usage"]})
    for agent in (ANN, BOB):
        with pytest.raises(NotConfigured):
            manager.reserve(agent, 1)


def test_a_start_in_the_future_refills_nothing(tmp_path):
    """The window is a whole one then."""
    used = {ANN: {"tokens_used": 400, "calls_used": 3, "window_start": "2030-01-01T00:00:00Z"}}
    manager, clock = restored(tmp_path, {**continued(), "usage": used})
    assert manager.remaining(ANN) == BudgetInfo(600, 7, float(HOUR), False)
    clock.advance(HOUR)
    assert manager.remaining(ANN).tokens_remaining == 1000


NONSENSE = {
    "a limit is missing": {"budgets": {ANN: {"calls_budget": 1, "window_secs": 60}}},
    "another agent": continued(agent_id=BOB),
    "no window": continued(window_secs=0),
    "negative": continued(token_budget=-1),
    "too large": continued(token_budget=2**64),
    "a float": continued(calls_budget=1.5),
    "a text": continued(window_secs="60"),
    "a bool": continued(token_budget=True),
    "an unknown limit": continued(cost_budget=5),
    "an unknown table": {**CONTINUED, "quotas": {}},
    "both formats": {**CONTINUED, "format": "outlay.budget_manager"},
    "a list": {"budgets": [CONTINUED["budgets"][ANN]]},
    "an empty id": {"budgets": {"": {"token_budget": 1, "calls_budget": 1, "window_secs": 60}}},
    "no time": {**continued(), "usage": {ANN: {"window_start": "yesterday"}}},
    "a number for a time": {**continued(), "usage": {ANN: {"window_start": 1}}},
    "used below zero": {**continued(), "usage": {ANN: {"tokens_used": -1}}},
    "an agent twice": json.dumps(continued()).replace(
        '{"budgets": {', '{"budgets": {"' + ANN + '": {"token_budget": 1, "calls_budget": 1}, '
    ),
    "cut short": json.dumps(CONTINUED)[:-1],
}


@pytest.mark.parametrize("content", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_changes_neither_the_state_nor_the_file(content, tmp_path):
    """StoreCorrupt, which names the file."""
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "f.json").write_text(text)
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", 5, None, DAY))
    manager.reserve("a", 3)
    with pytest.raises(StoreCorrupt, match=r"f\.json"):
        manager.restore(tmp_path / "f.json")
    assert [(info.agent_id, info.tokens_used) for info in manager.all_full_info()] == [("a", 3)]
    assert (tmp_path / "f.json").read_text() == text
