"""A producer by hand, for what no client library will write: header keys that are not UTF-8,
missing and absurd timestamps. Produce version 3, one uncompressed record batch (magic 2) a call."""

from __future__ import annotations

import socket
import struct

from .broker import Broker
from .ledger import Ledger, Row


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _table()


def crc32c(data: bytes) -> int:
    """The checksum of record batches (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(number: int) -> bytes:
    """A signed number, zig-zag."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _bytes(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def batch(rows: list[Row]) -> bytes:
    """A record batch. The rows' offsets are ignored: the broker gives them."""
    base = rows[0].timestamp if rows[0].timestamp is not None else -1
    records = b""
    for delta, row in enumerate(rows):
        stamp = row.timestamp if row.timestamp is not None else -1
        headers = row.headers or []
        body = b"\0" + varint(stamp - base) + varint(delta) + _bytes(row.key) + _bytes(row.value)
        body += varint(len(headers))
        for key, value in headers:
            body += _bytes(key) + _bytes(value)
        records += varint(len(body)) + body
    highest = max(row.timestamp if row.timestamp is not None else -1 for row in rows)
    count = len(rows)
    checked = struct.pack(">hiqqqhii", 0, count - 1, base, highest, -1, -1, -1, count) + records
    tail = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(tail)) + tail


def send(ledger: Ledger, topic: str, partition: int, rows: list[Row]) -> None:
    """Writes the rows as one batch and notes them, with the offsets that they got."""
    base = _produce(ledger.broker, topic, partition, batch(rows))
    numbered = [row._replace(offset=base + at) for at, row in enumerate(rows)]
    ledger.add(topic, partition, numbered)


def _produce(broker: Broker, topic: str, partition: int, records: bytes) -> int:
    name = topic.encode()
    body = struct.pack(">hhihh", 0, 3, 1, -1, -1)  # api, version, correlation, no client id, no txn
    body += struct.pack(">hii", -1, 30_000, 1) + struct.pack(">h", len(name)) + name
    body += struct.pack(">iii", 1, partition, len(records)) + records
    with socket.create_connection(("127.0.0.1", broker.port), 30) as connection:
        connection.settimeout(30)
        connection.sendall(struct.pack(">i", len(body)) + body)
        stream = connection.makefile("rb")
        (length,) = struct.unpack(">i", stream.read(4))
        answer = stream.read(length)
    at = 4 + 4 + 2 + len(name) + 4  # correlation, topics, name, partitions
    index, error, base = struct.unpack_from(">ihq", answer, at)
    assert (index, error) == (partition, 0), f"the broker refused the batch: error {error}"
    return base
