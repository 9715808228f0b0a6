"""The usages of clouds and of APIs of their own: Bedrock, Cohere, watsonx.ai, Replicate, Voyage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay._usage.fields import Fields
from outlay._usage.shapes.beside import add_beside, add_unit, add_ways
from outlay._usage.shapes.reading import Reader, count, listed, reader
from outlay._usage.shapes.whole import whole

_HEADERS = "x-amzn-bedrock-"
# Cohere, "How does pricing work": what is billed beside tokens.
_UNITS = {"search_units": "search", "classifications": "classification", "images": "image"}


def converse_fields(read: Reader) -> Fields:
    """Read a usage of Bedrock's Converse, or of Nova: what was cached stands beside the input."""
    # Bedrock, "TokenUsage", "CacheDetail".
    details = listed(read("cacheDetails"))
    hours = [one for one in map(reader, details) if one("ttl") == "1h"]
    fields = _bedrock(
        count(read, "inputTokens"),
        count(read, "outputTokens"),
        count(read, "cacheReadInputTokens", "cacheReadInputTokenCount"),
        count(read, "cacheWriteInputTokens", "cacheWriteInputTokenCount"),
    )
    hour = sum(count(one, "inputTokens") for one in hours)
    if hour:
        fields["cache_write_1h_tokens"] = hour
    return whole(fields, count(read, "totalTokens"))


def invocation_fields(read: Reader) -> Fields:
    """Read the metrics in the last chunk of a stream of Bedrock's InvokeModel."""
    # Bedrock, "InvokeModelWithResponseStream".
    return _bedrock(
        count(read, "inputTokenCount"),
        count(read, "outputTokenCount"),
        count(read, "cacheReadInputTokenCount"),
        count(read, "cacheWriteInputTokenCount"),
    )


def header_fields(headers: Any) -> Fields | None:
    """Read the usage in the headers of Bedrock's InvokeModel; None where there is none."""
    # Bedrock, "InvokeModel": models whose body has no usage have it there alone.
    if not isinstance(headers, Mapping):
        return None
    counts = {name: _whole_number(headers.get(f"{_HEADERS}{name}-token-count")) for name in _COUNTS}
    if counts["input"] is None and counts["output"] is None:
        return None
    fields = _bedrock(*(counts[name] or 0 for name in _COUNTS))
    add_ways(fields, (headers.get(f"{_HEADERS}service-tier"),))
    return fields


_COUNTS = ("input", "output", "cache-read-input", "cache-write-input")


def _whole_number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else None


def _bedrock(given: int, made: int, cached: int, written: int) -> Fields:
    fields = {"input_tokens": given + cached + written, "output_tokens": made}
    if cached:
        fields["cache_read_tokens"] = cached
    if written:
        fields["cache_write_tokens"] = written
    return fields


def titan_fields(read: Reader) -> Fields:
    """Read an answer of Amazon's Titan models."""
    # Bedrock, "Amazon Titan Text models", "Amazon Titan Embeddings Text".
    results = map(reader, listed(read("results")))
    made = sum(count(one, "tokenCount") for one in results) or count(
        read, "totalOutputTextTokenCount", "outputTextTokenCount"
    )
    return {"input_tokens": count(read, "inputTextTokenCount"), "output_tokens": made}


def cohere_fields(read: Reader) -> Fields | None:
    """Read a usage of Cohere: what is billed, else what the model saw; None where it is none of Cohere's."""
    # Cohere, "Chat", "Embed", "Rerank": the template around a prompt is not billed.
    billed = reader(read("billed_units") or read("tokens"))
    if all(billed(name) is None for name in ("input_tokens", "output_tokens", *_UNITS)):
        return None
    fields = {"input_tokens": count(billed, "input_tokens"), "output_tokens": count(billed, "output_tokens")}
    for name, unit in _UNITS.items():
        if billed(name):
            add_unit(fields, unit, count(billed, name))
    return fields


def input_alone(read: Reader) -> Fields:
    """Read a usage that has a total and no more: it is of embeddings or of a reranker."""
    # Voyage AI, "Text embedding models"; Jina AI, "Embeddings".
    return {"input_tokens": count(read, "total_tokens"), "output_tokens": 0}


def duration_fields(read: Reader) -> Fields | None:
    """Read the usage of a transcription that is billed by the second; None where it is none."""
    # OpenAI, "Create transcription".
    if read("type") != "duration":
        return None
    fields: Fields = {"input_tokens": 0, "output_tokens": 0}
    add_unit(fields, "audio_seconds", count(read, "seconds"))
    return fields


def cost_alone(read: Reader) -> Fields:
    """Read the usage of a picture or a video of xAI, which has no tokens."""
    # xAI, "Cost Tracking".
    fields: Fields = {"input_tokens": 0, "output_tokens": 0}
    add_beside(fields, read)
    return fields


def token_count_fields(read: Reader) -> Fields:
    """Read counts that are named after neither a prompt nor an answer of chat."""
    # IBM, "Text generation": results[].input_token_count, generated_token_count. Replicate,
    # "predictions.get": metrics. Microsoft Agent Framework, UsageDetails.
    return whole(
        {
            "input_tokens": count(read, "input_token_count"),
            "output_tokens": count(read, "generated_token_count", "output_token_count"),
        },
        count(read, "total_token_count"),
    )
