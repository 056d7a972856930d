"""What the proxy may do to a request instead of passing it on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from . import processes
from .calls import Answer, Request
from .proxy import Act

Forward = Callable[[], Answer]


def refuse(status: int, code: str, message: str = "refused by the test") -> Act:
    """An error in the form of the service that was asked."""

    def act(request: Request, forward: Forward) -> Answer:
        del forward
        if request.service == "s3":
            body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            return Answer(status, [("Content-Type", "application/xml")], body)
        body = json.dumps({"__type": code, "message": message}).encode()
        return Answer(
            status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)], body
        )

    return act


def lose(request: Request, forward: Forward) -> None:
    """It is done, but nobody hears of it."""
    del request
    forward()


def drop(request: Request, forward: Forward) -> None:
    """It is never done, and nobody hears of that."""
    del request, forward


def kill(request: Request, forward: Forward) -> None:
    """The process that sent it ends before it is done."""
    del forward
    assert request.pid is not None, f"nobody knows who sent {request}"
    processes.kill(request.pid)


def kill_after(request: Request, forward: Forward) -> None:
    """The process that sent it ends after it was done, without an answer."""
    forward()
    assert request.pid is not None, f"nobody knows who sent {request}"
    processes.kill(request.pid)


def hold(gate: threading.Event, seconds: float = 120) -> Act:
    """It waits until the gate opens."""

    def act(request: Request, forward: Forward) -> Answer:
        assert gate.wait(seconds), f"nobody let {request} go on"
        return forward()

    return act
