"""`StreamUsage`: the usage of a stream, read from its chunks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from outlay._usage.fields import Fields, larger
from outlay._usage.outcome import error_in
from outlay._usage.places import with_metadata
from outlay._usage.responses import known_fields
from outlay._usage.shapes import get, has

# OpenAI's responses: what comes before the first piece, and what comes in place of an answer.
# Tuples and no sets: a provider may send anything as a type, also what has no hash.
_BEGUN = ("response.created", "response.queued", "response.in_progress")
_ERRORS = ("response.failed", "error")
_log = logging.getLogger("outlay")


def _kind_of(event: Any) -> str | None:
    """Return the type of an event, as an object or as the dict of its JSON; None without one."""
    kind = event.get("type") if isinstance(event, Mapping) else getattr(event, "type", None)
    # What a governed function yields may have anything there.
    return kind if isinstance(kind, str) else None


class StreamUsage:
    """The usage in the chunks or events of a stream so far.

    Providers report it in different ways: OpenAI in one last chunk, Anthropic the input at the start and the
    running output later, Gemini the running total in every chunk. The last value of each count is the
    largest, so that one is kept. LangChain's chunks are parts of a sum.
    """

    def __init__(self) -> None:
        self.started = False
        #: The provider has failed before its first piece, and bills nothing.
        self.refused = False
        self._fields: Fields | None = None
        self._parts = Parts(_read)
        #: What LangChain keeps of the provider's own answer beside its counts.
        self._aside: Fields | None = None

    def add(self, chunk: Any) -> None:
        """Read one chunk or event, as an object or as the dict of its JSON; never raises."""
        try:
            self._add(chunk)
        except Exception:
            # A governed generator may give any object, and its attributes may do anything.
            self.started = True
            _log.warning(
                "a chunk of the class %s could not be read, and its usage is ignored", type(chunk).__name__
            )

    def _add(self, chunk: Any) -> None:
        message, part = _langchain_usage(chunk)
        if part is not None:
            self.started = True
            self._parts.add(part)
            metadata = get(message, "response_metadata")
            if metadata:
                self._aside = larger(self._aside, with_metadata({}, metadata))
            return
        fields = known_fields(chunk)
        if fields is None:
            self._silent(chunk)
            return
        self.started = True
        self._fields = larger(self._fields, fields)

    def _silent(self, chunk: Any) -> None:
        kind = _kind_of(chunk)
        if not self.started and (kind in _ERRORS or error_in(chunk)):
            self.refused = True
        elif kind not in _BEGUN:
            self.started = True

    def fields(self) -> Fields | None:
        """Return the usage as `Usage` names it, or None if no chunk had one."""
        found = self._parts.fields() or self._fields
        return found if found is None or self._aside is None else larger(found, self._aside)

    @property
    def has_totals(self) -> bool:
        """Whether chunks that should be added up reported running totals, so that their sum is too high."""
        return self._parts.totals


class Parts:
    """Usages that a host adds up: parts of a whole, or totals where the server sends these.

    Parts report the input once, or add to it from 0. An input above 0 that is not below the previous one is
    no part: it is the total so far (Perplexity, lmdeploy, vLLM with `continuous_usage_stats`).

    Args:
        read: Brings a usage, or a sum of them, to the names of `Usage`.

    """

    def __init__(self, read: Callable[[Mapping[str, Any]], Fields | None]) -> None:
        self._read = read
        self.totals = False
        self._before: Mapping[str, Any] = {}
        self._sum: Mapping[str, Any] = {}
        self._largest: Fields | None = None

    def add(self, usage: Mapping[str, Any]) -> None:
        """Take the usage of one chunk."""
        # As they stand, for a part may be below 0: Gemini corrects its input downwards.
        self._sum = _added(self._sum, usage)
        if not (usage.get("input_tokens") or usage.get("output_tokens")):
            return
        if not self.totals and 0 < _input(self._before) <= _input(usage):
            self.totals = True
            self._largest = self._read(self._before)
        if self.totals:
            self._largest = larger(self._largest, self._read(usage))
        self._before = usage

    def fields(self) -> Fields | None:
        """Return the usage of the whole stream, or None if no chunk had one."""
        return self._largest if self.totals else self._read(self._sum)


def _langchain_usage(chunk: Any) -> tuple[Any, Mapping[str, Any] | None]:
    """Return a message of LangChain's, or what it generates, and its usage; None: it is something else."""
    for message in (chunk, get(chunk, "message")):
        usage = get(message, "usage_metadata")
        if isinstance(usage, Mapping) and has(usage, "input_tokens", "output_tokens"):
            return message, usage
    return None, None


def _read(usage: Mapping[str, Any]) -> Fields | None:
    return known_fields({"usage_metadata": usage}) if usage else None


def _input(usage: Mapping[str, Any]) -> int:
    given = usage.get("input_tokens")
    return given if isinstance(given, int) else 0


def _added(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    total = dict(left)
    for name, count in right.items():
        before = total.get(name)
        if isinstance(count, Mapping):
            total[name] = _added(before if isinstance(before, Mapping) else {}, count)
        elif count is not None:
            total[name] = before + count if isinstance(before, int) and isinstance(count, int) else count
    return total
