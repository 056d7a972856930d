"""Where a pipeline starts and ends, by time and by offset."""

from __future__ import annotations

import pytest
from harness import raw
from harness.changes import add_partitions, delete_records, told
from harness.ledger import Row
from harness.readback import data_files
from harness.records import now_ms, send_small
from harness.tidegate import DONE_BUT, USAGE
from test_transactions import markers_visible

MINUTE_MS = 60_000


def rfc3339(ms: int) -> str:
    """A time as the spec wants it."""
    from datetime import datetime, timezone

    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds")


def send_by_minutes(ledger, topic: str, partition: int, minutes: list[int], base: int) -> None:
    """One record per entry, that many minutes after `base`."""
    for minute in minutes:
        stamp = base + minute * MINUTE_MS
        ledger.send(topic, partition, b"minute %d" % minute, timestamp=stamp)
        ledger.flush()


def ranges(made) -> dict[int, tuple[int, int]]:
    """Partition -> (first offset, next offset), over all runs."""
    found: dict[int, tuple[int, int]] = {}
    for manifest in made.books().manifests:
        for part in manifest["slices"]:
            start, _ = found.get(part["partition"], (part["start"], None))
            found[part["partition"]] = (start, part["reached"])
    return found


def test_t01_start_and_end_by_time(ledger, topic, pipeline):
    """T01: by offset lookup: from the first record at or after `start` to the first one at or after
    `end`, whatever the times of the others are; then the lag is 0."""
    name = topic(3)
    base = now_ms() - 60 * MINUTE_MS
    send_by_minutes(ledger, name, 0, list(range(20)), base)
    send_by_minutes(ledger, name, 1, [0, 12, 3, 4, 16, 5, 30], base)
    send_by_minutes(ledger, name, 2, [1, 2], base)
    start, end = rfc3339(base + 10 * MINUTE_MS), rfc3339(base + 15 * MINUTE_MS)
    made = pipeline([name], start=start, end=end)
    ended = made.catch_up()
    # Partition 2 ends before the start: it begins at its end, with nothing to read.
    assert ranges(made) == {0: (10, 15), 1: (1, 4)}
    assert ended.rows == 8
    assert ended.lines[-1]["lag_after"]["records"] == 0
    assert made.one_run()["outcome"] == "idle"


def test_t02_t04_a_time_mixes_with_offsets(ledger, topic, pipeline):
    """T02 T04 P17: start by offsets for one partition (the others: earliest), an end past the
    last record means the end of the log."""
    name = topic(2)
    base = now_ms() - 60 * MINUTE_MS
    send_by_minutes(ledger, name, 0, [0, 1, 2, 3], base)
    send_by_minutes(ledger, name, 1, [0, 1, 2], base)
    after = rfc3339(base + 1_000 * MINUTE_MS)
    made = pipeline([name], start={name: {"0": 2}}, end=after)
    made.catch_up()
    assert ranges(made) == {0: (2, 4), 1: (0, 3)}


def test_t03_a_start_after_the_last_record_is_the_end(ledger, topic, pipeline):
    """T03 as the design decides it: no match means the last stable offset; what comes later is
    read, whatever its time."""
    name = topic(1)
    base = now_ms() - 60 * MINUTE_MS
    send_by_minutes(ledger, name, 0, [0, 1, 2], base)
    made = pipeline([name], start=rfc3339(base + 30 * MINUTE_MS))
    assert made.catch_up().rows == 0
    send_by_minutes(ledger, name, 0, [5], base)
    assert made.catch_up().rows == 1
    assert ranges(made) == {0: (3, 4)}


@pytest.mark.parametrize(
    "start, end, expected",
    [
        ("1970-01-01T00:00:00Z", None, {0: (0, 6), 1: (0, 2)}),
        (-100, None, {0: (0, 6), 1: (0, 2)}),
        (None, -100, {}),
        (None, 0, {}),
        (None, 1, {0: (0, 1), 1: (0, 1)}),
        (3, 3, None),
        (4, 5, {}),
        (1_000, 2_000, {}),
        (0, 2_000, {0: (0, 6), 1: (0, 2)}),
    ],
)
def test_t01_t04_bounds_of_a_log(start, end, expected, ledger, topic, pipeline):
    """T01 T03 T04 T07 R13 P02: times before the beginning, at it, between and beyond the end;
    records out of order (the first one at or after the time counts); a partition that is empty.
    Then the lag is 0, and stays so: nothing is read by another run."""
    name = topic(3)
    base = now_ms() - 60 * MINUTE_MS
    send_by_minutes(ledger, name, 0, [0, 9, 5, 2, 7, 3], base)
    send_by_minutes(ledger, name, 1, [0, 1], base)

    def at(minute: int | str | None) -> str | None:
        return rfc3339(base + minute * MINUTE_MS) if isinstance(minute, int) else minute

    fields = {
        key: at(value) for key, value in (("start", start), ("end", end)) if value is not None
    }
    made = pipeline([name], **fields)
    if expected is None:
        assert "end" in made.run(code=USAGE).err
        return
    ended = made.catch_up()
    assert ranges(made) == expected
    assert ended.rows == sum(end - start for start, end in expected.values())
    assert ended.lines[-1]["lag_after"] == {"records": 0, "seconds": 0}
    assert made.books().checkpoint()[name, 2] == 0
    assert made.one_run()["outcome"] == "idle"
    made.books().check()


