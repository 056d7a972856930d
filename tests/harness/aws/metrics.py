"""What the functions logged: the lines of metrics (EMF) and the others."""

from __future__ import annotations

import json
from typing import Any


def log_lines(client: Any, function: str) -> list[str]:
    """All lines of a function's log group, in order of their time."""
    events: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        try:
            answer = client.filter_log_events(logGroupName=f"/aws/lambda/{function}", **more)
        except client.exceptions.ResourceNotFoundException:
            return []
        events += answer["events"]
        if not answer.get("nextToken"):
            break
        more = {"nextToken": answer["nextToken"]}
    return [event["message"] for event in sorted(events, key=lambda event: event["timestamp"])]


def emf(lines: list[str], pipeline: str | None = None) -> list[dict[str, Any]]:
    """The lines that carry metrics, of one pipeline or of all."""
    found = []
    for line in lines:
        if '"CloudWatchMetrics"' not in line:
            continue
        document = json.loads(line)
        if pipeline is None or document["Pipeline"] == pipeline:
            found.append(document)
    return found


def names(document: dict[str, Any]) -> set[str]:
    """The metrics that a line carries, each with a number of its own."""
    found = set()
    for group in document["_aws"]["CloudWatchMetrics"]:
        assert group["Namespace"] == "Tidegate", group
        for metric in group["Metrics"]:
            assert isinstance(document[metric["Name"]], (int, float)), metric
            found.add(metric["Name"])
    return found
