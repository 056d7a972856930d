"""What the world does: a destination that cannot be written, a full disk, a broker gone."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.broker import Broker
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.proxy import Proxy
from harness.records import Rides, send_small
from harness.tidegate import DONE, DONE_BUT, FAILED, Ended, Tidegate
from test_large import check_rides


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB, where the machine lets us mount one."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command here: a full disk cannot be had")
    if mounted.returncode != 0:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def said(ended: Ended, *words: str) -> None:
    """The failure was told, in one of these words, without a stack trace."""
    text = (ended.err + ended.out).lower()
    assert any(word.lower() in text for word in words), f"none of {words} is in:\n{ended.err}"


def test_a_file_in_the_way_of_the_destination(ledger, topic, pipeline, tmp_path):
    """The destination's parent is a file: a clear error that names it, exit code 1; once the file
    is gone the run works."""
    name = topic()
    send_small(ledger, name, 0, 10)
    in_the_way = tmp_path / "in-the-way"
    in_the_way.write_text("a file")
    made = pipeline([name], destination=in_the_way / "lake")
    ended = made.run(code=FAILED)
    said(ended, str(in_the_way))
    in_the_way.unlink()
    assert made.catch_up().rows == 10
    made.check(ledger)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(ledger, topic, pipeline, tmp_path):
    """A read-only destination: a clear error; with the right given, the run works."""
    name = topic()
    send_small(ledger, name, 0, 10)
    lake = tmp_path / "read-only"
    lake.mkdir(mode=0o555)
    made = pipeline([name], destination=lake)
    said(made.run(code=FAILED), "permission denied")
    lake.chmod(0o755)
    assert made.catch_up().rows == 10
    made.check(ledger)


def test_a_table_folder_that_cannot_be_written(ledger, topic, pipeline):
    """A file stands where a table's folder must be: the run fails with its path and publishes
    nothing of that table; without the file the same run is rolled forward."""
    name = topic()
    send_small(ledger, name, 0, 10)
    made = pipeline([name])
    made.destination.mkdir()
    (made.destination / name).write_text("in the way")
    said(made.run(code=FAILED), name)
    (made.destination / name).unlink()
    made.catch_up()
    made.check(ledger)


def test_a_full_disk(ledger, topic, pipeline, rng, small_disk):
    """A disk that fills up in the middle: a clear error, no torn file, nothing lost; with room made
    the next run goes on."""
    name = topic(2)
    for number in range(600):
        ledger.send(name, number % 2, rng.randbytes(100_000))
    ledger.flush()
    made = pipeline([name], destination=small_disk / "lake")
    ended = made.run("--until-caught-up", code=FAILED)
    said(ended, "no space left", "disk is full", "storage full")
    subprocess.run(["mount", "-o", "remount,size=400m", str(small_disk)], check=True)
    made.catch_up()
    made.check(ledger)


def test_a_broker_that_is_not_there(tidegate, tmp_path, own_broker):
    """No broker: exit code 1 within the bound of one connect, naming the address; with the broker
    back, the same pipeline goes on."""
    own_broker.create_topics(["t"])
    ledger = Ledger(own_broker)
    send_small(ledger, "t", 0, 10)
    made = Pipeline(tidegate, own_broker.address, tmp_path, ["t"])
    assert made.catch_up().rows == 10
    send_small(ledger, "t", 0, 10)
    own_broker.kill()
    ended = made.run(code=FAILED, seconds=90)
    said(ended, own_broker.address)
    own_broker.start()
    assert made.catch_up().rows == 10
    made.check(ledger)


def _rides_on(broker: Broker) -> Rides:
    broker.create_topics(["rides"])
    return Rides("rides", 100_000).produce(broker.address)


@pytest.mark.timeout(400)
def test_x15_a_broker_that_dies_in_mid_run(tidegate: Tidegate, tmp_path, own_broker):
    """X15 W11: the broker is killed after some 8 MB of answers, and starts again at once: the run
    waits for it, or ends in bounded time and says what happened or commits what it has; the next
    run goes on."""
    rides = _rides_on(own_broker)
    reached, killed = threading.Event(), threading.Event()

    def hold(answered: int) -> None:
        if answered > 8_000_000:
            reached.set()
            killed.wait(60)

    with Proxy(own_broker, hold):
        made = Pipeline(tidegate, own_broker.counted_address, tmp_path, ["rides"])
        call = tidegate.start("run", made.path)
        assert reached.wait(60), "the run never came to the middle"
        own_broker.kill()
        killed.set()
        own_broker.start()
        ended = call.end(150)
        assert ended.code in (DONE, FAILED, DONE_BUT), ended
        if ended.code == FAILED:
            said(ended, own_broker.counted_address, "connection", "broker")
        made.catch_up(seconds=200)
        made.books().check()
        check_rides(made.destination, rides)
        made.verify()


@pytest.mark.timeout(400)
def test_a_broker_that_falls_silent_and_comes_back(tidegate: Tidegate, tmp_path, own_broker):
    """The broker stands still for two seconds in mid-run (SIGSTOP, SIGCONT): the run waits for it
    and loses nothing."""
    rides = _rides_on(own_broker)
    once = threading.Event()
    assert own_broker.process is not None
    process = own_broker.process

    def freeze(answered: int) -> None:
        if answered > 8_000_000 and not once.is_set():
            once.set()
            process.send_signal(signal.SIGSTOP)
            threading.Timer(2.0, process.send_signal, [signal.SIGCONT]).start()

    with Proxy(own_broker, freeze):
        made = Pipeline(tidegate, own_broker.counted_address, tmp_path, ["rides"])
        made.catch_up(seconds=200)
        assert once.is_set(), "the broker was never stopped"
    made.books().check()
    check_rides(made.destination, rides)


def test_x16_connections_that_are_cut(tidegate: Tidegate, tmp_path, own_broker):
    """X16: every connection is cut in mid-run, once: the client connects anew and the run, or the
    next one, reads the rest."""
    rides = _rides_on(own_broker)
    once = threading.Event()

    def cut(answered: int) -> None:
        if answered > 8_000_000 and not once.is_set():
            once.set()
            raise ConnectionResetError("cut by the test")

    with Proxy(own_broker, cut):
        made = Pipeline(tidegate, own_broker.counted_address, tmp_path, ["rides"])
        first = made.run(code=None, seconds=120)
        assert once.is_set() and first.code in (DONE, FAILED, DONE_BUT)
        made.catch_up(seconds=120)
    made.books().check()
    check_rides(made.destination, rides)
