"""SEMANTICS.md, sentence by sentence: lost and changed topics, start and end, transactions."""

from __future__ import annotations

import os
import re

import pytest
from harness import consume
from harness.changes import add_partitions, delete_records, make_anew, told
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.records import now_ms, send_small
from harness.tidegate import DONE_BUT, USAGE, Tidegate
from harness.wait import until
from test_during import Moment, run_with
from test_semantics import opened, transaction
from test_times import MINUTE_MS, ranges, rfc3339, send_by_minutes
from test_transactions import markers_visible

POLICIES = ("stop", "skip")


def half_read(ledger, name: str, pipeline, **fields) -> Pipeline:
    """A pipeline that has read offsets 0 to 3 of both partitions, of which 4 to 6 are then deleted
    in partition 0."""
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], limits__records_per_partition=4, **fields)
    assert made.one_run()["rows"] == 8
    delete_records(ledger.broker, name, 0, 7)
    return made


def states(made: Pipeline) -> dict[int, str]:
    """Partition -> state, of what one more run, that reads nothing, finds not to be fine."""
    line = made.one_run(code=DONE_BUT)
    assert line["rows"] == 0
    return {stopped["partition"]: stopped["state"] for stopped in line["stopped"]}


def test_a_loss_stops_its_partition_only(ledger, topic, pipeline):
    """Records that were deleted before they were read stop their partition, and only that one."""
    name = topic(2)
    made = half_read(ledger, name, pipeline)
    assert made.run("--until-caught-up", code=DONE_BUT).rows == 6
    assert made.books().checkpoint() == {(name, 0): 4, (name, 1): 10}
    assert states(made) == {0: "stopped"}
    made.set(on_data_loss="skip")
    assert made.run("--until-caught-up", code=DONE_BUT).rows == 3
    assert made.books().losses() == {(name, 0): [(4, 7)]}


def test_a_skipped_loss_is_recorded(ledger, topic, pipeline):
    """With `on_data_loss: skip` the lost offsets are recorded in the manifest, and the rest is
    read."""
    name = topic(2)
    made = half_read(ledger, name, pipeline, on_data_loss="skip")
    assert made.run("--until-caught-up", code=DONE_BUT).rows == 3 + 6
    assert made.books().losses() == {(name, 0): [(4, 7)]}
    for offset in (4, 5, 6):
        del ledger.rows[name, 0][offset]
    made.check(ledger)


def test_a_topic_made_anew_stops(ledger, topic, pipeline, broker):
    """A topic that was deleted and created anew stops, under either policy."""
    name = topic()
    send_small(ledger, name, 0, 10)
    both = [pipeline([name], on_data_loss=policy) for policy in POLICIES]
    for made in both:
        assert made.catch_up().rows == 10
    send_small(make_anew(broker, name), name, 0, 25)
    for made in both:
        assert states(made) == {0: "stopped"}
        made.check(ledger)


@pytest.mark.parametrize("grown", [0, 9], ids=["shorter", "grown again"])
def test_a_log_that_was_cut_back_stops(grown: int, tidegate: Tidegate, tmp_path, own_broker):
    """A log that was cut back behind what was read stops its partition, under either policy."""
    own_broker.create_topics(["t"])
    ledger = Ledger(own_broker)
    send_small(ledger, "t", 0, 5)
    log = own_broker.folder / "data" / "t-0" / "00000000000000000000.log"
    size = log.stat().st_size
    send_small(ledger, "t", 0, 4)
    both = [
        Pipeline(tidegate, own_broker.address, tmp_path, ["t"], on_data_loss=policy)
        for policy in POLICIES
    ]
    for made in both:
        assert made.catch_up().rows == 9
    # A broker that lost its power before it wrote the last records down.
    own_broker.kill()
    os.truncate(log, size)
    own_broker.start()
    until("the log is cut", lambda: len(consume.rows(own_broker, "t", 1)[0]) == 5)
    send_small(Ledger(own_broker), "t", 0, grown)
    for made in both:
        assert states(made) == {0: "stopped"}
        made.check(ledger)


def test_a_log_that_changes_under_a_run_is_told(ledger, topic, pipeline, broker):
    """A log that changes while a run reads it is told, and nothing is published of it that was not
    there to be read."""
    anew, cut = topic(1, "anew"), topic(1, "cut")
    for name in (anew, cut):
        send_small(ledger, name, 0, 10)
    made = pipeline([anew, cut], address=broker.counted_address)

    def change() -> None:
        send_small(make_anew(broker, anew), anew, 0, 25)
        delete_records(broker, cut, 0, 4)

    line = run_with(made, broker, Moment(("Fetch", 1), change))
    assert (line["rows"], len(line["stopped"])) == (0, 2)
    told(made, (anew, 0), "recreated", "created anew")
    told(made, (cut, 0), "lost", "[0, 4)")
    made.check(ledger, topics=[])


