"""The calibration of estimates: how far the usage of each model's calls was from their estimates.

The usual estimate and a strict one are upper bounds, which never change. An expected estimate is a forecast:
the input from how the model's counts compare with ours, the output from its answers so far. It lets more
calls run side by side, and a call may then use more than was held for it. Its usage is booked in full either
way.
"""

from __future__ import annotations

import math
import os
import threading
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from outlay._core import UsageEstimate
from outlay._dict_form import DictForm
from outlay._usage.fields import Fields
from outlay._usage.prompt import Prompt

_T = TypeVar("_T")
EstimateMode: TypeAlias = Literal["strict", "expected"]

MODELS_MAX = 1_024
WARM_UP_CALLS = 5
OUTPUTS_MIN = 20
OUTPUTS_KEPT = 200
RATIOS_KEPT = 200
NEWEST_WEIGHT = 0.2
FACTOR_MIN, FACTOR_MAX = 0.5, 3.0
QUANTILE = 0.95
UNNAMED = "(unnamed)"


@dataclass(frozen=True, slots=True)
class EstimateReport(DictForm):
    """How far the estimates for one model were from what its calls used; 1.0 is exact, above it too low.

    Args:
        calls: The complete calls with a usage, since the process began.
        input_mean: The mean of used / estimated input.
        input_p95: The value that 95 of 100 of the last 200 calls did not exceed.
        output_mean: The mean of used / reserved output.
        output_p95: As for the input.

    Example:
        >>> report = EstimateReport(calls=2, input_mean=0.7, input_p95=0.8, output_mean=0.1, output_p95=0.2)
        >>> report.input_p95 < 1
        True

    """

    calls: int
    input_mean: float
    input_p95: float
    output_mean: float
    output_p95: float


class Calibration:
    """The figures of each model of one wrap. Of more than 1,024 models, the longest unused is forgotten."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, _Learnt] = OrderedDict()

    def input_tokens(self, prompt: Prompt) -> int:
        """Return the expected input: the estimate times the model's ratio of usage to estimate."""
        with _lock:
            learnt = self._models.get(prompt.model_name or UNNAMED)
            factor = 1.0 if learnt is None else learnt.factor()
        return math.ceil(prompt.input_tokens * factor)

    def output_tokens(self, prompt: Prompt, reserve: int) -> int:
        """Return the expected output of one choice: the length that 95 of 100 past answers did not exceed.

        Args:
            prompt: The prompt; its limit is never exceeded.
            reserve: What the usual estimate reserves; used until 20 answers were seen.

        """
        with _lock:
            learnt = self._models.get(prompt.model_name or UNNAMED)
            if learnt is None or learnt.outputs_seen() < OUTPUTS_MIN:
                return reserve
            expected = max(1, learnt.output())
        return expected if prompt.output_limit is None else min(expected, prompt.output_limit)

    def learn(self, prompt: Prompt, estimate: UsageEstimate, fields: Fields) -> None:
        """Learn from a complete call.

        Args:
            prompt: What was sent.
            estimate: What was reserved for it.
            fields: What the response said.

        """
        given, made = fields["input_tokens"], fields["output_tokens"]
        name = prompt.model_name or UNNAMED
        with _lock:
            learnt = _kept(self._models, name, _Learnt)
            learnt.add_output(-(-made // prompt.choices))
            # A server that does not report the input teaches nothing about it.
            if prompt.input_tokens and given:
                learnt.add_ratio(given / prompt.input_tokens)
            errors = _kept(_errors, name, _Errors)
            errors.calls += 1
            if given or not made:
                errors.input.add(given, estimate.input_tokens)
            errors.output.add(made, estimate.output_tokens)


def estimates() -> dict[str, EstimateReport]:
    """Return how far estimates were from what calls used, by the name of the model.

    Every wrap of this process counts, so a call under two stacked wraps counts twice. Streams that were cut
    and responses without usage are left out. At most 1,024 models are kept: those used last.

    Example:
        >>> for model, seen in estimates().items():
        ...     assert seen.calls > 0, model

    """
    with _lock:
        # Names first: the collector may end a dropped stream in here, which adds to the dict.
        seen = [(name, _errors.get(name)) for name in list(_errors)]
        return {name: errors.report() for name, errors in seen if errors is not None}


class _Learnt:
    """The ratio of one model's input to our estimate, and its last outputs."""

    def __init__(self) -> None:
        self._outputs: deque[int] = deque()
        self._ordered: list[int] = []
        self._calls = 0
        self._ratio = 1.0

    def add_output(self, tokens: int) -> None:
        # Kept in order, because every estimate reads a quantile.
        if len(self._outputs) >= OUTPUTS_KEPT:
            del self._ordered[bisect_left(self._ordered, self._outputs.popleft())]
        self._outputs.append(tokens)
        insort(self._ordered, tokens)

    def outputs_seen(self) -> int:
        return len(self._ordered)

    def output(self) -> int:
        return _quantile(self._ordered)

    def add_ratio(self, ratio: float) -> None:
        self._ratio = ratio if not self._calls else self._ratio + NEWEST_WEIGHT * (ratio - self._ratio)
        self._calls += 1

    def factor(self) -> float:
        learnt = min(max(self._ratio, FACTOR_MIN), FACTOR_MAX)
        # A few calls may raise the estimate, but not lower it.
        return max(1.0, learnt) if self._calls < WARM_UP_CALLS else learnt


class _Ratios:
    """Used / estimated: the mean of all, and the last of them."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=RATIOS_KEPT)
        self._count = 0
        self._mean = 0.0

    def add(self, used: int, estimated: int) -> None:
        if estimated:
            ratio = used / estimated
            self._last.append(ratio)
            self._count += 1
            self._mean += (ratio - self._mean) / self._count

    def mean(self) -> float:
        return self._mean

    def p95(self) -> float:
        return _quantile(sorted(self._last)) if self._last else 0.0


class _Errors:
    """The ratios of one model, over all wraps of the process."""

    def __init__(self) -> None:
        self.calls = 0
        self.input = _Ratios()
        self.output = _Ratios()

    def report(self) -> EstimateReport:
        return EstimateReport(
            calls=self.calls,
            input_mean=self.input.mean(),
            input_p95=self.input.p95(),
            output_mean=self.output.mean(),
            output_p95=self.output.p95(),
        )


def _kept(models: OrderedDict[str, _T], name: str, make: type[_T]) -> _T:
    one = models.get(name)
    if one is None:
        one = models[name] = make()
        if len(models) > MODELS_MAX:
            models.popitem(last=False)
    else:
        models.move_to_end(name)
    return one


def _quantile(ordered: Sequence[_T]) -> _T:
    return ordered[math.ceil(QUANTILE * len(ordered)) - 1]


def _renew() -> None:
    # A thread of the parent may have held the lock in the moment of the fork.
    global _lock
    _lock = threading.RLock()


_errors: OrderedDict[str, _Errors] = OrderedDict()
# Reentrant: the collector may end a dropped stream while this thread holds the lock.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
EstimateReport.__module__ = "outlay"  # the place that users import from
