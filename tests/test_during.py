"""What happens to a topic while a run is at work on it: between planning and reading, in the middle
of a read, and before the reader's last look."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from harness.broker import Broker
from harness.changes import delete_records, delete_topic, make_anew, told
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.proxy import Proxy
from harness.records import send_small
from harness.tidegate import DONE_BUT

# Before this request of a run: the reader's first look, its fetches, its last look. (The first
# Metadata request of a run is the planner's.)
MOMENTS = [("Metadata", 2), ("Fetch", 1), ("Fetch", 2), ("Metadata", 4)]


class Moment:
    """Calls `act` once, before the chosen request of a run is passed on to the broker."""

    def __init__(self, moment: tuple[str, int], act: Callable[[], None]) -> None:
        self.moment = moment
        self.act = act
        self.came = threading.Event()

    def __call__(self, api: str, count: int) -> None:
        if (api, count) == self.moment:
            self.act()
            self.came.set()


def run_with(made: Pipeline, broker: Broker, moment: Moment, code: int = DONE_BUT) -> dict:
    """The line of one run during which the moment comes."""
    with Proxy(broker, on_request=moment):
        line = made.one_run(code=code, seconds=120)
    assert moment.came.is_set(), f"there was no {moment.moment}"
    # What follows goes straight to the broker.
    made.set(kafka__bootstrap_servers=[broker.address])
    return line


@pytest.fixture
def large(ledger: Ledger, topic, rng):
    """A function that makes a topic of one partition whose records need several fetches."""

    def make(name: str) -> str:
        full = topic(1, name)
        for _ in range(1_200):
            ledger.send(full, 0, rng.randbytes(10_000))
        ledger.flush()
        return full

    return make


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0]} {moment[1]}")
def test_x17_r06_a_topic_made_anew_during_a_run(moment, ledger, large, topic, pipeline, broker):
    """X17 R06: nothing of either topic is mixed with the other: what was read of the old one is
    discarded, the new one is not read, and the topic stops; another topic of the run is copied."""
    name, other = large("anew"), topic(1, "other")
    old = len(ledger.rows[name, 0])
    send_small(ledger, other, 0, 50)
    made = pipeline([name, other], address=broker.counted_address, limits__readers=1)

    def recreate() -> None:
        send_small(make_anew(broker, name), name, 0, old + 100)

    line = run_with(made, broker, Moment(moment, recreate))
    assert line["rows"] == 50
    assert [(one["topic"], one["state"]) for one in line["stopped"]] == [(name, "unread")]
    told(made, (name, 0), "recreated", "created anew", "tidegate reset")
    assert made.books().checkpoint() == {(name, 0): 0, (other, 0): 50}
    made.check(ledger, topics=[other])


def test_r04_a_topic_deleted_during_a_run(ledger, large, topic, pipeline, broker):
    """R04: it is told, nothing of it is published, and the others go on."""
    name, other = large("deleted"), topic(1, "other")
    send_small(ledger, other, 0, 50)
    made = pipeline([name, other], address=broker.counted_address, limits__readers=1)
    line = run_with(made, broker, Moment(("Fetch", 2), lambda: delete_topic(broker, name)))
    assert line["rows"] == 50
    assert [(one["topic"], one["state"]) for one in line["stopped"]] == [(name, "unread")]
    line = made.one_run(code=DONE_BUT)
    assert [(one["topic"], one["state"]) for one in line["stopped"]] == [(name, "unobserved")]
    assert "was deleted" in line["stopped"][0]["cause"], line
    made.check(ledger, topics=[other])


@pytest.mark.parametrize("policy", ["stop", "skip"])
@pytest.mark.parametrize("moment", [("Metadata", 2), ("Fetch", 2)], ids=["before", "in the middle"])
def test_p14_records_deleted_during_a_run(moment, policy, ledger, large, pipeline, broker):
    """P14 X09 X10: the log start moves past what a run has planned: what was read before is
    published, and the next run tells of exactly the rest."""
    name = large("lost")
    made = pipeline([name], address=broker.counted_address, on_data_loss=policy)
    act = Moment(moment, lambda: delete_records(broker, name, 0, 1_000))
    line = run_with(made, broker, act)
    reached = line["rows"]
    assert (reached == 0) == (moment[0] == "Metadata") and reached < 1_000, line
    assert line["stopped"][0]["reason"] == "data_loss", line
    lost = f"[{reached}, 1000)"
    if policy == "stop":
        told(made, (name, 0), "lost", lost, "on_data_loss")
        assert made.books().checkpoint() == {(name, 0): reached}
        assert made.books().losses() == {}
        made.check(ledger, upto={(name, 0): reached})
        return
    line = made.one_run(code=DONE_BUT)
    assert (line["rows"], line["losses"]) == (
        200,
        [{"topic": name, "partition": 0, "start": reached, "end": 1_000}],
    )
    for offset in range(reached, 1_000):
        del ledger.rows[name, 0][offset]
    assert made.one_run()["outcome"] == "idle"
    made.check(ledger)


@pytest.mark.timeout(300)
def test_x17_topics_made_anew_again_and_again(ledger, topic, pipeline, broker):
    """X17: topics are deleted and created anew while runs go on, losses skipped: no crash, nothing
    twice, and a topic that was not touched is whole."""
    kept, changing = topic(2, "kept"), topic(2, "changing")
    made = pipeline([kept, changing], on_data_loss="skip", limits__records_per_partition=40)
    for _ in range(4):
        for partition in (0, 1):
            send_small(ledger, kept, partition, 100)
        call = made.tidegate.start("run", made.path, "--until-caught-up")
        fresh = make_anew(broker, changing, 2)
        send_small(fresh, changing, 0, 30)
        # Config: for a moment the topic was not there, and nothing else was left to do.
        assert call.end().code in (0, 1, DONE_BUT)
    made.run("--until-caught-up", code=DONE_BUT)
    made.books().check()
    made.verify()
    read = [part for m in made.books().manifests for part in m["slices"]]
    ids = {part["topic_id"] for part in read if part["topic"] == changing}
    assert len(ids) <= 1, "records of several topics of one name were published"
    rows = {part["partition"]: 0 for part in read}
    for part in read:
        rows[part["partition"]] += part["rows"] if part["topic"] == kept else 0
    assert rows == {0: 400, 1: 400}