def test_one_bad_topic_does_not_hold_up_the_others(ledger, topic, pipeline):
    """A topic that cannot be read does not hold up the others."""
    name = topic()
    send_small(ledger, name, 0, 5)
    made = pipeline([name, "no-such-topic"])
    line = made.one_run(code=DONE_BUT)
    assert line["rows"] == 5
    assert [stopped["topic"] for stopped in line["stopped"]] == ["no-such-topic"]
    made.books().check()


def test_start_is_decided_once(ledger, topic, pipeline):
    """What `start` means is decided at the first run and kept, even if nothing was read."""
    name = topic()
    send_small(ledger, name, 0, 10)
    made = pipeline([name], start="latest")
    assert made.one_run()["rows"] == 0
    send_small(ledger, name, 0, 3)
    made.set(start="earliest")
    assert made.catch_up().rows == 3
    assert ranges(made) == {0: (10, 13)}


def test_given_offsets_are_taken_at_their_word(ledger, topic, pipeline, broker):
    """Offsets that `start` gives are taken at their word, or refused."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    delete_records(broker, name, 0, 4)
    made = pipeline([name], start={name: {"1": 11, "2": 0}}, on_data_loss="skip")
    for wrong in (f"start.{name}.1", f"start.{name}.2"):
        assert wrong in made.run(code=USAGE).err
    made.set(start={name: {"0": 3, "1": 8}})
    line = made.one_run(code=DONE_BUT)
    assert (line["rows"], len(line["losses"])) == (6 + 2, 1)
    assert made.books().losses() == {(name, 0): [(3, 4)]}
    made.books().check()


def test_what_appears_later_is_read_from_its_beginning(ledger, topic, pipeline, broker):
    """Partitions and topics that appear later are read from their first record."""
    name = topic()
    send_small(ledger, name, 0, 5)
    made = pipeline({"pattern": f"{re.escape(name)}.*"}, start="latest")
    assert made.one_run()["rows"] == 0
    late = add_partitions(broker, name, 2)
    broker.create_topics([f"{name}-later"])
    send_small(late, name, 1, 6)
    send_small(late, f"{name}-later", 0, 7)
    assert made.catch_up().rows == 6 + 7
    made.check(late)


def test_end_leaves_later_records_alone(ledger, topic, pipeline):
    """With `end` a partition is read up to its first record at or after that time."""
    name = topic()
    base = now_ms() - 60 * MINUTE_MS
    send_by_minutes(ledger, name, 0, [0, 3, 12, 4, 20], base)
    made = pipeline([name], end=rfc3339(base + 10 * MINUTE_MS))
    ended = made.catch_up()
    assert ranges(made) == {0: (0, 2)}
    assert ended.lines[-1]["lag_after"]["records"] == 0


def test_aborted_records_never_appear(ledger, topic, pipeline, broker):
    """Records of aborted transactions never appear."""
    name = topic()
    transaction(ledger, name, [b"1", b"2", b"3"], commit=True)
    transaction(ledger, name, [b"4", b"5"], commit=False)
    markers_visible(broker, name, 0)
    made = pipeline([name])
    assert made.catch_up().rows == 3
    assert made.check(ledger, everyone=True).total("aborted") == 2


def test_an_open_transaction_is_waited_for(ledger, topic, pipeline, broker):
    """Nothing at or past an open transaction is read until that transaction ends."""
    name = topic()
    send_small(ledger, name, 0, 10)
    maker = opened(ledger, name, [b"open"])
    send_small(ledger, name, 0, 5)
    made = pipeline([name])
    line = made.one_run()
    assert (line["rows"], line["lag_after"]["records"]) == (10, 6)
    assert made.one_run()["outcome"] == "idle"
    ledger.commit(maker)
    markers_visible(broker, name, 0)
    assert made.catch_up().rows == 6
    made.check(ledger)


def test_read_uncommitted_shows_everything(ledger, topic, pipeline, broker):
    """With `kafka.isolation_level: read_uncommitted` records appear whatever becomes of their
    transaction."""
    name = topic()
    transaction(ledger, name, [b"1", b"2", b"3"], commit=True)
    transaction(ledger, name, [b"4", b"5"], commit=False)
    markers_visible(broker, name, 0)
    maker = opened(ledger, name, [b"open"])
    made = pipeline([name], kafka__isolation_level="read_uncommitted")
    assert made.catch_up().rows == 6
    made.check(ledger, committed=False)
    ledger.abort(maker)
