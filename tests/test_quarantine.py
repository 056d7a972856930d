"""A record that cannot be read, in a real broker's log: quarantine, and the ways out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.broker import Broker
from harness.changes import delete_records
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.records import send_small
from harness.tidegate import DONE_BUT, Tidegate

BEFORE, AFTER = 10, 5


def rot(broker: Broker, topic: str) -> Ledger:
    """A record batch of partition 0 with a flipped bit, at offset 10, between good ones; partition
    1 is fine. The broker checks nothing that it sends from disk."""
    ledger = Ledger(broker)
    send_small(ledger, topic, 0, BEFORE)
    log = broker.folder / "data" / f"{topic}-0" / "00000000000000000000.log"
    at = log.stat().st_size
    ledger.send(topic, 0, b"the one that rots")
    ledger.flush()
    send_small(ledger, topic, 0, AFTER)
    send_small(ledger, topic, 1, 20)
    # A broker that ends well does not look over its log when it starts.
    broker.stop()
    _flip(log, at + 70)
    broker.start()
    broker.ends(topic, 0)
    return ledger


def _flip(path: Path, at: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_a_rotten_record_and_its_way_out(policy, tidegate: Tidegate, tmp_path, own_broker):
    """A02 X12: a batch whose checksum is wrong quarantines its partition, with its offset; all
    before it and all other partitions are copied, now and later; it is tried again after some
    runs, not at each; once it is deleted the partition is as any other, its loss told."""
    own_broker.create_topics(["t"], 2)
    ledger = rot(own_broker, "t")
    made = Pipeline(tidegate, own_broker.address, tmp_path, ["t"], on_data_loss=policy)
    line = made.one_run(code=DONE_BUT)
    assert line["rows"] == BEFORE + 20
    (stopped,) = line["stopped"]
    assert (stopped["partition"], stopped["state"]) == (0, "quarantined"), stopped
    assert stopped["reason"] in ("corrupt", "bad_record") and "10" in stopped["cause"], stopped
    made.check(ledger, upto={("t", 0): BEFORE, ("t", 1): 20})

    tries = []
    for _ in range(5):
        send_small(ledger, "t", 1, 3)
        assert made.one_run(code=DONE_BUT)["rows"] == 3
        manifest = made.books().manifests[-1]
        tries.append(any(entry["partition"] == 0 for entry in manifest["checkpoint"]))
    assert tries == [True, False, True, False, False], "after 1, 2, 4… runs"
    plan = made.plan(code=DONE_BUT, as_json=False)
    assert "quarantined after 3 failures" in plan.out, plan.out

    delete_records(own_broker, "t", 0, BEFORE + 1)
    if policy == "stop":
        (stopped,) = made.one_run(code=DONE_BUT)["stopped"]
        assert (stopped["state"], stopped["reason"]) == ("stopped", "lost"), stopped
        made.set(on_data_loss="skip")
    assert made.run("--until-caught-up", code=DONE_BUT).rows == AFTER
    assert made.books().losses() == {("t", 0): [(BEFORE, BEFORE + 1)]}
    del ledger.rows["t", 0][BEFORE]
    made.check(ledger)
    assert made.status().code == 0
