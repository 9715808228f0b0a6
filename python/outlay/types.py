"""The types of the dicts that outlay gives, for type checkers and editors.

Example:
    >>> from outlay import Guard
    >>> from outlay.types import Event
    >>> def note(event: Event) -> None:
    ...     print(event["event"], event["rule"], event["amounts"])
    >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
    >>> guard.events(note)
    >>> guard.reserve(300).commit(250)
    reserved all {'tokens': 300}
    decision None {'tokens': 300}
    committed all {'tokens': 250}

"""

from __future__ import annotations

from typing import Literal, TypedDict

__all__ = [
    "Advice",
    "Event",
    "EventFigures",
    "LLMMessage",
    "LLMMessageDetails",
    "LimitFigures",
    "RuleReport",
    "StoreHolder",
    "StoreLimit",
    "StoreShare",
    "StoreStatus",
]


class EventFigures(TypedDict):
    """The figures of one limit, as they stand after an event; money in micro-USD."""

    limit: int | None
    used: int
    reserved: int


class Event(TypedDict):
    """What `Guard.events` gives a callback. Every event has all keys; None where it has nothing to say."""

    event: Literal[
        "reserved",
        "committed",
        "released",
        "expired",
        "charged",
        "denied",
        "warned",
        "exceeded",
        "unmatched",
        "decision",
        "short",
        "drawn",
        "store_down",
        "store_back",
        "forgot",
    ]
    #: When it happened, by the wall clock: seconds since 1970-01-01 UTC.
    time: float
    #: The rule, and the word of its table.
    rule: str | None
    kind: str | None
    #: All labels of the request, and those that its counter is kept by.
    labels: dict[str, str]
    values: dict[str, str]
    model: str | None
    #: The unit that the event is about, and the figures of its limit; `limits` has those of all units.
    unit: str | None
    limit: int | None
    used: int | None
    reserved: int | None
    limits: dict[str, EventFigures]
    #: Of "warned": the share of the limit that was reached.
    fraction: float | None
    #: Of a refusal why it does not fit: "spent", "held", "too_large" or "left".
    #: Of "store_down": what is wrong.
    reason: str | None
    #: Of "decision": whether the request passed, and whether it waited.
    allowed: bool | None
    waited: bool | None
    lease: str | None
    #: The rule, or "guard". Of the events of a store: the limit as the store names it, or "store".
    name: str
    #: What was asked, booked or refused, by unit.
    amounts: dict[str, int]


class LimitFigures(TypedDict):
    """The figures of one limit of a rule; money in micro-USD."""

    limit: int | None
    used: int
    reserved: int
    remaining: int | None
    kept_back: int


class RuleReport(TypedDict):
    """What `Guard.explain` and `Guard.snapshot` say of one counter of a rule."""

    name: str
    kind: str
    scope: dict[str, str]
    values: dict[str, str]
    window: str
    mode: Literal["hard", "soft", "shadow"]
    #: What a model that is refused reads of names and totals.
    show: Literal["all", "own", "nothing"]
    resets_in: float | None
    wait: float | None
    limits: dict[str, LimitFigures]


class _Money(TypedDict, total=False):
    #: The money that is left, as text; only where money is limited.
    usd: str


class Advice(_Money):
    """What `Guard.advice` says: what is left, for the prompt of a model."""

    remaining: dict[str, int]
    rates: dict[str, dict[str, int]]
    calls_left_estimate: int | None
    landing: bool


class LLMMessageDetails(TypedDict, total=False):
    """The figures of a refusal. Which of them there are depends on what refuses."""

    agent_id: str
    workflow_id: str
    requested: int
    remaining: int
    total: int
    used: int
    reserved: int
    steps_executed: int
    max_steps: int
    current: int
    max_workflows: int
    unit: str
    reason: str
    resets_in_seconds: float | None
    scope: dict[str, str]


class LLMMessage(TypedDict):
    """What a model is given of a refusal: `LimitExceeded.payload`."""

    error: str
    type: str
    message: str
    details: LLMMessageDetails
    suggestion: str
    retryable: bool
    retry_after_seconds: float | None


class StoreShare(TypedDict):
    """What this process has of one limit of its store."""

    name: str
    #: What it may use, and what of that is neither used nor held.
    out: int
    free: int
    used: int
    #: What its open leases hold.
    reserved: int


class StoreStatus(TypedDict):
    """What `Store.status` returns; durations in seconds."""

    #: The address without secrets, and the part that is used.
    url: str
    namespace: str
    #: Whether it answers; if not, why.
    connected: bool
    problem: str | None
    #: This process: the first 8 digits of its random id.
    holder: str
    #: How many processes use the store, as of the last answer.
    live: int
    #: How many limits this process knows, and its shares of them.
    limits: int
    shares: list[StoreShare]
    #: How long ago the last answer came, and how long it took; None before the first.
    last_answer: float | None
    round_trip: float | None
    #: How far the clock of the store is ahead of this machine's.
    clock_offset: float | None


class StoreHolder(TypedDict):
    """What one process has of a limit, as it said last."""

    #: The first 8 digits of its random id, and its process on this machine.
    holder: str
    pid: int | None
    #: Whether it lives, as far as the store knows.
    live: bool
    #: Its share, what it has used of it, and what its open leases hold.
    share: int
    used: int
    reserved: int
    #: When it was last heard of: seconds since 1970-01-01 UTC.
    heard: float


class StoreLimit(TypedDict):
    """What `Store.inspect` returns for each limit."""

    #: Its class, id and unit, and what else it is: `AgentTokenBudget "researcher" tokens`.
    name: str
    #: "lifetime", "calendar", "concurrent", "fixed:60s" or "rolling:60s".
    window: str
    #: The limit; None where it is unlimited.
    limit: int | None
    #: What all processes have used in the present window, as they said last.
    used: int
    #: What is with processes that have not used it.
    out: int
    #: What of `out` is with processes that are gone: whether they used it is not known.
    written_off: int
    #: When the window ends: seconds since 1970-01-01 UTC; None for never.
    ends: float | None
    holders: list[StoreHolder]
