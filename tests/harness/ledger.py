"""What was produced: the truth that everything written is compared with.

Producers are librdkafka's (confluent-kafka), so that no mistake of ours is checked by itself. The
offsets come from their delivery reports.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, Message, Producer

from .broker import Broker

Headers = list[tuple[bytes, bytes | None]]

# The columns of a raw table, as the project promises them.
_HEADER = pa.struct([pa.field("key", pa.string(), nullable=False), ("value", pa.binary())])
WRITTEN = pa.schema(
    [
        ("key", pa.binary()),
        ("value", pa.binary()),
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        pa.field("timestampType", pa.int32(), nullable=False),
        ("headers", pa.list_(pa.field("element", _HEADER, nullable=False))),
    ]
)
# The same without what only the format can say: query engines answer with every column nullable.
SCHEMA = pa.schema(
    [
        *(field.with_nullable(True) for field in list(WRITTEN)[:-1]),
        ("headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
    ]
)


class Row(NamedTuple):
    """One record as it must appear."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None
    timestamp_type: int
    headers: Headers | None


def header_key(key: bytes) -> str:
    """A header's key as text: what is not UTF-8, or could be mistaken for it, as Base64."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or text.startswith("base64:"):
        return "base64:" + base64.b64encode(key).decode()
    return text


class Ledger:
    """Produces and remembers. Records of open and aborted transactions are told apart."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.rows: dict[tuple[str, int], dict[int, Row]] = defaultdict(dict)
        self._open: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
        self.aborted: set[tuple[str, int, int]] = set()
        self._failed: list[KafkaError] = []
        self._plain: dict[str, Producer] = {}

    def producer(self, codec: str = "none", **settings: object) -> Producer:
        """A producer; one per codec is kept, others are made by settings (dots as underscores)."""
        if not settings and codec in self._plain:
            return self._plain[codec]
        named = {name.replace("_", "."): value for name, value in settings.items()}
        made = Producer(
            {
                "bootstrap.servers": self.broker.address,
                "compression.type": codec,
                "linger.ms": 5,
                "message.max.bytes": 100_000_000,
                "queue.buffering.max.kbytes": 512_000,
                "log_level": 0,
            }
            | named
        )
        if not settings:
            self._plain[codec] = made
        return made

    def send(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes | None]] | None = None,
        timestamp: int | None = None,
        by: Producer | None = None,
        transaction: bool = False,
    ) -> None:
        """Hands one record to a producer; `flush` waits for it."""
        by = by or self.producer()
        raw = [(name.encode(), data) for name, data in headers] if headers else None
        opened = self._open[id(by)] if transaction else None

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error:
                self._failed.append(error)
                return
            kind, stamp = message.timestamp()
            appended = kind == TIMESTAMP_LOG_APPEND_TIME
            at = stamp if appended or timestamp is None else timestamp
            offset = message.offset()
            self.rows[topic, partition][offset] = Row(offset, key, value, at, int(appended), raw)
            if opened is not None:
                opened.append((topic, partition, offset))

        extra = {} if timestamp is None else {"timestamp": timestamp}
        while True:
            try:
                by.produce(
                    topic,
                    value,
                    key,
                    partition=partition,
                    headers=headers,
                    on_delivery=delivered,
                    **extra,
                )
                break
            except BufferError:
                by.poll(0.1)
        by.poll(0)

    def flush(self, *producers: Producer) -> None:
        """Waits until all that was sent is written."""
        for one in producers or tuple(self._plain.values()):
            left = one.flush(300)
            assert left == 0, f"{left} records were not delivered"
        assert not self._failed, f"the broker refused records: {self._failed[0]}"

    def begin(self, by: Producer) -> None:
        """Opens a transaction."""
        by.begin_transaction()
        self._open[id(by)] = []

    def commit(self, by: Producer) -> None:
        """Commits the open transaction."""
        by.commit_transaction(60)
        self._open.pop(id(by))

    def abort(self, by: Producer) -> None:
        """Aborts the open transaction; what it wrote must never be seen."""
        by.flush(60)
        by.abort_transaction(60)
        self.aborted.update(self._open.pop(id(by)))

    def open_records(self) -> set[tuple[str, int, int]]:
        """Records of transactions that are neither committed nor aborted."""
        return {record for records in self._open.values() for record in records}

    def add(self, topic: str, partition: int, rows: Iterable[Row]) -> None:
        """Rows that were written in another way."""
        for row in rows:
            self.rows[topic, partition][row.offset] = row

    def count(self, topic: str | None = None) -> int:
        """How many records were written."""
        return sum(len(rows) for (name, _), rows in self.rows.items() if topic in (None, name))

    def table(
        self,
        *,
        committed: bool = True,
        topics: Iterable[str] | None = None,
        upto: dict[tuple[str, int], int] | None = None,
    ) -> pa.Table:
        """What must have been written, in (topic, partition, offset) order.

        `committed`: without what open and aborted transactions wrote. `topics`: only these.
        `upto`: only offsets before these.
        """
        hidden = self.aborted | self.open_records() if committed else set()
        only = None if topics is None else set(topics)
        columns: list[list[object]] = [[] for _ in SCHEMA]
        for topic, partition in sorted(self.rows):
            if only is not None and topic not in only:
                continue
            end = None if upto is None else upto.get((topic, partition), 0)
            rows = self.rows[topic, partition]
            for offset in sorted(rows):
                if (end is not None and offset >= end) or (topic, partition, offset) in hidden:
                    continue
                row = rows[offset]
                headers = row.headers and [
                    {"key": header_key(key), "value": value} for key, value in row.headers
                ]
                cells = (row.key, row.value, topic, partition, offset, row.timestamp)
                for column, cell in zip(columns, (*cells, row.timestamp_type, headers or None)):
                    column.append(cell)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA)]
        return pa.Table.from_arrays(arrays, schema=SCHEMA)
