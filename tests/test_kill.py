"""Processes that are killed at any moment, and one that is asked to stop."""

from __future__ import annotations

import signal
import statistics
import subprocess
import time

import pytest
from harness.records import Rides, send_small
from harness.sizes import size
from harness.tidegate import INTERRUPTED
from harness.wait import until
from test_large import check_rides


@pytest.mark.timeout(3600)
def test_w16_kill_at_random_moments(ledger, topic, pipeline, rng):
    """W01 W02 W03 W14 W15 W16 K02: SIGKILL at random moments, 20 [200] times, while records go on
    arriving; then runs to the end: everything exactly once, nothing staged left."""
    name = topic(4)
    for partition in range(4):
        send_small(ledger, name, partition, 3_000, 400)
    fields = {
        "limits__records_per_partition": 500,
        "limits__readers": 3,
        "limits__bytes_per_task": "300KiB",
    }
    # How long an undisturbed process takes: the kills fall anywhere into that time.
    span = pipeline([name], **fields).catch_up().seconds
    made = pipeline([name], **fields)
    moments: list[float] = []
    wanted = size(20, 200)
    for _ in range(20 * wanted):
        call = made.tidegate.start("run", made.path, "--until-caught-up")
        moment = rng.uniform(0, span)
        try:
            call.process.wait(moment)
        except subprocess.TimeoutExpired:
            call.kill()
            moments.append(round(moment, 3))
        else:
            # It was done before: with what is left to do, processes are shorter now.
            span = max(call.end().seconds, 0.05)
        if len(moments) == wanted:
            break
        for partition in range(4):
            send_small(ledger, name, partition, rng.randrange(1_000), 400)
    print(f"killed after {moments} s")
    assert len(moments) == wanted, "most processes were done before they were killed"
    made.catch_up()
    made.check(ledger)


@pytest.mark.timeout(600)
def test_a08_ctrl_c_stops_within_a_second_and_loses_nothing(pipeline, rides):
    """A08: SIGINT in the middle of a run: the process ends within a second, says so, leaves nothing
    that hinders; the next one goes on to the end."""
    made = pipeline([rides.topic], limits__readers=2, limits__bytes_per_task="64MiB")
    staging = made.destination / "_staging"
    seconds = []
    for attempt in range(3):
        call = made.tidegate.start("run", made.path, "--until-caught-up")
        known = set(staging.rglob("*")) if staging.exists() else set()

        def reading(call=call, known=known) -> bool:
            assert call.process.poll() is None, "the run ended before it could be stopped"
            return any(path.is_file() and path not in known for path in staging.rglob("*"))

        until(f"attempt {attempt} has staged something", reading, seconds=60, every=0.005)
        began = time.monotonic()
        call.signal(signal.SIGINT)
        ended = call.end(30)
        seconds.append(time.monotonic() - began)
        assert ended.code == INTERRUPTED, f"a stopped run is not done: {ended}"
    print(f"stopped after {[round(one, 3) for one in seconds]} s")
    assert statistics.median(seconds) < 1.0, seconds
    made.catch_up(seconds=400)
    made.books().check()
    check_rides(made.destination, rides)
    assert made.books().total("rows") == rides.count
    made.verify()


def test_sigterm_is_like_ctrl_c(pipeline, rides: Rides):
    """SIGTERM (a container's stop) ends a run as SIGINT does."""
    made = pipeline([rides.topic])
    call = made.tidegate.start("run", made.path)
    staging = made.destination / "_staging"

    def reading() -> bool:
        assert call.process.poll() is None, "the run ended before it could be stopped"
        return any(path.is_file() for path in staging.rglob("*"))

    until("something is staged", reading, every=0.005)
    call.signal(signal.SIGTERM)
    code = call.process.wait(30)
    assert code != 0
    call.process.communicate()
    assert made.catch_up(seconds=280).code == 0
    made.books().check()
    assert made.books().total("rows") == rides.count