@pytest.mark.parametrize("read", ["all", "a part"])
def test_t01_an_end_that_was_reached_stays(read, ledger, topic, pipeline, broker):
    """T01: what lies behind `end` was never to be read: that it is deleted is no loss, nor does a
    record behind it take the place of the one that decided, although `start` is long past."""
    name = topic(1)
    base = now_ms() - 60 * MINUTE_MS
    send_by_minutes(ledger, name, 0, [0, 1, 2, 30, 3, 4, 40], base)
    cap = {} if read == "all" else {"limits__records_per_partition": 2, "catch_up": False}
    made = pipeline([name], end=rfc3339(base + 10 * MINUTE_MS), **cap)
    assert made.one_run()["rows"] == (3 if read == "all" else 2)
    delete_records(broker, name, 0, 5)
    if read == "all":
        line = made.one_run()
        assert (line["outcome"], line["lag_after"]["records"]) == ("idle", 0)
        assert made.books().checkpoint() == {(name, 0): 3}
        return
    told(made, (name, 0), "lost", "[2, 3)")
    made.set(on_data_loss="skip")
    line = made.one_run(code=DONE_BUT)
    assert line["losses"] == [{"topic": name, "partition": 0, "start": 2, "end": 3}]
    assert (line["rows"], line["lag_after"]["records"]) == (0, 0)
    assert made.one_run()["outcome"] == "idle"
    made.books().check()


def in_transaction(ledger, topic: str, minutes: list[int], base: int):
    """The producer of an open transaction, with one record per entry."""
    maker = ledger.producer(transactional_id=f"{topic}-{minutes[0]}", linger_ms=0)
    maker.init_transactions(60)
    ledger.begin(maker)
    for minute in minutes:
        stamp = base + minute * MINUTE_MS
        ledger.send(topic, 0, b"%d" % minute, timestamp=stamp, by=maker, transaction=True)
        ledger.flush(maker)
    return maker


def test_t01_x01_an_end_among_transactions(ledger, topic, pipeline, broker):
    """T01 X01 X02 X03 A05: `end` falls into a transaction. While that is open nothing of it is
    read, and the lag says so; then all before the first record at or after `end`, markers and
    aborted records counted."""
    name = topic(1)
    # A marker's time is when its transaction ended: all that is to be earlier must be so.
    base = now_ms()
    send_by_minutes(ledger, name, 0, [0, 1], base)
    ledger.abort(in_transaction(ledger, name, [1], base))
    markers_visible(broker, name, 0)
    maker = in_transaction(ledger, name, [2, 3, 30, 4], base)
    send_by_minutes(ledger, name, 0, [31], base)
    # 0, 1, an aborted record 2, its marker 3, the transaction 4 to 7, and 8.
    made = pipeline([name], end=rfc3339(base + 20 * MINUTE_MS))
    line = made.one_run()
    assert (line["rows"], ranges(made), line["lag_after"]["records"]) == (2, {0: (0, 4)}, 5)
    ledger.commit(maker)
    markers_visible(broker, name, 0)
    line = made.one_run()
    assert (line["rows"], ranges(made), line["lag_after"]["records"]) == (2, {0: (0, 6)}, 0)
    assert made.one_run()["outcome"] == "idle"
    books = made.check(ledger, upto={(name, 0): 6})
    assert (books.total("aborted"), books.total("markers")) == (1, 1)
    made = pipeline([name], start=rfc3339(base + 2 * MINUTE_MS), end=rfc3339(base + 31 * MINUTE_MS))
    assert made.catch_up().rows == 4
    assert ranges(made) == {0: (4, 8)}


