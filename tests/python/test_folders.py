"""The folders of tests bear the names of SDKs, and stand for none of them."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDERS = {path.parent.name: path.parent for path in sorted(Path(__file__).parent.rglob("*/conftest.py"))}


def test_a_folder_of_tests_is_no_package():
    """Else importorskip would find the folder where the SDK is missing."""
    with pytest.raises(ModuleNotFoundError, match="recipes"):
        importlib.import_module("recipes")


@pytest.mark.parametrize("name", FOLDERS)
def test_what_a_folder_is_named_after_is_found_elsewhere_or_not_at_all(name, monkeypatch):
    # As where the tests beside the folder are collected.
    monkeypatch.syspath_prepend(FOLDERS[name].parent)
    try:
        found = find_spec(name)
    except ModuleNotFoundError:
        return
    assert found.origin is not None
    assert Path(__file__).parent not in Path(found.origin).parents
