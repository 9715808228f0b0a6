"""The laws against a naive book: random operations with a moving clock, zero differences.

The books here are plain Python: a few numbers, a list of leases, no cleverness. Expiry is looked for before
every operation, in the order of the deadlines.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from face_support import budget_limit, refusal_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlay import (
    AgentTokenBudget,
    BudgetManager,
    LeaseExpired,
    LeaseFinalized,
    ManualClock,
    SharedPool,
    UsageEstimate,
)

PERIOD = 60
SETTINGS = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
amounts = st.integers(0, 60)
kinds = ["charge", "reserve", "commit", "release", "drop", "extend", "advance", "reset", "block", "error"]
operations = st.lists(st.tuples(st.sampled_from(kinds), amounts, amounts), max_size=60)
policies = st.tuples(st.sampled_from(["charge", "release"]), st.sampled_from(["charge", "release"]))


@dataclass
class NaiveLease:
    """What one lease holds, and how it ended."""

    amount: int
    era: int
    deadline: int
    state: str = "open"
    booked: int = 0
    covered: int = 0


@dataclass
class NaiveMeter:
    """One limit in one window, kept by hand."""

    limit: int
    period: int | None
    unsettled: str
    on_error: str
    now: int = 0
    start: int = 0
    era: int = 0
    used: int = 0
    leases: list[NaiveLease] = field(default_factory=list)

    def reserved(self):
        """Return what the open leases of this window hold."""
        return sum(one.amount for one in self.leases if one.state == "open" and one.era == self.era)

    def remaining(self):
        """Return what could still be admitted."""
        return max(0, self.limit - self.used - self.reserved())

    def fits(self, amount):
        """Say what the law of a meter says."""
        return self.used + self.reserved() + amount <= self.limit

    def begin(self, start):
        """Start a window: nothing is used, nothing reserved."""
        self.start, self.era, self.used = start, self.era + 1, 0

    def roll(self, now):
        """Begin the window of that time."""
        if self.period and now - self.start >= self.period:
            self.begin(now - (now - self.start) % self.period)

    def touch(self):
        """End what is due, each at its deadline, in the window of that time."""
        due = [one for one in self.leases if one.state == "open" and one.deadline <= self.now]
        for lease in sorted(due, key=lambda one: one.deadline):
            self.roll(lease.deadline)
            self.expire(lease)
        self.roll(self.now)

    def expire(self, lease):
        """End a lease for now."""
        lease.state = "expired"
        if lease.era != self.era:
            lease.covered = lease.amount
        elif self.unsettled == "charge":
            self.used += lease.amount
            lease.covered = lease.amount

    def commit(self, lease, actual):
        """Book what was used; above the estimate it belongs to this window."""
        if lease.state == "expired":
            if lease.era == self.era:
                self.used -= lease.covered
                self.used += actual
            else:
                self.used += max(0, actual - lease.covered)
        elif lease.era == self.era:
            self.used += actual
        else:
            self.used += max(0, actual - lease.amount)
        lease.state, lease.booked = "committed", actual

    def end(self, lease, how, actual):
        """End a lease; return the name of the error that is expected."""
        if lease.state == "committed":
            same = how == "commit" and actual == lease.booked
            return None if same else "LeaseFinalized"
        if lease.state == "released":
            return None if how == "release" else "LeaseFinalized"
        if how == "commit":
            self.commit(lease, actual)
        elif lease.state == "expired":
            return "LeaseExpired"
        elif how == "release":
            lease.state = "released"
        return None

    def leave(self, lease, charged):
        """Leave the block of a lease that nobody has ended."""
        if lease.state != "open":
            return
        if charged:
            self.commit(lease, lease.amount)
        else:
            lease.state = "released"


class Walk:
    """One face and its naive book, walked through the same operations."""

    def __init__(self, face, naive, clock):
        self.face, self.naive, self.clock = face, naive, clock
        self.leases = []

    def step(self, kind, a, b):
        """Do one operation on both and compare."""
        naive = self.naive
        naive.touch()
        if kind == "advance":
            naive.now += a
            self.clock.advance(a)
        elif kind == "reset":
            if naive.period:
                self.face.reset()
                naive.begin(naive.now)
        elif kind == "charge":
            self.admitted(lambda: self.face.charge(a), a, lambda: setattr(naive, "used", naive.used + a))
        elif kind == "reserve":
            self.admitted(lambda: self.reserve(a, b), a, lambda: None)
        elif self.leases:
            self.on_lease(kind, self.leases[a % len(self.leases)], b)
        naive.touch()
        for lease, twin in self.leases:
            assert lease.state == twin.state
        assert self.face.numbers() == (naive.used, naive.reserved(), naive.remaining())

    def admitted(self, call, amount, book):
        """Admitted exactly when the law says so; a refusal carries the numbers and changes nothing."""
        naive = self.naive
        fits = naive.fits(amount)
        before = (naive.used, naive.reserved())
        refused = refusal_of(call)
        assert (refused is None) == fits
        if refused is None:
            book()
            return
        assert (refused.used, refused.reserved) == before
        assert (refused.requested, refused.limit) == (amount, naive.limit)
        assert refused.remaining == naive.remaining()

    def reserve(self, amount, ttl):
        """Open a lease on both."""
        lease = self.face.reserve(amount, ttl + 1)
        twin = NaiveLease(amount, self.naive.era, self.naive.now + ttl + 1)
        self.naive.leases.append(twin)
        self.leases.append((lease, twin))

    def on_lease(self, kind, pair, number):
        """Do one operation on a lease."""
        lease, twin = pair
        if kind == "drop":
            self.leases.remove(pair)
            if twin.state == "open":
                self.naive.expire(twin)
            del lease, pair
        elif kind == "extend":
            expected = {"expired": "LeaseExpired", "open": None}.get(twin.state, "LeaseFinalized")
            assert raised(lambda: lease.extend(number + 1)) == expected
            if twin.state == "open":
                twin.deadline = self.naive.now + number + 1
        elif kind in ("block", "error"):
            policy = self.naive.unsettled if kind == "block" else self.naive.on_error
            assert (
                raised(lambda: lease.close() if kind == "error" else lease.__exit__(None, None, None)) is None
            )
            self.naive.leave(twin, policy == "charge")
        else:
            expected = self.naive.end(twin, kind, number)
            call = (lambda: lease.commit(number)) if kind == "commit" else lease.release
            assert raised(call) == expected


def raised(call):
    """Return the name of the lease error that a call raises."""
    try:
        call()
    except (LeaseExpired, LeaseFinalized) as error:
        return type(error).__name__
    return None


class TokenFace:
    """An agent's budget: one operation that costs 1."""

    def __init__(self, limit, clock, unsettled, on_error):
        self.budget = AgentTokenBudget(
            "a", limit, PERIOD, clock=clock, unsettled=unsettled, on_error=on_error
        )
        self.reset = self.budget.reset

    def charge(self, tokens):
        """Charge at once."""
        self.budget.consume("query", tokens)

    def reserve(self, tokens, ttl):
        """Open a lease."""
        return self.budget.reserve("query", tokens, ttl=ttl)

    def numbers(self):
        """Return used, reserved, remaining."""
        return self.budget.used(), self.budget.reserved(), self.budget.remaining()


