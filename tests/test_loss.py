"""Records that are gone before they were read, and topics that are no longer the same."""

from __future__ import annotations

from harness import consume
from harness.broker import Broker
from harness.changes import delete_records, keep_survivors, make_anew, set_config, told
from harness.ledger import Ledger
from harness.records import send_small
from harness.tidegate import DONE_BUT
from harness.wait import until


def stop_cleaning(broker: Broker, topic: str) -> None:
    """From now on a compacted topic stays as it is; a cleaning that is under way ends first."""
    set_config(broker, topic, cleanup_policy="delete")

    def settled() -> bool:
        first = consume.rows(broker, topic, 1)
        return first == consume.rows(broker, topic, 1)

    until("the cleaner is done", settled, every=0.5)


def expire(ledger: Ledger, topic: str, partition: int, before: int) -> int:
    """Retention deletes what stands before offset `before`, which begins a new segment. Answers
    where the log starts then."""
    broker = ledger.broker
    set_config(broker, topic, retention_ms=500, segment_ms=200)

    def expired() -> bool:
        # A later record closes the segment: the active one never expires.
        ledger.send(topic, partition, b"tick")
        ledger.flush()
        return broker.ends(topic, partition)[0] >= before

    until("retention has passed", expired, seconds=60, every=0.3)
    set_config(broker, topic, retention_ms=-1, segment_ms=10_000_000)
    start = broker.ends(topic, partition)[0]

    def stays() -> bool:
        nonlocal start
        before, start = start, broker.ends(topic, partition)[0]
        return before == start

    until("retention is over", stays, every=1.0)
    return start


def test_x09_x12_by_default_a_loss_stops_its_partition_only(ledger, topic, pipeline, broker):
    """X09 X12: records deleted before they were read: `stop` stops that partition, says so by exit
    code 3, and the others go on, then and later."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], limits__records_per_partition=4, catch_up=False)
    assert made.one_run()["rows"] == 8
    delete_records(broker, name, 0, 7)
    ended = made.run("--until-caught-up", code=DONE_BUT)
    assert ended.rows == 6
    books = made.books()
    books.check()
    assert books.checkpoint() == {(name, 0): 4, (name, 1): 10}
    assert books.losses() == {}
    told(made, (name, 0), "lost", "[4, 7)", "retention or DeleteRecords", "on_data_loss")
    send_small(ledger, name, 1, 3)
    assert made.run("--until-caught-up", code=DONE_BUT).rows == 3
    made.books().check()


def test_x10_with_skip_the_range_is_recorded(ledger, topic, pipeline, broker):
    """X10: `skip` records the lost range in the manifest and reads the rest once; exit code 3 says
    that something was lost."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], on_data_loss="skip", limits__records_per_partition=4, catch_up=False)
    assert made.one_run()["rows"] == 8
    delete_records(broker, name, 0, 7)
    ended = made.run("--until-caught-up", code=DONE_BUT)
    assert ended.rows == 3 + 6
    assert made.books().losses() == {(name, 0): [(4, 7)]}
    for offset in (4, 5, 6):
        del ledger.rows[name, 0][offset]
    made.check(ledger)
    assert made.one_run()["outcome"] == "idle"


def test_what_was_gone_before_the_first_run_is_no_loss(ledger, topic, pipeline, broker):
    """A first run starts at the log start, wherever that is."""
    name = topic()
    send_small(ledger, name, 0, 10)
    delete_records(broker, name, 0, 7)
    made = pipeline([name])
    assert made.catch_up().rows == 3
    assert made.books().losses() == {}
    keep_survivors(ledger, name, 1)
    made.check(ledger)


def test_x07_a_compacted_topic_has_holes(ledger, topic, pipeline, broker):
    """X07 A02: holes at the start, in the middle and at the end of slices and batches: the rows are
    the survivors, every other offset is counted as compacted."""
    name = topic(
        1,
        cleanup_policy="compact",
        segment_ms=200,
        min_cleanable_dirty_ratio=0.001,
        delete_retention_ms=0,
    )
    in_batches = ledger.producer("lz4", linger_ms=200)
    for number in range(600):
        key = b"once-%d" % number if number % 50 == 49 else b"again-%d" % (number % 7)
        ledger.send(name, 0, b"%d" % number, key=key, by=in_batches)
        if number % 100 == 99:
            ledger.flush(in_batches)

    def compacted() -> bool:
        # A later record closes the segment: the active one is never cleaned.
        ledger.send(name, 0, b"tick", key=b"tick")
        ledger.flush()
        return len(consume.rows(broker, name, 1)[0]) < 100

    until("the log is compacted", compacted, seconds=60, every=0.3)
    stop_cleaning(broker, name)
    keep_survivors(ledger, name, 1)
    whole = pipeline([name])
    pieces = pipeline([name], limits__records_per_partition=61)
    for made in (whole, pieces):
        made.catch_up()
        books = made.check(ledger, everyone=True)
        assert books.total("compacted") == broker.ends(name)[1] - ledger.count() > 400


