"""What functions ask of AWS for one pipeline: requests, DynamoDB's units, bytes of observations."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from . import killing
from .calls import Answer, Request
from .pipeline import CloudPipeline
from .proxy import Proxy
from .state import item_bytes


class Costs:
    """While `rule` is open: `requests`, function -> (service, operation) -> how many; `read` and
    `written`, function -> DynamoDB's units, reads being strongly consistent; `observed`, the bytes
    of each question to the reader that was waited for, and of its answer; `largest_item`."""

    def __init__(self, proxy: Proxy, made: CloudPipeline) -> None:
        self.requests: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.read: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.observed: list[tuple[int, int]] = []
        self.largest_item = 0
        self._state, self._lock = made.deployment.state, threading.Lock()
        self.rule = proxy.rule(lambda request: request.about(made.name), self._count)

    def _count(self, request: Request, forward: Callable[[], Answer]) -> Answer:
        # Before it goes on: afterwards a function may be gone.
        by = killing.sender(request)
        answer = forward()
        with self._lock:
            self._add(by, request, answer)
        return answer

    def _add(self, by: str, request: Request, answer: Answer) -> None:
        self.requests[by][request.service, request.operation] += 1
        if request.service == "dynamodb":
            self._units(by, request, json.loads(answer.body))
        elif request.operation == "Invoke" and answer.status == 200:
            self.observed.append((len(request.body), len(answer.body)))

    def _units(self, by: str, request: Request, answer: dict[str, Any]) -> None:
        if request.operation in ("GetItem", "Query"):
            found = answer.get("Items") or [answer.get("Item") or {}]
            self.read[by] += max(1, math.ceil(sum(map(item_bytes, found)) / 4096))
            return
        # An update costs as much as the whole item, however little it changes.
        item = request.json.get("Item") or answer.get("Attributes")
        item = item or self._state.item(*request.item) or {}
        size = item_bytes(item)
        self.largest_item = max(self.largest_item, size)
        self.written[by] += max(1, math.ceil(size / 1024))

    def of(self, function: str) -> str:
        """What one function asked for."""
        counts = self.requests[function]
        named = ", ".join(f"{' '.join(which)} {count}" for which, count in sorted(counts.items()))
        return f"{self.read[function]} read, {self.written[function]} write units; {named}"

    def __str__(self) -> str:
        return "\n".join(f"  {by or 'unknown'}: {self.of(by)}" for by in sorted(self.requests))
