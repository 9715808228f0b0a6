"""Where a response keeps its usage.

Everything is read by name, from attributes or from dictionary keys. So no vendor is imported, and a response
that was stored as JSON reads like the original object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from outlay._usage.fields import Fields, larger, summed
from outlay._usage.shapes import Reader, get, read_usage, reader, shape_fields
from outlay._usage.shapes.beside import add_answer, add_calls, add_ways
from outlay._usage.shapes.clouds import header_fields
from outlay._usage.shapes.known import NAMES
from outlay._usage.shapes.local import stats_fields

# Where the Agents SDK keeps the provider's own usage, of an answer and of the last event of a stream.
_RAW = ("raw_usage", "_agents_sdk_raw_usage")
# They have no names of a usage; the abstract tests would be slow.
_PLAIN = (str, bytes, int, float)


def usage_fields(obj: Any) -> Fields | None:
    """Find the usage in a response and bring it to the names of `Usage`.

    Args:
        obj: The response of the provider or the framework, its usage, or either as a dict.

    Returns:
        Keyword arguments for `Usage`, or None if the object carries no usage.

    Raises:
        InvalidAmount: A count is no number, or negative.

    """
    if isinstance(obj, _PLAIN):
        return None
    answer = reader(obj)
    for name, read in _PLACES:
        value = answer(name)
        if value is not None:
            fields = read(value, answer)
            if fields is not None:
                return fields
    if isinstance(obj, dict) and NAMES.isdisjoint(obj):
        return None
    return read_usage(answer)


def _in_usage_metadata(usage: Any, answer: Reader) -> Fields | None:
    # LangChain messages (langchain_core.messages.ai.UsageMetadata) and Gemini responses (google-genai:
    # usage_metadata, REST: usageMetadata) use the same name for different shapes.
    fields = shape_fields(usage, langchain=True)
    if fields is None:
        return None
    metadata = answer("response_metadata")
    if metadata is None:
        return add_answer(fields, answer)
    # LangChain keeps the calls of OpenAI's own tools among the content.
    add_calls(fields, answer("content"))
    return with_metadata(fields, metadata)


def with_metadata(fields: Fields, metadata: Any) -> Fields:
    """Join what LangChain counts with what it keeps of the provider's own answer: the larger of each."""
    read = reader(metadata)
    own = read("token_usage") or read("usage")
    if own is not None:
        # LangChain knows the counts of the provider alone; what gateways and others say is here.
        fields = larger(fields, shape_fields(own)) or fields
    return add_answer(fields, read)


def _in_usage(usage: Any, answer: Reader) -> Fields | None:
    # OpenAI ChatCompletion and Response, Anthropic Message, pydantic-ai ModelResponse: .usage;
    # pydantic-ai AgentRunResult: .usage().
    if callable(usage) and not isinstance(usage, type):
        usage = usage()
    fields = None if usage is None else shape_fields(usage)
    if fields is None:
        return None
    for name in _RAW:
        own = answer(name)
        if isinstance(own, dict):
            fields = larger(fields, shape_fields(own)) or fields
    return add_answer(fields, answer)


def _in_envelope(inner: Any, answer: Reader) -> Fields | None:
    # Events of a stream: OpenAI response.completed keeps the whole response in .response, Anthropic
    # message_start the message in .message; so does a LangChain ChatGeneration. Cohere's message-end keeps
    # the usage in .delta, Cloudflare the answer in .result.
    if isinstance(inner, str) or callable(inner):
        return None
    fields = usage_fields(inner)
    # A line of a batch has the name that its caller gave it: Anthropic, "Message Batches"; Gemini, "Batch
    # API".
    if fields is not None and any(isinstance(answer(name), str) for name in ("custom_id", "key")):
        add_ways(fields, ("batch",))
    return fields


def _in_batch(line: Any, answer: Reader) -> Fields | None:
    # OpenAI, "Batch": .response.body.
    fields = _in_envelope(line, answer)
    if fields is not None:
        add_ways(fields, ("batch",))
    return fields


