"""An HTTP proxy between the functions and MiniStack: it counts calls, and a test may have it
refuse, delay or lose one, or end the process that sent it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..broker import free_ports
from . import processes
from .calls import Answer, Request
from .ministack import MiniStack

# What a rule does: it gets the request and a function that passes it on. No answer: the connection
# is closed without one.
Act = Callable[[Request, Callable[[], Answer]], Answer | None]
Match = Callable[[Request], bool]
# Headers that concern one connection only.
HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}


class Proxy:
    """`counts`: (service, operation) -> how many requests since `counts` was last cleared.
    `says_https`: whoever comes through here came by TLS, as far as the services know."""

    def __init__(self, says_https: bool = False) -> None:
        (self.port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.says_https = says_https
        self.counts: Counter[tuple[str, str]] = Counter()
        self._server: MiniStack | None = None
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def start(self, server: MiniStack) -> None:
        """Begins to pass requests on to the server."""
        self._server = server
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._http = _Http(("127.0.0.1", self.port), handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Ends."""
        self._http.shutdown()
        self._http.server_close()

    @contextlib.contextmanager
    def rule(self, match: Match, act: Act, times: int | None = None) -> Iterator[Rule]:
        """While it is open, requests that match are treated by `act`: the first `times` of them."""
        made = Rule(match, act, times)
        with self._lock:
            self._rules.append(made)
        try:
            yield made
        finally:
            with self._lock:
                self._rules.remove(made)

    def sender(self, port: int) -> int | None:
        """The function's process that has this end of a connection."""
        assert self._server is not None
        return processes.client_of(self._server.pid, port, self.port)

    def answer(self, request: Request) -> Answer | None:
        """Counts a request, and treats it by the first rule that matches, or passes it on."""
        assert self._server is not None
        with self._lock:
            self.counts[request.service, request.operation] += 1
            rules = list(self._rules)
        for rule in rules:
            if rule.takes(request):
                return rule.act(request, lambda: self.forward(request))
        return self.forward(request)

    def forward(self, request: Request) -> Answer:
        """Asks the server."""
        assert self._server is not None
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=900)
        try:
            connection.putrequest(
                request.method, request.target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers.items():
                if name not in HOP and name != "content-length":
                    connection.putheader(name, value)
            if self.says_https:
                connection.putheader("x-forwarded-proto", "https")
            connection.putheader("content-length", str(len(request.body)))
            connection.endheaders(request.body)
            answered = connection.getresponse()
            body = answered.read()
            kept = [(n, v) for n, v in answered.getheaders() if n.lower() not in HOP]
            return Answer(answered.status, kept, body)
        finally:
            connection.close()


class Rule:
    """What happens to some requests. `taken` are those that it treated."""

    def __init__(self, match: Match, act: Act, times: int | None) -> None:
        self.match, self.act, self.times = match, act, times
        self.taken: list[Request] = []
        self._lock = threading.Lock()

    def takes(self, request: Request) -> bool:
        """Whether it treats this one."""
        if not self.match(request):
            return False
        with self._lock:
            if self.times is not None and len(self.taken) >= self.times:
                return False
            self.taken.append(request)
            return True


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away, or was killed, is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._sent_by: int | None = None

    def log_message(self, *_: object) -> None:
        """Nothing: the server has a log."""

    def _handle(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self._body(headers), self._sender)
        answer = self.proxy.answer(request)
        if answer is None:
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers:
            if name.lower() == "content-length":
                # Of what was asked for with HEAD the length is told, and nothing sent.
                length = value
            else:
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _sender(self) -> int | None:
        """A connection is one process's as long as it lives: once found, it is not looked for."""
        self._sent_by = self._sent_by or self.proxy.sender(self.client_address[1])
        return self._sent_by

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return self.rfile.read(int(headers.get("content-length", 0)))
        pieces = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)
