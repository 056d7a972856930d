"""One hot partition, and many small ones."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from harness.proxy import Proxy
from harness.readback import data_files, in_order
from harness.records import Rides
from harness.sizes import size

GROUP_OF_ROWS = 65_536


def check_rides(destination: Path, rides: Rides, upto: int | None = None) -> None:
    """Every offset once, with its own value, in order within each file; in bounded memory."""
    wanted = rides.count if upto is None else upto
    seen = bytearray(wanted)
    for path in data_files(destination):
        in_order(path)
        columns = ["offset", "value"]
        for part in pq.ParquetFile(path).iter_batches(GROUP_OF_ROWS, columns=columns):
            for offset, value in zip(part["offset"].to_pylist(), part["value"].to_pylist()):
                assert offset < wanted and not seen[offset], f"{path}: {offset} is wrong or twice"
                assert value == rides.value(offset), f"{path}: another value at {offset}"
                seen[offset] = 1
    assert all(seen), f"{seen.count(0)} records are missing, the first is {seen.index(0)}"


@pytest.mark.timeout(1200)
def test_p03_a_hot_partition_is_split_over_readers(pipeline, rides):
    """P03 P06 P08 F02: one partition of 200 MB [2 GB] is read by several readers at once; its
    slices tile it; large files are joined, and nothing is lost at the seams."""
    payload = rides.count * Rides.BYTES
    made = pipeline([rides.topic], limits__readers=16, limits__bytes_per_task="16MiB")
    # Nothing is measured yet, so that the first run takes records for 1 KiB each.
    plan = made.plan()
    assert rides.topic in plan.out
    (summary,) = [line for line in plan.lines if "tasks" in line]
    assert 4 <= summary["tasks"] <= 16, summary
    ended = made.catch_up(seconds=900)
    assert ended.rows == rides.count
    books = made.books()
    books.check()
    most = max(len(m["slices"]) for m in books.manifests)
    assert most >= 4, f"slices of a run: {[len(m['slices']) for m in books.manifests]}"
    check_rides(made.destination, rides)
    made.verify("--deep", seconds=300)
    # Several readers a run, and yet files of a good size: two per run at most (an hour's change).
    assert len(data_files(made.destination)) <= 2 * len(books.manifests)
    assert sum(line["bytes_read"] for line in ended.lines) >= payload


@pytest.mark.timeout(600)
def test_p23_many_partitions_in_one_run(broker, ledger, pipeline):
    """P23 R14: 100 [1,000] partitions over 50 topics in one run: a handful of files per table, a
    handful of requests to the broker, one connection per reader and broker."""
    topics, partitions = 50, size(2, 20)
    names = [f"many-{number}" for number in range(topics)]
    broker.create_topics(names, partitions)
    for name in names:
        for partition in range(partitions):
            for number in range(20):
                ledger.send(name, partition, b"%s/%d/%d" % (name.encode(), partition, number))
    ledger.flush()
    readers = 4
    with Proxy(broker) as proxy:
        made = pipeline(
            {"pattern": "many-[0-9]+"}, address=broker.counted_address, limits__readers=readers
        )
        ended = made.catch_up(seconds=300)
        counted = dict(proxy.requests)
        connections = proxy.connections
    committed = [line for line in ended.lines if line["outcome"] == "committed"]
    assert len(committed) == 1 and committed[0]["rows"] == topics * partitions * 20
    books = made.check(ledger, topics=names)
    files = books.files_per_table()
    assert len(files) == topics
    # One file per table and hour.
    assert max(files.values()) <= 2, files
    print(f"requests {counted}, connections {connections}")
    # Requests per broker, never per partition: the bound does not grow with the partitions.
    assert sum(counted.values()) <= 120, counted
    assert counted["ListOffsets"] <= 12 and counted["Metadata"] <= 20, counted
    assert connections <= 4 * (readers + 2), connections
