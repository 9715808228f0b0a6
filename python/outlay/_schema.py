"""The JSON Schemas: of a refusal's message for the model, and of a guard's policy."""

import json
from pathlib import Path
from typing import Any, Final

_COUNT: Final = {"type": "integer", "minimum": 0}
_SECONDS: Final = {"type": ["number", "null"], "minimum": 0}

#: The JSON Schema (draft 2020-12) of ``LimitExceeded.to_llm_message()``.
LLM_MESSAGE_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "outlay refusal",
    "type": "object",
    "properties": {
        "error": {
            "enum": [
                "not_configured",
                "budget_exceeded",
                "request_budget_exceeded",
                "threshold_exceeded",
                "workflow_quota_exceeded",
                "rate_limit_exceeded",
                "allowance_exceeded",
            ],
            "description": "Which kind of account refuses.",
        },
        "type": {
            "enum": [
                "token",
                "call",
                "cost",
                "hourly_limit",
                "workflow_limit",
                "step_limit",
                "rate",
                "job",
                "concurrency",
                "model",
                "repo",
                "cooldown",
                "not_configured",
            ],
            "description": "What ran out.",
        },
        "message": {"type": "string", "description": "What ran out, in a sentence."},
        "details": {
            "type": "object",
            "properties": {
                "agent_id": {"type": "string"},
                "workflow_id": {"type": "string"},
                "requested": {**_COUNT, "description": "What was asked for."},
                "remaining": {**_COUNT, "description": "What could still be admitted."},
                "total": {
                    **_COUNT,
                    "description": "The maximum in the window; absent if others share it.",
                },
                "used": {**_COUNT, "description": "What was charged in the window; absent likewise."},
                "reserved": {**_COUNT, "description": "What calls under way hold; absent likewise."},
                "steps_executed": _COUNT,
                "max_steps": _COUNT,
                "current": _COUNT,
                "max_workflows": _COUNT,
                "unit": {
                    "enum": [
                        "tokens",
                        "micro_usd",
                        "calls",
                        "steps",
                        "workflows",
                        "jobs",
                        "slots",
                        "actions",
                    ],
                    "description": "What the numbers count.",
                },
                "reason": {
                    "const": "held",
                    "description": "It would pass once calls under way have ended; absent otherwise.",
                },
                "resets_in_seconds": {**_SECONDS, "description": "Null where no new window will come."},
                "scope": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "required": [
                "requested",
                "remaining",
                "unit",
                "resets_in_seconds",
            ],
            "additionalProperties": False,
        },
        "suggestion": {"type": "string", "description": "What to do now."},
        "retryable": {
            "type": "boolean",
            "description": "True where waiting is the cure, and where it is only held; false where the "
            "budget is spent, and for what is more than the whole limit.",
        },
        "retry_after_seconds": {
            **_SECONDS,
            "description": "When the same request could pass, where it is held: when the leases in its way "
            "run out, which may end sooner; null where waiting never helps, or nobody knows.",
        },
    },
    "required": [
        "error",
        "type",
        "message",
        "details",
        "suggestion",
        "retryable",
        "retry_after_seconds",
    ],
    "additionalProperties": False,
}

#: The JSON Schema (draft 2020-12) of a policy: editors read it for policy files, programs for dicts. A
#: ``Guard`` refuses all that it refuses, and some more: a part kept back of what has no limit, a time zone
#: that nobody knows, a name that is given twice.
POLICY_SCHEMA: Final[dict[str, Any]] = json.loads(
    Path(__file__).with_name("policy.schema.json").read_text(encoding="utf-8")
)