def test_x07_an_empty_batch_is_crossed(ledger, topic, pipeline, broker):
    """X07: a batch of which compaction left nothing but its header (the last one of an idempotent
    producer is kept so) is an offset range without rows, whether a slice begins, ends or lies
    within it."""
    name = topic(
        1,
        cleanup_policy="compact",
        segment_ms=200,
        min_cleanable_dirty_ratio=0.001,
        delete_retention_ms=0,
    )
    once = ledger.producer("none", enable_idempotence=True, linger_ms=300)
    for key in (b"a", b"b", b"c"):
        ledger.send(name, 0, b"first", key=key, by=once)
    ledger.flush(once)
    for key in (b"a", b"b", b"c"):
        ledger.send(name, 0, b"second", key=key)
    ledger.flush()

    def compacted() -> bool:
        ledger.send(name, 0, b"tick", key=b"tick")
        ledger.flush()
        return consume.rows(broker, name, 1)[0][0].offset >= 3

    until("the first batch is empty", compacted, seconds=60, every=0.3)
    stop_cleaning(broker, name)
    keep_survivors(ledger, name, 1)
    assert broker.ends(name)[0] == 0, "the log still starts at 0"
    for cap in (None, 1, 2):
        fields = {} if cap is None else {"limits__records_per_partition": cap}
        made = pipeline([name], **fields)
        made.catch_up()
        books = made.check(ledger)
        assert books.total("compacted") == broker.ends(name)[1] - ledger.count() >= 3


def test_x09_x10_retention_takes_what_was_not_read(ledger, topic, pipeline, broker):
    """X09 X10: by time, whole segments: the range from the checkpoint to the log start is what is
    lost, to the offset; `stop` and `skip` see the same."""
    name = topic(1)
    send_small(ledger, name, 0, 10)
    both = [
        pipeline([name], on_data_loss=policy, limits__records_per_partition=4, catch_up=False)
        for policy in ("stop", "skip")
    ]
    for made in both:
        assert made.one_run()["rows"] == 4
    start = expire(ledger, name, 0, 10)
    for made in both:
        made.set(limits__records_per_partition=1_000_000)
    stop, skip = both
    told(stop, (name, 0), "lost", f"[4, {start})", "on_data_loss")
    line = skip.one_run(code=DONE_BUT)
    assert line["losses"] == [{"topic": name, "partition": 0, "start": 4, "end": start}]
    assert line["rows"] == broker.ends(name)[1] - start
    stop.set(on_data_loss="skip")
    assert stop.one_run(code=DONE_BUT)["losses"] == line["losses"]
    for offset in range(4, start):
        ledger.rows[name, 0].pop(offset)
    for made in both:
        made.check(ledger)
        assert made.status().code == 0


def test_x10_the_log_start_moves_to_the_very_end(ledger, topic, pipeline, broker):
    """X10: exactly to the end: all that was left is lost, nothing is read, and what comes later is
    read as ever. A checkpoint at the end loses nothing."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], limits__records_per_partition=4, catch_up=False)
    assert made.one_run()["rows"] == 8
    made.set(on_data_loss="skip")
    delete_records(broker, name, 0, 10)
    line = made.one_run(code=DONE_BUT)
    assert (line["rows"], line["losses"]) == (
        4,
        [{"topic": name, "partition": 0, "start": 4, "end": 10}],
    )
    assert made.one_run()["rows"] == 2
    delete_records(broker, name, 1, 10)
    assert made.one_run()["outcome"] == "idle"
    for partition in (0, 1):
        send_small(ledger, name, partition, 3)
    assert made.one_run()["rows"] == 6
    for offset in range(4, 10):
        del ledger.rows[name, 0][offset]
    made.check(ledger)


def test_r03_r06_a_topic_made_anew_stops_until_reset(ledger, topic, pipeline, broker):
    """R03 R06 X13: a topic deleted and created again, with more records than were read in one
    partition, with fewer in another, without the third: another topic, of which nothing is read
    as if it were the old one."""
    name = topic(3)
    for partition in range(3):
        send_small(ledger, name, partition, 10)
    made = pipeline([name])
    assert made.catch_up().rows == 30
    again = make_anew(broker, name, 2)
    send_small(again, name, 0, 25)
    send_small(again, name, 1, 3)
    ended = made.run("--until-caught-up", code=DONE_BUT)
    assert ended.rows == 0
    shown = {one["partition"]: one for one in ended.lines[-1]["stopped"]}
    assert {p: one["state"] for p, one in shown.items()} == {
        0: "stopped",
        1: "stopped",
        2: "unobserved",
    }
    assert "fewer partitions" in shown[2]["cause"], shown[2]
    for partition in (0, 1):
        told(made, (name, partition), "recreated", "created anew", "tidegate reset")
    made.check(ledger)
