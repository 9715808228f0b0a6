"""The guard: all limits of a policy at once."""

from typing import Any, Literal, Self, final

from outlay._allowances.service import AllowanceService
from outlay._stubs.allowance_ledger import AllowanceLedger
from outlay._stubs.amounts import Estimate
from outlay._stubs.arguments import Amount, Ending, Headers, Labels, Path, Period, Policy
from outlay._stubs.clocks import Clock
from outlay._stubs.guard.allotment import Allotment
from outlay._stubs.guard.reports import _GuardReports
from outlay._stubs.guard.scopes import _GuardScopes
from outlay._stubs.leases import BudgetLease, Mailbox, Wait
from outlay._stubs.stores.store import StoreArg

@final
class Guard(_GuardScopes, _GuardReports):
    """All limits of a policy at once: every rule whose scope matches a request's labels, in one step.

    A rule that names a label does not match requests without it; `[defaults] require` refuses such requests.
    If no rule matches a request, the logger "outlay" warns, once for each set of label names. `"*"` gives
    each value of a label a counter of its own; the values of a pattern, a text with `*` in it, share one. A
    call costs the price of its model, from the policy or else from genai-prices. A guard may be a budget of
    every `wrap`. The wrap gives it its own labels, `provider`, `model`, `tool` for tool calls, and `agent` if
    the framework knows it. docs/policy.md describes the policy.

    Args:
        policy: A dict, or the path of a TOML file: a policy, or a pyproject.toml with `[tool.outlay]`.
        clock: Where time comes from; default None, the machine's clocks.
        lease_ttl: How long a lease lives: seconds or a timedelta; default None, as the policy says.
        unsettled: What is booked for a lease whose usage never came: "charge" the estimate, or "release"
            nothing; default None, as the policy says (`on_missing_usage`).
        on_error: What is booked for a lease whose block is left by an error: "release" or "charge"; default
            None, as the policy says.
        store: Where the counts are kept, for all processes and after a restart: a URL or a `Store`, in place
            of the policy's. "memory://" keeps them in this object. Default None, as the policy says.

    Raises:
        PolicyError: The policy has an unknown key or an impossible value; the file and the line are named.
        OSError: The file can not be read.

    Example:
        >>> rule = {"name": "per-agent", "scope": {"agent": "*"}, "limit": {"tokens": 1_000}}
        >>> guard = Guard({"budget": [rule]})
        >>> with guard.reserve(800, agent="a-1") as lease:
        ...     lease.commit(300)
        >>> try:
        ...     guard.reserve(800, agent="a-1")
        ... except BudgetExceeded as refused:
        ...     refused.message, refused.remaining
        ('Token budget exceeded: per-agent', 700)
        >>> guard.reserve(800, agent="a-2").state
        'open'
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(
        cls,
        policy: Policy,
        *,
        clock: Clock | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending | None = None,
        on_error: Ending | None = None,
        store: StoreArg | None = None,
    ) -> Self: ...
    @classmethod
    def from_toml(
        cls,
        path: Path,
        *,
        clock: Clock | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending | None = None,
        on_error: Ending | None = None,
        store: StoreArg | None = None,
    ) -> Guard:
        """Make a guard of a policy file.

        Args:
            path: A policy in TOML, or a pyproject.toml with `[tool.outlay]`.
            clock: Where time comes from; default None, the machine's clocks.
            lease_ttl: How long a lease lives; default None, as the policy says.
            unsettled: "charge" or "release" a lease whose usage never came; default None, as the policy says.
            on_error: "release" or "charge" a lease whose block fails; default None, as the policy says.
            store: Where the counts are kept: a URL or a `Store`; default None, as the policy says.

        Raises:
            PolicyError: A keyword is not allowed, or the policy has an unknown key or an impossible value,
                named with its line.
            OSError: The file can not be read.
        """

    @classmethod
    def from_dict(
        cls,
        policy: dict[str, Any],
        *,
        clock: Clock | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending | None = None,
        on_error: Ending | None = None,
        store: StoreArg | None = None,
    ) -> Guard:
        """Make a guard of a dict with the keys of the policy file.

        Args:
            policy: The policy; money may be a `Decimal`.
            clock: Where time comes from; default None, the machine's clocks.
            lease_ttl: How long a lease lives; default None, as the policy says.
            unsettled: "charge" or "release" a lease whose usage never came; default None, as the policy says.
            on_error: "release" or "charge" a lease whose block fails; default None, as the policy says.
            store: Where the counts are kept: a URL or a `Store`; default None, as the policy says.

        Raises:
            PolicyError: A keyword is not allowed, or the policy has an unknown key or an impossible value.
        """

    @property
    def allowances(self) -> AllowanceService:
        """The allowances, model quotas and repositories of the policy, as a service that jobs begin in.

        Example:
            >>> guard = Guard({"allowance": [{"agent": "a-1", "concurrent_jobs": 1}]})
            >>> with guard.allowances.start_job("a-1", "job-1"):
            ...     guard.allowances.check("a-1").reason
            'concurrent job limit reached'
        """

    def reserve(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Hold the estimate under every limit that matches, or refuse and change nothing.

        The refusal names the first refusing rule in the order of the policy. Soft rules let everything pass
        and send the event "exceeded", rules in shadow the event "denied".

        Args:
            estimate: What the call may use: a `UsageEstimate`, or tokens; default None, one call of none.
                Without a cost it costs what the price says, and so does the usage that is committed.
            ttl: When the lease runs out: seconds or a timedelta; default None, the policy's `lease_ttl`.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call: agent, model, provider, workflow, run, repo, tool, user, ...
                Those of the scopes around it are added. With `model=` a model is called; with `tool=` and no
                `model=` a tool, in a scope of a model too.

        Returns:
            The lease to commit; its commit settles under every limit.

        Raises:
            LimitExceeded: A rule refuses: `BudgetExceeded`, `ThresholdExceeded`, `RateLimitExceeded`,
                `AllowanceExceeded`. `scope` and the message name the rule.
            PolicyError: Cost is limited, and the model has no price; or a required label is missing.
            InvalidAmount: The estimate is no whole number.
            InvalidId: A label is no text of 1 to 1,024 bytes.

        Example:
            >>> rule = {"name": "day", "limit": {"usd": "0.01"}, "window": "calendar:day"}
            >>> prices = {"gpt-x": {"input": "2.50", "output": "10.00"}}
            >>> guard = Guard({"budget": [rule], "prices": prices})
            >>> with guard.reserve(UsageEstimate(output_tokens=1_000), model="gpt-x") as lease:
            ...     lease.commit(Usage(input_tokens=1_000, output_tokens=100))
            >>> guard.advice(model="gpt-x")["remaining"]
            {'cost_micros_usd': 6500}
        """

    async def reserve_wait(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Do as `reserve` does, and wait, first in, first out, where a rule says `on_limit = { wait = ... }`.

        Only pools and limiters are waited for; every other refusal comes at once. Cancelled, it leaves the
        queue, and releases what it was given and has not received.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out: seconds or a timedelta; default None, the policy's `lease_ttl`.
            timeout: How long to wait at most, as `ttl` says it; default None, the shortest wait of the rules.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call.

        Raises:
            LimitExceeded: A rule refuses that nobody waits for; nothing was changed.
            WaitTimeout: It took too long.
            PolicyError: A price or a required label is missing, or a time is not allowed.

        Example:
            >>> import asyncio
            >>> guard = Guard({"pool": [{"name": "one", "max_concurrent": 1, "on_limit": {"wait": "30s"}}]})
            >>> asyncio.run(guard.reserve_wait(model="gpt-x")).state
            'open'
        """

    def reserve_blocking(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Do as `reserve_wait` does, in a thread without the GIL, or in a greenlet. Ctrl-C ends it.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out: seconds or a timedelta; default None, the policy's `lease_ttl`.
            timeout: How long to wait at most, as `ttl` says it; default None, the shortest wait of the rules.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call.

        Raises:
            LimitExceeded: A rule refuses that nobody waits for; nothing was changed.
            WaitTimeout: It took too long.
            PolicyError: A price or a required label is missing, or a time is not allowed.
        """

    def check(self, estimate: Estimate | None = None, *, labels: Labels | None = None, **named: str) -> None:
        """Raise what `reserve` would raise now; change nothing. Soft limits are checked as if they were hard.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call.

        Raises:
            LimitExceeded: A rule refuses, or would if it were hard.
            PolicyError: A price or a required label is missing.
        """

    def charge_step(self, *, labels: Labels | None = None, **named: str) -> None:
        """Charge one step to the workflows that match, or refuse and change nothing.

        Args:
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the step: `workflow` is the name of the rule.

        Raises:
            StepLimitExceeded: A workflow has no step left.
            PolicyError: A required label is missing.
        """

    def allot(
        self,
        *,
        tokens: Amount | None = None,
        cost_micros_usd: Amount | None = None,
        calls: Amount | None = None,
        ttl: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> Allotment:
        """Set a part of all budgets that match aside for a sub-agent, or refuse and change nothing.

        Sliding windows, limiters, slots and units that are not set aside treat its requests like all others.

        Args:
            tokens: Tokens; default None, not set aside.
            cost_micros_usd: Millionths of a US dollar; default None, not set aside.
            calls: Calls; default None, not set aside.
            ttl: When the part takes no more requests: seconds or a timedelta; default None, 100 years.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: Whose budgets; the requests of the part have these labels too.

        Returns:
            The part.

        Raises:
            LimitExceeded: A budget has not as much left.
            PolicyError: Nothing is to be set aside, or a required label is missing.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> with guard.allot(tokens=600) as part:
            ...     part.reserve(400).commit(100)
            ...     guard.advice()["remaining"]
            {'tokens': 400}
            >>> guard.advice()["remaining"]
            {'tokens': 900}
        """

    def observe(
        self,
        headers: Headers,
        status: int = 200,
        *,
        body: str | bytes | dict[str, Any] | list[Any] | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> None:
        """Take in what a provider says of its own rate limit, as `RateLimiter.observe` does.

        The limiters that match and say `adaptive = "headers"` use it. If the labels name a model, it bounds
        the calls of that model alone.

        Args:
            headers: The headers of the response: a mapping, or pairs.
            status: The status of the response; default 200.
            body: The body of an error: its text or bytes, or the dict or list that they hold; default None.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call.

        Raises:
            PolicyError: The headers or the body are neither, or the status is no status code.
        """

    def update(self, policy: Policy) -> None:
        """Put another policy in force. A rule with the same kind, name, scope and window keeps its counts.

        Args:
            policy: A dict, or the path of a TOML file.

        Raises:
            PolicyError: The policy makes no sense; the former one stays in force.
            OSError: The file can not be read.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 100}}]})
            >>> guard.reserve(100).commit()
            >>> guard.update({"budget": [{"name": "all", "limit": {"tokens": 150}}]})
            >>> guard.reserve(50).commit()
        """

    def _try_reserve(
        self,
        estimate: Estimate | None,
        ttl: Period | None,
        timeout: Period | None,
        labels: Labels | None,
        named: dict[str, str],
    ) -> BudgetLease | None: ...
    def _wait(
        self,
        estimate: Estimate | None,
        ttl: Period | None,
        timeout: Period | None,
        labels: Labels | None,
        named: dict[str, str],
        mailbox: Mailbox,
    ) -> Wait: ...
    def _estimating(self) -> tuple[Literal["strict", "expected"] | None, int | None]: ...
    def _cost_source(self) -> Literal["larger", "provider", "computed"]: ...
    def _allowance_ledger(self) -> AllowanceLedger: ...
