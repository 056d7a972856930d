"""Logs that were cut back behind what was read: by an unclean election and by a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic
from harness import consume
from harness.broker import Broker
from harness.changes import told
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.records import send_small
from harness.tidegate import FAILED, Tidegate
from harness.wait import until

OLD, LOST = 5, 4


def cut_by_hand(broker: Broker, topic: str, size: int) -> None:
    """A power cut before the end of a log was written down: the broker starts with what is left."""
    broker.kill()
    os.truncate(broker.folder / "data" / f"{topic}-0" / "00000000000000000000.log", size)
    broker.start()
    until("the log is cut", lambda: len(consume.rows(broker, topic, 1)[0]) == OLD)


@pytest.mark.parametrize("start", ["earliest", "latest"])
@pytest.mark.parametrize("grown", [0, LOST, 20], ids=["shorter", "as long", "longer"])
def test_x13_a_log_cut_by_hand(grown, start, tidegate: Tidegate, tmp_path, own_broker):
    """X13: told at once, as long as before or longer; also where nothing was read yet, since the
    pipeline began at the end; nothing of what stands there now is read."""
    own_broker.create_topics(["t"])
    ledger = Ledger(own_broker)
    send_small(ledger, "t", 0, OLD)
    log = own_broker.folder / "data" / "t-0" / "00000000000000000000.log"
    size = log.stat().st_size
    send_small(ledger, "t", 0, LOST)
    made = Pipeline(tidegate, own_broker.address, tmp_path, ["t"], start=start)
    rows = OLD + LOST if start == "earliest" else 0
    assert made.catch_up().rows == rows
    cut_by_hand(own_broker, "t", size)
    send_small(Ledger(own_broker), "t", 0, grown)
    words = ["cut back", "tidegate reset"]
    told(made, ("t", 0), "truncated", *words, *(["to 5"] if grown >= LOST else ["ends at 5"]))
    # Neither policy goes on, and the reason does not change when the log grows.
    made.set(on_data_loss="skip")
    send_small(Ledger(own_broker), "t", 0, 30)
    told(made, ("t", 0), "truncated", *words)
    assert made.books().checkpoint() == {("t", 0): OLD + LOST}
    assert made.books().losses() == {}
    if start == "earliest":
        made.check(ledger)


class Three:
    """Brokers 1 and 2, which hold the topic, and 3, which alone decides who leads."""

    def __init__(self, folder: Path) -> None:
        shared = {
            "replica_lag_time_max_ms": 2_000,
            "auto_leader_rebalance_enable": "false",
            "unclean_leader_election_interval_ms": 500,
        }
        self.third = Broker(folder / "3", 1_500, node_id=3, **shared)
        voters = f"3@127.0.0.1:{self.third.controller_port}"
        self.first, self.second = (
            Broker(
                folder / str(node),
                1_500,
                node_id=node,
                process_roles="broker",
                controller_quorum_voters=voters,
                **shared,
            )
            for node in (1, 2)
        )

    def create(self) -> Three:
        for broker in (self.third, self.first, self.second):
            broker.create()
        until("three brokers", lambda: len(self.third.admin.list_topics(timeout=10).brokers) == 3)
        new = NewTopic(
            "t",
            replica_assignment=[[1, 2]],
            config={"unclean.leader.election.enable": "true", "min.insync.replicas": "1"},
        )
        self.third.admin.create_topics([new])["t"].result(30)
        self.until_led(leader=1, in_sync=[1, 2])
        return self

    def until_led(self, leader: int, in_sync: list[int] | None = None) -> None:
        """Waits until broker 3 says so."""

        def led() -> bool:
            found = self.third.admin.list_topics("t", timeout=10).topics["t"].partitions.get(0)
            if found is None or found.leader != leader:
                return False
            return in_sync is None or sorted(found.isrs) == in_sync

        until(f"broker {leader} leads, in sync: {in_sync}", led, seconds=60, every=0.1)

    def stop(self) -> None:
        for broker in (self.first, self.second, self.third):
            broker.stop()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    made = Three(tmp_path / "three")
    try:
        yield made.create()
    finally:
        made.stop()


@pytest.mark.timeout(300)
def test_x13_an_unclean_election(three: Three, tidegate: Tidegate, tmp_path):
    """X13: the follower that missed the last records is made leader; the offsets that were read
    hold other records afterwards. Told before they do, and after; the old leader that comes back
    changes nothing."""
    ledger = Ledger(three.third)
    send_small(ledger, "t", 0, OLD)
    three.second.kill()
    three.until_led(leader=1, in_sync=[1])
    send_small(ledger, "t", 0, LOST)
    made = Pipeline(tidegate, three.third.address, tmp_path, ["t"])
    assert made.catch_up().rows == OLD + LOST
    three.first.kill()
    three.until_led(leader=-1)
    assert "t-0" in made.run(code=FAILED, seconds=90).err
    three.second.start()
    three.until_led(leader=2, in_sync=[2])
    until("the shorter log", lambda: three.third.ends("t")[1] == OLD)
    told(made, ("t", 0), "truncated", "cut back", "tidegate reset")
    send_small(Ledger(three.third), "t", 0, LOST + 2)
    told(made, ("t", 0), "truncated", "cut back", "tidegate reset")
    fresh = Pipeline(tidegate, three.third.address, tmp_path, ["t"])
    assert fresh.catch_up().rows == OLD + LOST + 2
    three.first.start()
    three.until_led(leader=2, in_sync=[1, 2])
    told(made, ("t", 0), "truncated", "cut back", "tidegate reset")
    assert made.books().checkpoint() == {("t", 0): OLD + LOST}
    made.check(ledger)
    fresh.verify("--deep")
