"""Ends functions' processes at a chosen request of theirs."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator

from . import faults, processes
from .calls import Answer, Request
from .pipeline import CloudPipeline
from .proxy import Proxy, Rule

FUNCTIONS = ("planner", "reader", "finalizer")


def sender(request: Request) -> str:
    """Which of the three functions sent it; empty if its process is gone."""
    name = processes.function_of(request.pid) if request.pid else None
    return (name or "").rpartition("-")[2]


@contextlib.contextmanager
def counted(proxy: Proxy, pipeline: CloudPipeline) -> Iterator[Counter[str]]:
    """Function -> how many requests it makes for the pipeline."""
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def count(request: Request, forward: Callable[[], Answer]) -> Answer:
        with lock:
            counts[sender(request)] += 1
        return forward()

    with proxy.rule(lambda request: request.about(pipeline.name), count):
        yield counts


@contextlib.contextmanager
def killing(
    proxy: Proxy, pipeline: CloudPipeline, function: str, number: int, after: bool
) -> Iterator[Rule]:
    """The process that makes the function's request of this number (from 0) for the pipeline gets
    SIGKILL, before the request is done or `after` it. The rule has taken it if it came to that."""
    seen = 0

    def match(request: Request) -> bool:
        nonlocal seen
        if not request.about(pipeline.name) or sender(request) != function:
            return False
        seen += 1
        return seen == number + 1

    with proxy.rule(match, faults.kill_after if after else faults.kill, times=1) as rule:
        yield rule
