"""Logs that were cut back behind what was read: by an unclean election and by a power cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness.broker import Broker
from harness.changes import told
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.records import send_small
from harness.three import Three
from harness.tidegate import FAILED, Tidegate
from harness.wait import until

OLD, LOST = 5, 4
TOLD = ("cut back", "tidegate reset")


def log_of(broker: Broker, topic: str) -> Path:
    """The file that holds the records of partition 0."""
    return broker.folder / "data" / f"{topic}-0" / "00000000000000000000.log"


def cut_by_hand(broker: Broker, sizes: dict[str, int]) -> None:
    """A power cut before the ends were written down: the broker starts with what is left."""
    broker.kill()
    for topic, size in sizes.items():
        os.truncate(log_of(broker, topic), size)
    broker.start()
    for topic in sizes:
        until("the log is cut", lambda topic=topic: broker.ends(topic)[1] == OLD)


@pytest.mark.timeout(300)
def test_x13_logs_cut_by_hand(tidegate: Tidegate, tmp_path, own_broker):
    """X13: told at once, while they are shorter than before, when they are as long again, and when
    they are longer; also where nothing was read yet, since the pipeline began at the end. Nothing
    of what stands there now is read."""
    grown = {"shorter": 0, "as-long": LOST, "longer": 20}
    own_broker.create_topics(list(grown))
    ledger = Ledger(own_broker)
    sizes = {}
    for topic in grown:
        send_small(ledger, topic, 0, OLD)
        sizes[topic] = log_of(own_broker, topic).stat().st_size
        send_small(ledger, topic, 0, LOST)
    both = [
        Pipeline(tidegate, own_broker.address, tmp_path, list(grown), start=start)
        for start in ("earliest", "latest")
    ]
    assert both[0].catch_up().rows == 3 * (OLD + LOST)
    assert both[1].catch_up().rows == 0
    cut_by_hand(own_broker, sizes)
    for topic, more in grown.items():
        send_small(Ledger(own_broker), topic, 0, more)
    for made in both:
        for topic, more in grown.items():
            told(made, (topic, 0), "truncated", "to 5" if more else "ends at 5", *TOLD)
    # Neither policy goes on, and the reason does not change when a log grows.
    for topic in grown:
        send_small(Ledger(own_broker), topic, 0, 30)
    for made in both:
        made.set(on_data_loss="skip")
        for topic in grown:
            told(made, (topic, 0), "truncated", *TOLD)
        assert set(made.books().checkpoint().values()) == {OLD + LOST}
        assert made.books().losses() == {}
    both[0].check(ledger)


@pytest.mark.timeout(300)
def test_x13_an_unclean_election(three: Three, tidegate: Tidegate, tmp_path):
    """X13: the follower that missed the last records is made leader; the offsets that were read
    hold other records afterwards. Told before they do, and after; the old leader that comes back
    changes nothing."""
    three.create_topic("t", [1, 2])
    ledger = Ledger(three.third)
    send_small(ledger, "t", 0, OLD)
    three.second.kill()
    three.until_led("t", leader=1, in_sync=[1])
    send_small(ledger, "t", 0, LOST)
    made = Pipeline(tidegate, three.third.address, tmp_path, ["t"])
    assert made.catch_up().rows == OLD + LOST
    three.first.kill()
    three.until_led("t", leader=-1)
    assert "t-0" in made.run(code=FAILED, seconds=90).err
    three.second.start()
    three.until_led("t", leader=2, in_sync=[2])
    until("the shorter log", lambda: three.third.ends("t")[1] == OLD)
    told(made, ("t", 0), "truncated", *TOLD)
    send_small(Ledger(three.third), "t", 0, LOST + 2)
    told(made, ("t", 0), "truncated", *TOLD)
    fresh = Pipeline(tidegate, three.third.address, tmp_path, ["t"])
    assert fresh.catch_up().rows == OLD + LOST + 2
    three.first.start()
    three.until_led("t", leader=2, in_sync=[1, 2])
    told(made, ("t", 0), "truncated", *TOLD)
    assert made.books().checkpoint() == {("t", 0): OLD + LOST}
    made.check(ledger)
    fresh.verify("--deep")
