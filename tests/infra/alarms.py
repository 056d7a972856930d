"""CloudWatch's alarms, evaluated over lines of metrics (EMF): which of the template's alarms would
have fired? A local AWS answers that for no metric that a function logs.

    alarms = of_pipeline(Pipeline="rides", LagAlarmSeconds="600")
    fired = firing(alarms, lines, start, end)      # {"lag", "no-data"}

Lines are those that functions wrote, as dicts; `at` moves one in time. Times are epoch seconds.
Metric math is refused: the templates have none."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .templates import of_type

# The periods that CloudWatch looks back, beyond those that it evaluates, when some are empty. Its
# documentation shows 2 for 3, and says that it depends.
RANGE_MORE = 2
# How often an alarm is evaluated: each minute, but a long period need not be seen that closely.
EVERY_SECONDS = 60
EVERY_SHARE = 60

STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Maximum": max,
    "Minimum": min,
    "Sum": math.fsum,
    "Average": lambda values: math.fsum(values) / len(values),
    "SampleCount": len,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
MISSING = ("breaching", "notBreaching", "ignore", "missing")

Series = tuple[str, str, frozenset[tuple[str, str]]]


def datapoints(lines: Iterable[dict[str, Any]]) -> dict[Series, list[tuple[float, float]]]:
    """The values that EMF lines carry, with their times, by namespace, metric and dimensions."""
    found: dict[Series, list[tuple[float, float]]] = {}
    for line in lines:
        seconds = line["_aws"]["Timestamp"] / 1000
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, line[name]) for name in names)
                for metric in directive["Metrics"]:
                    series = (directive["Namespace"], metric["Name"], dimensions)
                    values = line[metric["Name"]]
                    values = values if isinstance(values, list) else [values]
                    found.setdefault(series, []).extend((seconds, value) for value in values)
    return found


def at(line: dict[str, Any], seconds: float, **values: Any) -> dict[str, Any]:
    """The line as if it were written at another time, and said other values."""
    assert values.keys() <= line.keys(), f"the line has no {values.keys() - line.keys()}"
    return {**line, **values, "_aws": {**line["_aws"], "Timestamp": round(seconds * 1000)}}


@dataclass
class Alarm:
    """One alarm of the template."""

    name: str
    series: Series
    statistic: str
    period: int
    periods: int
    needed: int
    threshold: float
    comparison: str
    missing: str
    enabled: bool
    state: str = field(default="INSUFFICIENT_DATA", init=False)

    @classmethod
    def of(cls, name: str, properties: dict[str, Any]) -> Alarm:
        """From the properties of an AWS::CloudWatch::Alarm, parameters filled in."""
        assert "Metrics" not in properties, f"{name}: metric math is not evaluated here"
        dimensions = frozenset((d["Name"], d["Value"]) for d in properties["Dimensions"])
        periods = int(properties["EvaluationPeriods"])
        alarm = cls(
            name=name,
            series=(properties["Namespace"], properties["MetricName"], dimensions),
            statistic=properties["Statistic"],
            period=int(properties["Period"]),
            periods=periods,
            needed=int(properties.get("DatapointsToAlarm", periods)),
            threshold=float(properties["Threshold"]),
            comparison=properties["ComparisonOperator"],
            missing=properties.get("TreatMissingData", "missing"),
            enabled=properties.get("ActionsEnabled", True),
        )
        assert alarm.missing in MISSING, f"{name}: {alarm.missing}"
        assert 0 < alarm.needed <= alarm.periods, f"{name}: {alarm.needed} of {alarm.periods}"
        return alarm

    def evaluate(
        self, points: list[tuple[float, float]], now: float, more: int = RANGE_MORE
    ) -> str:
        """The state that the alarm goes to at `now`, and keeps. The points are in order of time."""
        breaches = COMPARISONS[self.comparison]
        real = []
        for back in range(self.periods + more):
            end = now - back * self.period
            window = points[bisect_left(points, (end - self.period,)) : bisect_left(points, (end,))]
            values = [value for _, value in window]
            if values:
                real.append(breaches(STATISTICS[self.statistic](values), self.threshold))
        # Newest first. What is missing is filled in only as far as too few are real.
        evaluated = real[: self.periods]
        absent = self.periods - len(evaluated)
        if absent and self.missing == "ignore":
            return self.state
        if not evaluated and self.missing == "missing":
            self.state = "INSUFFICIENT_DATA"
            return self.state
        breaching = sum(evaluated) + (absent if self.missing == "breaching" else 0)
        self.state = "ALARM" if breaching >= self.needed else "OK"
        return self.state


def of_pipeline(**parameters: str) -> dict[str, Alarm]:
    """The alarms on the first pipeline of a deployment, by what they are called in the runbook."""
    found = {}
    for properties in of_type("AWS::CloudWatch::Alarm", **parameters).values():
        if properties["Namespace"] == "Tidegate":
            pipeline = next(d["Value"] for d in properties["Dimensions"] if d["Name"] == "Pipeline")
            name = properties["AlarmName"].removeprefix(f"tidegate-{pipeline}-")
            found[name] = Alarm.of(name, properties)
    return found


def firing(
    alarms: dict[str, Alarm],
    lines: Iterable[dict[str, Any]],
    start: float,
    end: float,
    more: int = RANGE_MORE,
) -> dict[str, float]:
    """The alarms that somebody is told of between `start` and `end`, each with the time of the
    first message. At `start` all are as if they had just been made."""
    points = datapoints(lines)
    fired: dict[str, float] = {}
    for alarm in alarms.values():
        alarm.state = "INSUFFICIENT_DATA"
        own = sorted(points.get(alarm.series, []))
        now = start
        while now <= end:
            if alarm.evaluate(own, now, more) == "ALARM" and alarm.enabled:
                fired.setdefault(alarm.name, now)
            now += max(EVERY_SECONDS, alarm.period // EVERY_SHARE)
    return fired
