"""SEMANTICS.md, sentence by sentence: files and offsets, and that every sentence has its test.

Each promise is the docstring of the test that proves it. The others are in test_semantics_*.py.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from confluent_kafka import Producer
from harness import raw
from harness.ledger import Ledger, Row
from harness.readback import data_files, in_order
from harness.records import now_ms, send_mixed, send_small
from harness.tidegate import ROOT
from harness.wait import until
from test_transactions import markers_visible

FRAME = re.compile(r"(?:^> .*\n)+", re.M)
PROMISE = re.compile(FRAME.pattern + r"(?:(?!^> ).*\n)*?^Proof: `\w+`$", re.M)


def plain(text: str | None) -> str:
    """A sentence, however it is broken into lines."""
    return " ".join((text or "").split())


def test_every_promise_has_its_test():
    """The frames of SEMANTICS.md are the docstrings of these tests, one by one."""
    promised = {}
    text = (ROOT / "SEMANTICS.md").read_text()
    for promise in PROMISE.findall(text):
        sentence = plain(FRAME.match(promise)[0].replace("> ", ""))
        promised[promise.split("`")[-2]] = sentence
    assert len(promised) == len(FRAME.findall(text)), "a frame without a proof of its own"
    tests = {}
    for path in Path(__file__).parent.glob("test_semantics*.py"):
        for name, test in inspect.getmembers(importlib.import_module(path.stem)):
            if name.startswith("test_"):
                tests[name] = plain(test.__doc__)
    del tests["test_every_promise_has_its_test"]
    assert promised == tests and len(tests) > 20


def identities(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Each data file, and what would tell that it is another one."""
    stats = ((path, path.stat()) for path in data_files(folder))
    return {path: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in stats}


def opened(ledger: Ledger, topic: str, values: list[bytes]) -> Producer:
    """The producer of a transaction that is still open."""
    maker = ledger.producer(transactional_id=f"{topic}-{values[0].decode()}", linger_ms=0)
    maker.init_transactions(60)
    ledger.begin(maker)
    for value in values:
        ledger.send(topic, 0, value, by=maker, transaction=True)
    ledger.flush(maker)
    return maker


def transaction(ledger: Ledger, topic: str, values: list[bytes], commit: bool) -> None:
    """One transaction in partition 0, from its beginning to its end."""
    maker = opened(ledger, topic, values)
    (ledger.commit if commit else ledger.abort)(maker)


def test_a_listing_holds_every_record_once(ledger, topic, pipeline):
    """Whoever lists the files of a table finds every committed record exactly once."""
    name = topic(4)
    for partition in range(4):
        send_small(ledger, name, partition, 600, 200)
    made = pipeline([name], limits__records_per_run=800, limits__readers=3)
    call = made.tidegate.start("run", made.path, "--until-caught-up")
    until("a run is committed", lambda: made.books().manifests, every=0.002)
    call.kill()
    made.catch_up()
    files = f"read_parquet('{made.destination}/{name}/**/*.parquet')"
    with duckdb.connect() as connection:
        ((rows, records),) = connection.sql(
            f'SELECT count(*), count(DISTINCT (topic, "partition", "offset")) FROM {files}'
        ).fetchall()
    assert rows == records == 2_400 == ledger.count()
    made.check(ledger, everyone=True)


