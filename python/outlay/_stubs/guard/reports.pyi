"""What a guard reports: counters, advice and events."""

from collections.abc import Callable

from outlay._stubs.amounts import UsageEstimate
from outlay._stubs.arguments import Amount, Labels
from outlay.types import Advice, Event, RuleReport

class _GuardReports:  # methods of Guard
    def explain(self, *, labels: Labels | None = None, **named: str) -> list[RuleReport]:
        """Return the counters that a request with these labels meets, in the order of the policy.

        Args:
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the request.

        Returns:
            Dicts with `name`, `kind` (the table of the rule), `scope`, `values` (the labels of the counter),
            `window`, `mode`, `resets_in`, `wait` (seconds or None), and `limits`. `limits` has by unit a dict
            of `limit`, `used`, `reserved`, `remaining` and `kept_back`, with money in micro-USD.

        Example:
            >>> guard = Guard({"budget": [{"name": "a", "scope": {"agent": "a"}, "limit": {"tokens": 100}}]})
            >>> [rule["name"] for rule in guard.explain(agent="a")], guard.explain(agent="b")
            (['a'], [])
        """

    def snapshot(self) -> list[RuleReport]:
        """Return every counter that was ever asked, as dicts like those of `explain`.

        They come in the order of the policy, and those of one rule in the order of their values.
        """

    def advice(
        self, *, estimate: UsageEstimate | Amount | None = None, labels: Labels | None = None, **named: str
    ) -> Advice:
        """Return what is left for requests with these labels: what a prompt may tell the model.

        Args:
            estimate: What the next call may use, as `reserve` takes it; default None, as the calls so far.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the requests.

        Returns:
            `remaining`: the least that any hard limit leaves of "tokens", "cost_micros_usd", "calls",
            "tool_calls" and "steps". `usd`: the money left as text, if it is limited. `rates`: what limiters
            and rolling windows leave now, by rule and unit. `calls_left_estimate`: how many such calls still
            fit, or None. `landing`: whether the next call needs the amount that is kept back for the final
            answer.

        Raises:
            InvalidAmount: The estimate is no whole number of at least 0.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> guard.reserve(300).commit(250)
            >>> guard.advice()
            {'remaining': {'tokens': 750}, 'rates': {}, 'calls_left_estimate': 3, 'landing': False}
        """

    def events(self, callback: Callable[[Event], object]) -> None:
        """Call `callback` with everything that happens from now on, under no lock.

        Each request is one "decision", beside the events of its rules. These are "reserved", then
        "committed", "released" or "expired". Steps, and usage without a lease, are "charged". The rule that
        refuses sends "denied", a soft limit "exceeded". "warned" comes once for each share of `warn_at`,
        "unmatched" if no rule is about the request. Rules come in the order of the policy. A check, a new
        window and a new policy send nothing.

        Args:
            callback: Takes an `outlay.types.Event`, a dict with the keys that docs/guard.md explains. What it
                raises is reported as unraisable, and changes nothing. A lock that it takes must be reentrant:
                the collector may end a lease in it.

        Raises:
            PolicyError: It can not be called.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 10}, "mode": "shadow"}]})
            >>> seen = []
            >>> guard.events(seen.append)
            >>> guard.reserve(11).commit()
            >>> [event["event"] for event in seen]
            ['reserved', 'denied', 'decision', 'committed']
        """
