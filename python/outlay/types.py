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
    #: Of a refusal: why it does not fit.
    reason: Literal["spent", "held", "too_large", "left"] | None
    #: Of "decision": whether the request passed, and whether it waited.
    allowed: bool | None
    waited: bool | None
    lease: str | None
    #: The rule, or "guard".
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
