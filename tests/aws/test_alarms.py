"""The alarms of the template, over metrics that the functions really logged: the lines are taken
from runs on the local AWS and replayed over a day, with their times shifted."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from harness.aws import faults, metrics
from harness.aws.deployment import Deployment
from harness.aws.pipeline import CloudPipeline
from harness.aws.proxy import Proxy
from harness.broker import Broker
from harness.changes import delete_records
from harness.ledger import Ledger
from harness.records import send_small
from harness.wait import until
from infra.alarms import at, firing, of_pipeline
from infra.lines import COMMIT, TICK

from .test_twice import is_layout

Line = dict[str, Any]
TICK_SECONDS, HOUR, DAY = 900, 3_600, 86_400
START = 1_800_000_000.0


@pytest.fixture(scope="module")
def said(
    deployment: Deployment, proxy: Proxy, broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Line]:
    """What ticks and commits of one pipeline logged, by what happened: records waited, nothing
    did, a run was open, records were lost, a partition was stopped."""
    ledger = Ledger(broker)
    broker.create_topics(["alarms", "alarms-lost"])
    folder = tmp_path_factory.mktemp("alarms")
    made = CloudPipeline(deployment, "alarms", broker.address, ["alarms", "alarms-lost"], folder)
    found: dict[str, Line] = {}

    for what in ("first", "waiting"):
        for topic in ("alarms", "alarms-lost"):
            send_small(ledger, topic, 0, 20)
        run = made.run()
        found[what], found["commit"] = made.lags()[-1], made.commit_of(run)
    assert made.tick() == "idle"
    found["idle"] = made.lags()[-1]
    send_small(ledger, "alarms", 0, 5)
    gate = threading.Event()
    with proxy.rule(is_layout(made), faults.hold(gate)):
        assert made.tick() == "opened"
        until("the run is open for a second", lambda: made.tick() and _open(made.lags()[-1]))
        found["open"] = made.lags()[-1]
        gate.set()
    made.catch_up()
    send_small(ledger, "alarms-lost", 0, 20)
    delete_records(broker, "alarms-lost", 0, 50)
    made.tick()
    made.catch_up()
    found["stopped"] = made.lags()[-1]
    made.spec["on_data_loss"] = "skip"
    run = made.run()
    found["lost"] = made.commit_of(run)
    return found


def _open(line: Line) -> bool:
    return line["OpenRunSeconds"] >= 1


def day(line: Line, until_seconds: float = DAY, **values: Any) -> list[Line]:
    """The line at each tick of a day. A value may be a function of the seconds since its start."""
    found = []
    for seconds in range(0, int(until_seconds), TICK_SECONDS):
        now = {name: value(seconds) for name, value in values.items()}
        found.append(at(line, START + seconds, **now))
    return found


def fired(lines: list[Line]) -> set[str]:
    """The alarms that fire; they are made when the first hour is over."""
    alarms = of_pipeline(Pipeline="alarms")
    return set(firing(alarms, lines, START + HOUR, START + DAY))


def test_lines_are_what_the_alarms_are_made_for(said):
    """Names and units of real lines are those that the alarms' own tests have."""
    for name, line in said.items():
        units = COMMIT if name in ("commit", "lost") else TICK
        carried = {
            metric["Name"]: metric["Unit"]
            for group in line["_aws"]["CloudWatchMetrics"]
            for metric in group["Metrics"]
        }
        assert carried.items() <= units.items(), (name, carried)
        assert metrics.names(line) >= units.keys() - {"TimeToLossSeconds"}, name
    assert said["waiting"]["OffsetLag"] == 40 and "TimeToLossSeconds" in said["waiting"]
    # Nothing was ever removed from these logs, and nothing read: no loss is in sight.
    assert said["first"]["OffsetLag"] == 40 and "TimeToLossSeconds" not in said["first"]
    assert said["lost"]["RecordsLost"] == 10 and said["stopped"]["StoppedPartitions"] == 1


def test_healthy(said):
    """Each tick finds records, and a run copies them."""
    commits = [at(said["commit"], START + n * TICK_SECONDS + 30) for n in range(96)]
    retention = {"TimeToLossSeconds": lambda _: 7 * DAY}
    assert fired([*day(said["waiting"], **retention), *commits]) == set()


def test_a_stopped_producer(said):
    """Nothing to copy for a day is nothing to worry about."""
    assert fired(day(said["idle"])) == set()


def test_a_dead_planner(said):
    """It is known by its silence."""
    assert fired(day(said["idle"], until_seconds=6 * HOUR)) == {"no-data", "lag"}


def test_a_growing_lag(said):
    """Nothing is copied any more."""
    lines = day(
        said["waiting"],
        TimeLagSeconds=lambda seconds: seconds,
        TimeToLossSeconds=lambda seconds: 7 * DAY - seconds,
    )
    assert fired(lines) == {"lag"}


def test_a_loss(said):
    """One run that skipped what was lost."""
    assert fired([*day(said["idle"]), at(said["lost"], START + 6 * HOUR)]) == {"records-lost"}


def test_a_stuck_run(said):
    """The run that was open for a second is open all day."""
    lines = day(
        said["open"],
        OpenRunSeconds=lambda seconds: seconds,
        TimeToLossSeconds=lambda _: 7 * DAY,
    )
    assert fired(lines) == {"open-run"}


def test_a_stopped_partition(said):
    """Its metric is 1 at each tick."""
    assert "stopped-partitions" in fired(day(said["stopped"]))