class ManagerFace:
    """One agent of a manager, tokens alone."""

    def __init__(self, limit, clock, unsettled, on_error):
        self.manager = BudgetManager(clock=clock, unsettled=unsettled, on_error=on_error)
        self.manager.set_budget(budget_limit("a", limit, None, PERIOD))
        self.agent = self.manager.agent("a")

    def charge(self, tokens):
        """Charge at once."""
        self.manager.reserve("a", tokens)

    def reserve(self, tokens, ttl):
        """Open a lease."""
        return self.agent.reserve(tokens, ttl=ttl)

    def reset(self):
        """Begin a window."""
        self.manager.reset_window("a")

    def numbers(self):
        """Return used, reserved, remaining."""
        full = self.manager.full_info("a")
        held = full.token_limit - full.tokens_used - full.tokens_remaining
        exact = full.tokens_used <= full.token_limit and full.tokens_remaining > 0
        return full.tokens_used, held if exact else None, full.tokens_remaining


class PoolFace:
    """A pool whose tokens stand for its cost."""

    def __init__(self, limit, clock, unsettled, on_error):
        self.pool = SharedPool(
            capacity_cost_micros_usd=limit, clock=clock, unsettled=unsettled, on_error=on_error
        )

    def charge(self, micros):
        """Charge at once."""
        self.pool.reserve(UsageEstimate(cost_micros_usd=micros)).commit()

    def reserve(self, micros, ttl):
        """Open a lease."""
        return PoolLease(self.pool.reserve(UsageEstimate(cost_micros_usd=micros), ttl=ttl))

    def numbers(self):
        """Return used, reserved, remaining."""
        used, held = self.pool.committed().cost_micros_usd, self.pool.reserved().cost_micros_usd
        return used, held, self.pool.remaining().cost_micros_usd


class PoolLease:
    """A lease whose commits are of cost."""

    def __init__(self, lease):
        self.lease = lease

    def commit(self, micros):
        """Book so much."""
        self.lease.commit(UsageEstimate(cost_micros_usd=micros))

    def __getattr__(self, name):
        return getattr(self.lease, name)

    def __exit__(self, *exception):
        return self.lease.__exit__(*exception)


def walk(face_class, period, limit, policy, steps):
    """Walk a face and its book through the steps."""
    clock = ManualClock()
    unsettled, on_error = policy
    face = face_class(limit, clock, unsettled, on_error)
    naive = NaiveMeter(limit, period, unsettled, on_error)
    walker = Walk(face, naive, clock)
    for step in steps:
        walker.step(*step)


@SETTINGS
@given(st.integers(0, 200), policies, operations)
def test_a_token_budget_keeps_the_naive_book(limit, policy, steps):
    """Used, reserved, remaining, states and errors of leases, numbers of refusals."""
    walk(TokenFace, PERIOD, limit, policy, steps)


@SETTINGS
@given(st.integers(0, 200), policies, operations)
def test_a_pool_keeps_the_naive_book(limit, policy, steps):
    """A window that never ends."""
    walk(PoolFace, None, limit, policy, steps)


@SETTINGS
@given(st.integers(0, 200), policies, operations)
def test_a_managers_agent_keeps_the_naive_book(limit, policy, steps):
    """The holds are seen in what remains, where something does."""

    class Loose(ManagerFace):
        def numbers(self):
            used, held, left = super().numbers()
            naive = walker_naive[0]
            return used, naive.reserved() if held is None else held, left

    clock = ManualClock()
    naive = NaiveMeter(limit, PERIOD, *policy)
    walker_naive = [naive]
    walker = Walk(Loose(limit, clock, *policy), naive, clock)
    for step in steps:
        walker.step(*step)
