"""The paths of providers: their plain form, and a table of those that are billed.

The wraps of clients know their calls of text models themselves. This table has everything else that costs
money.
"""

from __future__ import annotations

import functools
import re
from urllib.parse import unquote, urlsplit

# Requests without a body ask for nothing that is billed.
_WITHOUT_BODY = frozenset({"get", "head", "options", "delete", "trace"})
_ID = r"[^/]+"
# By name, as the SDKs call it where they have it: the end of a path in lower case. Free are models, files,
# token counts, moderations, what is cancelled or closed, and what only stores a text.
_ANYWHERE = {
    "images": r"/images/(?:generations|edits|variations)",
    "audio": r"/audio/(?:speech|transcriptions|translations)",
    "videos": rf"/videos/(?:edits|extensions|{_ID}/remix|generations(?:/jobs)?)",
    "fine-tuning": rf"/fine_tuning/(?:jobs(?:/{_ID}/resume)?|.+/graders/run)|/tunedmodels|/tuningjobs",
    "runs": rf"/threads/(?:{_ID}/)?runs(?:/{_ID}/submit_tool_outputs)?",
    "realtime": rf"/realtime(?:/translations)?/(?:client_secrets|sessions|transcription_sessions|calls)"
    rf"|/realtime/calls/{_ID}/accept|/live/sessions(?:/{_ID}/(?:accept|fork))?",
    "batches": r"/messages/batches|/batchpredictionjobs|:(?:async)?batch(?:generatecontent|embedcontent)",
    "predict": r":(?:predict|predictlongrunning|rawpredict|streamrawpredict|serverstreamingpredict)",
    "models": rf"/model/{_ID}/(?:invoke|invoke-with-response-stream|converse|converse-stream|async-invoke)",
}
# Other services use these words too.
_AT_PROVIDERS = {
    "videos": r"/videos",
    "batches": r"/batches|/batch/jobs|/model-invocation-jobs?",
    "evals": rf"/evals/{_ID}/runs",
    "agents": rf"/(?:agents|chatkit|v1)/sessions|/sessions/{_ID}/events|/automations(?:/{_ID}/invocations)?"
    rf"|/deployments/{_ID}/run|/dreams|/interactions",
    "containers": r"/containers",
    "vector stores": rf"/vector_stores(?:/{_ID}/(?:files|file_batches|search))?",
    "cached contents": r"/cachedcontents",
    "ocr": r"/ocr",
}
#: How the paths of calls of a model end, as OpenAI's SDK names them; Azure names a deployment before them.
OPENAI_CALLS = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/responses/compact",
    "/embeddings",
    "/decisions",
)
_Table = tuple[tuple[str, re.Pattern[str]], ...]


@functools.cache
def _table(*, sure: bool) -> _Table:
    """Return the names with their patterns; they are compiled when the first request asks."""
    names = _ANYWHERE if sure else _AT_PROVIDERS
    return tuple((name, re.compile(f"(?:{pattern})$")) for name, pattern in names.items())


@functools.lru_cache(maxsize=1_024)
def plain_path(url: str) -> str:
    """Return the path of a URL as servers read it: decoded, without empty and dot segments and parameters.

    Args:
        url: A URL, or a path with or without its first slash.

    """
    kept: list[str] = []
    for segment in unquote(urlsplit(url).path).replace("\\", "/").split("/"):
        name = segment.partition(";")[0]
        if name == "..":
            del kept[-1:]
        elif name not in ("", "."):
            kept.append(name)
    return "/" + "/".join(kept)


def openai_path(url: str, base: str) -> str:
    """Return the path of a request of OpenAI's SDK, plain and in lower case.

    Args:
        url: The URL that the request names, or its path.
        base: The path of the client's own address.

    """
    path = plain_path(url).lower()
    # What ends like a call is one. Else the client's own address may be a part of it.
    return path if path.endswith(OPENAI_CALLS) else plain_path(f"{base}/{path}").lower()


def may_cost(method: str) -> bool:
    """Return whether requests of this method can ask for something that is billed."""
    return method.lower() not in _WITHOUT_BODY


def billed(method: str, path: str, *, known: bool = True) -> str | None:
    """Return what a request asks for that is billed, by its name; None: nothing that is known to cost.

    Args:
        method: Its method.
        path: Its path, plain.
        known: It goes to a provider of models; default True. Elsewhere `/batches` may be anything.

    """
    if not may_cost(method):
        return None
    lowered = path.lower()
    table = (*_table(sure=True), *_table(sure=False)) if known else _table(sure=True)
    return next((name for name, pattern in table if pattern.search(lowered)), None)
