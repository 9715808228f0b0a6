"""`outcome_of`: it reads from an exception whether its request was unsent, refused, unanswered or answered.

No host is imported. The reading uses the name of the exception's class, its package, the HTTP status that it
carries, and the exceptions that caused it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from outlay._errors import LimitExceeded
from outlay._usage.fields import Fields
from outlay._usage.responses import known_fields
from outlay._usage.shapes import Reader, reader

_log = logging.getLogger("outlay")
_LINKS_MAX = 16
_ERRORS = range(400, 600)
# The SDKs count the retries of a request in this header of it.
_RETRIES = "x-stainless-retry-count"
_RETRIES_MAX = 100
# Where an error keeps the answer that it is about: openai, instructor, the SDKs that check what came.
_ANSWERS = ("completion", "last_completion", "body")
_HTTP = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3", "aiohttp", "botocore"})
_NEVER_SENT = frozenset(
    {
        *("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"),
        *("LocalProtocolError", "InvalidURL", "MissingSchema", "InvalidSchema"),
        *("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ClientConnectorError"),
        *("EndpointConnectionError", "NoCredentialsError", "ParamValidationError"),
    }
)
_UNANSWERED = frozenset(
    {
        *("TransportError", "ReadTimeout", "ReadTimeoutError", "Timeout", "ChunkedEncodingError"),
        *("ProtocolError", "ReadError", "WriteError", "RemoteProtocolError", "TimeoutException"),
        *("NetworkError", "ClientConnectionError", "ClientPayloadError", "ConnectionClosedError"),
    }
)
# Of SDKs: the class says no more than that no answer came; what caused it may say more.
_SDK_UNANSWERED = frozenset(
    {
        *("APIConnectionError", "APITimeoutError", "Timeout", "DeadlineExceeded"),
        *("ModelTimeoutError", "ModelConnectionError"),
    }
)
# Of LangChain: the provider has answered that it does not do it.
_SDK_REFUSED = frozenset(
    {
        *("ModelAuthenticationError", "ModelPermissionDeniedError", "ModelInvalidRequestError"),
        *("ModelNotFoundError", "ModelRateLimitError", "ContextOverflowError"),
    }
)
_UNSENT_CLASSES = (ConnectionRefusedError,)
_UNANSWERED_CLASSES = (TimeoutError, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
# The host has checked an answer, and says so in an error of its API.
_CHECKED = frozenset({"JSONSchemaValidationError", "APIResponseValidationError"})
# The status of their errors is what they answer to their own callers.
_SERVERS = frozenset({"fastapi", "starlette", "werkzeug", "flask", "django", "tornado"})
# They give a status to errors that came without one.
_INVENT_STATUS = frozenset({"litellm"})


#: An exception without a reference to it: its address, and the name of its class.
Handled: TypeAlias = tuple[int, str]


class End(Enum):
    """The last stage that a request reached before its call raised."""

    UNSENT = "never sent"
    REFUSED = "answered with an error"
    UNANSWERED = "sent, and no answer came"
    ANSWERED = "answered; what failed came after it"


_BY_COST = (End.UNSENT, End.REFUSED, None, End.ANSWERED, End.UNANSWERED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an exception says.

    Args:
        end: How far the request came; None where the exception does not say.
        requests: How many requests were made; 1 where nobody counts.
        fields: The usage of the answer that it carries, as `Usage` names it; None without one.

    """

    end: End | None
    requests: int = 1
    fields: Fields | None = None


def handled() -> Handled | None:
    """Return the exception that is handled where a call begins: the call is then a fallback of another.

    It is the context of whatever the call raises, and neither it nor what caused it is about this call. No
    reference is kept: its frames would keep a stream alive that its user has dropped.
    """
    error = sys.exception()
    return None if error is None else _known(error)


def _known(error: BaseException) -> Handled:
    return id(error), type(error).__name__


def outcome_of(error: BaseException, *, before: Handled | None = None) -> Outcome:
    """Read an exception, and those that caused it.

    The outermost that is sure decides. An SDK's own word for "no answer came" stands only where no cause says
    more.

    Args:
        error: The exception.
        before: What was being handled where the call began, as `handled` says; default None, nothing was.

    """
    try:
        return _outcome_of(error, before)
    except Exception:
        # Any class may be raised, and its attributes may do anything; it must reach its catcher.
        _log.warning("an exception of the class %s could not be read", type(error).__name__)
        return Outcome(None)


def _outcome_of(error: BaseException, before: Handled | None) -> Outcome:
    likely: End | None = None
    links = list(_links(error, before))
    # A host's own error knows the status, and the SDK's that caused it the number of its requests.
    requests = max(map(_requests_of, links)) * max(map(_rounds_of, links))
    for link in links:
        if isinstance(link, ExceptionGroup):
            # Of tasks that failed together: the one that may cost the most.
            return max((_outcome_of(one, before) for one in link.exceptions), key=_weight)
        fields = _answer_of(link)
        if fields is not None:
            return Outcome(End.ANSWERED, requests, fields)
        end, sure = _read(link)
        if end is not None and sure:
            return Outcome(end, requests if end is not End.UNSENT else 0)
        likely = likely or end
    return Outcome(likely, requests)


def refusal_in(answer: Any) -> bool:
    """Whether an answer, as an object or as the dict of its JSON, is an error and tells no usage."""
    return error_in(answer) and known_fields(answer) is None


