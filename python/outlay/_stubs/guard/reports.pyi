"""What a guard reports: counters, advice and events."""

from collections.abc import Callable
from typing import Any

from outlay._stubs.amounts import UsageEstimate
from outlay._stubs.arguments import Amount, Labels

class _GuardReports:  # methods of Guard
    def explain(self, *, labels: Labels | None = None, **named: str) -> list[dict[str, Any]]:
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

    def snapshot(self) -> list[dict[str, Any]]:
        """Return every counter that was ever asked, as dicts like those of `explain`."""

    def advice(
        self, *, estimate: UsageEstimate | Amount | None = None, labels: Labels | None = None, **named: str
    ) -> dict[str, Any]:
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

    def events(self, callback: Callable[[dict[str, Any]], object]) -> None:
        """Call `callback` with everything that happens from now on, under no lock.

        Args:
            callback: Takes a dict with `event` ("reserved", "committed", "released", "expired", "charged",
                "denied", "warned", "exceeded", "unmatched"), `name` of the rule, `lease` (its id or None) and
                `amounts` by unit. "unmatched", with `labels`, is a request that no rule is about (in a policy
                with budgets or workflows: none of these). What it raises is reported as unraisable, and
                changes nothing. A lock that it takes must be reentrant: the collector may end a lease in it.

        Raises:
            PolicyError: It can not be called.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 10}, "mode": "shadow"}]})
            >>> seen = []
            >>> guard.events(seen.append)
            >>> guard.reserve(11).commit()
            >>> [event["event"] for event in seen]
            ['reserved', 'denied', 'committed']
        """
