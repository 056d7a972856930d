"""SEMANTICS.md, sentence by sentence: what an operator decides."""

from __future__ import annotations

import subprocess

from harness.records import send_small
from harness.tidegate import DONE_BUT, USAGE
from test_loss import delete_records
from test_operator import REASON, abort, is_whole, offsets, reset, stuck


def half_read(ledger, name: str, pipeline):
    """A pipeline that has read 4 of 10 records."""
    send_small(ledger, name, 0, 10)
    made = pipeline([name], limits__records_per_partition=4, catch_up=False)
    assert made.one_run()["rows"] == 4
    return made


def test_a_reset_says_what_it_does(ledger, topic, pipeline):
    """A reset moves partitions as its manifest says, with the reason, and records what is never
    read."""
    name = topic()
    made = half_read(ledger, name, pipeline)
    reset(made, "--to", "latest")
    told = made.books().manifests[-1]
    assert (told["kind"], told["reason"]) == ("reset", REASON)
    moved = [(m["topic"], m["partition"], m["from"], m["to"]) for m in told["moves"]]
    assert moved == [(name, 0, 4, 10)]
    assert made.books().losses() == {(name, 0): [(4, 10)]}
    send_small(ledger, name, 0, 3)
    assert made.one_run()["rows"] == 3
    assert offsets(made) == {(name, 0): [0, 1, 2, 3, 10, 11, 12]}
    is_whole(made)


def test_a_reset_repeats_only_with_permission(ledger, topic, pipeline):
    """A reset that would publish offsets a second time is refused, unless that is allowed."""
    name = topic()
    made = half_read(ledger, name, pipeline)
    refused = reset(made, "--to", "earliest", code=USAGE)
    assert f"{name}-0: 4 offsets, [0, 4)" in refused.err and "--allow-duplicates" in refused.err
    assert len(made.books().manifests) == 1
    reset(made, "--to", "earliest", "--allow-duplicates")
    assert made.catch_up().rows == 10
    assert offsets(made) == {(name, 0): sorted([*range(4), *range(10)])}
    is_whole(made)


def test_a_stopped_partition_goes_on_after_a_reset(ledger, topic, pipeline, broker):
    """A partition that is stopped, for whatever cause, goes on where a reset puts it."""
    name = topic()
    made = half_read(ledger, name, pipeline)
    delete_records(broker, name, 0, 7)
    made.run(code=DONE_BUT)
    reset(made, "--to", "earliest")
    assert made.catch_up().rows == 3
    assert made.books().losses() == {(name, 0): [(4, 7)]}
    is_whole(made)


def test_a_reset_that_was_killed_is_finished_by_the_next_run(ledger, topic, pipeline):
    """A reset that was killed at any moment has changed nothing, or is finished by the next run."""
    name = topic()
    made = half_read(ledger, name, pipeline)
    span = reset(made, "--to", "latest", "--dry-run").seconds
    for part in range(6):
        call = made.tidegate.start("reset", made.path, "--to", "latest", "--reason", REASON)
        try:
            call.process.wait(span * (0.5 + part / 4))
        except subprocess.TimeoutExpired:
            call.kill()
        else:
            call.end()
        made.run()
        is_whole(made)
    tiled = made.books().checkpoint()
    assert tiled == {(name, 0): 10}


def test_nothing_comes_of_an_aborted_run(ledger, topic, pipeline):
    """Of a run that was aborted no row is visible, and its offsets are read again."""
    name = topic()
    made = half_read(ledger, name, pipeline)
    stuck(made)
    abort(made)
    told = made.books().manifests[-1]
    assert (told["kind"], told["reason"], told["slices"]) == ("aborted", REASON, [])
    assert offsets(made) == {(name, 0): [0, 1, 2, 3]}
    made.catch_up()
    made.check(ledger)
