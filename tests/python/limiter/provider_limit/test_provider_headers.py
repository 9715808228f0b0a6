"""RateLimiter.observe: headers come in any form, and what cannot be read is as if it were missing."""

from __future__ import annotations

import email.message
import http.client
from types import MappingProxyType

import pytest
from headers_support import of, openai, room

from outlay import PolicyError


class MultiDict:
    """As those of aiohttp and Starlette: a name may come several times."""

    def __init__(self, *pairs):
        self.pairs = pairs

    def __iter__(self):
        return (name for name, _ in self.pairs)

    def keys(self):
        """Return the names."""
        return [name for name, _ in self.pairs]

    def items(self):
        """Return the pairs, as a view that can be read again."""
        return MappingProxyType(dict(enumerate(self.pairs))).values()


def message_of(kind, headers):
    """Return headers as the standard library's clients do."""
    message = kind()
    for name, value in headers.items():
        message[name] = value
    return message


FORMS = {
    "dict": dict,
    "upper case": lambda h: {name.upper(): value for name, value in h.items()},
    "bytes": lambda h: {name.encode(): value.encode() for name, value in h.items()},
    "pairs": lambda h: list(h.items()),
    "pairs of bytes": lambda h: [(name.encode(), value.encode()) for name, value in h.items()],
    "lists as in ASGI": lambda h: [[name.encode(), value.encode()] for name, value in h.items()],
    "generator": lambda h: ((name, value) for name, value in h.items()),
    "items view": lambda h: h.items(),
    "proxy": MappingProxyType,
    "numbers": lambda h: {name: int(value) if value.isdigit() else value for name, value in h.items()},
    "email message": lambda h: message_of(email.message.Message, h),
    "http.client message": lambda h: message_of(http.client.HTTPMessage, h),
    "multidict": lambda h: MultiDict(*h.items()),
    "twice": lambda h: MultiDict(*h.items(), ("X-RateLimit-Remaining-Tokens", "900")),
}


def with_libraries():
    """Return the forms of the libraries that are installed."""
    forms = dict(FORMS)
    for module, attribute in (
        ("httpx", "Headers"),
        ("requests.structures", "CaseInsensitiveDict"),
        ("multidict", "CIMultiDict"),
        ("starlette.datastructures", "Headers"),
    ):
        try:
            forms[module] = getattr(__import__(module, fromlist=[attribute]), attribute)
        except ImportError:
            continue
    return forms


@pytest.mark.parametrize("form", with_libraries().items(), ids=lambda form: form[0])
def test_headers_come_in_any_form(form, clock):
    """Mappings and pairs, str and bytes, of whatever client."""
    limiter = of(1000, clock)
    limiter.observe(form[1](openai(limit_tokens=900, remaining_tokens=300, reset_tokens="6s")))
    assert room(limiter) == 300
    clock.advance(6)
    assert room(limiter) == 900


@pytest.mark.parametrize(
    "headers",
    [
        None,
        5,
        0.5,
        "x-ratelimit: 1",
        b"ab",
        object(),
        [1],
        ["ab"],
        [("a",)],
        [("a", "b", "c")],
        [["a"]],
        {1, 2},
    ],
    ids=repr,
)
def test_what_is_no_headers_is_refused_by_name_and_changes_nothing(headers, clock):
    """A mapping or pairs."""
    limiter = of(1000, clock)
    with pytest.raises(PolicyError, match=r"^headers"):
        limiter.observe(headers, 429)
    assert room(limiter) == 1000


@pytest.mark.parametrize(
    "status", [-1, 2**16, 10**30, "429", None, 4.5, True, [429]], ids=lambda s: repr(s)[:9]
)
def test_what_is_no_status_is_refused_by_name_and_changes_nothing(status, clock):
    """A whole number."""
    limiter = of(1000, clock)
    with pytest.raises(PolicyError, match=r"^status"):
        limiter.observe(openai(remaining_tokens=0), status)
    assert room(limiter) == 1000


def test_an_interruption_while_the_headers_are_read_goes_on(clock):
    """Any other error of theirs means that they are no headers."""

    def broken(error):
        yield from openai(remaining_tokens=0).items()
        raise error

    limiter = of(1000, clock)
    with pytest.raises(KeyboardInterrupt):
        limiter.observe(broken(KeyboardInterrupt))
    with pytest.raises(PolicyError, match=r"^headers"):
        limiter.observe(broken(RuntimeError("no")))
    assert room(limiter) == 1000


ODD = [
    "",
    " ",
    "-1",
    "-0",
    "nan",
    "inf",
    "1e3",
    "5 s",
    "x",
    "1,000",
    "\u0661",
    "9" * 40,
    "1" * 10_000,
    None,
    [],
]
ODD += ["\ud800", ("5",), object(), True, -1, float("nan"), 10**5000, b"\xff"]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:12] if not isinstance(odd, int) else "int")
def test_what_cannot_be_read_is_as_if_it_were_missing(odd, clock):
    """Negative and odd values, of every header; what else was said stays said."""
    limiter = of(1000, clock)
    names = ("limit", "remaining", "reset")
    headers = dict.fromkeys(
        [f"x-ratelimit-{field}-{what}" for field in names for what in ("tokens", "requests")], odd
    )
    headers |= dict.fromkeys([f"anthropic-ratelimit-tokens-{field}" for field in names], odd)
    headers |= {"retry-after": odd, "retry-after-ms": odd, "x-ratelimit-": odd, "x-request-id": odd}
    limiter.observe(headers)
    limiter.observe([(odd, "0"), (odd, odd)])
    assert room(limiter) == 1000
    limiter.observe(openai(limit_tokens=800, remaining_tokens=700, reset_tokens="9s"))
    limiter.observe(headers)
    assert room(limiter) == 700
    clock.advance(9)
    assert room(limiter) == 800
