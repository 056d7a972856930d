"""Records of every kind, made from random numbers that a seed fixes."""

from __future__ import annotations

import random
import time
from typing import Any

from confluent_kafka import Producer

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


def scatter(number: int) -> int:
    """64 bits that look random and follow from the number (SplitMix64)."""
    mixed_up = (number + 1) * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF
    mixed_up = (mixed_up ^ mixed_up >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFF_FFFF_FFFF_FFFF
    mixed_up = (mixed_up ^ mixed_up >> 27) * 0x94D049BB133111EB & 0xFFFF_FFFF_FFFF_FFFF
    return mixed_up ^ mixed_up >> 31


class Rides:
    """A partition full of ride events of 645 bytes that follow from their offset: nothing needs to
    be remembered to know what must be there."""

    BYTES = 645
    # Farther apart than any codec's window here looks back, so that each body is as good as new.
    BODIES = 4_099
    SHAPE = (
        b'"session_id":"%016x%016x","event":"ride_completed","at":"2026-11-25T%02d:%02d:%02d.%03dZ",'
        b'"rider_id":"u-%08d","driver_id":"d-%07d","city":"%b","vehicle":"%b",'
        b'"pickup":{"lat":52.%06d,"lon":13.%06d,"zone":%d},'
        b'"dropoff":{"lat":52.%06d,"lon":13.%06d,"zone":%d},"distance_m":%d,"duration_s":%d,'
        b'"fare":{"currency":"EUR","base_cents":%d,"tip_cents":%d,"surge":1.%02d},'
        b'"payment":{"method":"%b","token":"%016x"},"rating":%d,"promo":null,'
        b'"device":{"os":"%b","app":"8.%d.%d"},"note":"'
    )
    VEHICLES = (b"sedan", b"van", b"scooter", b"e-bike")
    METHODS = (b"card", b"cash", b"wallet", b"invoice")
    SYSTEMS = (b"android 14", b"android 15", b"ios 18.1", b"ios 17.6")
    NOTE = (
        b"please wait at the main entrance, the passenger has two large bags and a folded pram; "
        b"call on arrival, the bell of the house does not work; the rear door is closed at night "
        b"and the yard is reached from the side street only, mind the low gate and the parked bikes"
    )

    def __init__(self, topic: str, count: int) -> None:
        self.topic = topic
        self.count = count
        self.bodies = [self._body(number) for number in range(self.BODIES)]

    def value(self, offset: int) -> bytes:
        """The value at an offset: JSON that compresses about as real events do."""
        return b'{"ride_id":"%016x",%b' % (scatter(offset), self.bodies[offset % self.BODIES])

    def _body(self, number: int) -> bytes:
        a, b, c = (scatter(3 * number + which) for which in range(3))
        numbers = [a, b, a % 24, b % 60, c % 60, c % 1_000, a % 99_999_999, b % 9_999_999]
        numbers += [CITIES[a % 5], self.VEHICLES[b & 3]]
        for place in (a, b):
            numbers += [place >> 16 & 0x7FFFF, place >> 40 & 0x7FFFF, place % 400]
        numbers += [c & 0x7FFF, c >> 15 & 0xFFF, c >> 27 & 0xFFF, c >> 39 & 0x1FF, c % 100]
        numbers += [self.METHODS[c & 3], a ^ c, c % 6, self.SYSTEMS[c >> 2 & 3], c % 12, c % 30]
        body = self.SHAPE % tuple(numbers)
        left = self.BYTES - len(body) - len('{"ride_id":"0123456789abcdef",') - 2
        return body + self.NOTE[a % 100 :][:left] + b'"}'

    def produce(self, address: str, codec: str = "lz4") -> Rides:
        """Writes them to partition 0, in order."""
        producer = Producer(
            {
                "bootstrap.servers": address,
                "compression.type": codec,
                "enable.idempotence": True,
                "linger.ms": 50,
                "batch.size": 1_000_000,
                "queue.buffering.max.kbytes": 256_000,
                "log_level": 0,
            }
        )
        for offset in range(self.count):
            while True:
                try:
                    producer.produce(self.topic, self.value(offset), partition=0)
                    break
                except BufferError:
                    producer.poll(0.1)
            if offset % 1000 == 0:
                producer.poll(0)
        assert producer.flush(120) == 0
        return self
