"""The HTTP half of the loopback servers: threads, keep-alive, server-sent events and clients that go away."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Answer:
    """What is sent back: one JSON body, or the events of a stream; `gate` holds it until the event is set.

    A stream is held after the event number `hold_after`, its first piece. With `event_names` each event is
    named by its "type"; `done` ends the stream with OpenAI's "[DONE]". `disconnect` ends the connection
    there, or in the middle of a JSON body.
    """

    status: int
    headers: Mapping[str, str]
    _: KW_ONLY
    body: dict[str, Any] | None = None
    events: Iterator[dict[str, Any]] | None = None
    event_names: bool = False
    done: bool = True
    hold_after: int = 0
    gate: threading.Event | None = None
    disconnect: bool = False


class LoopbackServer:
    """Serves POST requests on 127.0.0.1 from threads that end with the server."""

    def __init__(self, handle: Callable[[str, bytes], Answer], changed: threading.Condition) -> None:
        self.handle = handle
        self.changed = changed
        self.closing = threading.Event()
        self.aborted = 0
        self._thread: threading.Thread | None = None
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port that the system chose."""
        if self._server is None:
            raise RuntimeError("the server is not running: use it in a with block, or call start()")
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Bind a free port and serve from a thread of its own."""
        if self._server is not None:
            raise RuntimeError("the server runs already")
        self._server = _Server(self)
        serve, poll = self._server.serve_forever, (_POLL_SECONDS,)
        self._thread = threading.Thread(target=serve, args=poll, name="outlay-loopback", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End held answers, cut connections and free the port."""
        if self._server is None or self._thread is None or self.closing.is_set():
            return
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.cut_connections()
        self._server.server_close()

    def count_abort(self) -> None:
        """Note a client that left; connections that the closing server cut do not count."""
        with self.changed:
            if not self.closing.is_set():
                self.aborted += 1
                self.changed.notify_all()


class _Server(ThreadingHTTPServer):
    # A kept-alive connection waits in its thread for the next request: it must not keep the process alive.
    daemon_threads = True
    # A burst of parallel clients must not meet a refused connection.
    request_queue_size = 128

    def __init__(self, owner: LoopbackServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        """Shut every open connection, which ends the thread that reads from it."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is no news; anything else is a defect that must be seen.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer one request; a client that went away is counted."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.owner.handle(self.path, body)
        try:
            if answer.events is None:
                self._send_body(answer)
            else:
                self._send_events(answer, answer.events)
        except OSError:
            self.close_connection = True
            self.server.owner.count_abort()

    def _send_body(self, answer: Answer) -> None:
        self._hold(answer.gate)
        content = json.dumps(answer.body).encode()
        self._send_head(answer, {"Content-Type": "application/json", "Content-Length": str(len(content))})
        if answer.disconnect:
            self.wfile.write(content[: len(content) // 2])
            self._disconnect()
        else:
            self.wfile.write(content)

    def _send_events(self, answer: Answer, events: Iterator[dict[str, Any]]) -> None:
        self._send_head(answer, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for number, event in enumerate(events):
            self._send_event(json.dumps(event), event.get("type") if answer.event_names else None)
            if number == answer.hold_after:
                self._hold(answer.gate)
                if answer.disconnect:
                    break
        if answer.disconnect:
            self._disconnect()
            return
        if answer.done:
            self._send_event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, answer: Answer, headers: dict[str, str]) -> None:
        self.send_response(answer.status)
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_event(self, text: str, name: str | None = None) -> None:
        line = f"event: {name}\n" if name else ""
        data = f"{line}data: {text}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _disconnect(self) -> None:
        """End the connection in the midst of an answer; what was written before reaches the client."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_WR)

    def _hold(self, gate: threading.Event | None) -> None:
        """Wait for the gate; raise as a broken connection does when the client or the server goes first."""
        while gate is not None and not gate.wait(_POLL_SECONDS):
            if self.server.owner.closing.is_set():
                raise ConnectionAbortedError("the server is closing")
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError("the client went away")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent: a test's output is the test's."""
