"""Runs on the local AWS: what a tick does, what stands afterwards, and what was measured."""

from __future__ import annotations

from typing import Any

import pytest
from harness.aws import metrics
from harness.aws.pipeline import CloudPipeline
from harness.records import send_mixed, send_small
from harness.wait import until

from .conftest import SCHEDULED

ALWAYS = {"OffsetLag", "TimeLagSeconds", "OpenRunSeconds", "StoppedPartitions"}


def lags(pipeline: CloudPipeline) -> list[dict[str, Any]]:
    """What the pipeline's ticks said so far."""
    lines = pipeline.lags()
    for line in lines:
        assert metrics.names(line) >= ALWAYS, line
        assert line["TimeLagSeconds"] >= 0, line
    return lines


def test_runs_commit_and_ticks_speak(cloud, ledger, topic, rng):
    """A02 W01: a tick with records commits a run; one without is idle and says so; one with new
    records goes on. What stands is read by three readers, offsets stand in the table."""
    name = topic(3)
    send_mixed(ledger, rng, name, 3, 600)
    made = cloud([name])
    assert made.run() == 1
    books = made.check(ledger, everyone=True)
    (first,) = lags(made)
    assert first["OffsetLag"] == 600, first
    commit = made.commit_of(1)
    assert commit["RowsWritten"] == 600 and commit["RecordsLost"] == 0, commit
    files = [file for manifest in books.manifests for file in manifest["files"]]
    assert commit["BytesWritten"] == sum(file["bytes"] for file in files)

    head = made.head()
    assert made.tick() == "idle"
    assert made.head() == head, "an idle tick changed the head"
    idle = lags(made)[-1]
    assert (idle["OffsetLag"], idle["TimeLagSeconds"], idle["OpenRunSeconds"]) == (0, 0, 0), idle

    send_small(ledger, name, 1, 70)
    assert made.run() == 2
    made.check(ledger)
    assert len(lags(made)) == 3
    for partition in range(3):
        _, end = ledger.broker.ends(name, partition)
        assert made.deployment.state.checkpoint(made.name)[name, partition] == end


def test_catching_up_goes_on_by_itself(cloud, ledger, topic):
    """One tick copies a backlog of several runs: each finalizer starts the next planner. After
    eight more runs it waits for the next tick, so that nothing goes round for ever."""
    name = topic(1)
    send_small(ledger, name, 0, 1_000)
    made = cloud([name], catch_up=True, limits__records_per_partition=100)
    assert made.tick() == "opened"

    def ended() -> bool:
        head = made.head()
        return not head.get("open") and head["last_run"] >= 8

    until("the chain of runs has ended", ended, seconds=120, every=0.1)
    done = made.deployment.state.checkpoint(made.name)[name, 0]
    assert 800 <= done <= 900, f"{done} offsets were copied by one tick"
    made.catch_up()
    books = made.check(ledger)
    assert len(books.manifests) == 10


@pytest.mark.timeout(300)
def test_the_schedule_fires(deployment, scheduled, cloud):
    """The one test that waits for EventBridge Scheduler: records are copied without anybody's
    help, and ticks go on to speak when there is nothing to copy."""
    made = cloud([SCHEDULED], name=SCHEDULED)
    until("the schedule has made a run", lambda: made.closed(1), seconds=150, every=0.5)
    made.check(scheduled)
    seen = len(lags(made))
    until("the next tick speaks", lambda: len(lags(made)) > seen, seconds=90, every=1)
    assert lags(made)[-1]["OffsetLag"] == 0
