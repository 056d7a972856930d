"""What an operator decides: `reset` and `abort`, on a real broker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable

import pytest
from harness import consume, readback
from harness.broker import Broker
from harness.changes import add_partitions
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.records import send_small
from harness.sizes import size
from harness.tidegate import DONE, DONE_BUT, FAILED, USAGE, Ended
from harness.wait import until
from test_loss import delete_records
from test_times import rfc3339

REASON = "a bad deploy"
HOUR_MS = 3_600_000


def reset(made: Pipeline, *arguments: str, code: int = DONE) -> Ended:
    """`tidegate reset`."""
    return made.tidegate.call("reset", made.path, "--reason", REASON, *arguments, code=code)


def abort(made: Pipeline, *arguments: str, code: int = DONE) -> Ended:
    """`tidegate abort`, without being asked."""
    return made.tidegate.call(
        "abort", made.path, "--reason", REASON, "--yes", *arguments, code=code
    )


def offsets(made: Pipeline) -> dict[tuple[str, int], list[int]]:
    """What stands of each partition, in order, doubles included."""
    table = readback.by_pyarrow(made.destination)
    found: dict[tuple[str, int], list[int]] = {}
    names = ("topic", "partition", "offset")
    for topic, partition, offset in zip(*(table[name].to_pylist() for name in names)):
        found.setdefault((topic, partition), []).append(offset)
    return {place: sorted(all_of_it) for place, all_of_it in found.items()}


def is_whole(made: Pipeline) -> None:
    """Books and binary agree."""
    made.books().check()
    made.verify("--deep")


def recreate(broker: Broker, name: str, partitions: int = 1) -> Ledger:
    """Deletes a topic and creates it anew; the ledger of what comes then."""
    broker.admin.delete_topics([name])[name].result(30)
    until("the topic is gone", lambda: name not in broker.admin.list_topics(timeout=10).topics)
    broker.create_topics([name], partitions)
    return Ledger(broker)


def to_be_cut(broker: Broker, ledger: Ledger, kept: int, lost: int) -> Callable[[], None]:
    """Sends records to topic `t`; what it answers cuts the last of them off, as a broker does that
    lost its power before it wrote them down."""
    send_small(ledger, "t", 0, kept)
    log = broker.folder / "data" / "t-0" / "00000000000000000000.log"
    bytes_kept = log.stat().st_size
    send_small(ledger, "t", 0, lost)

    def cut() -> None:
        broker.kill()
        os.truncate(log, bytes_kept)
        broker.start()
        until("the log is cut", lambda: len(consume.rows(broker, "t", 1)[0]) == kept)

    return cut


def stuck(made: Pipeline) -> None:
    """Leaves a run open whose layout stands, and whose staged files are gone."""
    first = made.plan().lines
    run = next(line for line in first if line["type"] == "summary")["run"]
    # A directory where the run's manifest belongs: everything before it is done.
    in_the_way = made.destination / "_runs" / made.name / f"{run:010d}.json"
    in_the_way.mkdir(parents=True)
    made.run(code=FAILED)
    in_the_way.rmdir()
    shutil.rmtree(made.destination / "_staging" / made.name)
    for path in readback.data_files(made.destination):
        if f"-{run:010d}-" in path.name:
            path.unlink()


def test_r03_r06_a_recreated_topic_goes_on_after_a_reset(ledger, topic, pipeline, broker):
    """R03 R06: a topic made anew with fewer partitions and more records: stopped, reset, read. The
    partition that it no longer has is no trouble from then on."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name])
    made.catch_up()
    again = recreate(broker, name)
    send_small(again, name, 0, 25)
    made.run(code=DONE_BUT)
    lines = reset(made, "--to", "earliest").lines
    change = lines[0]
    assert (change["from"], change["to"], change["again"]) == (None, 0, 0), lines
    assert made.catch_up().rows == 25
    send_small(again, name, 0, 5)
    assert made.run().rows == 5
    assert offsets(made)[name, 0] == sorted([*range(10), *range(30)])
    # Should it come again, nothing is read of it before it is reset, too.
    add_partitions(broker, name, 2)
    made.run(code=DONE_BUT)
    reset(made, "--to", "latest")
    assert made.run().rows == 0
    is_whole(made)


