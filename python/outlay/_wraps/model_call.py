"""`ModelCall`: one call of a guarded model or client, from its reserve to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from outlay._calls.attempts import Attempts
from outlay._calls.call import Call, Entered
from outlay._calls.ends import ending_failed
from outlay._core import Usage
from outlay._errors import LimitExceeded
from outlay._guard.scopes import current_labels
from outlay._usage.fields import Fields, larger
from outlay._usage.outcome import End, Outcome, error_in, handled, outcome_of
from outlay._usage.prompt import Prompt
from outlay._usage.responses import as_usage, known_fields, plus
from outlay._wraps.layer import Layer
from outlay._wraps.said import Said, said_by

# The label of a model without a name.
_NAMELESS = "unknown"
_ERRORS_FROM = 400
AsHostError = Callable[[LimitExceeded], LimitExceeded]


class StreamSeen(Protocol):
    """What a stream has shown so far."""

    started: bool
    #: The provider has failed before its first piece, and bills nothing.
    refused: bool

    def fields(self) -> Fields | None:
        """Return the usage as `Usage` names it, or None if it is not known."""


class AnswerHeard(Protocol):
    """What the client inside a host was answered."""

    def fields(self) -> Fields | None:
        """Return the usage of the answer as `Usage` names it, or None if it is not known."""


class ModelCall:
    """The leases of one call, over all layers of a wrapped object.

    Args:
        layers: The layers of the wraps, the outermost first.
        prompt: What the call asks for.
        as_host_error: Turns a refusal into one that the host does not retry; see `outlay._wraps.refusals`.

    """

    def __init__(self, layers: Sequence[Layer], prompt: Prompt, as_host_error: AsHostError) -> None:
        self._layers = layers
        self._as_host_error = as_host_error
        # An answer is heard when its body ends, which may be in another context.
        self._scope = current_labels()
        self._prompt = _as_model_prompt(prompt, layers, self._scope)
        self._estimates = [layer.estimate(prompt) for layer in layers]
        self._call = Call()
        self._attempts = self._call.attempts = Attempts()
        self._before = handled()
        #: An answer to it was passed to the limiters, as a whole.
        self.observed = False

    @property
    def parsed(self) -> bool:
        """Whether the caller's client may parse the answer, and raise while a stream of it is read."""
        return self._prompt.parsed

    def reserve(self) -> None:
        """Reserve in all layers, or raise the refusal as an error of the host."""
        try:
            for layer, estimate in zip(self._layers, self._estimates, strict=True):
                self._call.reserve(layer.budgets, estimate, **layer.keywords(self._prompt))
        except LimitExceeded as refusal:
            raise self._as_host_error(refusal) from refusal.__cause__

    async def reserve_async(self) -> None:
        """Do as `reserve` does; where it waits, the event loop goes on."""
        try:
            for layer, estimate in zip(self._layers, self._estimates, strict=True):
                await self._call.reserve_async(layer.budgets, estimate, **layer.keywords(self._prompt))
        except LimitExceeded as refusal:
            raise self._as_host_error(refusal) from refusal.__cause__

    def entered(self) -> Entered:
        """Mark what runs inside the `with` block as part of this call; never across a `yield`."""
        return self._call.entered()

    async def ended(self, error: BaseException | None = None) -> None:
        """Await the ends of a user's own leases that are async.

        Args:
            error: What the call has raised: it is raised on, and a lease that can not be ended is logged.

        """
        if self._call.ending and not isinstance(error, GeneratorExit):
            await self._call.ended(quietly=error is not None)

    def commit(self, fields: Fields | None, *, cut: bool = False, requests: int = 1) -> None:
        """Book the usage; None books the estimate.

        Args:
            fields: What the answer says was used.
            cut: A stream was left before its end.
            requests: How many requests the answer took.

        """
        pairs = zip(self._layers, self._estimates, strict=True)
        usages = [
            layer.usage(
                fields,
                self._prompt,
                given=guess.input_tokens,
                reserved=guess.output_tokens if cut else None,
            )
            for layer, guess in pairs
        ]
        self._call.commit(*self._with_unanswered(usages), requests=requests)
        if fields is None or cut:
            return
        for layer, estimate, usage in zip(self._layers, self._estimates, usages, strict=True):
            if usage is not None:
                layer.calibration.learn(self._prompt, estimate, fields)

    def _with_unanswered(self, usages: Sequence[Usage | None]) -> list[Usage | None]:
        """Add the estimates of attempts inside that were never answered."""
        lost = self._attempts.unanswered()
        if lost is None:
            return list(usages)
        fields = {name: getattr(lost, name) for name in ("input_tokens", "output_tokens", "total_tokens")}
        return [
            plus(usage or as_usage(guess), layer.usage(dict(fields), self._prompt) or lost)
            for layer, usage, guess in zip(self._layers, usages, self._estimates, strict=True)
        ]

    def settle(self, answer: Any) -> None:
        """Book the usage of a whole answer. An error as answer, without a usage, costs no tokens."""
        fields = known_fields(answer)
        if fields is None and error_in(answer):
            self._call.close()
        else:
            self.commit(fields)

    def finish(self, seen: StreamSeen, heard: AnswerHeard | None = None) -> None:
        """Book a stream that came to its end; one that failed before its first piece costs no tokens.

        Args:
            seen: What the stream has shown.
            heard: What the client inside was answered, of which the host may drop a part; default None.

        """
        if seen.refused and not seen.started:
            self._call.close()
        else:
            self.commit(larger(seen.fields(), None if heard is None else heard.fields()))

    def observe(self, headers: Any, status: int, body: Any = None) -> None:
        """Pass the rate limit in the provider's answer to the limiters of all layers.

        Args:
            headers: The headers of the answer.
            status: Its status.
            body: The body of an error: text, bytes or what they hold; default None, it is no error.

        """
        self._tell(Said(headers, status, body))

    def tell_error(self, error: BaseException) -> None:
        """Pass the rate limit in the answer that an error is about to the limiters, unless it was passed."""
        said = None if self.observed else said_by(error)
        if said is not None:
            self._tell(said)

    def _tell(self, said: Said) -> None:
        # The body of an error may come later than its headers.
        self.observed = said.body is not None or said.status < _ERRORS_FROM
        for layer in self._layers:
            keywords = layer.keywords(self._prompt)
            labels = {**(keywords.get("facts") or {}), **keywords["labels"]}
            layer.observe(said, labels, self._scope)

    def release(self) -> None:
        """Give everything back: no request was made."""
        self._call.release()

    def unbilled(self) -> None:
        """End a call that the provider has answered and does not bill: the request counts, and no token."""
        self._call.unbilled()

    def refused(self) -> None:
        """End a call that the provider has answered with an error; the budget's `on_error` may charge it."""
        self._call.close()

    def unusable(self, error: Exception) -> None:
        """End a call whose answer came and whose host has raised: by the answer that its error carries."""
        self.commit(outcome_of(error, before=self._before).fields)

    def fail(
        self,
        error: BaseException,
        seen: StreamSeen | None = None,
        *,
        requests: int | None = None,
        heard: AnswerHeard | None = None,
    ) -> None:
        """End a call that did not come to its end, by what is known of it.

        A stream that has begun is billed. A request that was never sent costs nothing. One that was answered
        with an error counts as a request, and the budget's `on_error` decides about its tokens. One that was
        sent and not answered may be under way, so it is charged, once for each request. What else failed came
        after an answer, which is billed.

        Args:
            error: What was raised.
            seen: What a stream has shown so far; default None, it is no stream.
            requests: How many requests were made; default None, as many as the exception shows.
            heard: What the client inside was answered, where the host sees it; default None.

        """
        with ending_failed():
            self._fail(error, seen, requests, heard)
        self.tell_error(error)

    def _fail(
        self,
        error: BaseException,
        seen: StreamSeen | None,
        requests: int | None,
        heard: AnswerHeard | None,
    ) -> None:
        whole = heard.fields() if heard is not None and isinstance(error, Exception) else None
        if seen is not None and seen.started:
            # The answer may have come whole, and be one that the host cannot parse.
            self.commit(whole or seen.fields(), cut=whole is None)
        elif seen is not None and seen.refused:
            self._call.close()
        elif isinstance(error, LimitExceeded):
            # A layer further in has refused; an SDK may have made requests before that.
            self._end(Outcome(End.UNSENT, requests=0))
        elif isinstance(error, Exception):
            outcome = outcome_of(error, before=self._before)
            if requests is not None:
                outcome = replace(outcome, requests=requests)
            self._end(outcome if outcome.fields else replace(outcome, fields=whole))
        else:
            self._call.cancel()

    def _end(self, outcome: Outcome) -> None:
        came_to_nothing = outcome.end in (End.UNSENT, End.REFUSED)
        if outcome.end is End.UNANSWERED or (came_to_nothing and self._attempts.lost()):
            self._call.cancel(outcome.requests)
        elif outcome.end is End.UNSENT and not self._attempts.requests():
            self._call.release()
        elif came_to_nothing:
            self._call.close(max(1, outcome.requests))
        else:
            self.commit(outcome.fields, requests=outcome.requests)


def _as_model_prompt(prompt: Prompt, layers: Sequence[Layer], scope: Mapping[str, str]) -> Prompt:
    """Return the prompt with a label `model`, if its name is unknown and a label says `tool`.

    Otherwise a guard would take it for a tool call, which has no price.
    """
    if prompt.model_name is not None:
        return prompt
    around = [
        scope,
        *(layer.labels for layer in layers),
        *(labels for layer in layers for labels in layer.bound),
    ]
    if any("model" in labels for labels in around) or not any("tool" in labels for labels in around):
        return prompt
    return replace(prompt, labels={**prompt.labels, "model": _NAMELESS})