def _in_generations(generations: Any, answer: Reader) -> Fields | None:
    # LangChain: ChatResult.generations is a list, LLMResult.generations a list of lists, one per prompt.
    if not isinstance(generations, list | tuple) or not generations:
        return None
    prompts = generations if isinstance(generations[0], list | tuple) else [generations]
    found = [_prompt_usage(prompt) for prompt in prompts]
    if any(fields is None for fields in found):
        return _in_metadata(answer("response_metadata"), answer) or _in_metadata(answer("llm_output"), answer)
    total = summed(fields for fields in found if fields is not None)
    # Inside a model, the provider's own usage is still here, and in no message.
    output = answer("llm_output")
    return total if output is None else with_metadata(total, output)


def _in_metadata(metadata: Any, _answer: Reader) -> Fields | None:
    # LangChain integrations without usage_metadata keep the provider's own usage in response_metadata
    # (messages) or llm_output (results), as "token_usage" or "usage". Bedrock's ConverseStream ends with an
    # event that has a usage in its metadata, Groq has one in x_groq.
    read = reader(metadata)
    for name in ("token_usage", "usage"):
        usage = read(name)
        fields = None if usage is None or callable(usage) else shape_fields(usage)
        if fields is not None:
            return add_answer(fields, read)
    return None


def _in_choices(choices: Any, _answer: Reader) -> Fields | None:
    # Moonshot, "Chat": the last chunk of a stream has the usage in its choice.
    if not isinstance(choices, list):
        return None
    known = [fields for choice in choices if (fields := _in_metadata(choice, _answer)) is not None]
    return summed(known) if known else None


def _in_counts(counts: Any, _answer: Reader) -> Fields | None:
    # Cohere v1 keeps its usage in .meta, Replicate in .metrics, SGLang in .meta_info, and Bedrock in the last
    # chunk.
    return shape_fields(counts)


def _in_results(results: Any, answer: Reader) -> Fields | None:
    # watsonx.ai; Titan has a count beside its results, too.
    if answer("inputTextTokenCount") is not None or not isinstance(results, list) or not results:
        return None
    return shape_fields(results[0])


def _in_details(details: Any, _answer: Reader) -> Fields | None:
    # Text Generation Inference. Pydantic AI's usages have other details.
    read = reader(details)
    return None if read("generated_tokens") is None else read_usage(read)


def _in_stats(stats: Any, _answer: Reader) -> Fields | None:
    # LM Studio.
    return stats_fields(stats)


def _in_headers(metadata: Any, _answer: Reader) -> Fields | None:
    # botocore keeps the headers of an answer there; the body of InvokeModel is a stream of bytes.
    return header_fields(reader(metadata)("HTTPHeaders"))


# The frequent first; of a response that has several, the first that has a usage is taken.
_PLACES: tuple[tuple[str, Callable[[Any, Reader], Fields | None]], ...] = (
    ("generations", _in_generations),
    ("usage_metadata", _in_usage_metadata),
    ("usageMetadata", _in_usage_metadata),
    ("usage", _in_usage),
    ("response_metadata", _in_metadata),
    ("llm_output", _in_metadata),
    ("x_groq", _in_metadata),
    ("message", _in_envelope),
    ("response", _in_envelope),
    ("body", _in_batch),
    ("result", _in_envelope),
    ("delta", _in_envelope),
    ("choices", _in_choices),
    ("metadata", _in_metadata),
    ("meta", _in_counts),
    ("meta_info", _in_counts),
    ("metrics", _in_counts),
    ("amazon-bedrock-invocationMetrics", _in_counts),
    ("results", _in_results),
    ("details", _in_details),
    ("stats", _in_stats),
    ("ResponseMetadata", _in_headers),
)


def _prompt_usage(generations: Iterable[Any]) -> Fields | None:
    found = [usage_fields(get(generation, "message") or generation) for generation in generations]
    known = [fields for fields in found if fields is not None]
    # Several choices of one response each repeat the usage of the whole response.
    if known and all(fields == known[0] for fields in known):
        return known[0]
    return summed(known) if known else None
