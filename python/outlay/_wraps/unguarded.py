"""`unguarded`: the rule of every wrap for methods that cost money and that it cannot guard.

"warn" lets the call pass and logs it once for each method. "refuse" raises before anything is sent. "allow"
lets it pass. Inside a call that pays for it, such as a function under `outlay.governed`, it is guarded there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias

from outlay._calls.budgets import Budgets
from outlay._calls.call import open_calls
from outlay._errors import PolicyError

Unguarded: TypeAlias = Literal["warn", "refuse", "allow"]
WORDS = ("warn", "refuse", "allow")
_log = logging.getLogger("outlay")
_OPEN = (
    "%s: %s costs money and no budget guards it; the wrap guards %s. "
    'Call it in a function under outlay.governed, or give unguarded="%s"'
)
# A service makes clients by the thousand: the hosts and their methods are few.
_said: dict[tuple[str, str], object] = {}


class Wrapped(Protocol):
    """The arguments of a wrap that are used here."""

    @property
    def unguarded(self) -> Unguarded:
        """The wrap's choice."""

    @property
    def budgets(self) -> Budgets:
        """Its budgets."""


def checked_unguarded(word: Any) -> Unguarded:
    """Return the word.

    Raises:
        PolicyError: It is none of the three.

    """
    if not isinstance(word, str) or word not in WORDS:
        raise PolicyError(f"unguarded: 'warn', 'refuse' or 'allow' is allowed, not {word!r:.100}")
    return word  # type: ignore[return-value]


def pass_by(layers: Iterable[Wrapped], host: str, method: str, guarded: str) -> None:
    """Let an unguarded method pass, warn, or refuse it, as the strictest wrap of its object says.

    Args:
        layers: The wraps.
        host: The integration, as the user imports it.
        method: The name of the method. It is the same for every call, so that it is logged once.
        guarded: What the integration guards, in a few words.

    Raises:
        PolicyError: A wrap says "refuse", and no call around pays for this one.

    """
    words = {one.unguarded for one in layers if not _are_paid(one.budgets)}
    if "refuse" in words:
        raise PolicyError(_OPEN % (host, method, guarded, "allow"))
    if "warn" in words:
        mark = object()
        if _said.setdefault((host, method), mark) is mark:
            _log.warning(_OPEN, host, method, guarded, "allow")


def give_out(client: Any, layers: Iterable[Wrapped], host: str, name: str, guarded: str) -> Any:
    """Return the SDK's client inside a model. Calls on it are unguarded, unless it is wrapped itself.

    Raises:
        PolicyError: As `pass_by` says.

    """
    if not getattr(client, "_outlay_layers", ()):
        pass_by(layers, host, name, guarded)
    return client


def inside_call() -> bool:
    """Return whether the current point of the program is inside a call that is not over."""
    return next(open_calls(), None) is not None


def _are_paid(budgets: Budgets) -> bool:
    """Say whether the calls around pay for all of these budgets.

    A guard has other counters for other labels, so any call that pays for something is enough there.
    """
    paid = [call.covered for call in open_calls()]
    return all(
        any(paid) if key[0] == "guard" else any(key in covered for covered in paid)
        for key, _ in (*budgets.native, *budgets.own)
    )
