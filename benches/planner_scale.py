"""What a pipeline of very many partitions costs: 20 topics of 50, and of 1,000 partitions, on a
local AWS with the functions as they are deployed. Of each step: seconds, CPU, memory, requests,
DynamoDB's units, requests to Kafka for one observation, bytes that cross the Lambda API, bytes
that are stored. Every record is checked to be there once.

    RELEASE=1 $(tests/setup.sh) benches/planner_scale.py
    PARTITIONS=1000 …               only the small one (1000,20000 are both)
    TIDEGATE_SAM_BUILD=template …   functions that were built before
    TIDEGATE_BIN=tidegate …         a binary with its AWS side: `status` and `verify` are timed, too

It takes minutes, most of them to create topics (fewer with a TMPDIR in memory), and 4 GB.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from harness.aws import faults, processes, sam, tools  # noqa: E402
from harness.aws.calls import Request  # noqa: E402
from harness.aws.costs import Costs  # noqa: E402
from harness.aws.deployment import Deployment  # noqa: E402
from harness.aws.killing import FUNCTIONS  # noqa: E402
from harness.aws.ministack import MiniStack  # noqa: E402
from harness.aws.pipeline import CloudPipeline, as_schedule_input  # noqa: E402
from harness.aws.proxy import Proxy  # noqa: E402
from harness.ledger import Ledger  # noqa: E402
from harness.many import Many  # noqa: E402
from harness.records import HOUR_MS, now_ms  # noqa: E402
from harness.tidegate import Tidegate, binary  # noqa: E402

TOPICS = 20
PARTITIONS = [int(number) for number in os.environ.get("PARTITIONS", "1000,20000").split(",")]
BUCKET = "tidegate-scale"


class Scale:
    """One pipeline of so many partitions."""

    def __init__(
        self, partitions: int, brokers: Many, proxy: Proxy, deployment: Deployment, folder: Path
    ) -> None:
        self.each = partitions // TOPICS
        self.topics = [f"shop-{n:02}-orders-and-returns-{self.each:04}" for n in range(TOPICS)]
        self.brokers, self.proxy, self.ledger = brokers, proxy, Ledger(brokers)  # type: ignore
        # Some 13 tasks, at the KiB a record that is planned as long as nothing is known.
        limits = {"bytes_per_task": f"{partitions * 400}B"}
        name, first = f"scale-{partitions}-partitions", brokers.first.counted_address
        self.made = CloudPipeline(deployment, name, first, self.topics, folder, limits=limits)
        self.runs, self.rng = 0, random.Random(partitions)
        began = time.monotonic()
        brokers.create_topics(self.topics, self.each)
        print(f"\n{partitions} partitions, created in {time.monotonic() - began:.0f} s", flush=True)

    def send(self, every: int) -> None:
        """1 to 9 records of the last hours to each of every so many partitions."""
        until_ms = now_ms()
        for topic in self.topics:
            for partition in range(0, self.each, every):
                for _ in range(self.rng.randrange(1, 10)):
                    value, age = self.rng.randbytes(self.rng.randrange(200)), self.rng.random()
                    stamp = until_ms - int(age * 2 * HOUR_MS)
                    self.ledger.send(topic, partition, value, timestamp=stamp)
        self.ledger.flush()

    @contextmanager
    def step(self, what: str) -> Iterator[Costs]:
        """Prints what a step cost."""
        calls = {by: len(self.made.deployment.durations_ms(by)) for by in FUNCTIONS}
        costs, began, cpu = Costs(self.proxy, self.made), time.monotonic(), self.cpu()
        with costs.rule:
            yield costs
        took, used, load = time.monotonic() - began, self.cpu() - cpu, os.getloadavg()[0]
        print(f"{what}: {took:.1f} s, load {load:.1f}, largest item {costs.largest_item} bytes")
        for by in FUNCTIONS:
            ended = self.made.deployment.durations_ms(by)[calls[by] :]
            if ended or by in costs.requests:
                print(f"  {by}: calls of {ended} ms, {used[by]:.2f} CPU s, {costs.of(by)}")
        for asked, answered in costs.observed:
            print(f"  observe: {asked} bytes asked, {answered} answered", flush=True)

    def cpu(self) -> Counter[str]:
        """CPU seconds of each function's processes."""
        pids = self.made.deployment.processes
        return Counter({by: sum(map(processes.cpu_seconds, pids(by))) for by in FUNCTIONS})

    def run(self, what: str) -> None:
        """A tick that opens a run, to its end; then the proof that every record is there once."""
        self.runs += 1
        with self.step(f"run {self.runs}, {what}"):
            began = time.monotonic()
            assert self.made.tick() == "opened"
            print(f"\nthe tick took {time.monotonic() - began:.1f} s")
            self.made.wait_closed(self.runs, seconds=900)
            self.made.commit_of(self.runs)
        self.made.check(self.ledger, topics=self.topics)
        self.documents()

    def idle(self, mode: str = "tick") -> None:
        """A tick that finds nothing to do, and its requests to Kafka."""
        with self.brokers.proxies() as counting, self.step(f"idle {mode}"):
            assert self.made.tick(mode) == "idle"
        for node, one in enumerate(counting, 1):
            counts = ", ".join(f"{api} {count}" for api, count in sorted(one.requests.items()))
            print(f"  broker {node}: {one.answered} bytes answered; {counts or 'no requests'}")

    def busy(self) -> None:
        """A tick while a run is open: its reader's output waits until it is over."""
        gate = threading.Event()
        self.ledger.send(self.topics[0], 0, b"one more")
        self.ledger.flush()

        def output(request: Request) -> bool:
            return request.operation == "PutItem" and "/output/" in request.item[1]

        with self.proxy.rule(output, faults.hold(gate)):
            assert self.made.tick() == "opened"
            with self.step("busy tick"):
                assert self.made.tick() == "busy"
            gate.set()
            self.runs += 1
            self.made.wait_closed(self.runs, seconds=900)

    def documents(self) -> None:
        """What the last run left behind: in the table and in the bucket."""
        stored = self.made.deployment.state.stored(self.made.name, self.runs)
        for kind, size in sorted(stored.items()):
            print(f"  {kind}: {size.plain} bytes, {size.kept} kept in {size.items} item(s)")
        client = self.made.deployment.client("s3")
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.made.prefix}_runs/")
        for one in listed["Contents"]:
            print(f"  {one['Key'].rpartition('/')[2]}: {one['Size']} bytes")

    def command_line(self) -> None:
        """The verbs that look at all partitions."""
        path = self.made.folder / f"{self.made.name}.json"
        path.write_text(json.dumps(self.made.spec))
        table = f"dynamodb://{self.made.deployment.outputs['StateTable']}"
        env = tools.CREDENTIALS | {"AWS_ENDPOINT_URL": self.proxy.endpoint, "TIDEGATE_STATE": table}
        for verb in (["plan"], ["status"], ["verify"], ["verify", "--deep"]):
            ended = Tidegate(binary()).call(verb[0], path, *verb[1:], env=env, seconds=600)
            print(f"tidegate {' '.join(verb)}: {ended.seconds:.1f} s, {len(ended.out)} bytes said")

    def measure(self) -> None:
        """Everything, in the order of a pipeline's life."""
        with self.brokers.proxies():
            self.send(every=20)
            self.run("the first, of every 20th partition")
        self.idle()
        self.idle("roll_forward")
        with self.brokers.proxies():
            self.send(every=1)
            self.run("of every partition")
            self.busy()
            if "TIDEGATE_BIN" in os.environ:
                self.command_line()
        for function in FUNCTIONS:
            peaks = map(processes.resident_bytes, self.made.deployment.processes(function))
            print(f"{function}: at most {max(peaks) / 1e6:.0f} MB resident")


