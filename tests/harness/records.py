"""Records of every kind, made from random numbers that a seed fixes."""

from __future__ import annotations

import random
import time
from typing import Any

from .broker import Broker
from .ledger import Ledger

HOUR_MS = 3_600_000
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
CITIES = [b"berlin", b"lima", "zürich".encode(), b"osaka", b"accra"]

_KEYS = [None, b"", b"key", bytes(range(256))]
_HEADERS: list[list[tuple[str, bytes | None]] | None] = [
    None,
    None,
    [("trace", b"1234")],
    [("twice", b"a"), ("twice", b"b"), ("twice", b"a")],
    [("null", None), ("empty", b""), ("", b"no key")],
    [("schlüssel", bytes([0, 255, 10]))],
    [("base64:looks-like-it", b"x")],
    [(f"h{number}", b"v" * number) for number in range(12)],
]


def now_ms() -> int:
    """Now, as Kafka tells time."""
    return time.time_ns() // 1_000_000


def hour_start_ms() -> int:
    """When this hour began."""
    return now_ms() // HOUR_MS * HOUR_MS


def mixed(rng: random.Random, number: int) -> dict[str, Any]:
    """Key, value and headers of one record: nulls, empty ones, text, random bytes."""
    kind = rng.random()
    if kind < 0.05:
        value = None
    elif kind < 0.10:
        value = b""
    elif kind < 0.15:
        value = rng.randbytes(rng.randrange(2_000))
    else:
        city = rng.choice(CITIES)
        value = b'{"ride":%d,"city":"%b","fare":%d}' % (number, city, rng.randrange(9_000))
    key = b"ride-%d" % number if rng.random() < 0.6 else rng.choice(_KEYS)
    return {"key": key, "value": value, "headers": rng.choice(_HEADERS)}


def send_mixed(
    ledger: Ledger,
    rng: random.Random,
    topic: str,
    partitions: int,
    count: int,
    hours: int = 4,
) -> None:
    """Sends mixed records by a producer of each codec in turns, over the last hours."""
    until_ms = now_ms()
    for number in range(count):
        record = mixed(rng, number)
        codec = CODECS[number // 500 % len(CODECS)]
        stamp = until_ms - rng.randrange(hours * HOUR_MS)
        partition = rng.randrange(partitions)
        ledger.send(topic, partition, **record, timestamp=stamp, by=ledger.producer(codec))
    ledger.flush()


def send_small(
    ledger: Ledger, topic: str, partition: int, count: int, value_bytes: int = 20
) -> None:
    """Sends records that differ in nothing but their number."""
    for number in range(count):
        ledger.send(topic, partition, b"%0*d" % (value_bytes, number))
    ledger.flush()


class Rides:
    """A partition full of ride events of 645 bytes that follow from their offset: nothing needs to
    be remembered to know what must be there."""

    BYTES = 645

    def __init__(self, topic: str, count: int) -> None:
        self.topic = topic
        self.count = count
        self.filler = random.Random(7).randbytes(4096).hex().encode()

    def value(self, offset: int) -> bytes:
        """The value at an offset: JSON that compresses about as well as real events do."""
        head = b'{"ride_id":"%016x","city":"%b","fare_cents":%d,"distance_m":%d,"note":"' % (
            offset * 0x9E3779B97F4A7C15 % (1 << 64),
            CITIES[offset % 5],
            offset * 7919 % 10_000,
            offset * 104_729 % 40_000,
        )
        left = self.BYTES - len(head) - 2
        blank = left // 2
        start = offset * 31 % 4096
        return head + self.filler[start : start + left - blank] + b" " * blank + b'"}'

    def produce(self, broker: Broker, codec: str = "lz4", partition: int = 0) -> Rides:
        """Writes them, in order."""
        producer = Ledger(broker).producer(
            codec, enable_idempotence=True, linger_ms=50, batch_size=1_000_000
        )
        for offset in range(self.count):
            while True:
                try:
                    producer.produce(self.topic, self.value(offset), partition=partition)
                    break
                except BufferError:
                    producer.poll(0.1)
            if offset % 1000 == 0:
                producer.poll(0)
        assert producer.flush(120) == 0
        return self
