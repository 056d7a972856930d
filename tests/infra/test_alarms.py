"""The pipeline's alarms, over days of metrics: each fires for its cause, and for no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .alarms import at, firing, of_pipeline
from .lines import COMMIT, TICK, commit, roll_forward, tick

TICK_SECONDS = 900
HOUR = 3600
DAY = 24 * HOUR
START = 1_800_000_000.0

Line = dict[str, Any]


def ticks(until: float = DAY, late: float = 0, **values: float | Callable[[float], float]):
    """A tick each quarter of an hour, `late` seconds behind every second time. A value may be a
    function of the seconds since the start."""
    found = []
    for number in range(int(until // TICK_SECONDS)):
        time = number * TICK_SECONDS + (late if number % 2 else 0)
        said = {name: value(time) if callable(value) else value for name, value in values.items()}
        found.append(tick(START + time, **said))
    return found


def fired(lines: list[Line], until: float = DAY, **parameters: str) -> dict[str, float]:
    """The alarms that fire, with the hours since the start; the alarms are made after an hour. How
    far CloudWatch looks back over empty periods is not to matter."""
    alarms = of_pipeline(**parameters)
    found = [firing(alarms, lines, START + HOUR, START + until, more) for more in (0, 2)]
    assert found[0].keys() == found[1].keys(), found
    return {name: (max(f[name] for f in found) - START) / HOUR for name in found[0]}


def busy(time: float) -> float:
    """The lag of a pipeline that is fed all the time: each tick finds what came since the last."""
    return 0 if time == 0 else TICK_SECONDS


@pytest.mark.parametrize("late", [0, 20, 300])
def test_a_healthy_pipeline_is_silent(late: float):
    """Records wait for one tick, and are copied; ticks come early and late."""
    lines = ticks(late=late, OffsetLag=1_000, TimeLagSeconds=busy, TimeToLossSeconds=7 * DAY)
    lines += [commit(START + n * TICK_SECONDS + 60) for n in range(96)]
    assert fired(lines) == {}


def test_a_stopped_producer_is_no_alarm():
    """No lag, no rows, and no time to loss, for a day: there is nothing to copy."""
    assert fired(ticks()) == {}


def test_a_quiet_night_between_two_busy_days_is_no_alarm():
    """The lag falls to 0 and rises again."""
    assert fired(ticks(TimeLagSeconds=lambda t: 0 if 8 * HOUR < t < 16 * HOUR else 900)) == {}


def test_a_dead_planner_is_told_by_its_silence():
    """Ticks end after six hours: two alarms within two hours, and no other."""
    found = fired(ticks(until=6 * HOUR, TimeLagSeconds=900, TimeToLossSeconds=7 * DAY))
    assert found.keys() == {"no-data", "lag"}
    assert all(6.5 < hours < 8 for hours in found.values()), found


def test_a_schedule_that_only_rolls_forward_is_silence_too():
    """The planner lives, and says so each five minutes, but nothing is begun any more."""
    lines = ticks(until=6 * HOUR, TimeLagSeconds=900)
    lines += [roll_forward(START + n * 300) for n in range(288)]
    assert fired(lines).keys() == {"no-data", "lag"}


def test_one_tick_that_is_missing_is_no_alarm():
    """A tick is not retried, so one may fail; the next one says how things are."""
    lines = ticks(TimeLagSeconds=900)
    del lines[40], lines[60]
    assert fired(lines) == {}


def test_another_pipelines_metrics_do_not_count():
    """A pipeline is silent while another one of the same functions goes on."""
    lines = [at(line, line["_aws"]["Timestamp"] / 1000, Pipeline="other") for line in ticks()]
    assert "no-data" in fired(lines)


def test_a_growing_lag_is_told_within_an_hour_of_its_limit():
    """Nothing is copied from the sixth hour on; the limit is an hour."""
    found = fired(ticks(TimeLagSeconds=lambda t: max(0, t - 6 * HOUR), OffsetLag=5))
    assert found.keys() == {"lag"} and 7 < found["lag"] <= 8


def test_a_lag_within_its_limit_is_no_alarm():
    """Who allows six hours is not told of five; who allows four, is."""
    lines = ticks(TimeLagSeconds=5 * HOUR)
    assert fired(lines, LagAlarmSeconds=str(6 * HOUR)) == {}
    assert fired(lines, LagAlarmSeconds=str(4 * HOUR)).keys() == {"lag"}


def test_a_single_late_run_is_no_alarm():
    """Two ticks above the limit, then all is copied."""
    assert fired(ticks(TimeLagSeconds=lambda t: 2 * HOUR if 36_000 < t < 37_900 else 0)) == {}


def test_a_loss_is_told_at_once():
    """One record of one run."""
    found = fired([*ticks(), commit(START + 6 * HOUR, RecordsLost=1)])
    assert found.keys() == {"records-lost"} and found["records-lost"] < 6.3


def test_a_commit_without_loss_is_no_loss():
    """It says 0, and 0 is no alarm."""
    assert fired([*ticks(), *(commit(START + n * HOUR) for n in range(24))]) == {}


def test_a_stuck_run_is_told():
    """A run is open from the sixth hour on. It is rolled forward every few minutes, so an hour and
    a half without its end is too long."""
    found = fired(ticks(OpenRunSeconds=lambda t: max(0, t - 6 * HOUR)))
    assert found.keys() == {"open-run"} and 7.5 < found["open-run"] <= 8.1


def test_long_runs_that_end_are_no_alarm():
    """Each second tick finds a run that is a quarter of an hour old."""
    assert fired(ticks(OpenRunSeconds=lambda t: 900 if t % 1_800 else 0)) == {}


def test_stopped_partitions_are_told_once():
    """One partition, for the rest of the day, ticks early and late: the alarm stays."""
    lines = ticks(late=300, StoppedPartitions=lambda t: 1 if t >= 6 * HOUR else 0)
    found = fired(lines)
    assert found.keys() == {"stopped-partitions"} and found["stopped-partitions"] < 6.6
    [alarm] = [a for a in of_pipeline().values() if a.name == "stopped-partitions"]
    later = range(int(START + 8 * HOUR), int(START + DAY), 60)
    points = [(line["_aws"]["Timestamp"] / 1000, line["StoppedPartitions"]) for line in lines]
    assert {alarm.evaluate(points, now, more=0) for now in later} == {"ALARM"}


def test_the_time_to_loss_is_told_before_it_is_over():
    """Retention comes nearer; a day is left when the alarm fires."""
    left = lambda t: 2 * DAY - 4 * t  # noqa: E731
    found = fired(ticks(until=DAY / 2, TimeToLossSeconds=left, OffsetLag=9), until=DAY / 2)
    assert found.keys() == {"time-to-loss"} and 6 < found["time-to-loss"] < 6.6


def test_a_daily_pipeline_has_alarms_of_its_own_measure():
    """One tick a day: a day without one is no alarm, four are."""
    lines = [tick(START + day * DAY, TimeLagSeconds=DAY) for day in range(10)]
    daily = {"PeriodSeconds": str(DAY), "LagAlarmSeconds": str(3 * DAY)}
    alarms = of_pipeline(**daily)
    assert firing(alarms, lines, START + DAY, START + 10 * DAY) == {}
    found = firing(alarms, lines, START + DAY, START + 16 * DAY)
    assert found.keys() == {"no-data", "lag"}


def test_nobody_is_told_of_a_pipeline_whose_schedule_is_off():
    """Its silence is meant."""
    assert fired([], ScheduleState="DISABLED") == {}
    assert fired([]).keys() == {"no-data", "lag"}


def test_each_metric_of_the_contract_has_an_alarm_or_a_reason():
    """What the functions say about trouble is watched; rows and bytes are for the dashboard."""
    watched = {alarm.series[1] for alarm in of_pipeline().values()}
    assert watched == {*TICK, *COMMIT} - {"RowsWritten", "BytesWritten"}
