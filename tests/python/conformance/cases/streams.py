"""The cases of streams that end badly, and of two real layers: what is charged, once, and when."""

from __future__ import annotations

import contextlib
import gc
import threading

from kit import KEPT, TEXT, USAGE, Recorded, billed, broken, committed, estimated

from cases.base import ALL, PLAIN, STREAMS, case
from outlay import LimitExceeded
from outlay.testing import Reply


@case(
    "A stream that is left after its first piece is charged as it is closed, not by the collector.", STREAMS
)
def early_close(world):
    server, pool = world.serve(Reply(text=TEXT, usage=USAGE, gate=threading.Event())), world.pool()
    own = Recorded(pool)
    client = world.make(server, own)
    gc.disable()
    try:
        assert TEXT.startswith(world.leave(client))
        assert KEPT, f"{world.driver.name} keeps nothing of its streams"
        assert pool.open_leases() == []
    finally:
        gc.enable()
    assert committed(pool) == broken(world.driver, own)


@case(
    "A stream that the server cuts after its first piece is charged, and the host's error comes through.",
    STREAMS,
)
def broken_stream(world):
    server, pool = world.serve(Reply(text=TEXT, usage=USAGE, disconnect=True)), world.pool()
    own = Recorded(pool)
    client, raised = world.make(server, own), None
    gc.disable()
    try:
        try:
            world.ask(client, usage=True)
        except Exception as error:
            raised = error
        assert pool.open_leases() == []
    finally:
        gc.enable()
    assert raised is not None
    assert not isinstance(raised, LimitExceeded)
    assert server.calls == own.asked == 1
    assert committed(pool) == broken(world.driver, own)


@case("An answer that the server cuts in the midst of its body is charged: it was made.", PLAIN)
def broken_answer(world):
    server, own = world.serve(Reply(text=TEXT, disconnect=True)), Recorded(world.pool())
    client, raised = world.make(server, own), None
    try:
        world.ask(client)
    except Exception as error:
        raised = error
    assert raised is not None
    assert not isinstance(raised, LimitExceeded)
    assert (server.calls, own.asked) == (1, 1)
    assert committed(own.pool) == estimated(own)
    assert own.pool.open_leases() == []


@case("A wrapped client over a guarded transport charges a budget that both name once.", ALL)
def stacked_layers(world):
    usage = {"prompt_tokens": 30, "completion_tokens": 5}
    server, pool = world.serve(Reply(text=TEXT, usage=usage)), world.pool()
    assert world.ask(world.over_transport(server, pool), usage=True) == TEXT
    assert committed(pool) == billed(server) == (30, 5, 35)


@case("Two real layers charge a stream that is left, or that breaks, once.", STREAMS)
def stacked_layers_cut(world):
    for reply in (
        Reply(text=TEXT, usage=USAGE, gate=threading.Event()),
        Reply(text=TEXT, usage=USAGE, disconnect=True),
    ):
        server, own = world.serve(reply), Recorded(world.pool())
        client = world.over_transport(server, own)
        if not reply.disconnect and world.mode == "astream" and hasattr(world.driver, "collect"):
            # Which layer ends first is the collector's choice there.
            continue
        if reply.disconnect:
            with contextlib.suppress(Exception):
                world.ask(client, usage=True)
        else:
            assert TEXT.startswith(world.leave(client))
        KEPT.clear()
        gc.collect()
        assert (server.calls, own.asked) == (1, 1)
        assert committed(own.pool) == broken(world.driver, own)
        assert own.pool.open_leases() == []
