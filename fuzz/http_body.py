"""Any bytes are a body: `BodyReader` never fails, and how the network cut the body changes nothing.

Run: python fuzz/http_body.py [libFuzzer flags] [corpus folders]
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(
    include=["outlay._http.body", "outlay._usage.stream", "outlay._usage.shapes"]
):
    from outlay._http.body import BodyReader

KINDS = ("application/json", "text/event-stream; charset=utf-8", "application/vnd.amazon.eventstream", "")


def read(kind: str, pieces: list[bytes]) -> tuple[object, ...]:
    """Read a body that came in these pieces, and return all that the reader says of it."""
    reader = BodyReader(kind)
    for piece in pieces:
        reader.feed(piece)
    reader.finish()
    return repr(reader.fields()), reader.ended, reader.failed, reader.started, reader.cut


def test_one_body(data: bytes) -> None:
    """The first byte chooses the kind of body, the second where it is cut; the rest is the body."""
    if len(data) < 2:
        return
    kind, size, body = KINDS[data[0] % len(KINDS)], data[1] % 16 + 1, data[2:]
    whole = read(kind, [body])
    cut = read(kind, [body[start : start + size] for start in range(0, len(body), size)])
    assert whole == cut, f"{kind}: in one piece {whole}, in pieces of {size} {cut}"


def main() -> None:
    """Fuzz until the flags say stop."""
    atheris.Setup(sys.argv, test_one_body)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