def test_x13_a_log_that_was_cut_back_goes_on_after_a_reset(tidegate, tmp_path, own_broker):
    """X13: a truncated log: `latest` goes on at its end, where offsets come a second time."""
    own_broker.create_topics(["t"])
    ledger = Ledger(own_broker)
    cut = to_be_cut(own_broker, ledger, 5, 4)
    made = Pipeline(tidegate, own_broker.address, tmp_path, ["t"])
    assert made.catch_up().rows == 9
    cut()
    made.run(code=DONE_BUT)
    refused = reset(made, "--to", "latest", code=USAGE)
    assert "t-0: 4 offsets, [5, 9)" in refused.err
    reset(made, "--to", "latest", "--allow-duplicates")
    send_small(Ledger(own_broker), "t", 0, 6)
    assert made.catch_up().rows == 6
    assert offsets(made)["t", 0] == sorted([*range(9), *range(5, 11)])
    is_whole(made)
    # The epoch that the reset took is one that Kafka knows: the log is not taken for cut again.
    assert made.one_run()["outcome"] == "idle"


def test_t02_back_in_time_and_forward(ledger, topic, pipeline):
    """T02: to a time, to offsets of a file, to the end; what comes twice and what never is said."""
    name = topic()
    start = 1_790_000_000_000
    for hour in range(10):
        ledger.send(name, 0, b"%d" % hour, timestamp=start + hour * HOUR_MS)
    ledger.flush()
    made = pipeline([name], limits__records_per_partition=6, catch_up=False)
    assert made.one_run()["rows"] == 6
    refused = reset(made, "--to", rfc3339(start + 2 * HOUR_MS), code=USAGE)
    assert f"{name}-0: 4 offsets, [2, 6)" in refused.err
    reset(made, "--to", rfc3339(start + 2 * HOUR_MS), "--allow-duplicates")
    assert made.one_run()["rows"] == 6
    assert offsets(made)[name, 0] == sorted([*range(6), *range(2, 8)])
    file = made.path.with_suffix(".offsets.json")
    file.write_text(json.dumps({name: {"0": 9}}))
    assert reset(made, "--to", str(file)).lines[0]["lost"] == 1
    assert made.one_run()["rows"] == 1
    assert made.books().losses() == {(name, 0): [(8, 9)]}
    # Behind the last record a time means the end.
    assert reset(made, "--to", rfc3339(start + 99 * HOUR_MS)).line["outcome"] == "nothing"
    is_whole(made)


def test_x09_lost_records_are_passed_over_by_a_reset(ledger, topic, pipeline, broker):
    """X09: a partition that `stop` stopped goes on at its log start; the others stand still."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], limits__records_per_partition=4, catch_up=False)
    made.one_run()
    delete_records(broker, name, 0, 7)
    made.run(code=DONE_BUT)
    file = made.path.with_suffix(".offsets.json")
    file.write_text(json.dumps({name: {"0": 7}}))
    reset(made, "--to", str(file))
    assert made.run("--until-caught-up").rows == 3 + 2
    assert made.books().losses() == {(name, 0): [(4, 7)]}
    assert made.status().code == DONE
    is_whole(made)


@pytest.mark.timeout(1800)
def test_w16_resets_that_are_killed_are_finished(ledger, topic, pipeline, rng):
    """W16: SIGKILL at random moments of a reset, 8 [60] times: it happened as a whole, or not at
    all, and the next run goes on from there."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 40)
    made = pipeline([name], limits__records_per_partition=5, catch_up=False)
    made.one_run()
    span = reset(made, "--to", "earliest", "--allow-duplicates").seconds
    left_open = 0
    for _ in range(size(8, 60)):
        made.run(code=None)
        call = made.tidegate.start(
            "reset", made.path, "--to", "earliest", "--reason", REASON, "--allow-duplicates"
        )
        try:
            call.process.wait(rng.uniform(0, span))
        except subprocess.TimeoutExpired:
            call.kill()
        else:
            call.end()
        opened = [line for line in made.status().lines if line["type"] == "pipeline"]
        left_open += opened[0]["open_run"] is not None
        made.run()
        is_whole(made)
    print(f"{left_open} resets were left open")
    made.catch_up()
    found = offsets(made)
    for partition in (0, 1):
        assert set(found[name, partition]) == set(range(40))
    is_whole(made)


def test_w11_a_run_that_cannot_be_published_is_aborted(ledger, topic, pipeline):
    """W11: the files that a layout needs are gone: an abort empties the run, and what it read is
    read again, once; every reader of Parquet can read a file without rows."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], limits__records_per_partition=6, catch_up=False)
    made.one_run()
    stuck(made)
    assert "tidegate abort" in made.run(code=FAILED).err
    done = abort(made).line
    assert (done["outcome"], done["run"], done["rows"]) == ("aborted", 2, 8), done
    is_whole(made)
    books = made.catch_up() and made.check(ledger, everyone=True)
    kinds = [manifest["kind"] for manifest in books.manifests]
    assert kinds == ["commit", "aborted", "commit"], kinds
    assert abort(made).line["outcome"] == "nothing"
