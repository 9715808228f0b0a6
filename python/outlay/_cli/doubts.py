"""What in a good policy may be meant otherwise: labels nobody gives, runs nobody opens, names of models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from outlay._cli.policy_file import RULES
from outlay._core import model_names

# The labels that wraps, runs and steps give; all others are the user's own.
_GIVEN = ("provider", "model", "agent", "tool", "run", "workflow", "step")
# Labels that the user's own code often gives.
_USUAL = ("user", "team", "org", "repo")
# Suffixes that are not removed, and that a provider may give the same model.
_OTHER_VERSION = re.compile(r"-(?:\d{3,4}|preview|exp)(?:-[\d-]+)?$")


def doubts(tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning for each thing in a policy that a reader would take for something else."""
    yield from _labels(tables)
    yield from _runs(tables)
    yield from _models(tables)


def _rules(tables: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in RULES:
        for rule in tables.get(kind, ()):
            yield f"{kind} {rule['name']!r}", rule


def _labels(tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning for each label that only the user's own code can give."""
    required = tables.get("defaults", {}).get("require", ())
    named: dict[str, list[str]] = {}
    for shown, rule in _rules(tables):
        for label in rule.get("scope", {}):
            named.setdefault(label, []).append(shown)
    for label in required:
        named.setdefault(label, [])
    for label, rules in named.items():
        if label in _GIVEN:
            continue
        others = () if label in _USUAL else _others(label, named)
        close = next((other for other in others if one_off(label, other)), None)
        meant = f" (did you mean {close!r}?)" if close else ""
        if label not in required:
            yield (
                f"no wrap gives the label {label!r}{meant}, and without it a request passes by "
                f"{', '.join(rules)}; [defaults] require = [{label!r}] refuses such requests"
            )
        elif close:
            yield f"the label {label!r}, which [defaults] requires, is one letter off {close!r}"


def _others(label: str, named: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield the labels that it may be mistaken for: those that are usual, and those that more rules have."""
    yield from (*_GIVEN, *_USUAL)
    for other, rules in named.items():
        if (len(rules), label) > (len(named[label]), other) and other != label:
            yield other


def one_off(one: str, other: str) -> bool:
    """Return whether two words differ by one letter: another, one fewer, or two in the other order."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    if len(one) > len(other):
        one, other = other, one
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    swapped = one[start : start + 2] == other[start : start + 2][::-1]
    return one[start + 1 :] == other[start + 1 :] or (swapped and one[start + 2 :] == other[start + 2 :])


def _runs(tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning if rules count by run, and a request without a run is not refused."""
    if "run" in tables.get("defaults", {}).get("require", ()):
        return
    by_run = [
        shown
        for shown, rule in _rules(tables)
        if rule.get("window", "run" if shown.startswith("workflow") else "") == "run"
    ]
    if by_run:
        verb = "counts" if len(by_run) == 1 else "count"
        yield (
            f"{', '.join(by_run)} {verb} by run, and all requests without the label 'run' share one counter; "
            "BudgetMiddleware (LangChain) and BudgetCapability (Pydantic AI) open a run for each run of an "
            "agent, other hosts open none: open one with guard.run(), or bind one with guard.bind().run(); "
            "[defaults] require = ['run'] refuses requests without one"
        )


def _models(tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning for each rule about one model that another name of this model passes by."""
    exact: dict[str, list[str]] = {}
    for shown, rule in _rules(tables):
        model = rule.get("scope", {}).get("model", "*")
        if "*" not in model:
            exact.setdefault(model, []).append(shown)
    quotas = [one["model"] for one in tables.get("model_quota", ())]
    allowed = [model for one in tables.get("allowance", ()) for model in one.get("model_allowlist", ())]
    names = {*exact, *tables.get("prices", {}), *quotas, *allowed} - {"*"}
    for model, rules in exact.items():
        wider = [name for name in model_names(model)[1:] if name in names]
        other = [name for name in sorted(names) if _is_other_version(name, model)]
        undated = model_names(model)[-1]
        if not wider and not model.endswith(undated):
            wider = [undated]
        for name in (*wider, *other):
            named = ", which the policy names too," if name in names else ""
            yield (
                f"{', '.join(rules)}: a request of {name!r}{named} passes by, "
                f"because the scope is about {model!r} alone and its dated or prefixed forms"
            )


def _is_other_version(name: str, model: str) -> bool:
    if not name.startswith(model) or model in model_names(name):
        return False
    return _OTHER_VERSION.fullmatch(name[len(model) :]) is not None