def main() -> None:
    """Small before large: memory is the most that a process ever had."""
    with ExitStack() as ends:
        folder, proxy = Path(ends.enter_context(tempfile.TemporaryDirectory())), Proxy()
        brokers, server = Many(folder / "kafka"), MiniStack(folder / "aws", proxy.endpoint)
        ends.callback(brokers.stop)
        brokers.create()
        ends.callback(server.stop)
        server.start()
        proxy.start(server)
        ends.callback(proxy.stop)
        deployment = Deployment(server, "tidegate", BUCKET)
        built = sam.built(debug="RELEASE" not in os.environ)
        spec = {"pipeline": "none", "kafka": {"bootstrap_servers": ["127.0.0.1:1"]}}
        spec |= {"topics": ["none"], "destination": f"s3://{BUCKET}/none"}
        more = {"PlannerTimeout": "300", "ReaderTimeout": "300", "FinalizerTimeout": "300"}
        more |= {"ReadingLeaseSeconds": "900", "FinalizingLeaseSeconds": "320"}
        more |= {"Pipeline": "none", "Spec": as_schedule_input(spec), "ScheduleState": "DISABLED"}
        deployment.deploy(built, **more)
        for partitions in PARTITIONS:
            Scale(partitions, brokers, proxy, deployment, folder).measure()


if __name__ == "__main__":
    main()
