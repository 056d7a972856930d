"""Every kind of record arrives as it was produced: exactly once, column by column."""

from __future__ import annotations

import random

import pyarrow.parquet as pq
import pytest
from harness import consume, raw
from harness.ledger import Row
from harness.readback import data_files
from harness.records import HOUR_MS, hour_start_ms, now_ms, send_mixed, send_small
from harness.sizes import size

LAST_MS_OF_YEAR_9999 = 253_402_300_799_999


@pytest.mark.timeout(900)
def test_mixed_records_of_every_codec_are_copied_exactly(ledger, topic, pipeline, rng, broker):
    """N01 N02 N03 N04 N06 N10 N14 F03 T15 A02: keys null, empty and any bytes; tombstones and empty
    values; headers of every kind; every codec in each partition; create and append times."""
    count = size(100_000, 1_000_000)
    created = topic(6, "created")
    appended = topic(3, "appended", message_timestamp_type="LogAppendTime")
    send_mixed(ledger, rng, created, 6, count)
    send_mixed(ledger, rng, appended, 3, count // 10)
    # Kafka's own consumer agrees with the delivery reports, append times included.
    for partition, rows in consume.rows(broker, appended, 3).items():
        produced = ledger.rows[appended, partition]
        assert rows == [produced[offset] for offset in sorted(produced)]

    made = pipeline([created, appended])
    ended = made.catch_up()
    assert ended.rows == count + count // 10
    books = made.check(ledger, everyone=True)
    assert books.total("rows") == count + count // 10
    # Four or five hours of creation, one or two of appending, and one file each: T15.
    assert len(data_files(made.destination)) <= 5 + 2, data_files(made.destination)
    assert made.one_run()["outcome"] == "idle"


@pytest.mark.parametrize("codec", ["none", "snappy", "lz4", "zstd(1)", "zstd(9)", "gzip"])
def test_f01_each_compression_is_read_by_everyone(codec, ledger, topic, pipeline, rng):
    """F01: every `files.compression`, by pyarrow, DuckDB and DataFusion."""
    name = topic(2)
    send_mixed(ledger, rng, name, 2, 2_000, hours=2)
    made = pipeline([name], files__compression=codec)
    made.catch_up()
    made.check(ledger, everyone=True)
    wanted = {"none": "UNCOMPRESSED", "lz4": "LZ4"}.get(codec, codec.split("(")[0].upper())
    path = data_files(made.destination)[0]
    value = pq.read_metadata(path).row_group(0).column(1)
    assert value.path_in_schema == "value" and value.compression == wanted


def test_header_keys_of_any_bytes_become_text(ledger, topic, pipeline):
    """N06: what is not UTF-8, and what could be mistaken for Base64, is written as Base64."""
    name = topic()
    headers = [
        (b"\xff\xfe", b"1"),
        (b"base64:x", b"2"),
        (b"plain", None),
        (b"", b""),
        (b"\xff", None),
    ]
    rows = [
        Row(0, b"k", b"v", now_ms(), 0, headers),
        Row(0, b"k", b"v", now_ms(), 0, None),
        Row(0, None, None, now_ms(), 0, [(b"\xc3\xbc", b"\xff")]),
    ]
    raw.send(ledger, name, 0, rows)
    made = pipeline([name])
    made.catch_up()
    made.check(ledger, everyone=True)


def test_t09_missing_and_absurd_times_have_a_directory_of_their_own(ledger, topic, pipeline):
    """T07 T09: −1 and years outside 1–9999 are null, and counted; the first and the last moment
    that have a directory keep it; none of them makes a column or a directory unreadable."""
    name = topic(message_timestamp_after_max_ms=2**63 - 1)
    good = now_ms()
    stamps = [None, good, 2**62, LAST_MS_OF_YEAR_9999, LAST_MS_OF_YEAR_9999 + 1, 0, good + 1]
    for stamp in stamps:
        raw.send(ledger, name, 0, [Row(0, b"k", b"v", stamp, 0, None)])
    for offset, row in ledger.rows[name, 0].items():
        if row.timestamp is not None and row.timestamp > LAST_MS_OF_YEAR_9999:
            ledger.rows[name, 0][offset] = row._replace(timestamp=None)
    made = pipeline([name])
    made.catch_up()
    books = made.check(ledger, everyone=True)
    counted = sum(part["timestamps_nulled"] for m in books.manifests for part in m["slices"])
    assert counted == 3
    fallback = [p for p in data_files(made.destination) if "__HIVE_DEFAULT_PARTITION__" in str(p)]
    assert sum(pq.read_metadata(path).num_rows for path in fallback) == 3


def test_n08_records_up_to_50_mb_are_copied(ledger, topic, pipeline, rng):
    """N08: records far larger than what one fetch asks for, between small ones."""
    name = topic(2, max_message_bytes=100_000_000)
    for mb in (0, 1, 12, 0, size(24, 50), 0):
        value = rng.randbytes(mb * 1_000_000 or 10)
        for partition in (0, 1):
            ledger.send(name, partition, value, headers=[("mb", b"%d" % mb)])
            ledger.flush()
    made = pipeline([name])
    made.catch_up()
    made.check(ledger, everyone=True)


def test_batches_of_one_record_and_of_many(ledger, topic, pipeline):
    """Batches of one record each, then one producer's batches of up to 100,000."""
    name = topic(2)
    alone = ledger.producer("none", linger_ms=0, batch_num_messages=1)
    for number in range(1_000):
        ledger.send(name, 0, b"%d" % number, by=alone)
    crowd = ledger.producer(
        "zstd", linger_ms=2_000, batch_num_messages=100_000, batch_size=10_000_000
    )
    for number in range(size(100_000, 300_000)):
        ledger.send(name, 1, b"%d" % number, timestamp=now_ms(), by=crowd)
    ledger.flush(alone, crowd)
    made = pipeline([name])
    made.catch_up()
    made.check(ledger)


def test_records_of_many_hours_in_any_order(ledger, topic, pipeline, rng: random.Random):
    """Records over many hours, in random order, land each in the directory of its hour; the number
    of open files is bounded by the configuration, not by the data."""
    hours = size(500, 10_000)
    name = topic(2)
    last = hour_start_ms()
    for number in range(hours * 6):
        stamp = last - rng.randrange(hours) * HOUR_MS
        ledger.send(name, number % 2, b"%d" % number, timestamp=stamp)
    ledger.flush()
    made = pipeline([name])
    made.catch_up(seconds=280)
    made.check(ledger)
    seen = {row.timestamp // HOUR_MS for rows in ledger.rows.values() for row in rows.values()}
    assert len({path.parent for path in data_files(made.destination)}) == len(seen)


def test_without_directories_a_table_is_one_folder(ledger, topic, pipeline, rng):
    """`directories: ""`: the files stand in the table's folder itself."""
    name = topic(2)
    send_mixed(ledger, rng, name, 2, 500)
    made = pipeline([name], directories="")
    made.catch_up()
    made.check(ledger, everyone=True)
    assert {path.parent for path in data_files(made.destination)} == {made.destination / name}


def test_directories_by_run_are_those_of_the_plan(ledger, topic, pipeline):
    """`directories_by: run`: old records land in today's directory."""
    name = topic(1)
    for number in range(100):
        ledger.send(name, 0, b"v", timestamp=now_ms() - number * 24 * HOUR_MS)
    ledger.flush()
    made = pipeline([name], directories="day=%Y-%m-%d", directories_by="run")
    made.catch_up()
    made.check(ledger)
    folders = {path.parent.name for path in data_files(made.destination)}
    assert len(folders) == 1 and folders.pop().startswith("day=20")


def test_c12_an_idle_run_leaves_no_trace(ledger, topic, pipeline):
    """C12 P24 F06 R13: nothing new, no file and no manifest; an empty topic ends cleanly."""
    name, empty = topic(3), topic(2, "empty")
    send_small(ledger, name, 1, 50)
    made = pipeline([name, empty])
    assert made.catch_up().rows == 50
    before = sorted(p for p in made.destination.rglob("*") if p.suffix in (".json", ".parquet"))
    before = [path for path in before if "_state" not in path.parts]
    assert made.one_run()["outcome"] == "idle"
    after = sorted(p for p in made.destination.rglob("*") if p.suffix in (".json", ".parquet"))
    assert before == [path for path in after if "_state" not in path.parts]
    made.check(ledger)
