"""The commands `outlay top` and `outlay migrate`: what a store keeps, and how an empty one is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from outlay._cli.printing import say, say_json, say_table, warn
from outlay._core import create_store, inspect_store
from outlay._errors import OutlayError

_HEAD = ("limit", "window", "most", "used", "out", "written off", "ends", "holder", "share", "used", "held")


def top(url: str, *, namespace: str = "default", as_json: bool = False) -> int:
    """Show the limits of a store: what all processes have used of each, and who has the rest.

    It only reads, and works beside running processes.

    Args:
        url: The address of the store.
        namespace: Its part.
        as_json: Print a list with one object for each limit.

    """
    try:
        limits = inspect_store(url, namespace)
    except OutlayError as error:
        warn(str(error))
        return 1
    if as_json:
        say_json(limits)
    elif limits:
        say_table([_HEAD, *(row for limit in limits for row in _rows(limit))])
    else:
        say(f"{url} has no limits in the namespace {namespace!r}")
    return 0


def migrate(url: str, *, namespace: str = "default", create: bool = False, as_json: bool = False) -> int:
    """Create an empty namespace, which a strict store refuses to do by itself.

    Args:
        url: The address of the store.
        namespace: Its part.
        create: Whether to create it; else it is an error that nothing is to be done.
        as_json: Print an object.

    """
    if not create:
        warn("the tables of this version are the only ones so far: give --create to create an empty store")
        return 2
    try:
        create_store(url, namespace)
    except OutlayError as error:
        warn(str(error))
        return 1
    if as_json:
        say_json({"url": url, "namespace": namespace, "created": True})
    else:
        say(f"ok: {url} grants limits in the namespace {namespace!r}")
    return 0


def _rows(limit: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for a limit with its first holder, and one for each other holder."""
    shown = (
        limit["name"],
        limit["window"],
        "-" if limit["limit"] is None else str(limit["limit"]),
        *(str(limit[key]) for key in ("used", "out", "written_off")),
        "-" if limit["ends"] is None else f"{datetime.fromtimestamp(limit['ends'], UTC):%Y-%m-%d %H:%M:%SZ}",
    )
    holders = [_holder(holder) for holder in limit["holders"]] or [("-", "", "", "")]
    yield (*shown, *holders[0])
    for holder in holders[1:]:
        yield (*("" for _ in shown), *holder)


def _holder(holder: Mapping[str, Any]) -> tuple[str, ...]:
    process = holder["holder"] if holder["pid"] is None else f"{holder['holder']} (pid {holder['pid']})"
    gone = "" if holder["live"] else " gone"
    return (f"{process}{gone}", *(str(holder[key]) for key in ("share", "used", "reserved")))
