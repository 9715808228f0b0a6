"""The script of a loopback server: its replies, and how it counts tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer of the scripted model.

    Args:
        text: What the model says; for an error status, the error's message.
        tool_calls: The tools it asks for, each ``{"name": str, "args": dict, "id": str}``; without an ``id``
            one is made.
        usage: ``"count"`` (default) counts the request and the answer with `count_tokens`. A mapping is
            reported as it stands (``prompt_tokens`` and ``completion_tokens``; missing totals and details are
            filled in). A ``cost`` in USD is reported too, but not in Gemini's API. None reports no usage
            at all, as some compatible servers do.
        totals: Each chunk of a stream of chat completions or of messages reports the usage so far, as
            Perplexity and vLLM do; default False, it is reported once. Gemini's streams always do.
        status: The HTTP status; default 200. Any other sends an OpenAI error object.
        cut_short: Says that the answer ended at its length limit, in each API's own words; default False.
        in_body: Sends the error of a ``status`` in the body of a 200, as some gateways do; default False.
        headers: Headers added to the response, of an error or of an answer; default none.
        gate: Holds a plain answer before it is sent, and a stream after its first piece, until the event is
            set, the client goes away or the server closes.
        disconnect: The server cuts the connection where `gate` would hold a stream, after its first piece,
            or in the middle of the body of a plain answer; default False. The answer is billed whole.

    Example:
        >>> Reply(text="Hello", usage={"prompt_tokens": 9, "completion_tokens": 1}).status
        200

    """

    text: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    usage: Mapping[str, Any] | Literal["count"] | None = "count"
    totals: bool = False
    status: int = 200
    cut_short: bool = False
    in_body: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None
    disconnect: bool = False


def count_tokens(text: str) -> int:
    """Return how many tokens a text has for this server: one for every 4 bytes of UTF-8, rounded up.

    It is no tokenizer: it is made to grow as a real count does and to be the same on every machine.

    Args:
        text: The text.

    Example:
        >>> count_tokens("twelve bytes"), count_tokens("")
        (3, 0)

    """
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


Script = Callable[[dict[str, Any]], Reply] | Sequence[Reply]
