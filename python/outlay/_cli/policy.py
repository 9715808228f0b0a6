"""The commands `outlay check` and `outlay explain`, in plain text."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from outlay._cli.table import table
from outlay._core import Guard
from outlay._errors import OutlayError, PolicyError
from outlay._prices.resolve import resolve_price

_RULES = ("budget", "workflow", "pool", "limiter", "tool")
_OTHERS = ("allowance", "model_quota", "repo", "prices")
# The labels that wraps, runs and steps give; all others are the user's own.
_GIVEN = ("provider", "model", "agent", "tool", "run", "workflow", "step")
_UNITS = {"cost_micros_usd": "usd", "concurrent": "at once"}
_HEAD = ("rule", "kind", "counter", "window", "mode", "unit", "limit", "used", "remaining")


def check(path: Path) -> int:
    """Check a policy. Return 0, or print the file, the line and what is allowed, and return 1.

    It warns of labels in scopes that no wrap gives, unless the policy requires them.
    """
    guard = _read(path)
    if guard is None:
        return 1
    policy = _tables(path)
    found = {kind: len(policy.get(kind, ())) for kind in (*_RULES, *_OTHERS)}
    rules = sum(found[kind] for kind in _RULES)
    named = ", ".join(f"{kind} {count}" for kind, count in found.items() if count)
    print(f"ok: {rules} {'rule' if rules == 1 else 'rules'}" + (f" ({named})" if named else ""))
    for warning in _warnings(policy):
        print(f"{path}: warning: {warning}", file=sys.stderr)
    return 0


def explain(path: Path, labels: Mapping[str, str]) -> int:
    """Show which rules a request with these labels would meet, and what its model costs."""
    guard = _read(path)
    if guard is None:
        return 1
    try:
        counters = guard.explain(**labels)
    except OutlayError as error:
        print(error, file=sys.stderr)
        return 1
    policy = _tables(path)
    rows = [row for counter in counters for row in _rows(counter)] + _allowances(guard, labels)
    missing = [name for name in policy.get("defaults", {}).get("require", ()) if name not in labels]
    if rows:
        print(table([_HEAD, *rows]))
    elif not missing:
        print("no rule matches: every request with these labels passes")
    for name in missing:
        print(f"refused with PolicyError: the label {name!r} is missing, which [defaults] requires")
    waits = [counter["wait"] for counter in counters if counter["wait"] is not None]
    if waits:
        print(f"wait: up to {min(waits):g} s where a pool or a limiter is full")
    if "model" in labels:
        print(f"price: {_price(policy, labels['model'], labels.get('provider'))}")
    return 0


def _read(path: Path) -> Guard | None:
    try:
        return Guard(path)
    except PolicyError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{path}: {error.strerror or error}", file=sys.stderr)
    return None


def _tables(path: Path) -> dict[str, Any]:
    """Return the tables of a policy that a guard has read."""
    policy = tomllib.loads(path.read_text(encoding="utf-8"))
    tool = policy.get("tool")
    own: dict[str, Any] = tool.get("outlay", policy) if isinstance(tool, dict) else policy
    return own


def _rows(counter: Mapping[str, Any]) -> list[tuple[str, ...]]:
    values = ", ".join(f"{name}={value}" for name, value in counter["values"].items()) or "shared"
    first = (counter["name"], counter["kind"], values, counter["window"], counter["mode"])
    keys = ("limit", "used", "remaining")
    return [
        (*first, _UNITS.get(unit, unit), *(_shown(unit, figures[key]) for key in keys))
        for unit, figures in counter["limits"].items()
    ]


def _warnings(policy: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning for each label in scopes that only the user's own code can give."""
    required = policy.get("defaults", {}).get("require", ())
    named: dict[str, list[str]] = {}
    for kind in _RULES:
        for rule in policy.get(kind, ()):
            for label in rule.get("scope", {}):
                named.setdefault(label, []).append(f"{kind} {rule['name']!r}")
    for label, rules in named.items():
        if label in _GIVEN or label in required:
            continue
        close = get_close_matches(label, {*_GIVEN, *required}, n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        yield (
            f"no wrap gives the label {label!r}{meant}, and without it a request passes by "
            f"{', '.join(rules)}; [defaults] require = [{label!r}] refuses such requests"
        )


def _allowances(guard: Guard, labels: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return the token limits of allowances and quotas, because calls of models count for them too."""
    service = guard.allowances
    rows: list[tuple[str, ...]] = []
    agent, model = labels.get("agent"), labels.get("model")
    if "tool" in labels and model is None:
        return rows
    if agent is not None and (allowance := service.get_allowance(agent)) is not None:
        used = service.get_usage(agent).tokens_used
        rows += _day("allowance", ("agent", agent), allowance.daily_token_limit, used)
    if model is not None and (quota := service.get_model_quota(model)) is not None:
        rows += _day(
            "model_quota", ("model", model), quota.daily_token_budget, service.get_model_usage(model)
        )
    return rows


def _day(kind: str, of: tuple[str, str], limit: int, used: int) -> list[tuple[str, ...]]:
    counts = (f"{limit}", f"{used}", f"{max(limit - used, 0)}")
    row = (of[1], kind, "=".join(of), "calendar:day UTC", "hard", "tokens", *counts)
    return [row] if limit else []


def _shown(unit: str, amount: int | None) -> str:
    if amount is None:
        return "-"
    return _money(amount) if unit == "cost_micros_usd" else str(amount)


def _money(micros_usd: int) -> str:
    cents, rest = divmod(micros_usd, 10_000)
    exact = Decimal(micros_usd).scaleb(-6).normalize()
    return f"{exact:f}" if rest else f"{cents // 100}.{cents % 100:02}"


def _price(policy: Mapping[str, Any], model: str, provider: str | None) -> str:
    known, bare = policy.get("prices", {}), model.partition(":")[2]
    for name in (f"{provider}:{model}" if provider else model, model, bare):
        if name in known:
            return f"{_rates(known[name])} ([prices] {name!r})"
    found = resolve_price(model, provider)
    if found is not None:
        return f"{_rates(found)} (genai-prices)"
    defaults = policy.get("defaults", {})
    if defaults.get("on_unknown_price") == "fallback":
        return f"{_rates(defaults['fallback_price'])} (fallback_price)"
    if defaults.get("on_unknown_price") == "zero":
        return "unknown, counted at $0 (on_unknown_price)"
    return "unknown; where cost is limited, the request is refused with PolicyError"


def _rates(price: Mapping[str, Any]) -> str:
    rates = ", ".join(f"{kind} {rate}" for kind, rate in price.items() if kind != "tiers")
    tiers = ", tiers for long input" if price.get("tiers") else ""
    return f"{rates} USD per million tokens{tiers}"
