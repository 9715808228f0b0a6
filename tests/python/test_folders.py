"""The folders of tests bear the names of SDKs, and stand for none of them."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDERS = sorted(path.parent.name for path in Path(__file__).parent.glob("*/conftest.py"))


def test_a_folder_of_tests_is_no_package():
    """Else importorskip would find the folder where the SDK is missing."""
    with pytest.raises(ModuleNotFoundError, match="recipes"):
        importlib.import_module("recipes")


@pytest.mark.parametrize("name", FOLDERS)
def test_what_a_folder_is_named_after_is_found_as_a_package_or_not_at_all(name):
    try:
        found = find_spec(name)
    except ModuleNotFoundError:
        return
    assert Path(found.origin).name == "__init__.py"
    assert Path(__file__).parent not in Path(found.origin).parents
