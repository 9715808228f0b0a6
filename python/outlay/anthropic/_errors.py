"""Refusals that the SDK neither retries nor wraps: each is outlay's class and `AnthropicError` in one."""

from __future__ import annotations

from anthropic import AnthropicError

from outlay._wraps import host_errors

as_anthropic_error = host_errors(globals(), AnthropicError)
