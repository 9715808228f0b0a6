"""The command `outlay explain`: which rules a request would meet, and what its model costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from outlay._cli.policy_file import read_policy, store_of
from outlay._cli.printing import say, say_json, say_table, warn
from outlay._core import Guard, model_names
from outlay._errors import OutlayError
from outlay._prices.resolve import resolve_price

_UNITS = {"cost_micros_usd": "usd", "concurrent": "at once"}
_HEAD = ("rule", "kind", "counter", "window", "mode", "unit", "limit", "used", "remaining")


def explain(path: Path, labels: Mapping[str, str], *, as_json: bool = False) -> int:
    """Show which rules a request with these labels would meet, and what its model costs.

    Args:
        path: The policy.
        labels: The labels of the request.
        as_json: Print one object.

    """
    try:
        guard, tables = read_policy(path)
        counters = guard.explain(labels=labels)
        found = {
            "store": store_of(tables),
            "counters": [{**one, "warn_at": _warn_at(one, tables)} for one in counters],
            "allowances": list(_allowances(guard, labels)),
            "missing_labels": [
                name for name in tables.get("defaults", {}).get("require", ()) if name not in labels
            ],
            "price": _price(tables, labels["model"], labels.get("provider")) if "model" in labels else None,
        }
    except OutlayError as error:
        warn(str(error))
        return 1
    if as_json:
        say_json(found)
    else:
        _show(found)
    return 0


def _show(found: dict[str, Any]) -> None:
    rows = [row for counter in found["counters"] for row in _rows(counter)]
    rows += [row for one in found["allowances"] for row in _allowance_rows(one)]
    if rows:
        say_table([_HEAD, *rows])
    elif not found["missing_labels"]:
        say("no rule matches: every request with these labels passes")
    if found["store"] is not None:
        say(f"store: {found['store']}, which was not opened: what is used there is not shown")
    for name in found["missing_labels"]:
        say(f"refused with PolicyError: the label {name!r} is missing, which [defaults] requires")
    waits = [one["wait"] for one in found["counters"] if one["wait"] is not None]
    if waits:
        say(f"wait: up to {min(waits):g} s where a pool or a limiter is full")
    for line in _kept_back(found["counters"]):
        say(line)
    for line in _warned(found["counters"]):
        say(line)
    if found["price"] is not None:
        say(f"price: {found['price']}")


def _rows(counter: Mapping[str, Any]) -> list[tuple[str, ...]]:
    values = ", ".join(f"{name}={value}" for name, value in counter["values"].items()) or "shared"
    first = (counter["name"], counter["kind"], values, counter["window"], counter["mode"])
    keys = ("limit", "used", "remaining")
    return [
        (*first, _UNITS.get(unit, unit), *(_shown(unit, figures[key]) for key in keys))
        for unit, figures in counter["limits"].items()
    ]


def _kept_back(counters: list[dict[str, Any]]) -> Iterator[str]:
    for counter in counters:
        kept = [
            f"{_shown(unit, figures['kept_back'])} {_UNITS.get(unit, unit)}"
            for unit, figures in counter["limits"].items()
            if figures["kept_back"]
        ]
        if kept and counter["kind"] == "pool":
            yield f"stop: {counter['name']} keeps back {', '.join(kept)}"
        elif kept:
            yield f"landing: {counter['name']} keeps back {', '.join(kept)} for the final answer"


def _warned(counters: list[dict[str, Any]]) -> Iterator[str]:
    for counter in counters:
        if counter["warn_at"]:
            shares = ", ".join(f"{100 * share:g} %" for share in counter["warn_at"])
            yield f"warning: {counter['name']} at {shares}"


def _warn_at(counter: Mapping[str, Any], tables: Mapping[str, Any]) -> list[float]:
    """Return the shares of the limit at which a rule warns, as the policy says them."""
    name = counter["name"]
    rules = tables.get(counter["kind"], tables.get("workflow", ()))
    # Names may have ".step." in them.
    of = [rule for rule in rules if name == rule["name"] or name.startswith(f"{rule['name']}.step.")]
    rule: Mapping[str, Any] = max(of, key=lambda rule: len(rule["name"]), default={})
    said = rule.get("warn_at", tables.get("defaults", {}).get("warn_at", []))
    return said if isinstance(said, list) else [said]


def _allowances(guard: Guard, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the allowance of the agent and the quota of the model: calls of models count for them too."""
    service = guard.allowances
    agent, model = labels.get("agent"), labels.get("model")
    if "tool" in labels and model is None:
        return
    if agent is not None and (allowance := service.get_allowance(agent)) is not None:
        usage = service.get_usage(agent)
        models = list(allowance.model_allowlist)
        limits = {
            "tokens": (allowance.daily_token_limit, usage.tokens_used),
            "jobs": (allowance.daily_job_limit, usage.jobs_started),
            "jobs at once": (allowance.concurrent_jobs, usage.active_jobs),
        }
        yield {"kind": "allowance", "agent": agent, "limits": limits, "models": models}
    if model is not None and (quota := service.get_model_quota(model)) is not None:
        limits = {"tokens": (quota.daily_token_budget, service.get_model_usage(model))}
        yield {
            "kind": "model_quota",
            "model": model,
            "limits": limits,
            "hourly_rate_limit": quota.hourly_rate_limit,
            "cost_ceiling_micros_usd": quota.cost_ceiling_micros_usd,
        }


