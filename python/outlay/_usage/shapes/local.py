"""The usages of servers that people run themselves, in APIs of their own."""

from __future__ import annotations

from typing import Any

from outlay._usage.fields import Fields
from outlay._usage.shapes.reading import Reader, count, reader


def ollama_fields(read: Reader) -> Fields:
    """Read an answer of Ollama's own API, or the last line of its stream."""
    # Ollama, "API": chat, generate, embed.
    return {"input_tokens": count(read, "prompt_eval_count"), "output_tokens": count(read, "eval_count")}


def llama_cpp_fields(read: Reader) -> Fields:
    """Read an answer of llama.cpp's own API."""
    # llama.cpp, "HTTP server": POST /completion. What it took from its cache was evaluated before.
    return {
        "input_tokens": count(read, "tokens_evaluated"),
        "output_tokens": count(read, "tokens_predicted"),
    }


def generated_fields(read: Reader) -> Fields:
    """Read the details of an answer of Hugging Face's own API."""
    # Text Generation Inference, "generate", "generate_stream".
    prefill: Any = read("prefill")
    given = count(read, "input_length") or (len(prefill) if isinstance(prefill, list) else 0)
    return {"input_tokens": given, "output_tokens": count(read, "generated_tokens")}


def stats_fields(stats: Any) -> Fields | None:
    """Read the stats of LM Studio's own API; None where they are of something else."""
    # LM Studio, "Chat with a model": the output includes reasoning.
    read = reader(stats)
    if read("input_tokens") is None or read("total_output_tokens") is None:
        return None
    return {
        "input_tokens": count(read, "input_tokens"),
        "output_tokens": count(read, "total_output_tokens"),
        "reasoning_tokens": count(read, "reasoning_output_tokens"),
    }