def test_files_appear_whole_and_never_change(ledger, topic, pipeline):
    """A file of a table appears under its name whole, and never changes afterwards."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 3_000, 200)
    made = pipeline([name], limits__records_per_run=500)
    table = made.destination / name
    call = made.tidegate.start("run", made.path, "--until-caught-up")
    first: dict[Path, tuple[int, int, int]] = {}
    while call.process.poll() is None:
        for path, identity in identities(table).items():
            if path not in first:
                first[path] = identity
                assert pq.read_table(path, partitioning=None).num_rows > 0
    assert call.end().code == 0 and len(first) > 1, f"too few were seen in time: {first}"
    send_small(ledger, name, 0, 700, 200)
    made.catch_up()
    last = identities(table)
    assert len(last) > len(first) and {path: last[path] for path in first} == first
    made.check(ledger)


def test_a_file_is_in_offset_order(ledger, topic, pipeline, rng):
    """Within a file the records of a partition are in offset order."""
    name = topic(3)
    send_mixed(ledger, rng, name, 3, 3_000, hours=2)
    made = pipeline([name], directories="", limits__readers=4, limits__bytes_per_task="100KiB")
    made.catch_up()
    files = data_files(made.destination)
    for path in files:
        in_order(path)
    partitions = [set(pq.read_table(path)["partition"].to_pylist()) for path in files]
    assert max(map(len, partitions)) > 1, "no file holds several partitions: nothing was shown"
    made.check(ledger)


def test_records_arrive_byte_for_byte(ledger, topic, pipeline):
    """Keys, values and headers arrive byte for byte, and null is never confused with empty."""
    name = topic()
    every_byte = bytes(range(256))
    for key, value in itertools.product((None, b"", every_byte), repeat=2):
        ledger.send(name, 0, value, key=key)
    ledger.send(name, 0, b"v", headers=[("twice", b"2"), ("twice", None), ("twice", b"")])
    ledger.flush()
    odd = [(b"\xff\xfe", every_byte), (b"base64:x", b"1"), (b"", None)]
    raw.send(ledger, name, 0, [Row(0, b"k", b"v", now_ms(), 0, odd)])
    made = pipeline([name])
    made.catch_up()
    made.check(ledger, everyone=True)


def test_absurd_times_become_null_and_are_counted(ledger, topic, pipeline):
    """A record without a timestamp, or with one outside the years 1 to 9999, has null there, and is
    counted."""
    name = topic(message_timestamp_after_max_ms=2**63 - 1)
    good, after_9999 = now_ms(), 253_402_300_800_000
    for stamp in (None, good, after_9999, 2**62):
        raw.send(ledger, name, 0, [Row(0, b"k", b"v", stamp, 0, None)])
    for offset, stamp in enumerate((None, good, None, None)):
        ledger.rows[name, 0][offset] = ledger.rows[name, 0][offset]._replace(timestamp=stamp)
    made = pipeline([name])
    made.catch_up()
    books = made.check(ledger, everyone=True)
    assert books.total("timestamps_nulled") == 3
    odd = [
        path for path in data_files(made.destination) if "__HIVE_DEFAULT_PARTITION__" in str(path)
    ]
    assert sum(pq.read_metadata(path).num_rows for path in odd) == 3


def test_an_idle_run_leaves_nothing(ledger, topic, pipeline):
    """A run that finds nothing to do leaves no file."""
    name = topic()
    send_small(ledger, name, 0, 10)
    made = pipeline([name])
    made.catch_up()

    def files() -> set[Path]:
        found = (path.relative_to(made.destination) for path in made.destination.rglob("*"))
        return {path for path in found if path.parts[0] != "_state"}

    before = files()
    assert made.one_run()["outcome"] == "idle"
    assert files() == before


def test_every_offset_is_accounted_for(ledger, topic, pipeline, broker):
    """Every offset that a run crosses is accounted for."""
    name = topic()
    transaction(ledger, name, [b"1", b"2", b"3"], commit=True)
    transaction(ledger, name, [b"4", b"5"], commit=False)
    markers_visible(broker, name, 0)
    made = pipeline([name])
    made.catch_up()
    (part,) = made.check(ledger).manifests[0]["slices"]
    terms = ("rows", "markers", "aborted", "compacted", "dead_letters", "filtered")
    assert (part["start"], part["reached"]) == (0, broker.ends(name)[1]) == (0, 7)
    assert [part[term] for term in terms] == [3, 2, 2, 0, 0, 0]


def test_slices_tile_a_partition(ledger, topic, pipeline):
    """From run to run the slices and losses of a partition follow one another without hole or
    overlap."""
    name = topic()
    send_small(ledger, name, 0, 100)
    made = pipeline([name], limits__records_per_partition=40)
    made.catch_up()
    parts = [part for manifest in made.check(ledger).manifests for part in manifest["slices"]]
    assert [(p["start"], p["reached"]) for p in parts] == [(0, 40), (40, 80), (80, 100)]


def test_a_run_keeps_to_its_limits(ledger, topic, pipeline):
    """A run crosses at most as many offsets as its limits allow, and the next one goes on there."""
    name = topic()
    send_small(ledger, name, 0, 15)
    made = pipeline([name], limits__records_per_partition=5)
    rows = [line["rows"] for line in made.catch_up().lines if line["outcome"] == "committed"]
    assert rows == [5, 5, 5]
    made.check(ledger)
