"""SEMANTICS.md, sentence by sentence: failures, several processes, bounds."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest
from harness.memory import peak_kib
from harness.pipeline import Pipeline
from harness.records import send_small
from harness.tidegate import FAILED, USAGE, Tidegate
from test_semantics import identities


def test_a_killed_run_is_finished_by_the_next(ledger, topic, pipeline, rng):
    """A run that was killed at any moment is finished by the next one, and no record is lost or
    doubled."""
    name = topic(3)
    fields = {"limits__records_per_partition": 500, "limits__readers": 2}
    for partition in range(3):
        send_small(ledger, name, partition, 2_000, 300)
    span = pipeline([name], **fields).catch_up().seconds
    made = pipeline([name], **fields)
    killed = 0
    for part in range(5):
        call = made.tidegate.start("run", made.path, "--until-caught-up")
        try:
            call.process.wait((part + rng.random()) * span / 5)
        except subprocess.TimeoutExpired:
            killed += 1
        call.kill()
    assert killed > 0, "no process lived long enough to be killed"
    made.catch_up()
    made.check(ledger)


def test_several_processes_copy_every_record_once(ledger, topic, pipeline):
    """Several processes that run one pipeline at once copy every record once."""
    name = topic(4)
    for partition in range(4):
        send_small(ledger, name, partition, 2_000, 300)
    made = pipeline([name])
    calls = [made.tidegate.start("run", made.path) for _ in range(3)]
    ended = [call.end() for call in calls]
    assert [one.code for one in ended] == [0, 0, 0]
    rest = made.catch_up()
    assert sum(one.rows for one in ended) + rest.rows == ledger.count() == 8_000
    made.check(ledger)


@pytest.mark.parametrize("how", ["lost", "put back"])
def test_a_state_that_was_put_back_publishes_nothing(how: str, ledger, topic, pipeline, tmp_path):
    """A state that was lost, or put back to an earlier point, stops the pipeline instead of
    publishing the same records again."""
    name = topic()
    made = pipeline([name])
    state, backup = made.destination / "_state", tmp_path / "backup"
    for copied in (10, 20):
        send_small(ledger, name, 0, copied)
        assert made.catch_up().rows == copied
        if not backup.exists():
            shutil.copytree(state, backup)
    before = identities(made.destination)
    shutil.rmtree(state)
    if how == "put back":
        shutil.copytree(backup, state)
    for _ in range(2):
        assert made.run("--until-caught-up", code=FAILED).rows == 0
    assert identities(made.destination) == before


def test_another_destination_is_refused(ledger, topic, pipeline, tmp_path):
    """A spec with another destination is refused."""
    name = topic()
    send_small(ledger, name, 0, 5)
    made = pipeline([name])
    made.catch_up()
    state = made.destination / "_state"
    elsewhere = tmp_path / "elsewhere"
    made.set(destination=f"file://{elsewhere}")
    ended = made.run("--state", str(state), code=USAGE)
    assert "destination" in ended.err and not elsewhere.exists()


UNSUPPORTED = {
    "an unknown field": ({"limit": {"readers": 4}}, "limit"),
    "a destination on S3": ({"destination": "s3://lake/rides"}, "destination"),
    "a login by role": (
        {"kafka__security_protocol": "SASL_SSL", "kafka__sasl_mechanism": "AWS_MSK_IAM"},
        "kafka.sasl_mechanism",
    ),
    "a secret in Secrets Manager": (
        {
            "kafka__security_protocol": "SASL_SSL",
            "kafka__sasl_mechanism": "PLAIN",
            "kafka__credentials": "arn:aws:secretsmanager:eu-central-1:1:secret:kafka",
        },
        "kafka.credentials",
    ),
}


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_cannot_be_honoured_is_refused(what: str, pipeline):
    """What this version cannot do is refused, never ignored."""
    fields, path = UNSUPPORTED[what]
    made = pipeline(["rides"], **fields)
    ended = made.run(code=USAGE)
    assert path in ended.err, ended.err
    assert [entry.name for entry in made.path.parent.iterdir()] == [made.path.name]


def test_memory_does_not_grow_with_the_data(pipeline, rides):
    """The memory of a run does not grow with what there is to read."""
    fields = {"start": {rides.topic: {"0": rides.count * 3 // 4}}, "limits__readers": 1}
    quarter = peak_kib(pipeline([rides.topic], **fields))
    whole = peak_kib(pipeline([rides.topic], limits__readers=1))
    print(f"peak RSS {quarter // 1024} MiB for a quarter, {whole // 1024} MiB for the whole")
    # Buffers that grow to their size while the first files are made leave some room.
    assert whole < quarter * 2 and whole < 200_000


def test_a_silent_broker_does_not_hang_a_run(tidegate: Tidegate, tmp_path):
    """A broker that does not answer ends a run with an error, in bounded time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        made = Pipeline(tidegate, address, tmp_path, ["rides"])
        ended = made.run(code=FAILED, seconds=60)
    assert address in ended.err, ended.err


def test_a_broker_that_is_away_ends_a_run_soon(tidegate: Tidegate, tmp_path):
    """A broker that refuses connections ends a run within seconds, if nothing was begun."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    for one in (address, "no-such-host.invalid:9092"):
        ended = Pipeline(tidegate, one, tmp_path, ["rides"]).run(code=FAILED)
        assert one in ended.err, ended.err
        assert ended.seconds < 15, f"{one}: {ended.seconds} s"