def _allowance_rows(one: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    label = "agent" if one["kind"] == "allowance" else "model"
    first = (one[label], one["kind"], f"{label}={one[label]}")
    for unit, (limit, used) in one["limits"].items():
        window = "concurrent" if unit == "jobs at once" else "calendar:day UTC"
        if limit:
            yield (*first, window, "hard", unit, f"{limit}", f"{used}", f"{max(limit - used, 0)}")
    if one.get("hourly_rate_limit"):
        yield (*first, "rolling:3600s", "hard", "calls", f"{one['hourly_rate_limit']}", "-", "-")
    if one.get("cost_ceiling_micros_usd"):
        yield (*first, "lifetime", "hard", "usd", _money(one["cost_ceiling_micros_usd"]), "-", "-")
    if one.get("models"):
        yield (*first, "-", "hard", "models", ", ".join(one["models"]), "-", "-")


def _shown(unit: str, amount: int | None) -> str:
    if amount is None:
        return "-"
    return _money(amount) if unit == "cost_micros_usd" else str(amount)


def _money(micros_usd: int) -> str:
    cents, rest = divmod(micros_usd, 10_000)
    exact = Decimal(micros_usd).scaleb(-6).normalize()
    return f"{exact:f}" if rest else f"{cents // 100}.{cents % 100:02}"


def _price(tables: Mapping[str, Any], model: str, provider: str | None) -> str:
    known = tables.get("prices", {})
    for name in model_names(model):
        for key in (f"{provider}:{name}" if provider else name, name):
            if key in known:
                return f"{_rates(known[key])} ([prices] {key!r})"
    found = resolve_price(model, provider)
    if found is not None:
        return f"{_rates(found)} (genai-prices)"
    defaults = tables.get("defaults", {})
    if defaults.get("on_unknown_price") == "fallback":
        return f"{_rates(defaults['fallback_price'])} (fallback_price)"
    if defaults.get("on_unknown_price") == "zero":
        return "unknown, counted at $0 (on_unknown_price)"
    return "unknown; where cost is limited, the request is refused with PolicyError"


def _rates(price: Mapping[str, Any]) -> str:
    rates = ", ".join(f"{kind} {rate}" for kind, rate in price.items() if isinstance(rate, str | int))
    tiers = ", tiers for long input" if price.get("tiers") else ""
    return f"{rates} USD per million tokens{tiers}"
