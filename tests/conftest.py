"""Fixtures: one broker per session, topics and pipelines of each test's own."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation
from harness import sizes
from harness.broker import Broker
from harness.certificates import Certificates
from harness.ledger import Ledger
from harness.listeners import ListenersBroker
from harness.login import ALLOWED, DENIED, DESCRIBED, Ways
from harness.pipeline import Pipeline, pipeline_factory
from harness.records import Rides, send_small
from harness.three import Three
from harness.tidegate import ROOT, Tidegate, binary

MakePipeline = Callable[..., Pipeline]
MakeTopic = Callable[..., str]


def pytest_report_header() -> str:
    """What a failure needs to be run again."""
    return f"tidegate: {binary()}, SCALE={'full' if sizes.FULL else 'default'}, SEED={sizes.SEED}"


@pytest.fixture(scope="session")
def tidegate() -> Tidegate:
    """The binary under test."""
    path = binary()
    assert path.exists(), f"{path} is missing: `cargo build --release`, or set TIDEGATE_BIN"
    return Tidegate(path)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real broker for the whole session."""
    yield from _running(Broker(tmp_path_factory.mktemp("kafka") / "broker"))


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker for a test that kills or stops it."""
    yield from _running(Broker(tmp_path / "own-broker", session_ms=1_500))


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    """Three brokers for a test that chooses who leads."""
    yield from _running(Three(tmp_path / "three"))


def _running(made: Broker | Three) -> Iterator[Broker | Three]:
    try:
        yield made.create()
    finally:
        made.stop()


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest) -> MakeTopic:
    """A function that creates a topic of the test's own."""
    made = 0

    def make(partitions: int = 1, name: str = "t", **config: str | int) -> str:
        nonlocal made
        made += 1
        test = re.sub(r"[^A-Za-z0-9_-]", "-", request.node.name).removeprefix("test_")[:60]
        full = f"{test}-{name}{made}"
        broker.create_topics([full], partitions, **config)
        return full

    return make


@pytest.fixture(scope="session")
def rides(broker: Broker) -> Rides:
    """One partition of 200 MB [2 GB] of ride events."""
    broker.create_topics(["rides"])
    count = sizes.size(200_000_000, 2_000_000_000) // Rides.BYTES
    return Rides("rides", count).produce(broker.address)


@pytest.fixture
def ledger(broker: Broker) -> Ledger:
    """Produces to the session's broker, and knows what it produced."""
    return Ledger(broker)


@pytest.fixture
def pipeline(tidegate: Tidegate, broker: Broker, tmp_path: Path) -> MakePipeline:
    """A function that makes pipelines from the session's broker."""
    return pipeline_factory(tidegate, broker, tmp_path)


@pytest.fixture(scope="session")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListenersBroker]:
    """A broker with a listener for each way to connect, and three topics, of which one may be read
    and one only be described."""
    folder = tmp_path_factory.mktemp("listeners")
    made = ListenersBroker(folder / "broker", Certificates(folder / "certificates"))
    try:
        made.create()
        made.create_topics([ALLOWED, DENIED, DESCRIBED])
        made.allow(ALLOWED)
        made.allow(DESCRIBED, AclOperation.DESCRIBE)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def produced(listeners: ListenersBroker) -> Ledger:
    """50 records in each of these topics."""
    made = Ledger(listeners)
    for name in (ALLOWED, DENIED, DESCRIBED):
        send_small(made, name, 0, 50)
    return made


@pytest.fixture
def ways(tidegate: Tidegate, listeners: ListenersBroker, produced: Ledger, tmp_path: Path) -> Ways:
    """Makes pipelines by listener; the topics have their records."""
    del produced
    return Ways(tidegate, listeners, tmp_path)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that SEED and the test's name fix."""
    return random.Random(f"{sizes.SEED}:{request.node.nodeid}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
