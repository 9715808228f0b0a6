"""The copies of a guarded client, which keep its budgets whatever middleware they are given."""

from __future__ import annotations

import functools
from typing import Any

from anthropic import NotGiven, not_given

from outlay.anthropic._middleware import ReservingMiddleware


def keep_budgets(client: Any) -> Any:
    """Make a client's `copy` and `with_options` keep its budgets, and those of its copies; return it.

    On the client and not by a class of its own: the SDK finds credentials only for exactly its own classes.
    """
    original = type(client).copy

    @functools.wraps(original)
    def copy(**options: Any) -> Any:
        given = options.get("middleware", not_given)
        if not isinstance(given, NotGiven):
            # It takes the place of what the client had, except for its budgets.
            kept = list(given or ())
            budgets = (one for one in client.middleware if isinstance(one, ReservingMiddleware))
            options["middleware"] = kept + [one for one in budgets if one not in kept]
        return keep_budgets(original(client, **options))

    client.copy = client.with_options = copy
    return client
