"""`wrap`: a chat model that asks its budgets before each call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

from outlay import PolicyError, PriceTable
from outlay._wraps import AnyBudget, CallOptions, EstimateMode, Layer, Unguarded, make_layer
from outlay.langchain._beside import tell_inside
from outlay.langchain._call import LAYERS
from outlay.langchain._estimate import called_name
from outlay.langchain._guarded import guarded_class
from outlay.langchain._retry import spare_refusals

ModelT = TypeVar("ModelT", bound=Runnable[Any, Any])


def wrap(
    model: ModelT,
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    operation: str = "query",
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    output_tokens: int | None = None,
    wait: float | timedelta | None = None,
    estimate: EstimateMode | None = None,
    unguarded: Unguarded = "warn",
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> ModelT:
    """Return a copy of a chat model that reserves from its budgets before each call.

    The copy is of the same class: `isinstance`, `bind_tools`, `with_structured_output`, agents and their
    sub-agents work as before, and each call of the provider is one lease. The original stays unguarded.

    A refusal is raised before the provider is touched. It is the outlay class and LangChain's `ModelError`
    in one. `ModelRetryMiddleware` and the model's own `with_retry` retry it only if waiting can help.
    Wraps stack: an account of two is charged once a call.

    Args:
        model: A chat model, also one with bound arguments, retries or fallbacks; each model in it is guarded.
        budget: One budget or a list of them: a `Guard`, an account of outlay, or an object with the
            `outlay.Budget` protocol. Outlay's own are decided in one step: all reserve, or none does.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        prices: USD per million tokens, as text, by model name. Needed where a budget limits cost.
        output_tokens: Output to reserve where the request limits none; default the policy's, else 1,024.
        wait: Seconds or a timedelta that a call may wait for a pool or a limiter; default None, not at all.
        estimate: "strict" takes half of the prompt's bytes for tokens; "expected" what its model has used, so
            that more run side by side. Default None: the policy's, else a third and the whole output.
        unguarded: What costs money and is not guarded: "warn" once (default), "refuse" or "allow".
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Returns:
        A guarded copy of the model.

    Raises:
        PolicyError: An argument is not what it should be, or a model that must be priced has no price
            (raised by the call where the model's name is known only then).
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from outlay import BudgetExceeded, SharedPool
        >>> from outlay.testing import ScriptedChatModel
        >>> pool = SharedPool(capacity_tokens=300)
        >>> model = wrap(ScriptedChatModel(script=["Hi.", "Hi again."]), pool, output_tokens=200)
        >>> model.invoke("Hello").content
        'Hi.'
        >>> try:
        ...     model.invoke("Hello " * 100)
        ... except BudgetExceeded as refusal:
        ...     print(refusal.kind, refusal.limit)
        token 300

    """
    layer = make_layer(
        budget,
        CallOptions(operation, prices, output_tokens, wait, estimate, unguarded),
        labels=(labels, named),
        made_by="langchain",
    )
    guarded: ModelT = _guard(model, layer)
    return guarded


def _guard(model: Any, layer: Layer) -> Any:
    if isinstance(model, RunnableBindingBase):
        return spare_refusals(model.model_copy(update={"bound": _guard(model.bound, layer)}))
    if isinstance(model, RunnableWithFallbacks):
        others = [_guard(one, layer) for one in model.fallbacks]
        return model.model_copy(update={"runnable": _guard(model.runnable, layer), "fallbacks": others})
    if not isinstance(model, BaseChatModel):
        raise PolicyError(
            f"model: a LangChain chat model is allowed, with bindings, retries or fallbacks, not "
            f"{type(model).__name__}; of an agent or a graph, wrap the model that it is given"
        )
    layer.check_price(called_name(model._get_ls_params(), {}))
    inner: tuple[Layer, ...] = getattr(model, LAYERS, ())
    guarded = model.model_copy()
    if LAYERS not in type(model).model_fields:
        # Past pydantic, which guards attributes but knows no change of class.
        object.__setattr__(guarded, "__class__", guarded_class(type(model)))
    guarded.__dict__[LAYERS] = (layer, *inner)
    tell_inside(guarded, guarded.__dict__[LAYERS])
    return guarded
