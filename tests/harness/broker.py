"""One real Apache Kafka broker (KRaft) as a child process, on free ports of 127.0.0.1."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from .jvm import Java, libs
from .wait import until

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,COUNTED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.io.threads": 4,
    "num.network.threads": 2,
    # One broker is enough for every internal topic.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    # Retention and compaction within a second instead of minutes.
    "log.initial.task.delay.ms": 100,
    "log.retention.check.interval.ms": 500,
    "log.segment.delete.delay.ms": 0,
    "log.cleaner.backoff.ms": 200,
    "log.cleaner.dedupe.buffer.size": 4194304,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 200,
    "controlled.shutdown.enable": "false",
    "broker.heartbeat.interval.ms": 200,
    # Records of 50 MB are part of the tests.
    "message.max.bytes": 100_000_000,
    "socket.request.max.bytes": 200_000_000,
}


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answers(port: int) -> bool:
    """Whether a broker answers an ApiVersions request (version 0) there."""
    request = struct.pack(">ihhih5s", 15, 18, 0, 7, 5, b"tests")
    try:
        with socket.create_connection(("127.0.0.1", port), 2.0) as connection:
            connection.settimeout(2.0)
            connection.sendall(request)
            return len(connection.recv(8)) == 8
    except OSError:
        return False


def end_with_parent() -> None:
    """Called in the child: the kernel ends it when the thread that started it ends, so that nothing
    is left of tests that were killed. Start processes from the main thread only."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Broker:
    """A broker with its folder. `address` is its own listener; what connects to
    `counted_address` is told to come back through `counted_port`, where a test may put a proxy."""

    def __init__(self, folder: Path, session_ms: int = 30_000, **settings: object) -> None:
        """`settings`: others than usual, with underscores for the dots of their names.
        `session_ms`: how long a broker that was killed is taken for alive. One that is to start
        again must be short, or it waits for its former self; one that is not should be long: a
        disk that stalls for a second would take all partitions' leader away."""
        self.folder = folder
        self.session_ms = session_ms
        self.others = {name.replace("_", "."): value for name, value in settings.items()}
        self.java = Java(libs())
        self.port, self.controller_port, self.behind_port, self.counted_port = free_ports(4)
        self.address = f"127.0.0.1:{self.port}"
        self.counted_address = f"127.0.0.1:{self.counted_port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._admin: AdminClient | None = None

    def follower(self, folder: Path, node: int, **settings: object) -> Broker:
        """A broker that has this one for its controller."""
        voters = f"{(SETTINGS | self.others)['node.id']}@127.0.0.1:{self.controller_port}"
        settings |= {"process_roles": "broker", "controller_quorum_voters": voters}
        return Broker(folder, self.session_ms, node_id=node, **settings)

    def create(self) -> Broker:
        """Prepares the folder and starts."""
        self.prepare()
        return self.start()

    def prepare(self) -> None:
        """Writes the folder."""
        self.java.prepare(record_classes)
        self._write_folder()

    def settings(self) -> dict[str, Any]:
        """What stands in server.properties."""
        usual = SETTINGS | self.others
        node, host = usual["node.id"], "127.0.0.1"
        listeners = f"PLAINTEXT://{host}:{self.port},COUNTED://{host}:{self.behind_port}"
        if "controller" in str(usual["process.roles"]):
            listeners += f",CONTROLLER://{host}:{self.controller_port}"
        own = {
            "log.dirs": self.folder / "data",
            "broker.session.timeout.ms": self.session_ms,
            "controller.quorum.voters": f"{node}@{host}:{self.controller_port}",
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://{host}:{self.port},"
            f"COUNTED://{host}:{self.counted_port}",
        }
        return SETTINGS | own | self.others

    def _write_folder(self) -> None:
        self.folder.mkdir(parents=True)
        data, settings = self.folder / "data", self.settings()
        if "controller" in str(settings["process.roles"]):
            shutil.copytree(self.java.formatted, data)
        else:
            data.mkdir()
        facts = {"version": 1, "cluster.id": "tests", "node.id": settings["node.id"]}
        _write_properties(data / "meta.properties", facts)
        _write_properties(self.folder / "server.properties", settings)

    def start(self, command: list[str] | None = None) -> Broker:
        """Starts and waits until it answers."""
        self.launch(command)
        until("the broker answers", self._ready, seconds=90)
        return self

    def launch(self, command: list[str] | None = None) -> None:
        """Starts and does not wait: one of several may need another one to become ready."""
        command = command or self.java.command("kafka.Kafka")
        with open(self.folder / "broker.log", "ab") as log:
            self.process = subprocess.Popen(
                [*command, str(self.folder / "server.properties")],
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            log = (self.folder / "broker.log").read_text(errors="replace")
            raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{log[-4000:]}")
        return answers(self.port)

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> None:
        """Ends the process, by its own id; one that does not go is killed."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(sent)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """SIGKILL, as a power cut would do it."""
        self.stop(signal.SIGKILL)

    @property
    def admin(self) -> AdminClient:
        """A client for topics and settings."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        return self._admin

    def create_topics(self, names: list[str], partitions: int = 1, **config: str | int) -> None:
        """Creates topics and waits until every partition has a leader. Settings are given with
        underscores for dots. Nothing expires unless the test asks for it: records with old
        timestamps would be deleted within minutes."""
        settings = {"retention.ms": "-1"} | {
            name.replace("_", "."): str(value) for name, value in config.items()
        }
        new = [NewTopic(name, partitions, 1, config=settings) for name in names]
        for created in self.admin.create_topics(new).values():
            created.result(60)
        every = [TopicPartition(name, p) for name in names for p in range(partitions)]
        until("all partitions have a leader", lambda: self._offsets(every, OffsetSpec.latest()))

    def ends(self, topic: str, partition: int = 0, *, committed: bool = False) -> tuple[int, int]:
        """Log start, and high watermark (or last stable offset) of a partition."""
        one = [TopicPartition(topic, partition)]
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        first = until("a log start", lambda: self._offsets(one, OffsetSpec.earliest(), level))
        end = until("a log end", lambda: self._offsets(one, OffsetSpec.latest(), level))
        return first[0], end[0]

    def _offsets(
        self,
        partitions: list[TopicPartition],
        which: OffsetSpec,
        level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    ) -> list[int] | None:
        """The offset of each partition; none if one of them has no leader yet."""
        asked = {partition: which for partition in partitions}
        answers = self.admin.list_offsets(asked, isolation_level=level, request_timeout=10)
        try:
            return [answer.result(15).offset for answer in answers.values()]
        except KafkaException:
            # A client that once heard of no leader believes it for half a minute.
            self._admin = None
            return None


def _write_properties(path: Path, properties: dict[str, Any]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))


def record_classes(folder: Path, command: list[str]) -> None:
    """One broker's start and regular end by `command`, for `Java.prepare`."""
    broker = Broker(folder)
    broker._write_folder()
    try:
        broker.start(command)
    finally:
        broker.stop()


if __name__ == "__main__":  # python -m harness.broker FOLDER: one broker until it is interrupted
    import sys

    running = Broker(Path(sys.argv[1]))
    began = time.monotonic()
    running.create()
    print(running.address, "pid", running.process and running.process.pid, os.getpid(), flush=True)
    print(f"ready after {time.monotonic() - began:.1f} s", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        running.stop()
