"""The methods of `Store` that are awaited: this module gives them to the native class."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from outlay._attach import attach
from outlay._core import Store
from outlay._stores.in_thread import in_thread

if TYPE_CHECKING:
    from outlay._stubs.arguments import Period
    from outlay._stubs.clocks import Clock


async def open_store(
    cls: type[Store],
    url: str,
    *,
    namespace: str = "default",
    ttl: Period = 15,
    timeout: Period = 0.25,
    connect_timeout: Period = 5,
    on_down: Literal["deny", "local", "allow"] = "deny",
    durable: Literal["grant", "process", "commit"] = "grant",
    strict: bool = False,
    clock: Clock | None = None,
) -> Store:
    made = partial(
        cls,
        url,
        namespace=namespace,
        ttl=ttl,
        timeout=timeout,
        connect_timeout=connect_timeout,
        on_down=on_down,
        durable=durable,
        strict=strict,
        clock=clock,
    )
    return await in_thread(made)


async def sync_async(self: Store) -> None:
    await in_thread(self.sync)


async def enter(self: Store) -> Store:
    return self


async def leave(self: Store, _exception: object, _value: object, _traceback: object) -> bool:
    await in_thread(self.close)
    return False


attach(Store, "open", open_store, classmethod)
attach(Store, "sync_async", sync_async)
for _name, _method in (("__aenter__", enter), ("__aexit__", leave)):
    _method.__name__, _method.__qualname__ = _name, f"Store.{_name}"
    setattr(Store, _name, _method)
