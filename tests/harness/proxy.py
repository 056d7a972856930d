"""A TCP proxy before the broker: counts the requests by their API, and lets a test act at a chosen
moment of a run. What connects to `Broker.counted_address` comes through here."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable

from .broker import Broker

NAMES = {1: "Fetch", 2: "ListOffsets", 3: "Metadata", 18: "ApiVersions", 23: "OffsetForLeaderEpoch"}


class Proxy:
    """`requests`: API name -> how many; `connections`; `answered`: bytes that went to clients.

    `on_answer` is called with `answered` before each piece of an answer is passed on; `on_request`
    with an API's name and how many requests of it there were, before the last of them is.
    """

    def __init__(
        self,
        broker: Broker,
        on_answer: Callable[[int], None] | None = None,
        on_request: Callable[[str, int], None] | None = None,
    ) -> None:
        self.broker = broker
        self.requests: Counter[str] = Counter()
        self.connections = 0
        self.answered = 0
        self._on_answer = on_answer
        self._on_request = on_request
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", broker.counted_port))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        # Without the shutdown the thread in accept() would keep the port.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.broker.behind_port), 10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self.connections += 1
                self._open += [client, server]
            for work, source, sink in (
                (self._requests, client, server),
                (self._answers, server, client),
            ):
                threading.Thread(target=_pump, args=(work, source, sink), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        stream = client.makefile("rb")
        while len(head := stream.read(4)) == 4:
            (length,) = struct.unpack(">i", head)
            body = stream.read(length)
            (api,) = struct.unpack_from(">h", body)
            name = NAMES.get(api, str(api))
            with self._lock:
                self.requests[name] += 1
                count = self.requests[name]
            if self._on_request:
                self._on_request(name, count)
            server.sendall(head + body)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        while piece := server.recv(1 << 18):
            with self._lock:
                self.answered += len(piece)
                answered = self.answered
            if self._on_answer:
                self._on_answer(answered)
            client.sendall(piece)


def _pump(
    work: Callable[[socket.socket, socket.socket], None], source: socket.socket, sink: socket.socket
) -> None:
    """One direction of a connection, until either side ends it; then both end."""
    try:
        work(source, sink)
    except OSError:
        pass
    finally:
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
