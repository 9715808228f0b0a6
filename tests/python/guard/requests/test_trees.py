"""Random trees of allotments: no child above its part, no children above their parent, nothing lost."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlay import Guard, LimitExceeded, ManualClock, OutlayError, Usage

SETTINGS = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
LIMIT = 100
kinds = ["allot", "reserve", "reserve", "commit", "overrun", "release", "drop", "close"]
operations = st.lists(
    st.tuples(st.sampled_from(kinds), st.integers(0, 60), st.integers(0, 1000), st.integers(0, 60)),
    max_size=60,
)


class Node:
    """A part as the test knows it."""

    def __init__(self, handle, part, parent=None):
        self.handle, self.part, self.parent = handle, part, parent
        self.depth = 0 if parent is None else parent.depth + 1
        self.closed, self.open, self.booked, self.told, self.children = False, [], 0, 0, []

    def held(self):
        """Return what is held or spent here, parts of children counted whole while they live."""
        return sum(amount for _, amount in self.open) + self.booked + sum(n.weight() for n in self.children)

    def alive(self):
        """Whether it may still change: a handle, a lease, a child."""
        return not self.closed or bool(self.open) or any(child.alive() for child in self.children)

    def weight(self):
        """Return what it weighs on its parent."""
        return self.part + self.told if self.alive() else self.total()

    def tell(self):
        """Tell the parent at once of what is above the part: spent here, or promised to children."""
        if self.parent is not None:
            self.told = max(self.told, self.held() - self.part)
            self.parent.tell()

    def total(self):
        """Return all that was committed in it and below."""
        return self.booked + sum(child.total() for child in self.children)


def pick(nodes, number):
    return nodes[number % len(nodes)]


def end(node, index, kind, amount):
    """End a lease in one of the ways."""
    lease, held = node.open.pop(index)
    if kind == "release":
        lease.release()
    elif kind == "drop":
        node.booked += held
    else:
        actual = min(amount, held) if kind == "commit" else held + amount
        lease.commit(Usage(input_tokens=actual))
        node.booked += actual
        node.tell()
    del lease


def step(nodes, kind, amount, number, other):
    """Do one operation with the tree."""
    node = pick(nodes, number)
    if kind == "allot" and node.depth < 3:
        room = node.part - node.held()
        try:
            child = node.handle.allot(tokens=amount)
        except LimitExceeded:
            assert amount > room
        except OutlayError:
            assert node.closed
        else:
            # Nothing is not asked of a part that is overspent.
            assert amount in (0, min(amount, room))
            nodes.append(Node(child, amount, node))
            node.children.append(nodes[-1])
    elif kind == "reserve":
        room = node.part - node.held()
        try:
            lease = node.handle.reserve(amount)
        except LimitExceeded:
            assert amount > room
        except OutlayError:
            assert node.closed
        else:
            assert not node.closed
            assert amount in (0, min(amount, room))
            node.open.append((lease, amount))
            del lease
    elif kind in ("commit", "overrun", "release", "drop") and node.open:
        end(node, other % len(node.open), kind, amount)
    elif kind == "close" and node.parent is not None:
        node.handle.close()
        node.closed = True


@given(operations)
@SETTINGS
def test_a_tree_of_parts_adds_up(history):
    """In whatever order leases and parts end."""
    guard = Guard({"budget": [{"name": "b", "limit": {"tokens": LIMIT}}]}, clock=ManualClock())
    root = Node(guard, LIMIT)
    nodes = [root]
    guard.explain()
    for kind, amount, number, other in history:
        step(nodes, kind, amount, number, other)
        (told,) = guard.explain()
        figure = told["limits"]["tokens"]
        assert figure["used"] + figure["reserved"] == root.held()
        for node in nodes[1:]:
            if not node.closed:
                assert node.handle.remaining()["tokens"] == max(0, node.part - node.held())
    for node in reversed(nodes):
        while node.open:
            end(node, 0, "commit", 7)
        if node.parent is not None:
            node.handle.close()
            node.closed = True
    (told,) = guard.explain()
    assert (told["limits"]["tokens"]["used"], told["limits"]["tokens"]["reserved"]) == (root.total(), 0)
