"""persist and restore: a whole file or none, wall-clock times, a bad file changes nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from face_support import DAY, HOUR, MAX, ODD_IDS, budget_limit, in_threads

from outlay import BudgetInfo, BudgetManager, ManualClock, StoreCorrupt, StoreUnavailable

GOOD = {
    "agent_id": "a",
    "token_budget": 10,
    "calls_budget": None,
    "window_ns": 60 * 10**9,
    "window_start_unix_ns": 0,
    "tokens_used": 1,
    "calls_used": 2,
}


def document(*agents, **changes):
    """Return the text of a file of these agents."""
    return json.dumps({"format": "outlay.budget_manager", "version": 1, "agents": list(agents), **changes})


def at_wall(year, **keywords):
    """Return a clock at the first of January of that year, UTC, and its manager."""
    clock = ManualClock()
    clock.set_time(dt.datetime(year, 1, 1))
    return clock, BudgetManager(clock=clock, **keywords)


def test_what_is_persisted_is_restored(tmp_path):
    """Limits, usage and windows, in another process with another monotonic clock."""
    clock, manager = at_wall(2026)
    for limit in (budget_limit("a", 100, 3, HOUR), budget_limit("b", None, None, None)):
        manager.set_budget(limit)
        manager.agent(limit.agent_id).charge(7)
    clock.advance(600)
    manager.persist(tmp_path / "new" / "folders" / "f.json")
    assert os.listdir(tmp_path / "new" / "folders") == ["f.json"]
    other_clock, other = at_wall(2026)
    other_clock.advance(1000)
    assert other.restore(tmp_path / "new" / "folders" / "f.json") is True
    assert other.remaining("a") == BudgetInfo(93, 2, HOUR - 1000, False)
    assert other.full_info("b") == manager.full_info("b")
    other_clock.advance(HOUR - 1000)
    assert other.remaining("a") == BudgetInfo(100, 3, HOUR, False)
    assert other.full_info("b").tokens_used == 7


def test_odd_ids_and_the_largest_numbers_survive(tmp_path):
    """The file is valid JSON whatever is in the ids."""
    manager = BudgetManager()
    for identifier in ODD_IDS.values():
        manager.set_budget(budget_limit(identifier, MAX, MAX, 100 * 366 * DAY))
        manager.agent(identifier).charge(MAX, MAX)
    manager.persist(tmp_path / "f.json")
    written = json.loads((tmp_path / "f.json").read_text("utf-8"))
    assert {agent["agent_id"] for agent in written["agents"]} == set(ODD_IDS.values())
    other = BudgetManager()
    other.restore(tmp_path / "f.json")
    assert [full.agent_id for full in other.all_full_info()] == [f.agent_id for f in manager.all_full_info()]
    assert all((f.tokens_used, f.calls_used) == (MAX, MAX) for f in other.all_full_info())


def test_a_missing_file_is_nothing_to_restore(tmp_path):
    """False, and all stays."""
    manager = BudgetManager()
    manager.set_budget(budget_limit())
    assert manager.restore(tmp_path / "none.json") is False
    assert manager.restore(str(tmp_path / "no" / "folder.json")) is False
    assert len(manager.all_full_info()) == 1


def test_restore_replaces_all(tmp_path):
    """Agents that are not in the file go; handles of those that are stay."""
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", 100))
    manager.reserve("a", 10)
    manager.persist(tmp_path / "f.json")
    handle = manager.agent("a")
    handle.charge(50)
    manager.set_budget(budget_limit("a", 7, 7, 7))
    manager.set_budget(budget_limit("b"))
    manager.restore(tmp_path / "f.json")
    assert [full.agent_id for full in manager.all_full_info()] == ["a"]
    assert handle.remaining() == BudgetInfo(90, None, None, False)
    BudgetManager().persist(tmp_path / "empty.json")
    assert manager.restore(tmp_path / "empty.json") is True
    assert manager.all_full_info() == []


@pytest.mark.parametrize(("unsettled", "used"), [("charge", 30), ("release", 10)])
def test_what_open_leases_hold_is_written_as_the_policy_says(unsettled, used, tmp_path):
    """Charged: nobody can know whether it was spent."""
    manager = BudgetManager(unsettled=unsettled)
    manager.set_budget(budget_limit("a", 100, 5))
    manager.agent("a").charge(10)
    lease = manager.agent("a").reserve(20)
    manager.persist(tmp_path / "f.json")
    other = BudgetManager()
    other.restore(tmp_path / "f.json")
    assert other.full_info("a").tokens_used == used
    assert other.full_info("a").calls_used == (2 if unsettled == "charge" else 1)
    lease.release()


def test_money_spent_by_a_lease_that_was_open_at_a_restore_is_not_lost(tmp_path):
    """Law 4: the file is older than the lease, so nothing in it counts what the lease spends."""
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", 100))
    manager.persist(tmp_path / "f.json")
    lease = manager.agent("a").reserve(50)
    manager.restore(tmp_path / "f.json")
    lease.commit(50)
    assert manager.full_info("a").tokens_used == 50


@pytest.mark.parametrize("year", [1900, 2025])
def test_a_wall_clock_stepped_back_refills_nothing(year, tmp_path):
    """The window is longer then, never shorter."""
    _, manager = at_wall(2026)
    manager.set_budget(budget_limit("a", 100, None, HOUR))
    manager.reserve("a", 100)
    manager.persist(tmp_path / "f.json")
    clock, other = at_wall(year)
    other.restore(tmp_path / "f.json")
    assert other.remaining("a") == BudgetInfo(0, None, HOUR, True)
    clock.advance(HOUR - 1)
    assert not other.can_schedule("a")


BAD_FILES = {
    "empty": "",
    "half": document(GOOD)[:60],
    "not json": "hello",
    "another json": "[]",
    "null": "null",
    "not utf-8": b"\xff\xfe{}",
    "nul bytes": b"\0" * 100,
    "another format": document(GOOD, format="x"),
    "another version": document(GOOD, version=2),
    "unknown field": document({**GOOD, "x": 1}),
    "unknown field at the top": document(GOOD, x=1),
    "missing field": document({key: value for key, value in GOOD.items() if key != "tokens_used"}),
    "negative": document({**GOOD, "tokens_used": -1}),
    "too large": document({**GOOD, "tokens_used": 2**64}),
    "float": document({**GOOD, "tokens_used": 1.0}),
    "bool": document({**GOOD, "tokens_used": True}),
    "text": document({**GOOD, "token_budget": "10"}),
    "empty id": document({**GOOD, "agent_id": ""}),
    "long id": document({**GOOD, "agent_id": "x" * 1025}),
    "id twice": document(GOOD, GOOD),
    "no window": document({**GOOD, "window_ns": 0}),
    "window of ages": document({**GOOD, "window_ns": 2**63}),
    "second is bad": document({**GOOD, "agent_id": "b"}, {**GOOD, "calls_used": None}),
    "trailing": document(GOOD) + "x",
    "deep": "[" * 100_000,
    "nan": document(GOOD).replace('"tokens_used": 1', '"tokens_used": NaN'),
    "field twice": document(GOOD).replace('"tokens_used": 1', '"tokens_used": 1, "tokens_used": 0'),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES)
def test_a_corrupt_file_changes_neither_the_state_nor_itself(content, tmp_path):
    """StoreCorrupt, which names the file."""
    path = tmp_path / "f.json"
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(content)
    manager = BudgetManager()
    manager.set_budget(budget_limit("a", 5))
    manager.reserve("a", 3)
    before = manager.all_full_info()
    with pytest.raises(StoreCorrupt, match=r"f\.json"):
        manager.restore(path)
    assert manager.all_full_info() == before
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["f.json"]


@pytest.mark.parametrize("start", [-(2**63), -1, 0, 2**63 - 1])
def test_any_start_of_a_window_can_be_restored(start, tmp_path, clock):
    """Windows that began long ago are over, those of the future begin now."""
    (tmp_path / "f.json").write_text(document({**GOOD, "window_start_unix_ns": start}))
    manager = BudgetManager(clock=clock)
    assert manager.restore(tmp_path / "f.json")
    assert 0 < manager.remaining("a").window_remaining_secs <= 60
    assert manager.full_info("a").tokens_used == (1 if start >= 0 else manager.full_info("a").tokens_used)


def test_a_place_that_cannot_be_written_is_unavailable_and_left_clean(tmp_path):
    """A folder, a path through a file, a NUL in the name: StoreUnavailable and no stray file."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    manager = BudgetManager()
    for path in (tmp_path / "folder", tmp_path / "file" / "x.json", str(tmp_path / "a\0b")):
        with pytest.raises(StoreUnavailable):
            manager.persist(path)
        with pytest.raises(StoreUnavailable):
            manager.restore(path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert os.listdir(tmp_path / "folder") == []


def test_paths_are_texts_or_path_objects(tmp_path, monkeypatch):
    """Relative ones, too, and names of other scripts."""
    monkeypatch.chdir(tmp_path)
    manager = BudgetManager()
    manager.set_budget(budget_limit())
    for path in ("f.json", Path("é.json"), "sub/f", "a b\n.json"):
        manager.persist(path)
        assert BudgetManager().restore(path)
    assert sorted(os.listdir(tmp_path)) == ["a b\n.json", "f.json", "sub", "é.json"]


def test_permissions_follow_the_umask_and_the_file_that_is_there(tmp_path):
    """A new file as any new file; a private one stays private."""
    path = tmp_path / "f.json"
    before = os.umask(0o027)
    try:
        BudgetManager().persist(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        BudgetManager().persist(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_file_that_others_may_read_stays_so(tmp_path):
    """A file that is there keeps its own permissions."""
    path = tmp_path / "f.json"
    before = os.umask(0o077)
    try:
        BudgetManager().persist(path)
        path.chmod(0o644)
        BudgetManager().persist(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_a_symbolic_link_stays_a_link(tmp_path):
    """The file that it names is written."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "f.json"
    link.symlink_to(tmp_path / "real" / "f.json")
    BudgetManager().persist(link)
    assert link.is_symlink()
    assert (tmp_path / "real" / "f.json").exists()


def test_a_persist_that_has_returned_is_not_undone_by_one_that_began_before(tmp_path):
    """Eight threads charge and persist: in the end the file holds every charge."""
    for turn in range(12):
        manager = BudgetManager()
        manager.set_budget(budget_limit("a", None))
        path = tmp_path / f"{turn}.json"

        def charge(number, manager=manager, path=path):
            for _ in range(3):
                manager.reserve("a", 1)
                manager.persist(path)

        in_threads(8, charge)
        assert json.loads(path.read_text())["agents"][0]["tokens_used"] == 24


KILLED = """
import os, sys
import outlay
manager = outlay.BudgetManager()
unlimited = {"token_budget": None, "calls_budget": None, "window_secs": 60}
for number in range(300):
    manager.set_budget(outlay.BudgetLimit(agent_id=f"a{number}", **unlimited))
print("ready", flush=True)
while True:
    for number in range(300):
        manager.reserve(f"a{number}", 1)
    manager.persist(sys.argv[1])
"""


def test_a_json_file_is_never_half_written_when_the_process_dies(tmp_path):
    """SIGKILL during persist: the file is the old or the new one, whole; it only ever grows."""
    path = tmp_path / "f.json"
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            before = path.stat().st_mtime_ns if path.exists() else None
            while not path.exists() or path.stat().st_mtime_ns == before:
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        manager = BudgetManager(clock=ManualClock())
        assert manager.restore(path)
        used = {full.tokens_used for full in manager.all_full_info()}
        assert len(manager.all_full_info()) == 300
        assert len(used) == 1, "one snapshot, whole"
    stray = [name for name in os.listdir(tmp_path) if name != "f.json"]
    assert set(stray) <= {".f.json.tmp"}, "what a kill leaves does not pile up"


def test_what_a_killed_process_left_is_taken_over_by_the_next_persist(tmp_path):
    """At most one temporary file is ever left beside a file, and it does not stay."""
    path = tmp_path / "f.json"
    (tmp_path / ".f.json.tmp").write_text("half of a longer file " * 1000)
    BudgetManager().persist(path)
    assert json.loads(path.read_text())["agents"] == []
    assert os.listdir(tmp_path) == ["f.json"]


def test_a_link_that_someone_put_beside_the_file_is_not_written_through(tmp_path):
    """In a folder that others may write to, a link would make persist empty any file of the user."""
    precious = tmp_path / "precious"
    precious.write_text("of great value")
    (tmp_path / ".f.json.tmp").symlink_to(precious)
    with contextlib.suppress(StoreUnavailable):
        BudgetManager().persist(tmp_path / "f.json")
    assert precious.read_text() == "of great value"


def test_a_private_file_is_never_readable_on_the_way(tmp_path):
    """Its new content is written only once the new file is private, too."""
    path = tmp_path / "f.json"
    before = os.umask(0o022)
    try:
        BudgetManager().persist(path)
        path.chmod(0o600)
        manager = BudgetManager()
        for number in range(3000):
            manager.set_budget(budget_limit(f"{number}" + "x" * 900))
        seen = set()

        def watch():
            while not done.is_set():
                for name in os.listdir(tmp_path):
                    with contextlib.suppress(FileNotFoundError):
                        status = (tmp_path / name).stat()
                        if status.st_size:
                            seen.add(stat.S_IMODE(status.st_mode))

        done = threading.Event()
        watcher = threading.Thread(target=watch)
        watcher.start()
        for _ in range(10):
            manager.persist(path)
        done.set()
        watcher.join()
        assert seen == {0o600}
    finally:
        os.umask(before)
