"""The scopes of a guard: the labels around a piece of code, with its runs and its steps."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from outlay._core import scope_begins
from outlay._errors import InvalidId, PolicyError

if TYPE_CHECKING:
    from outlay._core import Guard

_labels: ContextVar[dict[str, str] | None] = ContextVar("outlay_labels", default=None)
#: The core reads this at every request: the labels, and the mark of a final answer.
labels_for_core = _labels.get
# It marks the scopes of a final answer. The space at its start keeps it apart from a user's labels.
_LANDING = " landing"
_LONGEST = 1024  # bytes of a label
_steps = itertools.count(1)


def current_labels() -> dict[str, str]:
    """Return the labels of the scopes around the present code."""
    labels = _labels.get()
    if not labels:
        return {}
    return {name: value for name, value in labels.items() if name != _LANDING}


def scoped() -> dict[str, str]:
    """Return the labels of the scopes around the present code, with the mark of a final answer."""
    return dict(_labels.get() or {})


class Inside:
    """The scopes inside a function: entered around each of its steps, and left between them."""

    __slots__ = ("_inside", "_token")

    def __init__(self, labels: dict[str, str]) -> None:
        self._inside: dict[str, str] | None = {**(_labels.get() or {}), **labels}
        self._token: Token[dict[str, str] | None] | None = None

    def __enter__(self) -> None:
        self._token = _labels.set(self._inside)

    def __exit__(self, *_exception: object) -> None:
        # A step may begin a scope that goes on in the next one.
        inside, token = _labels.get(), self._token
        # A generator that is dropped unfinished may end in another context, where nothing was set.
        with suppress(ValueError):
            if token is not None:
                _labels.reset(token)
            self._inside = inside


@contextmanager
def _with(labels: dict[str, str]) -> Iterator[None]:
    scope_begins()
    before = _labels.get()
    token = _labels.set({**(before or {}), **labels})
    try:
        yield
    finally:
        # A generator may be closed in another context, where nothing was set.
        with suppress(ValueError):
            _labels.reset(token)


def scope(
    self: Guard,  # noqa: ARG001 (a method)
    *,
    labels: Mapping[str, str | uuid.UUID] | None = None,
    **named: str | uuid.UUID,
) -> AbstractContextManager[None]:
    return _with({name: checked_label(name, value) for name, value in given_labels(labels, named).items()})


def given_labels(
    labels: Mapping[str, str | uuid.UUID] | None, named: Mapping[str, str | uuid.UUID]
) -> Mapping[str, str | uuid.UUID]:
    """Return the labels of a mapping and of keywords together.

    Raises:
        PolicyError: `labels` is no mapping, or a label is given twice, with two values.
        InvalidId: The name of a label is no text.

    """
    if labels is None:
        return named
    if not isinstance(labels, Mapping):
        raise PolicyError(f"labels must be a mapping of names to values, not a {type(labels).__name__}")
    for name, value in labels.items():
        if not isinstance(name, str) or not name:
            raise InvalidId(f"a name in labels must be a str of 1 to 1,024 bytes, not {name!r:.100}")
        if name in named and named[name] != value:
            raise PolicyError(
                f"the label {name!r} is given twice, as a keyword and in labels=, with two values; give one"
            )
    return {**labels, **named}


def checked_label(name: str, value: str | uuid.UUID) -> str:
    """Return the text of a label, as `reserve` takes it.

    Raises:
        InvalidId: The name or the value is not text of 1 to 1,024 bytes.

    """
    _check_text("a name in labels", name, "a str")
    if name.startswith(_LANDING[0]):
        raise InvalidId(f"a name in labels must be text without a space at its start, not {name!r:.100}")
    text = str(value) if isinstance(value, uuid.UUID) else value
    _check_text(name, text, "a str or a uuid.UUID")
    return text


def _check_text(what: str, text: object, allowed: str) -> None:
    # Nearly all are ASCII, where each character is a byte; a scope for each call checks them each time.
    if isinstance(text, str) and text.isascii() and 0 < len(text) <= _LONGEST:
        return
    if not isinstance(text, str) or not 0 < len(text.encode(errors="surrogatepass")) <= _LONGEST:
        raise InvalidId(f"{what} must be {allowed} of 1 to 1,024 bytes, not {text!r:.100}")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidId(f"{what} must be text that has a UTF-8 form: no lone surrogates")


def landing(self: Guard) -> AbstractContextManager[None]:  # noqa: ARG001 (a method)
    return _with({_LANDING: "yes"})


@contextmanager
def run(
    self: Guard,
    run_id: str | uuid.UUID | None = None,
    *,
    labels: Mapping[str, str | uuid.UUID] | None = None,
    **named: str | uuid.UUID,
) -> Iterator[str]:
    run_id = new_run_id() if run_id is None else checked_label("run_id", run_id)
    with scope(self, labels=labels, run=run_id, **named):
        yield run_id


def within_run(run_id: str) -> AbstractContextManager[None]:
    """Begin a run of this id for the `with` block."""
    return _with({"run": checked_label("run_id", run_id)})


def new_run_id() -> str:
    """Return a new value of the label `run`."""
    return uuid.uuid4().hex


def new_step_id() -> str:
    """Return a new value of the label `step_id`."""
    return str(next(_steps))


@contextmanager
def step(
    self: Guard,
    name: str = "default",
    *,
    labels: Mapping[str, str | uuid.UUID] | None = None,
    **named: str | uuid.UUID,
) -> Iterator[None]:
    with scope(self, labels=labels, step=name, **named):
        self.charge_step()
        with _with({"step_id": new_step_id()}):
            yield
