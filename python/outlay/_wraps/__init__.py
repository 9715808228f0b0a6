"""The base of the integrations: a host imports this module and `outlay`, and nothing below them."""

from outlay._calls.budgets import AnyBudget, Budgets
from outlay._calls.call import Call
from outlay._calls.ends import ending_failed
from outlay._calls.steps import Step, charge_step, countable, operation_of, step_budgets
from outlay._process import ProcessLock
from outlay._usage.billed import REQUEST_NAMES, ways_asked
from outlay._usage.calibration import EstimateMode
from outlay._usage.fields import Fields
from outlay._usage.outcome import End, Outcome, outcome_of, refusal_in
from outlay._usage.prompt import (
    IMAGE_TOKENS,
    MEDIA_CHARACTERS_PER_TOKEN,
    OUTPUT_LIMITS,
    SCHEMAS,
    Prompt,
    json_bytes,
    media_tokens,
    output_limit,
    read_body,
    read_completion,
    text_bytes,
    tokens_of,
)
from outlay._usage.responses import known_fields
from outlay._usage.stream import Parts, StreamUsage
from outlay._wraps.arguments import CallOptions, make_layer
from outlay._wraps.endpoints import OPENAI_CALLS, billed, may_cost, openai_path, plain_path
from outlay._wraps.labels import checked_labels
from outlay._wraps.layer import Layer
from outlay._wraps.model_call import ModelCall
from outlay._wraps.moved import move_usages, moved_usage
from outlay._wraps.providers import provider_at
from outlay._wraps.refusals import host_errors
from outlay._wraps.runs import begin_run, named_run, open_run
from outlay._wraps.said import body_of
from outlay._wraps.unguarded import Unguarded, checked_unguarded, give_out, inside_call, pass_by

__all__ = [
    "IMAGE_TOKENS",
    "MEDIA_CHARACTERS_PER_TOKEN",
    "OPENAI_CALLS",
    "OUTPUT_LIMITS",
    "REQUEST_NAMES",
    "SCHEMAS",
    "AnyBudget",
    "Budgets",
    "Call",
    "CallOptions",
    "End",
    "EstimateMode",
    "Fields",
    "Layer",
    "ModelCall",
    "Outcome",
    "Parts",
    "ProcessLock",
    "Prompt",
    "Step",
    "StreamUsage",
    "Unguarded",
    "begin_run",
    "billed",
    "body_of",
    "charge_step",
    "checked_labels",
    "checked_unguarded",
    "countable",
    "ending_failed",
    "give_out",
    "host_errors",
    "inside_call",
    "json_bytes",
    "known_fields",
    "make_layer",
    "may_cost",
    "media_tokens",
    "move_usages",
    "moved_usage",
    "named_run",
    "open_run",
    "openai_path",
    "operation_of",
    "outcome_of",
    "output_limit",
    "pass_by",
    "plain_path",
    "provider_at",
    "read_body",
    "read_completion",
    "refusal_in",
    "step_budgets",
    "text_bytes",
    "tokens_of",
    "ways_asked",
]
