"""Fixtures: one local AWS per session with the unmodified template on it, pipelines of each test's
own. Functions have short times, and the proxy stands between them and the services."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.aws import sam
from harness.aws.deployment import Deployment
from harness.aws.ministack import MiniStack
from harness.aws.pipeline import CloudPipeline, as_schedule_input
from harness.aws.proxy import Proxy
from harness.broker import Broker
from harness.ledger import Ledger
from harness.records import send_small

MakeCloud = Callable[..., CloudPipeline]
BUCKET = "tidegate-tests"
SCHEDULED = "scheduled"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built template, with the functions' binaries."""
    return sam.built(tmp_path_factory.mktemp("sam") / "build.log")


@pytest.fixture(scope="session")
def proxy() -> Proxy:
    """What stands between the functions and the services."""
    return Proxy()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[MiniStack]:
    """A local AWS for the whole session."""
    server = MiniStack(tmp_path_factory.mktemp("aws") / "ministack", proxy.endpoint)
    try:
        server.start()
        proxy.start(server)
        yield server
        proxy.stop()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def scheduled(broker: Broker) -> Ledger:
    """What the stack's own pipeline finds when its schedule fires for the first time."""
    broker.create_topics([SCHEDULED], 2)
    ledger = Ledger(broker)
    for partition in range(2):
        send_small(ledger, SCHEDULED, partition, 50)
    return ledger


@pytest.fixture(scope="session")
def deployment(ministack: MiniStack, built: Path, broker: Broker, scheduled: Ledger) -> Deployment:
    """The stack, as SAM deploys it. Its schedule fires every minute, for a pipeline of its own."""
    del scheduled
    made = Deployment(ministack, "tidegate", BUCKET)
    spec = {
        "pipeline": SCHEDULED,
        "kafka": {"bootstrap_servers": [broker.address]},
        "topics": [SCHEDULED],
        "destination": f"s3://{BUCKET}/{SCHEDULED}",
    }
    return made.deploy(
        built,
        Pipeline=SCHEDULED,
        Spec=as_schedule_input(spec),
        ScheduleExpression="rate(1 minute)",
        RollForwardExpression="rate(1 minute)",
        PeriodSeconds="60",
    )


@pytest.fixture
def cloud(
    deployment: Deployment, broker: Broker, request: pytest.FixtureRequest, tmp_path: Path
) -> MakeCloud:
    """A function that makes pipelines of the test's own. No schedule ticks them."""
    made = 0

    def make(
        topics: list[str], address: str | None = None, name: str | None = None, **fields: object
    ) -> CloudPipeline:
        nonlocal made
        made += 1
        test = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
        name = name or f"{test[:44].strip('-')}-{made}"
        return CloudPipeline(
            deployment, name, address or broker.address, topics, tmp_path, **fields
        )

    return make
