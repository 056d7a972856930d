"""What a run costs on AWS, counted on a local one: requests to S3 and DynamoDB and its units of a
run with 1, 10 and 100 tasks, and of an idle tick; how long the first and later invocations of each
function take, how much memory its processes ever had, how large their packages are.

    $(tests/setup.sh) benches/local_aws.py            debug binaries: only counts are right
    RELEASE=1 $(tests/setup.sh) benches/local_aws.py  times and sizes of what is deployed
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from harness.aws import processes, sam  # noqa: E402
from harness.aws.costs import Costs  # noqa: E402
from harness.aws.deployment import Deployment  # noqa: E402
from harness.aws.killing import FUNCTIONS  # noqa: E402
from harness.aws.ministack import MiniStack  # noqa: E402
from harness.aws.pipeline import CloudPipeline, as_schedule_input  # noqa: E402
from harness.aws.proxy import Proxy  # noqa: E402
from harness.broker import Broker  # noqa: E402
from harness.ledger import Ledger  # noqa: E402
from harness.records import send_small  # noqa: E402

TASKS = (1, 10, 100)
RELEASE = bool(os.environ.get("RELEASE"))


def main() -> None:
    """Prints everything."""
    with tempfile.TemporaryDirectory() as folder:
        proxy, broker = Proxy(), Broker(Path(folder) / "kafka", session_ms=1_500)
        server = MiniStack(Path(folder) / "aws", proxy.endpoint)
        try:
            broker.create()
            server.start()
            proxy.start(server)
            built = sam.built(debug=not RELEASE)
            sizes(built)
            measure(broker, proxy, server, built, Path(folder))
            proxy.stop()
        finally:
            server.stop()
            broker.stop()


def sizes(built: Path) -> None:
    """Each function's package, as SAM would upload it."""
    for function in FUNCTIONS:
        binary = built.parent / f"{function.capitalize()}Function" / "bootstrap"
        with tempfile.NamedTemporaryFile() as part:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(binary, "bootstrap")
            zipped = Path(part.name).stat().st_size
        print(f"{function}: {binary.stat().st_size / 1e6:.1f} MB, {zipped / 1e6:.1f} MB zipped")


def measure(broker: Broker, proxy: Proxy, server: MiniStack, built: Path, folder: Path) -> None:
    """Runs with a task for each partition, then an idle tick; then the processes themselves."""
    deployment = Deployment(server, "tidegate", "tidegate-bench")
    ledger = Ledger(broker)
    idle = {
        "pipeline": "none",
        "kafka": {"bootstrap_servers": [broker.address]},
        "topics": ["none"],
    }
    idle["destination"] = "s3://tidegate-bench/none"
    deployment.deploy(
        built,
        Pipeline="none",
        Spec=as_schedule_input(idle),
        ScheduleState="DISABLED",
        ReaderTimeout="300",
        FinalizerTimeout="300",
        ReadingLeaseSeconds="400",
        FinalizingLeaseSeconds="320",
    )
    for tasks in TASKS:
        topic = f"tasks-{tasks}"
        broker.create_topics([topic], tasks)
        for partition in range(tasks):
            send_small(ledger, topic, partition, 50)
        made = CloudPipeline(deployment, topic, broker.address, [topic], folder)
        made.spec["limits"] = {"readers": tasks, "bytes_per_task": "50KiB"}
        costs = Costs(proxy, made)
        with costs.rule:
            made.tick()
            made.wait_closed(1, seconds=300)
            made.check(ledger, topics=[topic])
        print(f"{tasks} task(s):\n{costs}")
    costs = Costs(proxy, made)
    with costs.rule:
        assert made.tick() == "idle"
    print(f"idle tick of {tasks} partitions:\n{costs}")
    for function in FUNCTIONS:
        took = deployment.durations_ms(function)
        resident = [processes.resident_bytes(pid) for pid in deployment.processes(function)]
        print(
            f"{function}: first invocation {took[0]} ms, shortest {min(took)} ms of {len(took)}; "
            f"at most {max(resident) / 1e6:.0f} MB resident"
        )


if __name__ == "__main__":
    main()
