"""What a run takes of memory at most, whatever the records look like: less than 200 MB."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer
from harness.broker import Broker
from harness.memory import peak_kib
from harness.records import HOUR_MS, hour_start_ms
from harness.sizes import size

PEAK_BYTES = 200_000_000
MIB = 1 << 20


class Shape(NamedTuple):
    """What a scenario produced, and by how many readers, with tasks of which size, it is read."""

    topics: list[str]
    rows: int
    limits: tuple[int, str] = (16, "1GiB")


class Sender:
    """Produces without keeping anything."""

    def __init__(self, broker: Broker, codec: str = "none", **settings: int) -> None:
        named = {name.replace("_", "."): value for name, value in settings.items()}
        usual = {
            "bootstrap.servers": broker.address,
            "compression.type": codec,
            "message.max.bytes": 100_000_000,
            "queue.buffering.max.kbytes": 200_000,
            "log_level": 0,
        }
        self.producer = Producer(usual | named)
        self.failed: list[object] = []

    def send(self, topic: str, value: bytes, partition: int = 0, **record: Any) -> None:
        while True:
            try:
                self.producer.produce(
                    topic, value, partition=partition, on_delivery=self._delivered, **record
                )
                break
            except BufferError:
                self.producer.poll(0.1)
        self.producer.poll(0)

    def _delivered(self, error: object, _: object) -> None:
        if error:
            self.failed.append(error)

    def done(self) -> None:
        assert self.producer.flush(300) == 0 and not self.failed, self.failed[:1]


def hours(broker: Broker, rng: random.Random) -> Shape:
    """Records of 500 [10,000] hours in any order, six of each: a file for each hour."""
    count = size(500, 10_000)
    broker.create_topics(["hours"], 4)
    stamps = [hour_start_ms() - hour * HOUR_MS for hour in range(count) for _ in range(6)]
    rng.shuffle(stamps)
    sender = Sender(broker)
    for number, stamp in enumerate(stamps):
        sender.send("hours", rng.randbytes(300), number % 4, timestamp=stamp)
    sender.done()
    return Shape(["hours"], len(stamps))


def large_headers(broker: Broker, rng: random.Random) -> Shape:
    """100 [1,000] records with headers of 1 MB: one large, a hundred of 10 kB, or 20,000 small."""
    count = size(100, 1_000)
    broker.create_topics(["large-headers"], 2, max_message_bytes=100_000_000)
    noise = rng.randbytes(1_000_000)
    shapes = [
        [("one", noise)],
        [(f"h{at}", noise[at * 10_000 :][:10_000]) for at in range(100)],
        [(f"h{at}", noise[at * 40 :][:40]) for at in range(20_000)],
    ]
    sender = Sender(broker)
    for number in range(count):
        sender.send("large-headers", b"v", number % 2, headers=shapes[number % 3])
    sender.done()
    return Shape(["large-headers"], count)


def large_records(broker: Broker, rng: random.Random) -> Shape:
    """6 [24] records of 30 [50] MB over two partitions, by one reader: a reader at work holds one
    of them twice."""
    count, each = size(6, 24), size(30_000_000, 50_000_000)
    broker.create_topics(["large-records"], 2, max_message_bytes=100_000_000)
    sender = Sender(broker)
    for number in range(count):
        sender.send("large-records", rng.randbytes(each), number % 2)
        sender.done()
    return Shape(["large-records"], count, (1, "1GiB"))


def many_partitions(broker: Broker, rng: random.Random) -> Shape:
    """A topic of 200 [1,000] partitions, 40 kB in each."""
    partitions, each = size(200, 1_000), 20
    broker.create_topics(["many-partitions"], partitions)
    sender = Sender(broker)
    for number in range(partitions * each):
        sender.send("many-partitions", rng.randbytes(2_000), number % partitions)
    sender.done()
    return Shape(["many-partitions"], partitions * each)


def many_topics(broker: Broker, rng: random.Random) -> Shape:
    """50 topics of four partitions, 200 kB [1 MB] in each: a table for each topic."""
    each = size(100, 500)
    names = [f"memory-{number}" for number in range(50)]
    broker.create_topics(names, 4)
    sender = Sender(broker)
    for name in names:
        for number in range(4 * each):
            sender.send(name, rng.randbytes(2_000), number % 4)
    sender.done()
    return Shape(names, len(names) * 4 * each)


def bombs(codec: str) -> Callable[[Broker, random.Random], Shape]:
    """Batches that grow to nearly 64 MiB when decompressed: one record, and 9,000."""

    def produce(broker: Broker, _: random.Random) -> Shape:
        name, count = f"bombs-{codec}", size(3, 10)
        broker.create_topics([name], 2, max_message_bytes=100_000_000)
        whole = Sender(broker, codec)
        many = Sender(broker, codec, linger_ms=5_000, batch_size=66 * MIB, batch_num_messages=9_000)
        for _ in range(count):
            whole.send(name, bytes(63 * MIB), 0)
            whole.done()
            for _ in range(9_000):
                many.send(name, bytes(7_000), 1)
            many.done()
        return Shape([name], count * 9_001)

    return produce


def many_readers(broker: Broker, rng: random.Random) -> Shape:
    """16 partitions of 4 MB [40 MB], a task for each: as many readers as there are cores."""
    each = size(1_000, 10_000)
    broker.create_topics(["many-readers"], 16)
    sender = Sender(broker, "lz4")
    for number in range(16 * each):
        sender.send("many-readers", rng.randbytes(4_000), number % 16)
    sender.done()
    return Shape(["many-readers"], 16 * each, (16, "1MiB"))


SCENARIOS: dict[str, Callable[[Broker, random.Random], Shape]] = {
    "hours": hours,
    "large_records": large_records,
    "large_headers": large_headers,
    "many_partitions": many_partitions,
    "many_topics": many_topics,
    "gzip_bombs": bombs("gzip"),
    "zstd_bombs": bombs("zstd"),
    "many_readers": many_readers,
}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_peak_of_a_run_is_below_200_mb(scenario, broker, pipeline, rng):
    """One run of each scenario stays below 200 MB, and everything is there."""
    shape = SCENARIOS[scenario](broker, rng)
    readers, task = shape.limits
    made = pipeline(shape.topics, limits__readers=readers, limits__bytes_per_task=task)
    peak = peak_kib(made, "--until-caught-up") * 1024
    print(f"peak RSS of {scenario}: {peak / 1e6:.0f} MB")
    books = made.books()
    books.check()
    assert books.total("rows") == shape.rows
    made.verify(seconds=600)
    assert peak < PEAK_BYTES, f"{peak / 1e6:.0f} MB"
