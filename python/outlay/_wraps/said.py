"""What an answer says of a provider's rate limit, and where the errors of SDKs keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# How far the causes of an error are followed: SDKs and hosts wrap the error of the client in their own.
_DEPTH = 6
_STATUSES = ("status_code", "http_status", "status", "code")
_BODIES = ("body", "details", "response_json")
# Statuses that say when to come back.
_SAY_WHEN = (429, 503, 529)


@dataclass(frozen=True, slots=True)
class Said:
    """The headers, the status and the body of an answer."""

    headers: Any
    status: int
    body: Any = None


def body_of(response: Any) -> Any:
    """Return the body of an answer that was read; None for one that was not."""
    content = _attribute(response, "content")
    if isinstance(content, bytes | str):
        return content
    text = _attribute(response, "text")
    return text if isinstance(text, str) else None


def said_by(error: BaseException) -> Said | None:
    """Return what the answer to a failed call said of its rate; None where it said nothing of it.

    Args:
        error: What an SDK or a host raised. Its causes are read too.

    """
    known, headers, body = None, None, None
    for one in _causes(error):
        response = _attribute(one, "response")
        status = _status(response) or _status(one)
        if status not in _SAY_WHEN or known not in (None, status):
            continue
        known = status
        headers = headers or _headers(response) or _headers(one)
        body = body or body_of(response) or _body(one)
    if known is None:
        return None
    # A host may keep only the text of the answer.
    return Said(headers or {}, known, str(error) if body is None else body)


def _body(error: BaseException) -> Any:
    found = (_attribute(error, name) for name in _BODIES)
    return next((body for body in found if body and isinstance(body, bytes | str | dict | list)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_DEPTH):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _status(holder: Any) -> int | None:
    for name in _STATUSES:
        status = _attribute(holder, name)
        if isinstance(status, int) and not isinstance(status, bool):
            return status
    # botocore keeps a dict.
    metadata = _metadata(holder)
    status = metadata.get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def _headers(holder: Any) -> Any:
    # LiteLLM keeps the headers of the answer under a name of its own.
    for name in ("headers", "litellm_response_headers"):
        headers = _attribute(holder, name)
        if headers is not None and hasattr(headers, "items"):
            return headers
    return _metadata(holder).get("HTTPHeaders")


def _metadata(holder: Any) -> Mapping[str, Any]:
    metadata = holder.get("ResponseMetadata") if isinstance(holder, Mapping) else None
    return metadata if isinstance(metadata, Mapping) else {}


def _attribute(holder: Any, name: str) -> Any:
    """Return an attribute, None where there is none: a property may raise what it likes."""
    try:
        return getattr(holder, name, None)
    except Exception:
        return None
