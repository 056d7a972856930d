"""Three real brokers that lead and follow one another, to be stopped, killed and started."""

from __future__ import annotations

import contextlib
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from . import wire
from .broker import Broker
from .proxy import Proxy
from .wait import until

# How long a broker that is gone is taken for alive. Long enough for a machine with much to do.
SESSION_MS = 4_000
SETTINGS = {
    "replica_lag_time_max_ms": 4_000,
    # Leaders move when a test says so.
    "auto_leader_rebalance_enable": "false",
    "controller_quorum_election_timeout_ms": 1_000,
    "controller_quorum_fetch_timeout_ms": 2_000,
    "controller_quorum_election_backoff_max_ms": 500,
}
NODES = (1, 2, 3)


class Cluster:
    """`nodes[1]` to `nodes[3]`, each broker and controller, so that any two of them go on."""

    def __init__(self, folder: Path) -> None:
        self.nodes = {
            node: Broker(folder / f"node-{node}", SESSION_MS, node_id=node, **SETTINGS)
            for node in NODES
        }
        voters = [f"{node}@127.0.0.1:{one.controller_port}" for node, one in self.nodes.items()]
        for one in self.nodes.values():
            one.others["controller.quorum.voters"] = ",".join(voters)
        # What the ledger asks of a broker: how to reach it.
        self.address = ",".join(one.address for one in self.nodes.values())
        self._stopped: set[int] = set()

    def create(self) -> Cluster:
        """Starts all three."""
        for one in self.nodes.values():
            one.prepare()
        self.start(*NODES)
        return self

    def start(self, *nodes: int) -> None:
        """Starts nodes and waits until the whole cluster knows of them."""
        for node in nodes:
            self.nodes[node].launch()
        until(f"nodes {nodes} are there", lambda: self._known(nodes), seconds=120, every=0.1)

    def _known(self, nodes: tuple[int, ...]) -> bool:
        alive = [self.nodes[node] for node in NODES if self.is_alive(node)]
        try:
            return all(set(nodes) <= wire.brokers(one.port) for one in alive)
        except (OSError, struct.error):
            return False

    def is_alive(self, node: int) -> bool:
        """Whether its process is there, and not stopped."""
        process = self.nodes[node].process
        return process is not None and process.poll() is None and node not in self._stopped

    def freeze(self, node: int) -> None:
        """SIGSTOP: its connections stay, and nothing answers."""
        self._send(node, signal.SIGSTOP)
        self._stopped.add(node)

    def thaw(self, node: int) -> None:
        """SIGCONT."""
        self._send(node, signal.SIGCONT)
        self._stopped.discard(node)

    def _send(self, node: int, sent: signal.Signals) -> None:
        process = self.nodes[node].process
        assert process is not None
        process.send_signal(sent)

    def mend(self) -> None:
        """All nodes are there again, after whatever a test did to them."""
        for node in tuple(self._stopped):
            self.thaw(node)
        self.start(*(node for node in NODES if not self.is_alive(node)))
        self._known_to_all()

    def _known_to_all(self) -> None:
        until("all nodes know all", lambda: self._known(NODES), seconds=120, every=0.1)

    def stop(self) -> None:
        """Ends all three."""
        for node, one in self.nodes.items():
            if node in self._stopped:
                self.thaw(node)
            # A node without a majority does not end by itself: nothing of it is needed any more.
            one.kill()

    def create_topic(self, name: str, *replicas: list[int]) -> str:
        """A topic with a partition on each of these lists of nodes, led by the first of each.
        Nothing expires."""
        count, forever = len(replicas), {"retention.ms": "-1"}
        new = NewTopic(name, count, replica_assignment=list(replicas), config=forever)
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        admin.create_topics([new])[name].result(60)
        for partition, wanted in enumerate(replicas):
            first = wanted[0]
            self.until_led(name, partition, lambda led, at=first: led.leader == at and _whole(led))
        return name

    def led(self, name: str, partition: int, by: int | None = None) -> wire.Led:
        """Who leads a partition, as node `by` (else the first that is alive) sees it."""
        asked = by or next(node for node in NODES if self.is_alive(node))
        return wire.leaders(self.nodes[asked].port, name)[partition]

    def until_led(self, name: str, partition: int, wanted: Callable[[wire.Led], bool]) -> None:
        """Waits until all nodes that are alive see the partition led as it is wanted."""

        def led() -> bool:
            try:
                seen = [self.led(name, partition, node) for node in NODES if self.is_alive(node)]
            except (OSError, KeyError, struct.error):
                return False
            return all(map(wanted, seen))

        until(f"{name}/{partition} is led as wanted", led, 90, 0.1)

    def until_in_sync(self, name: str) -> None:
        """Waits until every replica of a topic is in sync."""
        for partition in self.partitions(name):
            self.until_led(name, partition, _whole)

    def partitions(self, name: str) -> list[int]:
        """The partitions of a topic."""
        asked = next(node for node in NODES if self.is_alive(node))
        return sorted(wire.leaders(self.nodes[asked].port, name))

    def move(self, name: str, partition: int, *replicas: int) -> None:
        """Puts a partition on other nodes, and waits for it. Its leader changes only if it is none
        of them."""
        asked = next(node for node in NODES if self.is_alive(node))
        wire.move(self.nodes[asked].port, name, partition, list(replicas))
        self.until_led(name, partition, lambda led: led.replicas == list(replicas) and _whole(led))

    @contextlib.contextmanager
    def proxies(
        self,
        on_answer: Callable[[int], None] | None = None,
        on_request: Callable[[str, int], None] | None = None,
    ) -> Iterator[dict[int, Proxy]]:
        """A proxy before each node."""
        with contextlib.ExitStack() as stack:
            yield {
                node: stack.enter_context(Proxy(one, on_answer, on_request))
                for node, one in self.nodes.items()
            }

    @property
    def bootstrap(self) -> list[str]:
        """The nodes' own addresses."""
        return [one.address for one in self.nodes.values()]

    @property
    def counted_bootstrap(self) -> list[str]:
        """The proxies' addresses."""
        return [one.counted_address for one in self.nodes.values()]


def _whole(led: wire.Led) -> bool:
    return led.leader >= 0 and sorted(led.in_sync) == sorted(led.replicas)