def error_in(answer: Any) -> bool:
    """Whether an answer is an error, whatever it tells of its usage."""
    try:
        return _is_error(answer)
    except Exception:
        # Anything may come out of a governed function, and its attributes may do anything.
        return False


def _is_error(answer: Any) -> bool:
    if isinstance(answer, str | bytes):
        return False
    read = reader(answer)
    error = read("error")
    if isinstance(error, str | Mapping):
        return bool(error)
    if error is not None and hasattr(error, "message") and not callable(error):
        return True
    # Anthropic; vLLM and Mistral; Baidu, "Error codes".
    if read("type") == "error" or read("object") == "error" or _says_code(read):
        return True
    # AWS answers an operation that it does not know with a status of 200.
    if isinstance(reader(read("Output"))("__type"), str):
        return True
    # OpenRouter, "Errors": each choice may have one.
    choices = read("choices")
    return isinstance(choices, list) and bool(choices) and all(reader(one)("error") for one in choices)


def _says_code(read: Reader) -> bool:
    """Whether an answer carries a code of an error beside its text."""
    # MiniMax, "Error codes": 0 is a success.
    for code in (reader(read("base_resp"))("status_code"), read("error_msg") and read("error_code")):
        if isinstance(code, int) and code:
            return True
    return False


def _weight(outcome: Outcome) -> tuple[int, int]:
    """Order outcomes by what they may cost."""
    return (_BY_COST.index(outcome.end), outcome.requests)


def _links(error: BaseException, before: Handled | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(seen) < _LINKS_MAX:
        if seen and _known(link) == before:
            return
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _read(error: BaseException) -> tuple[End | None, bool]:
    """Return what one exception says by itself, and whether it is sure."""
    if isinstance(error, LimitExceeded):
        return End.UNSENT, True
    if isinstance(error, _UNSENT_CLASSES):
        return End.UNSENT, True
    names = {each.__name__ for each in type(error).__mro__}
    packages = {each.__module__.partition(".")[0] for each in type(error).__mro__}
    if names & _CHECKED:
        return End.ANSWERED, True
    if (packages & _HTTP and names & _NEVER_SENT) or names & {"gaierror", "SSLCertVerificationError"}:
        return End.UNSENT, True
    if (names & _SDK_UNANSWERED and not packages & _HTTP) or _is_of_requests(error):
        return End.UNANSWERED, False
    if isinstance(error, _UNANSWERED_CLASSES) or (packages & _HTTP and names & _UNANSWERED):
        return End.UNANSWERED, True
    if not packages & _SERVERS and (_status(error) in _ERRORS or _is_error_object(error)):
        return End.REFUSED, not packages & _INVENT_STATUS
    # A bare ConnectionError says neither: it comes of no library, and nothing was answered that is billed.
    refused = names & _SDK_REFUSED or isinstance(error, ConnectionError)
    return End.REFUSED if refused else None, False


def _attribute(holder: Any, name: str) -> Any:
    """Return an attribute, None where there is none: a property may raise what it likes."""
    try:
        return getattr(holder, name, None)
    except Exception:
        return None


def _is_of_requests(error: BaseException) -> bool:
    """Whether it is the ConnectionError of requests: what caused it says whether anything was sent."""
    kind = type(error)
    return kind.__name__ == "ConnectionError" and kind.__module__.partition(".")[0] == "requests"


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error carries, by the names of the usual SDKs."""
    for holder in (error, _attribute(error, "response")):
        for name in ("status_code", "http_status", "status", "code"):
            status = _attribute(holder, name)
            if isinstance(status, int) and not isinstance(status, bool):
                return status
    # botocore: ClientError.response["ResponseMetadata"]["HTTPStatusCode"].
    response = _attribute(error, "response")
    metadata = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    status = metadata.get("HTTPStatusCode") if isinstance(metadata, Mapping) else None
    return status if isinstance(status, int) else None


def _is_error_object(error: BaseException) -> bool:
    """Whether it is the error object out of a provider's answer.

    LangChain raises it as the one argument, the SDKs as the body of an error without a status (in a stream),
    LiteLLM (`convert_dict_to_response`) as attributes of a bare `Exception`.
    """
    first = error.args[0] if len(error.args) == 1 else None
    for said in (first, _attribute(error, "body")):
        if isinstance(said, Mapping):
            return "message" in said
    return type(error) is Exception and {"status_code", "message"} <= error.__dict__.keys()


def _requests_of(error: BaseException) -> int:
    try:
        headers = error.request.headers  # type: ignore[attr-defined]
        retries = int(headers.get(_RETRIES, 0))
    except Exception:
        # Most errors carry no request, and httpx raises for those that it has not set.
        return 1
    return 1 + min(max(retries, 0), _RETRIES_MAX)


def _rounds_of(error: BaseException) -> int:
    """Return how often LiteLLM's Router has tried: it stamps its errors with the number of its retries."""
    retries = _attribute(error, "num_retries") if type(error).__module__.startswith("litellm.") else None
    return 1 + min(max(retries, 0), _RETRIES_MAX) if isinstance(retries, int) else 1


def _answer_of(error: BaseException) -> Fields | None:
    for name in _ANSWERS:
        answer = _attribute(error, name)
        fields = None if answer is None else known_fields(answer)
        if fields is not None:
            return fields
    return None
