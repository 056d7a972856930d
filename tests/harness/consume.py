"""A second opinion: what Kafka's own client library reads from a topic."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    Message,
    TopicPartition,
)

from .broker import Broker
from .ledger import Row


def messages(
    broker: Broker, topic: str, partitions: int, *, committed: bool = True
) -> Iterator[Message]:
    """Every message from the log start to the end that stands when it is reached."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "second-opinion",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "log_level": 0,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
        ended: set[int] = set()
        deadline = time.monotonic() + 300
        while len(ended) < partitions:
            assert time.monotonic() < deadline, "the second opinion took more than 300 s"
            for message in consumer.consume(10_000, 0.5):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    raise AssertionError(f"the second opinion failed: {error}")
    finally:
        consumer.close()


def rows(
    broker: Broker, topic: str, partitions: int, *, committed: bool = True
) -> dict[int, list[Row]]:
    """Partition -> its rows. Header keys must be UTF-8: the client library demands it."""
    found: dict[int, list[Row]] = {partition: [] for partition in range(partitions)}
    for message in messages(broker, topic, partitions, committed=committed):
        kind, stamp = message.timestamp()
        headers = message.headers()
        raw = [(key.encode(), value) for key, value in headers] if headers else None
        appended = int(kind == TIMESTAMP_LOG_APPEND_TIME)
        row = Row(message.offset(), message.key(), message.value(), stamp, appended, raw)
        found[message.partition()].append(row)
    return found
