"""Three brokers whose leaders a test can choose: by killing the others."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka.admin import NewTopic

from .broker import Broker
from .wait import until


class Three:
    """Brokers 1, 2 and 3, of which the third alone decides who leads."""

    def __init__(self, folder: Path) -> None:
        shared = {
            "replica_lag_time_max_ms": 2_000,
            "auto_leader_rebalance_enable": "false",
            "unclean_leader_election_interval_ms": 500,
        }
        self.third = Broker(folder / "3", 1_500, node_id=3, **shared)
        self.first, self.second = (
            self.third.follower(folder / str(node), node, **shared) for node in (1, 2)
        )

    def create(self) -> Three:
        """Starts all three."""
        for broker in (self.third, self.first, self.second):
            broker.create()
        until("three brokers", lambda: len(self.third.admin.list_topics(timeout=10).brokers) == 3)
        return self

    def create_topic(self, name: str, replicas: list[int]) -> None:
        """A topic of one partition on these brokers, any of which may lead, whatever it lacks."""
        config = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}
        new = NewTopic(name, 1, replica_assignment=[replicas], config=config)
        self.third.admin.create_topics([new])[name].result(30)
        self.until_led(name, leader=replicas[0], in_sync=replicas)

    def until_led(self, name: str, leader: int, in_sync: list[int] | None = None) -> None:
        """Waits until broker 3 says so."""

        def led() -> bool:
            found = self.third.admin.list_topics(name, timeout=10).topics[name].partitions.get(0)
            if found is None or found.leader != leader:
                return False
            return in_sync is None or sorted(found.isrs) == in_sync

        until(f"broker {leader} leads {name}, in sync: {in_sync}", led, seconds=60, every=0.1)

    def stop(self) -> None:
        """Ends all three, the one that decides last."""
        for broker in (self.first, self.second, self.third):
            broker.stop()
