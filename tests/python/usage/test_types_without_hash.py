"""A provider may send anything as a type, also what has no hash: it is no known type, and nothing breaks."""

import json

import pytest

from outlay import Usage
from outlay._http.body import BodyReader
from outlay._usage.stream import StreamUsage

STRANGE = [{"a": 1}, ["message_stop"], None, 7]


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_the_events_of_a_stream_are_read_past_it(strange):
    reader = BodyReader("text/event-stream")
    usage = {"input_tokens": 9, "output_tokens": 4}
    for event in ({"type": strange, "usage": {}}, {"type": "message_delta", "usage": usage}):
        reader.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    reader.finish()
    fields = reader.fields()
    assert (fields["input_tokens"], fields["output_tokens"], reader.failed) == (9, 4, False)


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_the_chunks_of_a_stream_are_read_past_it(strange):
    seen = StreamUsage()
    seen.add({"type": strange})
    seen.add({"usage": {"prompt_tokens": 9, "completion_tokens": 4}})
    assert (seen.started, seen.refused) == (True, False)
    assert seen.fields()["input_tokens"] == 9


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_an_iteration_of_a_usage_is_counted_as_a_turn(strange):
    turn = {"type": strange, "input_tokens": 5, "output_tokens": 2}
    usage = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 0, "iterations": [turn]}
    assert Usage.from_response(usage).total_tokens == 7
