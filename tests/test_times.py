"""Where a pipeline starts and ends, by time and by offset."""

from __future__ import annotations

from harness.ledger import Ledger
from harness.records import now_ms, send_small

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
    from confluent_kafka.admin import NewPartitions
    from harness.wait import until

    name = topic(1)
    send_small(ledger, name, 0, 5)
    made = pipeline([name], start="latest")
    assert made.catch_up().rows == 0
    broker.admin.create_partitions([NewPartitions(name, 3)])[name].result(30)
    until(
        "three partitions", lambda: len(broker.admin.list_topics(name).topics[name].partitions) == 3
    )
    # A producer that was there before does not know of the new partitions yet.
    send_small(Ledger(broker), name, 2, 6)
    assert made.catch_up().rows == 6
    assert ranges(made)[2] == (0, 6)


def test_p12_a_start_past_the_end_is_refused(ledger, topic, pipeline):
    """P12: an offset past the end is said before any read."""
    name = topic(1)
    send_small(ledger, name, 0, 10)
    made = pipeline([name], start={name: {"0": 99}})
    ended = made.run(code=None)
    assert ended.rows == 0
    assert ended.code in (1, 2, 3), f"nothing was said: {ended}"
    assert name in ended.err + ended.out
