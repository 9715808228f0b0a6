"""No module imports one that imports it back, be it in a function or for the types alone."""

from __future__ import annotations

import pytest
from imports import Package, circles, texts

A = "outlay/a.py"
B = "outlay/b.py"
INIT = "outlay/__init__.py"


def found(a, b):
    """Return the circles of a package with two modules."""
    return circles(Package({INIT: "", A: a, B: b}).edges())


@pytest.mark.parametrize(
    "back",
    [
        "from outlay.a import A",
        "from .a import A",
        "from . import a\nx = a.A",
        "from outlay import a as other\nx = other.A",
        "import outlay.a",
        "import outlay\nx = outlay.a.A",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import A",
        "def f():\n    from .a import A\n    return A",
        "class C:\n    def f(self):\n        import outlay.a as a\n        return a.A",
        "import importlib\nx = importlib.import_module('outlay.a')",
        "try:\n    from .a import A\nexcept ImportError:\n    A = None",
    ],
)
def test_a_circle_of_two_is_found_however_it_is_imported(back):
    assert found(a="from .b import B\nA = 1", b=back + "\nB = 1") == [["outlay.a", "outlay.b"]]


def test_a_name_that_a_package_hands_on_is_an_import_of_its_home():
    init = {INIT: "from .a import A\nfrom .x import B\n__all__ = ['A', 'B']\n"}
    files = {
        "outlay/a.py": "from outlay import B\nA = 1",
        "outlay/x/__init__.py": "from .b import B as B",
        "outlay/x/b.py": "import outlay\nB = outlay.A",
    }
    assert circles(Package({**init, **files}).edges()) == [["outlay.a", "outlay.x.b"]]


def test_a_child_that_takes_what_its_package_defines_is_in_a_circle():
    files = {INIT: "LIMIT = 1\n", A: "from outlay import LIMIT\n"}
    assert circles(Package(files).edges()) == [["outlay", "outlay.a"]]
    files = {INIT: "from .a import A\nx = A()\n", A: "class A: ...\n"}
    assert circles(Package(files).edges()) == []


def test_circles_of_three_and_in_sub_folders_are_found():
    files = {
        INIT: "",
        "outlay/x/__init__.py": "",
        "outlay/x/a.py": "from ..y.b import B\n",
        "outlay/y/__init__.py": "",
        "outlay/y/b.py": "from .c import C\nB = 1\n",
        "outlay/y/c.py": "from outlay.x.a import A\n",
    }
    assert circles(Package(files).edges()) == [["outlay.x.a", "outlay.y.b", "outlay.y.c"]]


def test_what_is_no_circle_is_none():
    files = {INIT: "from .a import A\nfrom .b import B\n", A: "from .b import B\nA = 1\n", B: "import os\n"}
    assert circles(Package(files).edges()) == []


def test_the_package_is_read():
    edges = Package(texts()).edges()
    assert len(edges) > 100
    assert sum(len(targets) for targets in edges.values()) > 300
