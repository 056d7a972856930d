"""Caps, over several runs until all is read; and a quiet topic that waits."""

from __future__ import annotations

import pytest
from harness.records import send_small
from harness.wait import until


def runs_until_idle(made, most: int = 60) -> list[int]:
    """Rows of each run of `tidegate run`, one at a time, until one is idle."""
    rows = []
    for _ in range(most):
        line = made.one_run()
        if line["outcome"] == "idle":
            return rows
        rows.append(line["rows"])
    raise AssertionError(f"not idle after {most} runs: {rows}")


def test_c01_fifteen_records_by_five(ledger, topic, pipeline):
    """C01 C12: 15 records and cap 5: three runs of five, and a fourth with nothing."""
    name = topic()
    send_small(ledger, name, 0, 15)
    made = pipeline([name], limits__records_per_partition=5, catch_up=False)
    assert runs_until_idle(made) == [5, 5, 5]
    books = made.check(ledger)
    assert [m["checkpoint"][0]["offset"] for m in books.manifests] == [5, 10, 15]


def test_c01_until_caught_up_in_one_call(ledger, topic, pipeline):
    """C01: the same by `--until-caught-up`: one line per run, lag falling to 0."""
    name = topic()
    send_small(ledger, name, 0, 15)
    made = pipeline([name], limits__records_per_partition=5)
    committed = [line for line in made.catch_up().lines if line["outcome"] == "committed"]
    assert [line["rows"] for line in committed] == [5, 5, 5]
    assert [line["lag_before"]["records"] for line in committed] == [15, 10, 5]
    assert [line["lag_after"]["records"] for line in committed] == [10, 5, 0]
    assert [line["run"] for line in committed] == [1, 2, 3]
    made.check(ledger)


@pytest.mark.parametrize("start, rows", [(None, (0, 500)), (250, (250, 750))])
def test_c05_a_cap_counts_from_where_the_run_starts(start, rows, ledger, topic, pipeline):
    """C05: cap 500 of 1000 from earliest is [0,500), from 250 it is [250,750)."""
    name = topic()
    send_small(ledger, name, 0, 1_000)
    fields = {} if start is None else {"start": {name: {"0": start}}}
    made = pipeline([name], limits__records_per_partition=500, catch_up=False, **fields)
    assert made.one_run()["rows"] == 500
    part = made.books().manifests[0]["slices"]
    assert [(p["start"], p["reached"]) for p in part] == [rows]


def test_c03_the_cap_of_a_run_is_shared_fairly(ledger, topic, pipeline):
    """C03 C08: backlog 100, 4 × 1000 and cap 1001: 100, 225 or 226 each, exactly 1001 in all."""
    name = topic(5)
    for partition, count in enumerate([100, 1_000, 1_000, 1_000, 1_000]):
        send_small(ledger, name, partition, count)
    made = pipeline([name], limits__records_per_run=1_001, catch_up=False)
    assert made.one_run()["rows"] == 1_001
    counts = {part["partition"]: part["rows"] for part in made.books().manifests[0]["slices"]}
    assert sorted(counts.values()) == [100, 225, 225, 225, 226] and counts[0] == 100
    assert sum(runs_until_idle(made)) == 4_100 - 1_001
    made.check(ledger)


def test_fewer_offsets_than_partitions_serve_the_longest_waiting_first(ledger, topic, pipeline):
    """A run's cap below the number of waiting partitions: every partition has its turn."""
    name = topic(6)
    for partition in range(6):
        send_small(ledger, name, partition, 4)
    made = pipeline([name], limits__records_per_run=2, catch_up=False)
    for _ in range(3):
        assert made.one_run()["rows"] == 2
    served = [part["partition"] for m in made.books().manifests for part in m["slices"]]
    assert sorted(served) == [0, 1, 2, 3, 4, 5], "in three runs each partition is served once"
    assert sum(runs_until_idle(made)) == 24 - 6
    made.check(ledger)


def test_c06_the_largest_cap_does_not_overflow(ledger, topic, pipeline):
    """C06: a cap of 2^63 − 1 reads everything."""
    name = topic(2)
    send_small(ledger, name, 0, 100)
    most = 2**63 - 1
    made = pipeline([name], limits__records_per_partition=most, limits__records_per_run=most)
    assert made.one_run()["rows"] == 100
    made.check(ledger)


@pytest.mark.parametrize("which", ["bytes_per_partition", "bytes_per_run"])
def test_c11_caps_in_bytes(which, ledger, topic, pipeline):
    """C11: records of 1 kB, then of 1 MB, cap 256 KiB: a run stays near its cap (where the
    mean misleads, within what one fetch brings), and makes progress of at least one record."""
    name = topic(1)
    send_small(ledger, name, 0, 1_000, 1_000)
    send_small(ledger, name, 0, 3, 900_000)
    cap = 256 * 1024
    made = pipeline([name], **{f"limits__{which}": "256KiB"}, catch_up=False)
    rows = runs_until_idle(made)
    assert sum(rows) == 1_003 and all(count >= 1 for count in rows), rows
    assert all(count * 1_000 <= cap * 1.2 for count in rows[:3]), rows
    assert len(rows) >= 5 and rows[-1] <= 3, rows
    made.check(ledger)


def test_c13_what_arrives_later_waits_for_the_next_run(ledger, topic, pipeline):
    """C13: what is produced after a run is all in the next one."""
    name = topic(2)
    made = pipeline([name])
    for count in (10, 7, 1):
        send_small(ledger, name, 0, count)
        send_small(ledger, name, 1, count)
        assert made.one_run()["rows"] == 2 * count
    made.check(ledger)


def test_a_quiet_topic_waits_for_batching(ledger, topic, pipeline):
    """`batching`: below `min_bytes` a topic waits, others go on; with enough pending it is read."""
    quiet, busy = topic(1, "quiet"), topic(1, "busy")
    made = pipeline([quiet, busy])
    send_small(ledger, quiet, 0, 10, 1_000)
    assert made.one_run()["rows"] == 10
    # What is pending is judged by the measured mean.
    made.set(batching__min_bytes="200KiB", batching__max_wait="1h")
    send_small(ledger, quiet, 0, 5, 1_000)
    send_small(ledger, busy, 0, 400, 1_000)
    assert made.one_run()["rows"] == 400
    assert made.one_run()["outcome"] == "idle"
    plan = made.plan()
    assert quiet in plan.out and "wait" in plan.out, plan.out
    send_small(ledger, quiet, 0, 400, 1_000)
    assert made.one_run()["rows"] == 405
    made.check(ledger)


def test_a_quiet_topic_is_read_after_max_wait(ledger, topic, pipeline):
    """`batching.max_wait`: what is pending is read when that long has passed."""
    name = topic()
    send_small(ledger, name, 0, 10)
    made = pipeline([name])
    made.one_run()
    made.set(batching__min_bytes="100MiB", batching__max_wait="3s")
    send_small(ledger, name, 0, 5)
    assert made.one_run()["outcome"] == "idle"
    until("the wait is over", lambda: made.one_run()["rows"] == 5, seconds=15, every=0.3)
    made.check(ledger)
