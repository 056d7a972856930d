"""What `tidegate run` is measured against, each in a process of its own:

consumer.py discard ADDRESS TOPIC COUNT          read and forget: the floor of librdkafka
consumer.py parquet ADDRESS TOPIC COUNT FOLDER   a good home-grown job: confluent-kafka and
                                                 pyarrow, zstd 1, the same eight columns
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

BATCH = 10_000
ROWS_PER_FILE_PART = 100_000


def batches(address: str, topic: str, count: int) -> Iterator[list[Message]]:
    """`count` messages of partition 0. The settings are the best found for throughput per CPU."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "bench",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 20,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    left = count
    while left > 0:
        got = consumer.consume(min(BATCH, left), 1.0)
        for message in got:
            if message.error():
                raise SystemExit(f"the consumer failed: {message.error()}")
        left -= len(got)
        yield got
    consumer.close()


def discard(address: str, topic: str, count: int) -> None:
    """Reads and forgets."""
    for _ in batches(address, topic, count):
        pass


def parquet(address: str, topic: str, count: int, folder: str) -> None:
    """Reads and writes one file, a row group per 100,000 rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("key", pa.binary()),
            ("value", pa.binary()),
            ("topic", pa.string()),
            ("partition", pa.int32()),
            ("offset", pa.int64()),
            ("timestamp", pa.timestamp("ms", tz="UTC")),
            ("timestampType", pa.int32()),
            ("headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
        ]
    )
    settings = {"compression": "zstd", "compression_level": 1, "use_dictionary": ["topic"]}
    with pq.ParquetWriter(f"{folder}/out.parquet", schema, **settings) as writer:
        columns: list[list[object]] = [[] for _ in schema]
        for got in batches(address, topic, count):
            key, value, name, partition, offset, stamp, kind, headers = columns
            for message in got:
                key.append(message.key())
                value.append(message.value())
                name.append(message.topic())
                partition.append(message.partition())
                offset.append(message.offset())
                which, at = message.timestamp()
                stamp.append(at)
                kind.append(which - 1)
                pairs = message.headers()
                headers.append(pairs and [{"key": k, "value": v} for k, v in pairs])
            if len(offset) >= ROWS_PER_FILE_PART:
                _write(writer, columns)
        _write(writer, columns)


def _write(writer, columns: list[list[object]]) -> None:
    import pyarrow as pa

    if not columns[0]:
        return
    arrays = [pa.array(column, field.type) for column, field in zip(columns, writer.schema)]
    writer.write_table(pa.Table.from_arrays(arrays, schema=writer.schema))
    for column in columns:
        column.clear()


def rows(folder: str) -> None:
    """Counts what was written."""
    import pyarrow.parquet as pq

    print(sum(pq.read_metadata(path).num_rows for path in Path(folder).rglob("*.parquet")))


def main(job: str, *arguments: str) -> None:
    """One job."""
    if job == "rows":
        rows(*arguments)
        return
    address, topic, count, *folder = arguments
    if job == "discard":
        discard(address, topic, int(count))
    else:
        parquet(address, topic, int(count), *folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
