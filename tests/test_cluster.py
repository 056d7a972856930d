"""Three brokers: leaders that move, brokers that are killed, stand still and come back, while a run
looks or reads; partitions without a leader, quotas, a replica that is damaged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import wire
from harness.cluster import NODES, Cluster
from harness.ledger import Ledger
from harness.pipeline import Pipeline
from harness.records import send_small
from harness.sizes import FULL, size
from harness.tidegate import DONE, DONE_BUT, FAILED, Ended, Started, Tidegate

TOPIC = "backlog"
# In time: what a run that meets a broker in trouble may take longer than others. A silent one is
# waited for up to 16 s, its successor needs 4 s to be elected, and this machine has much to do.
TROUBLE_SECONDS = 90
RECORDS, VALUE_BYTES = size(4_000, 20_000), 3_000

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three brokers for this module."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield made.create()
    finally:
        made.stop()


@pytest.fixture(scope="module")
def produced(running: Cluster) -> Ledger:
    """Three partitions of 12 MB [60 MB], each on all brokers."""
    running.create_topic(TOPIC, [1, 2, 3], [2, 3, 1], [3, 1, 2])
    made = Ledger(running)
    for partition in range(3):
        send_small(made, TOPIC, partition, RECORDS, VALUE_BYTES)
    return made


@pytest.fixture
def cluster(running: Cluster, produced: Ledger) -> Iterator[Cluster]:
    """The cluster with its records, whole before and after each test."""
    del produced
    yield running
    running.mend()
    running.until_in_sync(TOPIC)


@pytest.fixture
def make(tidegate: Tidegate, cluster: Cluster, tmp_path: Path) -> Callable[..., Pipeline]:
    """A function that makes pipelines from the cluster, by default through its proxies."""

    def made(topics: list[str], **fields: object) -> Pipeline:
        fields.setdefault("kafka__bootstrap_servers", cluster.counted_bootstrap)
        return Pipeline(tidegate, "", tmp_path, topics, **fields)

    return made


class Moment:
    """The middle of a run, held: `reached` is waited for, then something is done, then the run
    goes on."""

    def __init__(self) -> None:
        self._reached, self._over = threading.Event(), threading.Event()

    def hold(self) -> None:
        """Called by a proxy: whoever comes here waits."""
        self._reached.set()
        self._over.wait(120)

    def meets(self, happening: Callable[[], None]) -> None:
        """Waits for the moment, lets it happen, and lets the run go on."""
        assert self._reached.wait(120), "the run never came to that moment"
        happening()
        self._over.set()


def leader(cluster: Cluster, partition: int = 0) -> int:
    return cluster.led(TOPIC, partition).leader


def other(cluster: Cluster) -> int:
    """A node that does not lead partition 0."""
    return next(node for node in NODES if node != leader(cluster))


def kill(cluster: Cluster) -> None:
    """The leader of partition 0 is killed, and stays away."""
    cluster.nodes[leader(cluster)].kill()


def kill_and_start(cluster: Cluster) -> None:
    """The leader of partition 0 is killed, and is back at once, whoever leads now."""
    gone = leader(cluster)
    cluster.nodes[gone].kill()
    cluster.start(gone)


def freeze(cluster: Cluster) -> None:
    """The leader of partition 0 stands still, and does not come back."""
    cluster.freeze(leader(cluster))


def freeze_until_followed(cluster: Cluster) -> None:
    """The leader of partition 0 stands still until another one leads: then it goes on, and learns
    only now that it leads no longer."""
    gone = leader(cluster)
    cluster.freeze(gone)
    cluster.until_led(TOPIC, 0, lambda led: led.leader not in (gone, -1))
    cluster.thaw(gone)


def move(cluster: Cluster) -> None:
    """Partition 0 is moved away from the broker that led it: that one has nothing of it left."""
    gone = leader(cluster)
    cluster.move(TOPIC, 0, *(node for node in NODES if node != gone))


HAPPENINGS = [kill, kill_and_start, freeze, freeze_until_followed, move]


def check(made: Pipeline, cluster: Cluster, ledger: Ledger, *topics: str) -> None:
    """Everything is there once. What is past the trouble needs no proxy."""
    made.set(kafka__bootstrap_servers=cluster.bootstrap)
    made.check(ledger, topics=[TOPIC, *topics])


def finish(call: Started) -> Ended:
    """The end of a run that met trouble: it comes in time."""
    began = time.monotonic()
    ended = call.end(TROUBLE_SECONDS)
    print(f"ended {time.monotonic() - began:.1f} s after the trouble: {ended.lines}")
    return ended


@pytest.fixture
def restored(cluster: Cluster) -> Iterator[None]:
    """Partition 0 is on all brokers again."""
    yield
    cluster.mend()
    if sorted(cluster.led(TOPIC, 0).replicas) != list(NODES):
        cluster.move(TOPIC, 0, *NODES)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda one: one.__name__)
def test_trouble_while_a_run_reads(happening, cluster, make, produced):
    """X15 X16: whatever happens to the broker that a partition is read from, the run goes on with
    the one that leads then."""
    moment = Moment()
    with cluster.proxies(on_answer=lambda answered: answered > 3_000_000 and moment.hold()):
        made = make([TOPIC])
        call = made.tidegate.start("run", made.path)
        moment.meets(lambda: happening(cluster))
        ended = finish(call)
    assert ended.code == DONE and ended.rows == 3 * RECORDS, ended
    check(made, cluster, produced)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(
    "happening", HAPPENINGS if FULL else [kill, freeze], ids=lambda one: one.__name__
)
def test_trouble_while_a_run_looks(happening, cluster, make, produced):
    """P21: the same while offsets are asked for, before anything is planned. A partition that
    nobody leads yet is left to the next run, the others are read. Two kinds of trouble [all]."""
    moment = Moment()
    with cluster.proxies(on_request=lambda name, _: name == "ListOffsets" and moment.hold()):
        made = make([TOPIC])
        call = made.tidegate.start("run", made.path)
        moment.meets(lambda: happening(cluster))
        ended = finish(call)
    left = {(one["topic"], one["partition"]) for one in ended.line["stopped"]}
    assert ended.code == (DONE_BUT if left else DONE) and left <= {(TOPIC, 0)}, ended
    assert ended.rows == (3 - len(left)) * RECORDS, ended
    cluster.until_led(TOPIC, 0, lambda led: led.leader >= 0)
    made.set(kafka__bootstrap_servers=cluster.bootstrap)
    assert made.catch_up(seconds=TROUBLE_SECONDS).rows == len(left) * RECORDS
    check(made, cluster, produced)


def test_a_partition_without_leader_waits_alone(cluster, make, produced):
    """X15 W11: a partition whose only broker is gone is left out with its cause, in run, status and
    plan; the others are read. When the broker is back, it is read too."""
    lone = cluster.create_topic("lone", [3])
    send_small(produced, lone, 0, 50)
    cluster.nodes[3].kill()
    cluster.until_led(lone, 0, lambda led: led.leader == -1)
    made = make([TOPIC, lone], kafka__bootstrap_servers=cluster.bootstrap)
    ended = made.run(code=DONE_BUT, seconds=TROUBLE_SECONDS)
    assert ended.rows == 3 * RECORDS
    (waits,) = ended.line["stopped"]
    assert (waits["topic"], waits["partition"]) == (lone, 0), waits
    for shown in (made.status(code=DONE_BUT), made.plan(code=DONE_BUT)):
        (line,) = [one for one in shown.lines if one.get("topic") == lone and "lone-0" in str(one)]
        assert "LeaderNotAvailable" in str(line), line
    check(made, cluster, produced)
    cluster.start(3)
    assert made.catch_up(seconds=TROUBLE_SECONDS).rows == 50
    check(made, cluster, produced, lone)


def test_all_brokers_are_gone_and_come_back(cluster, make, produced):
    """X15: no broker at all, killed or standing still: exit code 1 in bounded time, with their
    addresses. With the brokers back, the same pipeline goes on."""
    made = make([TOPIC], kafka__bootstrap_servers=cluster.bootstrap)
    for node in NODES:
        cluster.freeze(node)
    still = made.run(code=FAILED, seconds=TROUBLE_SECONDS)
    for node in NODES:
        cluster.thaw(node)
        cluster.nodes[node].kill()
    gone = made.run(code=FAILED, seconds=TROUBLE_SECONDS)
    for ended in (still, gone):
        assert any(address in ended.err for address in cluster.bootstrap), ended.err
    print(f"failed after {still.seconds:.1f} s (standing still), {gone.seconds:.1f} s (killed)")
    cluster.mend()
    cluster.until_in_sync(TOPIC)
    assert made.catch_up(seconds=TROUBLE_SECONDS).rows == 3 * RECORDS
    check(made, cluster, produced)


def test_all_brokers_are_killed_while_a_run_reads(cluster, make, produced):
    """X15 W11: the same in mid-run: it waits for them, or ends in bounded time and says why; the
    next one goes on."""
    moment = Moment()

    def kill_all() -> None:
        for node in NODES:
            cluster.nodes[node].kill()
        cluster.mend()

    with cluster.proxies(on_answer=lambda answered: answered > 3_000_000 and moment.hold()):
        made = make([TOPIC])
        call = made.tidegate.start("run", made.path)
        moment.meets(kill_all)
        ended = finish(call)
        assert ended.code in (DONE, DONE_BUT, FAILED), ended
    cluster.until_in_sync(TOPIC)
    made.set(kafka__bootstrap_servers=cluster.bootstrap)
    made.catch_up(seconds=TROUBLE_SECONDS)
    check(made, cluster, produced)


def test_brokers_that_throttle(cluster, make, produced):
    """A quota far below what the network gives: the run takes its time, and every row is there."""
    rate = RECORDS * VALUE_BYTES / 16
    port = cluster.nodes[1].port
    wire.set_quota(port, "tidegate", "consumer_byte_rate", rate)
    try:
        made = make([TOPIC], kafka__bootstrap_servers=cluster.bootstrap)
        ended = made.run(seconds=TROUBLE_SECONDS)
    finally:
        wire.set_quota(port, "tidegate", "consumer_byte_rate", None)
    # Of 16 seconds' worth of each broker, its quota lets some 11 pass at once.
    assert ended.seconds > 2, "nothing was throttled"
    assert ended.rows == 3 * RECORDS
    check(made, cluster, produced)


def test_a_damaged_replica_is_quarantined_until_another_leads(cluster, make, produced):
    """X12 W11: a byte of the leader's log is turned on disk. Its partition is quarantined with
    the offset, the others commit; when a sound replica leads, the next tries succeed."""
    name = cluster.create_topic("damaged", [1, 2], [2, 1])
    for partition in range(2):
        send_small(produced, name, partition, 200)
    log = cluster.nodes[1].folder / "data" / f"{name}-0" / "00000000000000000000.log"
    with open(log, "r+b") as file:
        file.seek(200)
        byte = file.read(1)[0]
        file.seek(200)
        file.write(bytes([byte ^ 1]))
    made = make([name], kafka__bootstrap_servers=cluster.bootstrap)
    ended = made.run("--until-caught-up", code=DONE_BUT)
    assert ended.rows == 200, ended
    status = made.status(code=DONE_BUT)
    (line,) = [one for one in status.lines if one["type"] == "stopped"]
    assert (line["topic"], line["partition"], line["state"]) == (name, 0, "quarantined"), line
    assert "checksum" in line["cause"] and "offset 0" in line["cause"], line
    # No replica can be added while a damaged one leads: followers check what they copy.
    cluster.nodes[1].kill()
    cluster.until_led(name, 0, lambda led: led.leader == 2)
    # It is tried again after some runs; each of these has something to do.
    for _ in range(8):
        send_small(produced, name, 1, 10)
        ended = made.run(code=None)
        if ended.code == DONE:
            break
    assert ended.code == DONE, ended
    made.catch_up()
    made.check(produced, topics=[name])
