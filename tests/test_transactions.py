"""Committed, aborted and open transactions, interleaved."""

from __future__ import annotations

import itertools
import random

import pytest
from confluent_kafka import Producer
from harness import consume
from harness.broker import Broker
from harness.ledger import Ledger
from harness.records import send_small
from harness.sizes import size
from harness.wait import until

_ids = itertools.count(1)


@pytest.fixture
def transactional(ledger: Ledger):
    """A function that makes transactional producers."""

    def make(codec: str = "none") -> Producer:
        made = ledger.producer(codec, transactional_id=f"tests-{next(_ids)}", linger_ms=0)
        made.init_transactions(60)
        return made

    return make


def markers_visible(broker: Broker, topic: str, partition: int) -> None:
    """Waits until every transaction's end is in the log: the client returns before it is."""

    def ended() -> bool:
        return broker.ends(topic, partition) == broker.ends(topic, partition, committed=True)

    until("the last stable offset reaches the high watermark", ended)


def interleave(
    ledger: Ledger, rng: random.Random, topic: str, partitions: int, makers: list
) -> None:
    """Transactions of several producers and plain records, in turns, in every partition."""
    opened: set[int] = set()
    for number in range(size(400, 2_000)):
        which = rng.randrange(len(makers) + 1)
        value = b"%d by %d" % (number, which)
        if which == len(makers):
            ledger.send(topic, rng.randrange(partitions), value)
            ledger.flush()
            continue
        maker = makers[which]
        if which not in opened:
            ledger.begin(maker)
            opened.add(which)
        ledger.send(topic, rng.randrange(partitions), value, by=maker, transaction=True)
        ledger.flush(maker)
        if rng.random() < 0.15:
            opened.remove(which)
            (ledger.commit if rng.random() < 0.6 else ledger.abort)(maker)
    for which in opened:
        ledger.abort(makers[which])


def test_x02_x03_interleaved_transactions(ledger, topic, pipeline, transactional, rng, broker):
    """X02 X03 A02: committed rows are there, aborted ones are not; markers and aborted offsets are
    counted for what they are, by one run and by many small ones alike."""
    name = topic(3)
    makers = [transactional(codec) for codec in ("none", "lz4", "zstd")]
    interleave(ledger, rng, name, 3, makers)
    ends = 0
    for partition in range(3):
        markers_visible(broker, name, partition)
        ends += broker.ends(name, partition)[1]
    # Kafka's own consumer agrees on what is visible.
    second = consume.rows(broker, name, 3)
    assert sum(map(len, second.values())) == ledger.count() - len(ledger.aborted)
    whole = pipeline([name])
    pieces = pipeline([name], limits__records_per_partition=37)
    for made in (whole, pieces):
        ended = made.catch_up()
        assert ended.lines[-1]["lag_after"]["records"] == 0
        books = made.check(ledger, everyone=True)
        assert books.total("aborted") == len(ledger.aborted) > 0
        assert books.total("markers") == ends - ledger.count() > 0
        assert books.total("compacted") == 0


def test_x04_read_uncommitted_shows_everything(ledger, topic, pipeline, transactional, rng, broker):
    """X04: with `read_uncommitted` aborted and open records are rows like any other."""
    name = topic(2)
    interleave(ledger, rng, name, 2, [transactional(), transactional()])
    for partition in (0, 1):
        markers_visible(broker, name, partition)
    still_open = transactional()
    ledger.begin(still_open)
    ledger.send(name, 0, b"open", by=still_open, transaction=True)
    ledger.flush(still_open)
    made = pipeline([name], kafka__isolation_level="read_uncommitted")
    made.catch_up()
    made.check(ledger, committed=False)
    assert made.books().total("aborted") == 0
    ledger.abort(still_open)


def test_x01_nothing_past_an_open_transaction_is_read(
    ledger, topic, pipeline, transactional, broker
):
    """X01 A05: with an open transaction the end is the last stable offset, also for plain records
    behind it; the lag counts to the high watermark, so that it shows. Then it is committed."""
    name = topic(1)
    send_small(ledger, name, 0, 10)
    maker = transactional()
    ledger.begin(maker)
    ledger.send(name, 0, b"open", by=maker, transaction=True)
    ledger.flush(maker)
    send_small(ledger, name, 0, 5)
    start, stable = broker.ends(name, 0, committed=True)
    assert (start, stable) == (0, 10)

    made = pipeline([name])
    first = made.one_run()
    assert (first["outcome"], first["rows"]) == ("committed", 10)
    assert first["lag_after"]["records"] == 6
    made.check(ledger, upto={(name, 0): 10})
    # Nothing can be done, and nothing is done.
    again = made.run("--until-caught-up")
    assert again.rows == 0 and set(again.outcomes()) == {"idle"}

    ledger.commit(maker)
    markers_visible(broker, name, 0)
    assert made.catch_up().rows == 6
    books = made.check(ledger)
    assert books.total("markers") == 1


def test_a_range_that_ends_in_a_marker_is_done(ledger, topic, pipeline, transactional, broker):
    """X02 F06: the last offsets are markers; the checkpoint passes them, and a run that only meets
    markers writes no file, but books them."""
    name = topic(1)
    maker = transactional()
    for end in (ledger.commit, ledger.abort, ledger.commit):
        ledger.begin(maker)
        ledger.send(name, 0, b"row", by=maker, transaction=True)
        end(maker)
    markers_visible(broker, name, 0)
    _, end = broker.ends(name, 0)
    made = pipeline([name], limits__records_per_partition=1)
    ended = made.catch_up()
    committed = [line for line in ended.lines if line["outcome"] == "committed"]
    assert [line["rows"] for line in committed] == [1, 0, 0, 0, 1, 0]
    assert [line["files"] for line in committed] == [1, 0, 0, 0, 1, 0]
    books = made.check(ledger)
    assert books.checkpoint()[name, 0] == end == 6
    assert (books.total("markers"), books.total("aborted")) == (3, 1)
    assert made.one_run()["outcome"] == "idle"
