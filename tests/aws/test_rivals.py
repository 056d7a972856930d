"""A state that is not the destination's own: put back to an earlier point, or made twice."""

from __future__ import annotations

from harness.aws.deployment import Deployment
from harness.aws.pipeline import CloudPipeline
from harness.records import send_small
from harness.wait import until

from .conftest import SCHEDULED
from .test_services import errors


def stopped(made: CloudPipeline, function_errors: int) -> None:
    """Ticks publish nothing, and a finalizer says why."""
    stands = made.keys(made.spec["topics"][0])
    until(
        "a finalizer says what is wrong",
        lambda: made.tick() and len(errors(made, "finalizer")) > function_errors,
        seconds=60,
        every=0.3,
    )
    for _ in range(3):
        made.tick()
    said = errors(made, "finalizer")[-1]
    assert "corrupt" in str(said).lower(), said
    assert "_runs/" in str(said), said
    assert made.keys(made.spec["topics"][0]) == stands, "something was published"


def test_a_table_restored_to_an_earlier_point(cloud, ledger, topic, deployment):
    """The table is put back to before the last run, and records go on arriving: the next run
    meets the layout of the one that was forgotten, and stops with nothing published."""
    name = topic(1)
    made = cloud([name])
    send_small(ledger, name, 0, 30)
    made.run()
    backup = deployment.state.items(made.name)
    send_small(ledger, name, 0, 30)
    made.run()
    made.check(ledger)
    before, rows = made.data_files(), ledger.table()
    deployment.state.restore(made.name, backup)
    send_small(ledger, name, 0, 30)
    assert made.tick() == "opened"
    stopped(made, 0)
    assert made.data_files() == before
    assert deployment.state.checkpoint(made.name)[name, 0] == 30, "a false commit"
    del rows


def test_a_second_stack_on_the_same_destination(cloud, ledger, topic, deployment, built):
    """Another stack, with a table of its own, is given the same pipeline: it would begin at
    the beginning. It stops with nothing published, and the first one goes on."""
    name = topic(1)
    made = cloud([name])
    send_small(ledger, name, 0, 30)
    made.run()
    rival = Deployment(deployment.server, "rival", deployment.bucket)
    rival.deploy(
        built,
        CreateBucket="false",
        Pipeline=SCHEDULED,
        Spec='{"pipeline":"scheduled"}',
        ScheduleState="DISABLED",
    )
    other = cloud([name], name=made.name)
    other.deployment = rival
    assert other.tick() == "opened"
    stopped(other, 0)
    assert not rival.state.checkpoint(made.name)
    send_small(ledger, name, 0, 30)
    made.run()
    made.check(ledger)
