"""`tidegate run` copying ride events from a real broker to a directory with one reader, beside a
consumer that discards and a good Python job, in one interleaved run: CPU seconds per GB of the
whole process, wall time, peak resident memory.

    make bench            2 GB of 645-byte JSON records, lz4 on the wire, 3 rounds
    BENCH_GB=0.5 BENCH_ROUNDS=5 make bench

This process stays small on purpose: a child's peak memory never reads as less than its parent's.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from harness.broker import Broker  # noqa: E402
from harness.tidegate import binary  # noqa: E402

RECORD_BYTES = 645
GB = float(os.environ.get("BENCH_GB", "2"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
TOPIC = "rides"


class Measure(NamedTuple):
    """One job, once."""

    cpu_s: float
    wall_s: float
    rss_mb: float


def measure(command: list[str]) -> Measure:
    """Runs a job; CPU time of all its threads, peak resident memory."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed: {process.returncode}\n{said}")
    return Measure(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def tidegate(address: str, count: int, folder: Path) -> list[str]:
    """The command that copies the topic with one reader in one run."""
    spec = {
        "pipeline": "bench",
        "kafka": {"bootstrap_servers": [address]},
        "topics": [TOPIC],
        "destination": f"file://{folder}/lake",
        "limits": {"readers": 1, "bytes_per_task": f"{int(count * 1.1) // 1024 + 1}MiB"},
    }
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    return [str(binary()), "run", str(path), "--json"]


def rows_written(folder: Path) -> int:
    """Rows below a folder by the footers, counted in a process of its own."""
    command = [sys.executable, str(HERE / "consumer.py"), "rows", str(folder)]
    read = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return int(read.stdout)


def once(job: str, address: str, count: int, work: Path) -> Measure:
    """One job in a fresh folder; it must have written every row."""
    folder = work / job
    folder.mkdir()
    try:
        if job == "tidegate":
            measured = measure(tidegate(address, count, folder))
        else:
            script = [sys.executable, str(HERE / "consumer.py"), job, address, TOPIC, str(count)]
            measured = measure([*script, *([str(folder)] if job == "parquet" else [])])
        if job != "discard" and (rows := rows_written(folder)) != count:
            raise SystemExit(f"{job} wrote {rows} rows instead of {count}")
        return measured
    finally:
        shutil.rmtree(folder)


def table(measured: dict[str, list[Measure]], gb: float) -> str:
    """Medians, with the range of the CPU seconds, and the ratio to the Python job."""
    names = {
        "tidegate": "tidegate run, 1 reader",
        "discard": "confluent-kafka, discards",
        "parquet": "confluent-kafka + pyarrow",
    }
    base = statistics.median(one.cpu_s for one in measured["parquet"])
    lines = [
        f"{'':28}{'CPU-s/GB':>10}{'(range)':>15}{'MB/CPU-s':>10}{'wall s':>8}{'RSS MB':>8}"
        f"{'x Python job':>14}"
    ]
    for job, rounds in measured.items():
        cpu = [one.cpu_s for one in rounds]
        middle = statistics.median(cpu)
        wall = statistics.median(one.wall_s for one in rounds)
        rss = max(one.rss_mb for one in rounds)
        span = f"({min(cpu) / gb:.2f}-{max(cpu) / gb:.2f})"
        lines.append(
            f"{names[job]:28}{middle / gb:10.2f}{span:>15}{gb * 1000 / middle:10.0f}{wall:8.1f}"
            f"{rss:8.0f}{base / middle:14.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Fills a topic, then measures the three jobs in turns."""
    count = int(GB * 1e9) // RECORD_BYTES
    gb = count * RECORD_BYTES / 1e9
    work = Path(tempfile.mkdtemp(prefix="tidegate-bench-", dir=os.environ.get("BENCH_FOLDER")))
    broker = Broker(work / "broker")
    try:
        broker.create()
        broker.create_topics([TOPIC])
        print(f"producing {gb:.2f} GB, {count} records of {RECORD_BYTES} bytes, lz4", flush=True)
        subprocess.run(
            [sys.executable, __file__, "produce", broker.address, str(count)], check=True
        )
        measured: dict[str, list[Measure]] = {"tidegate": [], "discard": [], "parquet": []}
        for number in range(ROUNDS):
            for job, rounds in measured.items():
                rounds.append(once(job, broker.address, count, work))
                one = rounds[-1]
                print(
                    f"round {number + 1} {job}: {one.cpu_s / gb:.2f} CPU-s/GB, {one.wall_s:.1f} s, "
                    f"{one.rss_mb:.0f} MB",
                    flush=True,
                )
        print(
            f"\n{ROUNDS} rounds of {gb:.2f} GB, {os.cpu_count()} cores; medians, RSS: the highest"
        )
        print(table(measured, gb))
    finally:
        broker.stop()
        shutil.rmtree(work, ignore_errors=True)


def produce(address: str, count: int) -> None:
    """In a process of its own: the producer's queue is large."""
    from harness.records import Rides

    Rides(TOPIC, count).produce(address)


if __name__ == "__main__":
    if sys.argv[1:2] == ["produce"]:
        produce(sys.argv[2], int(sys.argv[3]))
    else:
        main()
