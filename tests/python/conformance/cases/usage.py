"""The cases of usages that are reported in an unusual way: with every chunk, or without the input."""

from __future__ import annotations

from kit import TEXT, USAGE, billed, committed

from cases.base import ALL, PLAIN, STREAMS, case
from outlay.testing import Reply


@case("A stream that tells the total so far with every chunk is booked once, not added up.", STREAMS)
def running_totals(world):
    server, pool = world.serve(Reply(text=TEXT, usage=USAGE, totals=True)), world.pool()
    assert world.ask(world.make(server, pool), usage=True) == TEXT
    assert committed(pool) == billed(server) == (100, 50, 150)


@case("An answer that tells its output and no input books the estimate of the input beside it.", ALL)
def input_not_reported(world):
    counted, pool = world.serve(Reply(text=TEXT)), world.pool()
    options = {"usage": True} if world.mode in STREAMS else {}
    assert world.ask(world.make(counted, pool), **options) == TEXT
    output_alone = Reply(text=TEXT, usage={"prompt_tokens": 0, "completion_tokens": 50})
    silent, other = world.serve(output_alone), world.pool()
    assert world.ask(world.make(silent, other), **options) == TEXT
    given, made, total = committed(other)
    assert (made, total) == (50, given + 50)
    assert given >= billed(counted)[0] > 0


@case("Tokens read from a cache are booked as such under the names that gateways give them.", PLAIN)
def cached_names(world):
    names = ({"prompt_cache_hit_tokens": 30, "prompt_cache_miss_tokens": 70}, {"cached_tokens": 30})
    for other in names:
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150, **other}
        server, pool = world.serve(Reply(text=TEXT, usage=usage)), world.pool()
        world.ask(world.make(server, pool))
        assert committed(pool) == (100, 50, 150)
        assert pool.committed().cache_read_tokens == 30, other
