"""Requests by hand, for what the client library does not ask: who leads according to one broker of
several, moving partitions, quotas."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

HEADERS = {3: 1, 45: 2, 49: 1}  # API key -> version of its request header


class Led(NamedTuple):
    """A partition, as a broker's metadata tells it; `leader` is -1 if there is none."""

    leader: int
    replicas: list[int]
    in_sync: list[int]


class _Answer:
    """An answer's bytes, read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, shape: str) -> int:
        (value,) = struct.unpack_from(">" + shape, self.data, self.at)
        self.at += struct.calcsize(">" + shape)
        return value

    def text(self) -> str | None:
        length = self.take("h")
        if length < 0:
            return None
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def numbers(self) -> list[int]:
        return [self.take("i") for _ in range(self.take("i"))]


def _ask(port: int, api: int, version: int, body: bytes, seconds: float = 10.0) -> _Answer:
    head = struct.pack(">hhih", api, version, 1, -1) + (b"\0" if HEADERS[api] == 2 else b"")
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.settimeout(seconds)
        connection.sendall(struct.pack(">i", len(head + body)) + head + body)
        stream = connection.makefile("rb")
        (length,) = struct.unpack(">i", stream.read(4))
        answer = _Answer(stream.read(length))
    assert answer.take("i") == 1
    return answer


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def leaders(port: int, topic: str) -> dict[int, Led]:
    """Metadata version 1: the partitions of a topic, as the broker at `port` sees them."""
    answer = _ask(port, 3, 1, struct.pack(">i", 1) + _text(topic))
    for _ in range(answer.take("i")):  # brokers
        answer.take("i"), answer.text(), answer.take("i"), answer.text()
    answer.take("i")  # controller
    assert answer.take("i") == 1
    answer.take("h"), answer.text(), answer.take("b")
    found = {}
    for _ in range(answer.take("i")):
        answer.take("h")
        partition, leader = answer.take("i"), answer.take("i")
        found[partition] = Led(leader, answer.numbers(), answer.numbers())
    return found


def brokers(port: int) -> set[int]:
    """Metadata version 1: the brokers that the one at `port` knows to be alive."""
    answer = _ask(port, 3, 1, struct.pack(">i", 0))
    found = set()
    for _ in range(answer.take("i")):
        found.add(answer.take("i"))
        answer.text(), answer.take("i"), answer.text()
    return found


def move(port: int, topic: str, partition: int, replicas: list[int]) -> None:
    """AlterPartitionReassignments version 0: the partition is to be on these brokers."""
    many = b"".join(struct.pack(">i", one) for one in replicas)
    moved = struct.pack(">i", partition) + bytes([len(replicas) + 1]) + many + b"\0"
    name = bytes([len(topic) + 1]) + topic.encode()
    body = struct.pack(">i", 30_000) + b"\2" + name + b"\2" + moved + b"\0" + b"\0"
    answer = _ask(port, 45, 0, body, seconds=40)
    answer.take("b"), answer.take("i")  # tags, throttle time
    assert answer.take("h") == 0, "the partitions may not be moved"


def set_quota(port: int, client: str, name: str, rate: float | None) -> None:
    """AlterClientQuotas version 0: a quota of clients with this id; none takes it away."""
    entity = struct.pack(">i", 1) + _text("client-id") + _text(client)
    change = struct.pack(">i", 1) + _text(name) + struct.pack(">d?", rate or 0.0, rate is None)
    answer = _ask(port, 49, 0, struct.pack(">i", 1) + entity + change + b"\0")
    answer.take("i"), answer.take("i")  # throttle time, number of entries
    assert answer.take("h") == 0, "the quota was refused"
