"""Two brokers that hold tens of thousands of partitions: each keeps a file open for every one of
its partitions, and a process may have 20,000 on many a machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from .broker import Broker
from .proxy import Proxy
from .wait import until

SETTINGS = {
    # Of each partition; 10 MB otherwise.
    "log_index_size_max_bytes": 4096,
    # What looks at every partition several times a second elsewhere.
    "log_retention_check_interval_ms": 300_000,
    "log_cleaner_enable": "false",
    "broker_heartbeat_interval_ms": 2_000,
}


class Many:
    """The first broker is the controller, too. `address`: the way to both."""

    def __init__(self, folder: Path, heap_mb: int = 2_048) -> None:
        self.first = Broker(folder / "1", **SETTINGS)
        self.second = self.first.follower(folder / "2", 2, **SETTINGS)
        self.brokers = (self.first, self.second)
        for broker in self.brokers:
            broker.java.heap_mb = heap_mb
        self.address = ",".join(broker.address for broker in self.brokers)

    def create(self) -> Many:
        """Starts both."""
        for broker in self.brokers:
            broker.create()
        until("two brokers", lambda: len(self.first.admin.list_topics(timeout=10).brokers) == 2)
        return self

    def create_topics(self, names: list[str], partitions: int) -> None:
        """Creates topics, one at a time: a controller does 10,000 things at once, not more."""
        for name in names:
            self.first.create_topics([name], partitions)

    @contextlib.contextmanager
    def proxies(self) -> Iterator[list[Proxy]]:
        """A proxy before each broker, which counts."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(Proxy(broker)) for broker in self.brokers]

    def stop(self) -> None:
        """Ends both. Nothing of them is needed any more, and their regular end takes minutes."""
        for broker in reversed(self.brokers):
            broker.kill()
