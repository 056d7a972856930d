"""A function that does not come to its end: out of time, failing each time, never started."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from harness.aws import faults
from harness.aws.calls import Answer, Request
from harness.aws.deployment import Deployment
from harness.aws.killing import sender
from harness.proxy import Proxy as KafkaProxy
from harness.records import send_small
from harness.wait import until


@contextlib.contextmanager
def no_stream(deployment: Deployment) -> Iterator[None]:
    """The table's stream starts no finalizer, until this is over."""
    deployment.change_stream(Enabled=False)
    try:
        yield
    finally:
        deployment.change_stream(Enabled=True)


def test_the_streams_event_is_lost(cloud, ledger, topic, deployment):
    """The outputs stand, and no event says so: the next tick, of either schedule, starts the
    finalizer."""
    name = topic(2)
    made = cloud([name])
    for run, mode in ((1, "tick"), (2, "roll_forward")):
        send_small(ledger, name, run - 1, 50)
        with no_stream(deployment):
            assert made.tick() == "opened"
            plan = made.open_run()
            assert plan
            progress = f"run/{run}/{plan['plan']}/progress"

            def complete(progress=progress) -> bool:
                item = deployment.state.item(made.name, progress)
                return bool(item and item.get("complete", {}).get("BOOL"))

            until("the run is read", complete)
            assert made.open_run(), "a finalizer came all the same"
            until("a tick helps", lambda mode=mode: made.tick(mode) != "busy", every=0.2)
            made.wait_closed(run)
    made.check(ledger)


def test_a_reader_runs_out_of_time(cloud, ledger, topic, broker):
    """T07: a broker so slow that a reader's time ends first: it reports how far it came, the run
    commits that much, and the next ones read the rest."""
    name = topic(1)
    value = b"x" * 200_000
    for number in range(300):
        ledger.send(name, 0, b"%06d" % number + value)
    ledger.flush()

    def slowly(api: str, count: int) -> None:
        if api == "Fetch" and count > 1:
            time.sleep(4)

    with KafkaProxy(broker, on_request=slowly):
        made = cloud([name], address=broker.counted_address)
        assert made.tick() == "opened"
        made.wait_closed(1)
    reached = deployment_reached(made, name)
    assert 0 < reached < 300, f"{reached} of 300 records were read"
    made.spec["kafka"]["bootstrap_servers"] = [broker.address]
    made.catch_up()
    made.check(ledger)


def deployment_reached(made, name: str) -> int:
    """The next offset to read."""
    return made.deployment.state.checkpoint(made.name)[name, 0]


@pytest.mark.timeout(300)
def test_a_task_that_fails_every_time(cloud, ledger, topic, proxy, deployment):
    """A reader that dies at the same task each time, as one that runs out of memory does: after
    its attempts the task is abandoned and its partition quarantined; the others commit, the
    metric and the failure queue say so; when it can be read again it is."""
    deployment.failures()
    good, bad = topic(1, "good"), topic(1, "bad")
    for name in (good, bad):
        send_small(ledger, name, 0, 40)
    made = cloud([good, bad], limits__readers=2, limits__bytes_per_task="1KiB")

    def match(request: Request) -> bool:
        # A task of its own is known by what it stages: the topic's name is its table's.
        return (
            request.service == "s3"
            and f"_staging/{made.name}/" in request.path
            and sender(request) == "reader"
            and bad.encode() in request.body
        )

    with proxy.rule(match, faults.kill) as rule:
        made.tick()

        def committed() -> bool:
            made.tick()
            return deployment.state.checkpoint(made.name).get((good, 0)) == 40

        until("the others are committed", committed, seconds=120, every=0.5)
        poisoned = [one for one in rule.taken if f"/{made.name}/0000000001/" in one.path]
        assert deployment.state.checkpoint(made.name).get((bad, 0), 0) == 0
        made.tick()
        assert made.lags()[-1]["StoppedPartitions"] == 1
        failed = deployment.wait_for_failure(made.name)
        assert failed["requestPayload"]["pipeline"] == made.name, failed
    assert len(poisoned) == 3, "a task has three attempts"

    def read_again() -> bool:
        made.tick()
        return deployment.state.checkpoint(made.name).get((bad, 0)) == 40

    # It is tried after 1, 2, 4… runs, so the good one needs some.
    for _ in range(3):
        send_small(ledger, good, 0, 5)
        made.catch_up()
    until("the partition is read again", read_again, seconds=60, every=0.5)
    made.catch_up()
    made.check(ledger)


@pytest.mark.timeout(300)
def test_readers_that_are_never_run(cloud, ledger, topic, proxy, deployment):
    """Lambda takes the readers' events and runs none of them, as in an account whose concurrent
    executions others use up: after its attempts the task is abandoned, and no partition is
    blamed for it: the next run reads it."""
    name = topic(1)
    send_small(ledger, name, 0, 40)
    made = cloud([name])

    def match(request: Request) -> bool:
        # What the planner waits for (an observation) is no event.
        return (
            request.operation == "Invoke"
            and request.headers.get("x-amz-invocation-type") == "Event"
            and b'"attempt"' in request.body
            and request.about(made.name)
        )

    with proxy.rule(match, lambda request, forward: Answer(202, [], b"")) as rule:
        assert made.tick() == "opened"

        def closed() -> bool:
            made.tick("roll_forward")
            return made.open_run() is None

        until("the run is given up", closed, seconds=120, every=0.5)
    assert [one.json["attempt"] for one in rule.taken] == [1, 2, 3]
    assert deployment.state.checkpoint(made.name).get((name, 0), 0) == 0
    assert made.tick() == "opened"
    assert made.lags()[-1]["StoppedPartitions"] == 0
    made.wait_closed(2)
    made.check(ledger)