def test_t07_t09_negative_times(ledger, topic, pipeline):
    """T07 T09: records of before 1970, which a broker takes as they are: the time is kept if it is
    of the years 1 to 9999, null otherwise; no directory is made of any."""
    name = topic(message_timestamp_after_max_ms=2**63 - 1)
    year_1 = -62_135_596_800_000
    stamps = [-2, -86_400_000, year_1, year_1 - 1, -(2**62), None, now_ms()]
    for stamp in stamps:
        raw.send(ledger, name, 0, [Row(0, b"k", b"v", stamp, 0, None)])
    for offset, row in ledger.rows[name, 0].items():
        if row.timestamp is not None and row.timestamp < year_1:
            ledger.rows[name, 0][offset] = row._replace(timestamp=None)
    made = pipeline([name])
    made.catch_up()
    books = made.check(ledger, everyone=True)
    assert books.total("timestamps_nulled") == 3
    folders = {path.parent.name for path in data_files(made.destination)}
    assert len(folders) == 2 and any("__HIVE_DEFAULT" in folder for folder in folders), folders


def test_latest_is_resolved_once(ledger, topic, pipeline, broker):
    """`latest`: what is there at the first run is never read, all that comes later is, also before
    anything was ever read; a partition without records starts at 0."""
    name = topic(2)
    send_small(ledger, name, 0, 10)
    made = pipeline([name], start="latest")
    assert made.catch_up().rows == 0
    send_small(ledger, name, 0, 3)
    send_small(ledger, name, 1, 4)
    assert made.catch_up().rows == 7
    assert ranges(made) == {0: (10, 13), 1: (0, 4)}
    assert made.books().checkpoint() == {(name, 0): 13, (name, 1): 4}


def test_r01_a_partition_that_comes_later_starts_at_its_start(ledger, topic, pipeline, broker):
    """R01: new partitions are read from the log start, even with `latest`."""
    name = topic(1)
    send_small(ledger, name, 0, 5)
    made = pipeline([name], start="latest")
    assert made.catch_up().rows == 0
    send_small(add_partitions(broker, name, 3), name, 2, 6)
    assert made.catch_up().rows == 6
    assert ranges(made)[2] == (0, 6)


def test_p10_p12_a_start_for_what_is_not_there(ledger, topic, pipeline):
    """P10 P12: offsets past the end, and partitions that do not exist, are all named before any
    read; nothing is written, and the pipeline begins once they are right."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], start={name: {"0": 11, "1": 10, "2": 0, "7": 3}})
    for verb in (made.run, made.plan):
        ended = verb(code=USAGE)
        for word in (f"start.{name}.0: 11", f"start.{name}.2", f"start.{name}.7", "has 2"):
            assert word in ended.err, ended.err
        assert f"start.{name}.1:" not in ended.err
    assert not (made.destination / "_runs").exists()
    made.set(start={name: {"0": 9, "1": 10}})
    assert made.catch_up().rows == 1
    assert made.books().checkpoint() == {(name, 0): 10, (name, 1): 10}
    made.books().check()


def test_p17_offsets_for_a_topic_that_comes_later(ledger, topic, pipeline, broker):
    """P17: a topic that is not created yet is no error; when it comes it is read from its first
    record, as all that appears later."""
    name, later = topic(1), "p17-comes-later"
    send_small(ledger, name, 0, 10)
    made = pipeline([name, later], start={name: {"0": 4}, later: {"0": 3}})
    line = made.one_run(code=DONE_BUT)
    assert line["rows"] == 6 and [one["topic"] for one in line["stopped"]] == [later]
    broker.create_topics([later])
    send_small(ledger, later, 0, 5)
    assert made.catch_up().rows == 5
    made.books().check()


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_p17_a_start_before_the_log_start(policy, ledger, topic, pipeline, broker):
    """P17 X09 X10: offsets that the spec asks for and that are gone are lost, and `on_data_loss`
    decides: who gives an offset wants what begins there. The other partition is read."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    delete_records(broker, name, 0, 7)
    made = pipeline([name], start={name: {"0": 5, "1": 8}}, on_data_loss=policy)
    line = made.one_run(code=DONE_BUT)
    if policy == "skip":
        lost = [{"topic": name, "partition": 0, "start": 5, "end": 7}]
        assert (line["rows"], line["losses"]) == (3 + 2, lost)
        assert made.one_run()["outcome"] == "idle"
    else:
        assert line["rows"] == 2
        told(made, (name, 0), "lost", "[5, 7)", "on_data_loss")
        assert made.books().checkpoint() == {(name, 0): 5, (name, 1): 10}
    made.books().check()
    made.verify()
