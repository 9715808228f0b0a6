"""Random policies and histories against a naive book: no limit is passed, refusals change nothing."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlay import Guard, LimitExceeded, ManualClock, Usage, UsageEstimate

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
UNITS = {
    "tokens": "tokens",
    "usd": "cost_micros_usd",
    "calls": "calls",
    "output_tokens": "output_tokens",
    "tool_calls": "tool_calls",
}
PATTERNS = {"agent": ["*", "a", "a*"], "model": ["*", "m1", "p:*"], "tool": ["*", "t1"]}


def as_tool(scope, limit, window, soft, kind):
    """Return a rule of the tool t1, which limits calls alone."""
    return {**scope, "tool": "t1"}, {"calls": sum(limit.values())}, window, soft, kind


scopes = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from(values) for key, values in PATTERNS.items()}
)
limits = st.dictionaries(st.sampled_from(list(UNITS)), st.integers(0, 60), min_size=1)
rules = st.lists(
    st.tuples(
        scopes,
        limits,
        st.sampled_from(["lifetime", "run", "fixed:60s"]),
        st.booleans(),
        st.sampled_from(["budget", "budget", "pool", "tool"]),
    ).map(lambda rule: as_tool(*rule) if rule[-1] == "tool" else rule),
    min_size=1,
    max_size=5,
)
labels = st.fixed_dictionaries(
    {},
    optional={
        "agent": st.sampled_from(["a", "ab", "b"]),
        "model": st.sampled_from(["m1", "m2"]),
        "provider": st.sampled_from(["p", "q"]),
        "run": st.sampled_from(["1", "2"]),
        "tool": st.sampled_from(["t1", "t2"]),
    },
)
amounts = st.tuples(st.integers(0, 25), st.integers(0, 25), st.integers(0, 30))
operations = st.lists(
    st.tuples(st.sampled_from(["reserve", "commit", "release", "drop", "check", "advance"]), labels, amounts),
    max_size=40,
)


def matches(pattern, value, provider):
    """Say whether a pattern means a value, by hand."""
    texts = [value] + ([f"{provider}:{value}"] if provider else [])
    return any(text == pattern or (pattern.endswith("*") and text.startswith(pattern[:-1])) for text in texts)


class Book:
    """The rules kept in lists of entries."""

    def __init__(self, given):
        self.rules, self.rows, self.now = given, [], 0

    def counters(self, request):
        """Return the keys of the counters that a request is asked of, each with its rule."""
        found = []
        is_tool = "tool" in request and "model" not in request
        for number, (scope, _, window, _, kind) in enumerate(self.rules):
            if (kind == "tool" and not is_tool) or (kind == "pool" and is_tool and "tool" not in scope):
                continue
            values = []
            for key, pattern in scope.items():
                provider = request.get("provider") if key == "model" else None
                if key not in request or not matches(pattern, request[key], provider):
                    break
                values.append(request[key] if pattern == "*" else "")
            else:
                run = request.get("run") if window == "run" else None
                found.append((number, tuple(values), run))
        return found

    def era(self, number):
        """Return the window of a rule."""
        return self.now // 60 if self.rules[number][2] == "fixed:60s" else 0

    def total(self, key, unit):
        """Return what a counter has in its window."""
        era = self.era(key[0])
        return sum(row[3] for row in self.rows if row[0] == key and row[1] == unit and row[2] == era)

    def fits(self, request, asked, strict=False):
        """Say whether all hard limits have room."""
        for key in self.counters(request):
            _, most, _, soft, _ = self.rules[key[0]]
            for unit, limit in most.items():
                # Of nothing there is always enough, also where a soft limit was passed.
                if (strict or not soft) and 0 < asked[unit] > limit - self.total(key, unit):
                    return False
        return True

    def write(self, request, asked):
        """Write what a request holds."""
        rows = []
        for key in self.counters(request):
            rows += [
                [key, unit, self.era(key[0]), asked[unit], asked[unit]] for unit in self.rules[key[0]][1]
            ]
        self.rows += rows
        return rows

    def settle(self, rows, actual):
        """End what a lease holds; what is above it is booked in the present window."""
        for row in rows:
            key, unit, era, _, held = row
            if era == self.era(key[0]):
                row[3] = actual[unit]
            elif actual[unit] > held:
                self.rows.append([key, unit, self.era(key[0]), actual[unit] - held, 0])


def asked_of(kind, amount, request):
    inputs, outputs, cost = amount
    given = kind(input_tokens=inputs, output_tokens=outputs, cost_micros_usd=cost)
    tools = 1 if "tool" in request and "model" not in request else 0
    asked = {"tokens": inputs + outputs, "output_tokens": outputs, "usd": cost, "calls": 1}
    return given, {**asked, "tool_calls": tools}


def policy_of(given):
    rules = {"budget": [], "pool": [], "tool": []}
    for number, (scope, most, window, soft, kind) in enumerate(given):
        limit = {unit: f"0.{amount:06}" if unit == "usd" else amount for unit, amount in most.items()}
        mode = "soft" if soft else "hard"
        name = f"b{number}"
        if kind == "tool":
            # Its name is the pattern of the tool: with a star, one for each rule.
            name, scope = (
                "t1" + "*" * (number + 1),
                {key: value for key, value in scope.items() if key != "tool"},
            )
        rule = {"name": name, "scope": scope, "limit": limit, "window": window, "mode": mode}
        rules[kind].append(rule)
    return {"defaults": {"on_unknown_price": "zero"}, **rules}


def anchored(guard, book):
    """Make every counter now, so that fixed windows begin together."""
    for agent in (None, "a", "ab", "b"):
        for model in (None, "m1", "m2"):
            for provider in (None, "p", "q"):
                for tool in (None, "t1", "t2"):
                    given = {"agent": agent, "model": model, "provider": provider, "tool": tool}
                    guard.explain(**{key: value for key, value in given.items() if value})
    book.now = 0


def number_of(counter):
    """Return the number of the rule of a counter."""
    name = counter["name"]
    return name.count("*") - 1 if counter["kind"] == "tool" else int(name[1:])


def compare(guard, book, request):
    """Compare all that a request is asked of."""
    told = guard.explain(**request)
    told.sort(key=number_of)
    keys = book.counters(request)
    assert [number_of(counter) for counter in told] == [key[0] for key in keys]
    for counter, key in zip(told, keys, strict=True):
        for unit in book.rules[key[0]][1]:
            figure = counter["limits"][UNITS[unit]]
            assert figure["used"] + figure["reserved"] == book.total(key, unit), (counter, key, unit)


@given(rules, operations)
@SETTINGS
def test_a_guard_agrees_with_a_naive_book(given_rules, history):
    """After each of many operations."""
    clock = ManualClock()
    guard, book, leases = Guard(policy_of(given_rules), clock=clock), Book(given_rules), []
    anchored(guard, book)
    for kind, request, amount in history:
        estimate, asked = asked_of(UsageEstimate, amount, request)
        if kind == "advance":
            clock.advance(amount[0])
            book.now += amount[0]
        elif kind in ("reserve", "check"):
            fits = book.fits(request, asked, strict=kind == "check")
            try:
                lease = getattr(guard, kind)(estimate, **request)
            except LimitExceeded:
                assert not fits
            else:
                assert fits
                if kind == "reserve":
                    leases.append((lease, book.write(request, asked), asked, request))
                del lease
        elif leases:
            lease, rows, held, of = leases.pop(amount[1] % len(leases))
            if kind == "drop":
                book.settle(rows, held)
            elif kind == "release":
                lease.release()
                book.settle(rows, dict.fromkeys(held, 0))
            else:
                actual, booked = asked_of(Usage, amount, of)
                lease.commit(actual)
                book.settle(rows, booked)
            del lease
        compare(guard, book, request)
