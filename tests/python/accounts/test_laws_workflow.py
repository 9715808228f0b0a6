"""Workflow quotas against a naive book: random operations with a moving clock, zero differences."""

from __future__ import annotations

from face_support import refusal_of
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay import ManualClock, WorkflowQuota

PERIOD = 60
KINDS = ["begin", "resume", "step", "end", "exit", "advance", "reset"]
steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 4), st.integers(0, 30)), max_size=60)


class Entry:
    """One workflow: the handle, the steps that were taken, whether it has ended."""

    def __init__(self, token):
        self.token, self.taken, self.ended = token, 0, False


class Book:
    """A quota and what it should say."""

    def __init__(self, most, each):
        self.most, self.each = most, each
        self.clock = ManualClock()
        self.quota = WorkflowQuota(most, each, PERIOD, clock=self.clock)
        self.now = self.start = self.begun = 0
        self.active, self.entries = {}, []

    def step(self, kind, which, number):
        """Do one operation on both."""
        self.roll()
        name = f"w{which}"
        if kind in ("begin", "resume"):
            self.begin(name, kind == "resume")
        elif kind == "end":
            entry = self.active.pop(name, None)
            assert self.quota.end_workflow(name) is (entry is not None)
            if entry:
                entry.ended = True
        elif kind == "advance":
            self.now += number
            self.clock.advance(number)
        elif kind == "reset":
            self.quota.reset()
            self.start, self.begun = self.now, 0
        elif self.entries:
            self.on_entry(kind, self.entries[which % len(self.entries)], number)
        self.roll()
        self.compare()

    def roll(self):
        """Begin the period of now."""
        if self.now - self.start >= PERIOD:
            self.start, self.begun = self.now - (self.now - self.start) % PERIOD, 0

    def begin(self, name, resume):
        """Begin or resume a workflow on both."""
        begun = []
        call = lambda: begun.append(self.quota.begin_workflow(name, resume=resume))  # noqa: E731
        if name in self.active and not resume:
            try:
                call()
            except ValueError:
                return
            raise AssertionError("an active id began twice")
        refused = refusal_of(call)
        if name in self.active:
            assert begun == [self.active[name].token]
        elif refused is None:
            self.begun += 1
            assert self.begun <= self.most
            self.active[name] = Entry(begun[0])
            self.entries.append(self.active[name])
        else:
            assert (self.begun, refused.used, refused.workflow_id) == (self.most, self.most, name)

    def on_entry(self, kind, entry, number):
        """Take steps, or leave the block, of a handle that may have ended."""
        if kind == "exit":
            entry.token.__exit__(None, None, None)
            entry.ended = True
            self.active = {name: one for name, one in self.active.items() if one is not entry}
            return
        fits = not entry.ended and entry.taken + number <= self.each
        refused = refusal_of(lambda: entry.token.execute_step(number))
        assert (refused is None) == fits
        if refused is None:
            entry.taken += number
        else:
            assert refused.steps_executed == entry.taken

    def compare(self):
        """Compare all that can be read."""
        quota = self.quota
        assert (quota.period_count(), quota.remaining()) == (self.begun, self.most - self.begun)
        assert quota.active_count() == len(self.active)
        assert quota.time_until_reset() == PERIOD - (self.now - self.start)
        for entry in self.entries:
            assert entry.token.steps_executed() == entry.taken
            assert entry.token.can_continue() is (not entry.ended and entry.taken < self.each)
        for name, entry in self.active.items():
            assert quota.get(name) == entry.token


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 6), st.integers(0, 8), steps)
def test_a_workflow_quota_keeps_the_naive_book(most, each, steps):
    """Begun in the period, active, steps of every token that was ever given out."""
    book = Book(most, each)
    for step in steps:
        book.step(*step)
