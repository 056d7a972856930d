"""A partition without leader at a pipeline's first run."""

from __future__ import annotations

import pytest
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.records import now_ms, send_small
from harness.three import Three
from harness.tidegate import DONE_BUT, Tidegate
from test_times import rfc3339

HOUR_MS = 3_600_000


@pytest.mark.timeout(300)
def test_it_begins_where_start_said(three: Three, tidegate: Tidegate, tmp_path):
    """P15 P17 R13: `latest`, a time and offsets hold for it as for the others, as soon as it has a
    leader again; what `latest` means is told by the leader epoch in which it had none, not by the
    times of the records that come. Meanwhile it is told, and the others go on."""
    three.create_topic("t", [1])
    three.create_topic("u", [3])
    ledger = Ledger(three.third)
    base = now_ms() - HOUR_MS
    for name in ("t", "u"):
        for second in range(10):
            ledger.send(name, 0, b"%d" % second, timestamp=base + second * 1_000)
            ledger.flush()
    three.first.kill()
    three.until_led("t", leader=-1)
    starts = {"latest": 10, "by time": 5, "by offset": 7, "earliest": 0}
    specs = {"by time": rfc3339(base + 5_000), "by offset": {"t": {"0": 7}, "u": {"0": 7}}}
    pipelines = {
        how: Pipeline(
            tidegate, three.third.address, tmp_path, ["t", "u"], start=specs.get(how, how)
        )
        for how in starts
    }
    for how, made in pipelines.items():
        line = made.one_run(code=DONE_BUT, seconds=90)
        assert line["rows"] == 10 - starts[how], how
        (out,) = line["stopped"]
        assert (out["topic"], out["state"], out["reason"]) == ("t", "unobserved", "unavailable")
    three.first.start()
    three.until_led("t", leader=1)
    fresh = Ledger(three.third)
    for second in range(3):
        fresh.send("t", 0, b"later", timestamp=base + second * 1_000)
    fresh.flush()
    send_small(fresh, "u", 0, 3)
    for how, made in pipelines.items():
        made.set(start="earliest")
        assert made.catch_up().rows == 3 + 13 - starts[how], how
        (part,) = [p for m in made.books().manifests for p in m["slices"] if p["topic"] == "t"]
        assert (part["start"], part["reached"]) == (starts[how], 13), how
        made.books().check()
        made.verify("--deep")
