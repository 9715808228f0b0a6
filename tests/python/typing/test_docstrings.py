"""`help()` shows the texts of the stubs, every public name has a text, and every example runs."""

from __future__ import annotations

import doctest
import importlib
import inspect
from functools import reduce
from typing import Any

import pytest
from docstring_support import CORE, PACKAGE, STUBS, Documented, docstrings
from face_support import ran_clean

import outlay
from outlay import _core

STUB_TEXTS = {documented.name: documented.text for path in STUBS for documented in docstrings(path)}
del STUB_TEXTS[""]  # what each stub itself is about
EXAMPLES = [
    documented
    for path in [CORE, *STUBS, *sorted(PACKAGE.rglob("*.py"))]
    for documented in docstrings(path)
    if ">>>" in documented.text
]


@pytest.mark.parametrize("documented", EXAMPLES, ids=str)
def test_example_runs(documented: Documented) -> None:
    for framework in documented.frameworks():
        pytest.importorskip(framework)
    if documented.path.suffix == ".pyi":
        names = {name: getattr(outlay, name) for name in outlay.__all__}
    else:
        names = dict(vars(importlib.import_module(documented.module)))
    report: list[str] = []
    example = doctest.DocTestParser().get_doctest(
        documented.text, names, str(documented), str(documented.path), documented.line
    )
    results = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert results.attempted > 0
    assert results.failed == 0, "".join(report)


@pytest.mark.parametrize("name", STUB_TEXTS)
def test_help_shows_what_the_stub_says(name: str) -> None:
    assert reduce(getattr, name.split("."), _core).__doc__ == STUB_TEXTS[name]


def test_help_of_the_core_shows_what_its_stub_says() -> None:
    [text] = [documented.text for documented in docstrings(CORE)]
    assert _core.__doc__ == text


def native() -> list[str]:
    """Return the public names of the core, and those of its classes."""
    found = [name for name in _core.__all__ if name != "__version__"]
    classes = [name for name in found if inspect.isclass(getattr(_core, name))]
    members = [f"{name}.{member}" for name in classes for member in vars(getattr(_core, name))]
    return [*found, *(member for member in members if not member.split(".")[1].startswith("_"))]


@pytest.mark.parametrize("name", native())
def test_what_is_public_in_the_core_is_in_a_stub(name: str) -> None:
    assert name in STUB_TEXTS


@pytest.mark.parametrize("name", [name for name in native() if "." not in name])
def test_help_shows_the_defaults(name: str) -> None:
    one: Any = getattr(_core, name)
    methods = list(vars(one)) if inspect.isclass(one) else []
    for member in [one, *(getattr(one, method) for method in methods)]:
        if callable(member) and getattr(member, "__text_signature__", None):
            assert "..." not in member.__text_signature__, f"{member}: {member.__text_signature__}"


def test_help_of_the_test_aids_needs_no_framework() -> None:
    shown = ran_clean(
        "import sys; sys.modules['langchain_core'] = None\nimport outlay.testing\nhelp(outlay.testing)"
    )
    assert "class OpenAIServer" in shown
    assert "ScriptedChatModel(" not in shown


def test_the_attached_are_found_by_their_names() -> None:
    with pytest.raises(KeyError, match=r"Guard\.nothing"):
        _core.attached_doc("Guard.nothing")
