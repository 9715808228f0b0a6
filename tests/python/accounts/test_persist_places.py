"""persist and restore where no regular file is: an error at once, and the thing stays as it was."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys

import pytest
from face_support import budget_limit

from outlay import BudgetManager, StoreUnavailable


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
