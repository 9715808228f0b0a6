"""The world of the corpus: a provider on loopback that answers with an entry, and a budget that keeps."""

from __future__ import annotations

import base64
import binascii
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from corpus_entry import Entry

from outlay import SharedPool, Usage

_TYPES = {
    "json": "application/json",
    "events": "text/event-stream; charset=utf-8",
    "lines": "application/x-ndjson",
    "frames": "application/vnd.amazon.eventstream",
}
_STRING = 7


class Provider:
    """A server on loopback that answers each request with the payload of one entry.

    Args:
        entry: The entry that is sent; it may be changed between two calls.

    """

    def __init__(self, entry: Entry | None = None) -> None:
        self.entry = entry
        self.paths: list[str] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Provider:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self) -> tuple[str, bytes]:
        """Return the type and the bytes of the answer."""
        assert self.entry is not None
        body = (
            b"".join(map(frame, *zip(*self.entry.frames(), strict=True)))
            if self.entry.sent == "frames"
            else b""
        )
        return _TYPES[self.entry.sent], body or self.entry.body.lstrip("\n").encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: Provider) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Read the request, and send the entry."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.owner.paths.append(self.path)
        kind, body = self.server.owner.answer()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent: a test's output is the test's."""


def frame(kind: str, text: str) -> bytes:
    """Return one frame of Amazon's event stream. What `invoke` streams has its JSON in base64.

    "Amazon Event Stream Encoding": lengths, their checksum, headers, payload, the checksum of all.
    """
    if kind == "chunk":
        text = json.dumps({"bytes": base64.b64encode(text.encode()).decode()})
    said = ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event"))
    headers = b"".join(
        bytes([len(name)]) + name.encode() + struct.pack(">BH", _STRING, len(value)) + value.encode()
        for name, value in said
    )
    payload = text.encode()
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    body = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + payload
    return body + struct.pack(">I", binascii.crc32(body))


class Kept:
    """A user's own budget that keeps every usage that is committed to it; None stands for the estimate."""

    def __init__(self) -> None:
        self.pool = SharedPool()
        self.usages: list[Usage | None] = []

    def reserve(self, estimate: Any, **labels: str) -> _Lease:
        """Give out a lease of an unlimited pool."""
        return _Lease(self, self.pool.reserve(estimate))

    @property
    def booked(self) -> Usage:
        """What the one call was booked at."""
        (usage,) = self.usages
        assert usage is not None, "the estimate was booked: no usage was read"
        return usage


class _Lease:
    def __init__(self, owner: Kept, lease: Any) -> None:
        self._owner, self._lease = owner, lease

    def commit(self, usage: Usage | None = None) -> None:
        self._owner.usages.append(usage)
        self._lease.commit(usage)

    def release(self) -> None:
        self._owner.usages.append(None)
        self._lease.release()

    def close(self) -> None:
        self._owner.usages.append(None)
        self._lease.close()
