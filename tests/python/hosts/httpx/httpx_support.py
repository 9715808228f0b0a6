"""Bodies of requests, and what they cost."""

from __future__ import annotations


def hi(**more):
    """Return the body of a short chat: 1 + 4 tokens of input, and 100 of output, are reserved."""
    return {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], **more}


HI_ESTIMATE = 1 + 4 + 100
USAGE = {"prompt_tokens": 27, "completion_tokens": 10}
