"""`make local`: the deployment on this machine. A real Kafka broker, a local AWS, `sam build`, `sam
deploy`; ride events are produced, the schedule fires, files appear. It runs until Ctrl-C."""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from harness.aws import sam, tools
from harness.aws.deployment import Deployment
from harness.aws.local_show import Shown
from harness.aws.ministack import MiniStack
from harness.aws.pipeline import as_schedule_input
from harness.broker import Broker
from harness.records import Rides
from harness.wait import until

STACK, BUCKET, TOPIC, PARTITIONS = "tidegate", "tidegate-local", "rides", 4
FIRST, EACH_SECOND = 20_000, 50


class Story:
    """Says what goes on, with the time since the beginning."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        """One line."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"[{minutes:2d}:{seconds:02d}] {text}", flush=True)

    def more(self, text: str = "") -> None:
        """Lines that belong to the one before."""
        for line in text.splitlines() or [""]:
            print(f"        {line}", flush=True)


def main() -> None:
    """From nothing to files, and on."""
    folder = Path(tempfile.mkdtemp(prefix="tidegate-local-"))
    for ends in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ends, signal.default_int_handler)
    try:
        with contextlib.ExitStack() as running:
            run(Story(), folder, running)
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.", flush=True)
    except Exception:
        print(f"\nIt failed; the logs are in {folder}", file=sys.stderr, flush=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def run(story: Story, folder: Path, running: contextlib.ExitStack) -> None:
    """All steps, in order."""
    broker, server = Broker(folder / "kafka"), MiniStack(folder / "aws")
    story.say("Starting Apache Kafka, a real broker on this machine")
    running.callback(broker.stop)
    broker.create()
    broker.create_topics([TOPIC], PARTITIONS)
    story.more(f"it listens on {broker.address}; topic {TOPIC} has {PARTITIONS} partitions")
    story.say("Starting a local AWS (MiniStack): Lambda, DynamoDB, S3, EventBridge Scheduler, …")
    running.callback(server.stop)
    server.start()
    story.more(f"it listens on {server.endpoint}")
    story.say("sam build: the three functions, for this machine and without optimisation")
    story.more("the first time this compiles everything, for several minutes")
    built = sam.built(folder / "build.log")
    story.say("sam deploy: infra/template.yaml as it is, with the times of infra/local.yaml")
    spec = spec_of(broker)
    deployment = Deployment(server, STACK, BUCKET)
    local = f"file://{tools.ROOT / 'infra' / 'local.yaml'}"
    sam.deploy(
        server,
        built,
        STACK,
        {"Spec": as_schedule_input(spec), "BucketName": BUCKET},
        folder / "deploy.log",
        files=[local],
    )
    deployment.describe()
    (folder / "rides.json").write_text(json.dumps(spec, indent=2))
    story.say(f"Producing {FIRST:,} ride events")
    running.enter_context(producing(broker))
    shown = Shown(deployment, spec, folder / "rides.json")
    story.say("Waiting for the schedule, which fires each minute")
    until("the first run is committed", lambda: shown.committed() >= 1, seconds=240, every=0.2)
    story.say("The first Parquet files are there")
    story.more(shown.everything())
    story.more(shown.hints())
    story.say(f"Some {EACH_SECOND} events a second go on arriving; Ctrl-C ends it")
    follow(story, shown)


def spec_of(broker: Broker) -> dict[str, object]:
    """The pipeline's spec: all four fields that are required, and nothing else."""
    return {
        "pipeline": "rides",
        "kafka": {"bootstrap_servers": [broker.address]},
        "topics": [TOPIC],
        "destination": f"s3://{BUCKET}",
    }


@contextlib.contextmanager
def producing(broker: Broker) -> Iterator[None]:
    """Ride events: many at once, and then some each second until this is left."""
    from confluent_kafka import Producer

    producer = Producer(
        {"bootstrap.servers": broker.address, "compression.type": "lz4", "log_level": 0}
    )
    rides = Rides(TOPIC, FIRST)
    done = threading.Event()

    def send(numbers: range) -> None:
        for number in numbers:
            producer.produce(TOPIC, rides.value(number), partition=number % PARTITIONS)
            producer.poll(0)
        producer.flush(60)

    def go_on() -> None:
        number = FIRST
        while not done.wait(1):
            send(range(number, number + EACH_SECOND))
            number += EACH_SECOND

    send(range(FIRST))
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(10)


def follow(story: Story, shown: Shown) -> None:
    """A line for each run, until somebody has seen enough."""
    last = shown.committed()
    while True:
        time.sleep(1)
        if (now := shown.committed()) > last:
            last = now
            at = datetime.datetime.now(datetime.UTC).strftime("%H:%M:%S")
            story.say(f"{at} UTC: {shown.run_line(now)}")


if __name__ == "__main__":
    main()
