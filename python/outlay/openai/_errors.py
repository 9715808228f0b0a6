"""Refusals that OpenAI's client passes on: each is the class of outlay and `openai.OpenAIError` in one."""

from __future__ import annotations

import openai

from outlay._wraps import host_errors

as_openai_error = host_errors(globals(), openai.OpenAIError)
