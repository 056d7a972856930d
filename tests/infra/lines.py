"""Lines of metrics as the functions log them, for what no test makes happen in time. What they
really log is held against these in tests/aws."""

from __future__ import annotations

from typing import Any

TICK = {
    "OffsetLag": "Count",
    "TimeLagSeconds": "Seconds",
    "TimeToLossSeconds": "Seconds",
    "OpenRunSeconds": "Seconds",
    "StoppedPartitions": "Count",
}
COMMIT = {"RowsWritten": "Count", "BytesWritten": "Bytes", "RecordsLost": "Count"}


def tick(seconds: float, pipeline: str = "rides", **values: float) -> dict[str, Any]:
    """What the planner logs at a tick; nothing waits and no run is open unless `values` say so."""
    said = {"OffsetLag": 0, "TimeLagSeconds": 0, "OpenRunSeconds": 0, "StoppedPartitions": 0}
    return _line(seconds, pipeline, TICK, {**said, **values}) | {"function": "planner"}


def roll_forward(seconds: float, pipeline: str = "rides", **values: float) -> dict[str, Any]:
    """What the planner logs when it only rolls forward: it asks nobody what there is."""
    line = _line(seconds, pipeline, TICK, {"OpenRunSeconds": 0, **values})
    return line | {"function": "planner"}


def commit(seconds: float, pipeline: str = "rides", **values: float) -> dict[str, Any]:
    """What the finalizer logs when a run is committed."""
    said = {"RowsWritten": 100, "BytesWritten": 10_000, "RecordsLost": 0}
    return _line(seconds, pipeline, COMMIT, {**said, **values}) | {"function": "finalizer"}


def _line(
    seconds: float, pipeline: str, units: dict[str, str], values: dict[str, float]
) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": units[name]} for name in values]
    directive = {"Namespace": "Tidegate", "Dimensions": [["Pipeline"]], "Metrics": metrics}
    head = {"Timestamp": round(seconds * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": head, "Pipeline": pipeline, **values}
