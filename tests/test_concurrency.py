"""Several `tidegate run` at once: one works, the others are busy, nothing doubles."""

from __future__ import annotations

import pytest
from harness.records import send_small


@pytest.mark.timeout(600)
def test_k01_k06_runs_at_once_double_nothing(ledger, topic, pipeline, rng):
    """K01 K06 W04: two and three processes at once, 20 times. Every process ends with exit code 0;
    whatever each of them found, every record is copied by one of them, once."""
    name = topic(4)
    made = pipeline([name], limits__readers=4)
    busy = 0
    for round_number in range(20):
        for partition in range(4):
            send_small(ledger, name, partition, rng.randrange(500, 2_000), 500)
        calls = [made.tidegate.start("run", made.path) for _ in range(2 + round_number % 2)]
        ended = [call.end() for call in calls]
        assert [one.code for one in ended] == [0] * len(ended), [one.err for one in ended]
        outcomes = [outcome for one in ended for outcome in one.outcomes()]
        assert set(outcomes) <= {"committed", "busy", "idle"}, outcomes
        busy += outcomes.count("busy")
        # Who came late may have found nothing more to do; what is left is read now.
        rest = made.catch_up()
        copied = sum(one.rows for one in ended) + rest.rows
        assert made.books().total("rows") == ledger.count() and copied > 0
    made.check(ledger)
    assert busy > 0, "the processes never met: this test showed nothing"


def test_k01_pipelines_with_one_destination_go_side_by_side(ledger, topic, pipeline, tmp_path):
    """Two pipelines into one destination know nothing of each other: both commit."""
    one, other = topic(2, "one"), topic(2, "other")
    for name in (one, other):
        send_small(ledger, name, 0, 500)
        send_small(ledger, name, 1, 500)
    lake = tmp_path / "lake"
    left = pipeline([one], destination=lake)
    right = pipeline([other], destination=lake)
    calls = [p.tidegate.start("run", p.path, "--until-caught-up") for p in (left, right)]
    for call in calls:
        ended = call.end()
        assert ended.code == 0 and ended.rows == 1_000, ended
    left.check(ledger)
    right.books().check()
    right.verify()
