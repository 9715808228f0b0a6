"""What a user's own budget gives out is a lease, or nothing is sent."""

import asyncio

import pytest

from outlay import PolicyError, SharedPool, governed


class Lease:
    """A lease without `close`."""

    def commit(self, usage=None):
        """End it."""

    def release(self):
        """End it."""


class Gives:
    """A budget that gives out what it has."""

    def __init__(self, lease):
        self._lease = lease

    def reserve(self, _estimate, **_labels):
        """Give it."""
        return self._lease


class GivesLater(Gives):
    """The same behind a network."""

    async def reserve(self, _estimate, **_labels):
        """Give it."""
        return self._lease


@pytest.mark.parametrize(
    ("given", "kind", "missing"),
    [(None, "NoneType", "commit"), (True, "bool", "commit"), (Lease(), "Lease", "close")],
)
@pytest.mark.parametrize("budget", [Gives, GivesLater])
def test_what_is_no_lease_is_refused_before_anything_is_sent(budget, given, kind, missing):
    pool = SharedPool(capacity_tokens=100, unsettled="release")
    sent = []

    async def answer():
        sent.append("a request")

    ask = governed([pool, budget(given)], estimate=10, usage=lambda _answer: 7)(answer)
    told = f"{budget.__name__}.reserve has returned a {kind}, which is no lease: it has no method {missing}"
    with pytest.raises(PolicyError, match=told):
        asyncio.run(ask())
    assert (sent, pool.remaining().tokens, pool.open_leases()) == ([], 100, [])


def test_a_call_that_is_not_async_refuses_it_too():
    pool = SharedPool(capacity_tokens=100)
    ask = governed([pool, Gives(None)], estimate=10, usage=lambda _answer: 7)(lambda: "an answer")
    with pytest.raises(PolicyError, match="which is no lease"):
        ask()
    assert (pool.remaining().tokens, pool.open_leases()) == (100, [])
