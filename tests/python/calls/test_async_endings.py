"""Leases of a user's own async budgets end before the call returns, whatever else happens."""

import asyncio

import pytest

from outlay import governed


class RemoteLease:
    """A lease whose ends wait for the service."""

    def __init__(self, remote):
        self._remote = remote

    async def commit(self, usage=None):
        """Book."""
        self._remote.asked.set()
        await self._remote.answers.wait()
        self._remote.booked.append(usage.total_tokens)

    async def release(self):
        """Give back."""
        await self.close()

    async def close(self):
        """End what has failed."""
        self._remote.asked.set()
        await self._remote.answers.wait()
        self._remote.booked.append(0)


class RemoteBudget:
    """A budget behind a network: it books once its service answers."""

    def __init__(self):
        self.booked = []
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def reserve(self, _estimate, **_labels):
        """Give a lease."""
        return RemoteLease(self)


class Broken:
    """A budget whose leases cannot be ended."""

    async def reserve(self, _estimate, **_labels):
        """Give a lease."""
        return self

    def commit(self, _usage=None):
        """Fail."""
        raise RuntimeError("no commit")

    def release(self):
        """Fail."""
        raise RuntimeError("no release")

    def close(self):
        """Fail."""
        raise RuntimeError("no close")


class BrokenAsync(Broken):
    """The same behind a network."""

    async def commit(self, _usage=None):
        """Fail."""
        raise RuntimeError("no commit")

    async def release(self):
        """Fail."""
        raise RuntimeError("no release")

    async def close(self):
        """Fail."""
        raise RuntimeError("no close")


async def answers():
    return "an answer"


async def fails():
    raise ValueError("the call has failed")


def seven(_answer):
    return 7


async def still_under_way(call, remote):
    """Give the call all the turns that it can use, and see that it waits for the service."""
    await remote.asked.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not call.done()


@pytest.mark.parametrize("broken", [Broken, BrokenAsync])
@pytest.mark.parametrize("first", [True, False])
def test_a_lease_that_cannot_be_ended_keeps_no_other_from_its_end(broken, first):
    async def main():
        remote = RemoteBudget()
        budgets = [broken(), remote] if first else [remote, broken()]
        call = asyncio.create_task(governed(budgets, estimate=10, usage=seven)(answers)())
        await still_under_way(call, remote)
        remote.answers.set()
        with pytest.raises(RuntimeError, match="no commit"):
            await call
        return remote.booked

    assert asyncio.run(main()) == [7]


@pytest.mark.parametrize("broken", [Broken, BrokenAsync])
def test_a_failed_call_ends_every_lease_and_raises_its_own_error(broken):
    async def main():
        remote = RemoteBudget()
        call = asyncio.create_task(governed([broken(), remote], estimate=10, usage=seven)(fails)())
        await still_under_way(call, remote)
        remote.answers.set()
        with pytest.raises(ValueError, match="the call has failed"):
            await call
        return remote.booked

    assert asyncio.run(main()) == [0]


def test_a_cancellation_while_a_lease_ends_comes_after_its_end():
    async def main():
        remote = RemoteBudget()
        call = asyncio.create_task(governed([remote], estimate=10, usage=seven)(answers)())
        await remote.asked.wait()
        call.cancel()
        await still_under_way(call, remote)
        remote.answers.set()
        with pytest.raises(asyncio.CancelledError):
            await call
        return remote.booked

    assert asyncio.run(main()) == [7]


def test_a_second_cancellation_ends_the_call_and_not_the_end_of_its_lease():
    async def main():
        remote = RemoteBudget()
        call = asyncio.create_task(governed([remote], estimate=10, usage=seven)(answers)())
        await remote.asked.wait()
        call.cancel()
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert remote.booked == []
        remote.answers.set()
        async with asyncio.timeout(10):
            while not remote.booked:
                await asyncio.sleep(0)
        return remote.booked

    assert asyncio.run(main()) == [7]
