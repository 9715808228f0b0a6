"""Public docstrings name arguments, results and errors; each class has an example."""

from __future__ import annotations

import builtins
import enum
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from docstring_support import FRAMED, listed

import outlay

MODULES = [
    "testing",
    "testing.openai_server",
    "testing.provider_server",
    "prices",
    *sorted(
        {
            "anthropic",
            "httpx",
            "httpx2",
            "langchain",
            "litellm",
            "mcp",
            "openai",
            "openai_agents",
            "pydantic_ai",
        }
    ),
]
#: A summary that says what comes back, or that it is what another name gives.
TELLS = re.compile("(Return|Make|Do as) ")
#: Annotations of what returns nothing.
NOTHING = {"None", "object", "Any", "AbstractContextManager[None]", ""}


class Public(NamedTuple):
    """A class, a function, a method or a property that users reach by its name."""

    name: str
    one: Any
    owner: type | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def text(self) -> str:
        """Its own docstring."""
        text = self.one.__doc__
        return "" if text is None else inspect.cleandoc(text)

    @property
    def is_hook(self) -> bool:
        """Whether a host calls it and documents what it takes."""
        bases = self.owner.__mro__ if self.owner else ()
        name = self.name.rsplit(".", 1)[1]
        return any(name in vars(base) for base in bases if not base.__module__.startswith("outlay"))

    def parameters(self) -> list[str]:
        """Return the names of what it takes."""
        each = inspect.signature(self.one).parameters.values()
        own = [one for one in each if one.name not in ("self", "cls") and one.name[0] != "_"]
        return [one.name for one in own if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def members(name: str, owner: type) -> Iterator[Public]:
    """Return what a class or a base of it in this package defines under a public name."""
    for base in owner.__mro__:
        if base.__module__.startswith("outlay"):
            for member, defined in vars(base).items():
                if member[0] != "_" and (
                    isinstance(defined, property | staticmethod | classmethod) or inspect.isroutine(defined)
                ):
                    found = defined if isinstance(defined, property) else getattr(owner, member)
                    yield Public(f"{name}.{member}", found, owner)


def public(module: Any) -> Iterator[Public]:
    """Return what a module exports."""
    for name in module.__all__:
        one = getattr(module, name)
        full = f"{module.__name__}.{name}"
        if inspect.isclass(one) or inspect.isroutine(one):
            yield Public(full, one)
        if inspect.isclass(one) and not issubclass(one, enum.Enum):
            yield from members(full, one)


def wrong(item: Public) -> Iterator[str]:
    """Return what a docstring lacks or says wrong."""
    if not item.text or "ee the stub" in item.text:
        yield "no text"
    elif not re.split(r"\n\n", item.text)[0].rstrip().endswith((".", ":", ")")):
        yield "its first words are no sentence"
    for error in listed(item.text, "Raises"):
        if not hasattr(outlay, error) and not hasattr(builtins, error):
            yield f"there is no {error}"
    if inspect.isclass(item.one):
        yield from wrong_of_class(item)
    elif inspect.isroutine(item.one) and not item.is_hook:
        if listed(item.text, "Args") != item.parameters():
            yield f"it takes {item.parameters()}"
        returns = str(inspect.signature(item.one).return_annotation).replace(str(inspect.Signature.empty), "")
        if returns not in NOTHING and "\nReturns:\n" not in item.text and not TELLS.match(item.text):
            yield f"it returns {returns}"


def wrong_of_class(item: Public) -> Iterator[str]:
    """Return what is wrong with a class: it documents what its constructor takes."""
    if ">>>" not in item.text:
        yield "no example"
    elsewhere = "Made by" in item.text or issubclass(item.one, BaseException | enum.Enum)
    own = "__init__" in vars(item.one) or "__new__" in vars(item.one)
    takes = own and not elsewhere and not getattr(item.one, "_is_protocol", False)
    if takes and listed(item.text, "Args") != item.parameters():
        yield f"it takes {item.parameters()}"


def checked(module: Any) -> list[str]:
    """Return all that is wrong in a module, one line each."""
    return [f"{item}: {problem}" for item in public(module) for problem in wrong(item)]


def test_the_package_is_documented() -> None:
    assert checked(outlay) == []
    assert len(list(public(outlay))) > 250


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_the_package_is_documented(name: str) -> None:
    if name in FRAMED:
        pytest.importorskip(FRAMED[name])
    if name == "testing":
        pytest.importorskip("langchain_core")
    module = importlib.import_module(f"outlay.{name}")
    assert module.__doc__
    assert checked(module) == []


class Bad:
    """What no class of the package may be like"""  # noqa: D400, D415

    def __init__(self, first: int) -> None: ...

    def method(self, second: int) -> int:
        """See the stub.

        Raises:
            NoSuchError: Never.

        """
        return second


def test_what_is_wrong_is_found() -> None:
    of_class = list(wrong(Public("Bad", Bad)))
    assert of_class == ["its first words are no sentence", "no example", "it takes ['first']"]
    of_method = list(wrong(Public("Bad.method", Bad.method)))
    assert of_method == ["no text", "there is no NoSuchError", "it takes ['second']", "it returns int"]
