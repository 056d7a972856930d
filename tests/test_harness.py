"""The tests' own tools: an oracle that cannot see is worse than none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness import consume, raw, readback
from harness.ledger import SCHEMA, WRITTEN, Ledger, Row, header_key
from harness.proxy import Proxy

CHANGES = {
    "a lost row": lambda table: table.slice(1),
    "a row twice": lambda table: pa.concat_tables([table, table.slice(3, 1)]),
    "another value": lambda table: _with(table, "value", 2, b"other"),
    "a null for an empty value": lambda table: _with(table, "value", 0, None),
    "another time": lambda table: _with(table, "timestamp", 4, 7),
    "another header": lambda table: _with(table, "headers", 1, [{"key": "a", "value": b""}]),
}


def _with(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    at = SCHEMA.get_field_index(name)
    cells = table[name].to_pylist()
    cells[row] = value
    return table.set_column(at, SCHEMA.field(at), pa.array(cells, SCHEMA.field(at).type))


def _written(ledger: Ledger, topic: str) -> pa.Table:
    for number in range(20):
        value = b"" if number == 0 else f"v{number}".encode()
        headers = [("a", None), ("a", b"x")] if number == 1 else None
        ledger.send(topic, number % 2, value, headers=headers, timestamp=1_700_000_000_000 + number)
    ledger.flush()
    return ledger.table()


def test_the_readers_agree_with_the_ledger(ledger, topic, tmp_path: Path):
    """A file with what was produced passes, by all three readers."""
    expected = _written(ledger, topic(2))
    (tmp_path / "table").mkdir()
    pq.write_table(expected.cast(WRITTEN), tmp_path / "table" / "file.parquet", store_schema=False)
    readback.check(tmp_path, expected, everyone=True)


@pytest.mark.parametrize("change", CHANGES)
def test_each_difference_is_noticed(change: str, ledger, topic, tmp_path: Path):
    """Every kind of wrong row fails, whoever reads it."""
    expected = _written(ledger, topic(2))
    (tmp_path / "table").mkdir()
    changed = CHANGES[change](expected)
    pq.write_table(changed.cast(WRITTEN), tmp_path / "table" / "file.parquet", store_schema=False)
    for read in (readback.by_pyarrow, readback.by_duckdb, readback.by_datafusion):
        with pytest.raises(AssertionError):
            readback.same(read(tmp_path), expected, "the reader")


def test_a_wrong_order_is_noticed(ledger, topic, tmp_path: Path):
    """Rows of a partition in the wrong order fail, although the rows are all there."""
    expected = _written(ledger, topic(2))
    swapped = expected.take(pa.array([1, 0, *range(2, 20)]))
    (tmp_path / "table").mkdir()
    pq.write_table(swapped.cast(WRITTEN), tmp_path / "table" / "file.parquet", store_schema=False)
    with pytest.raises(AssertionError, match="has 0 after 1"):
        readback.check(tmp_path, expected)


def test_raw_batches_are_what_kafka_reads(broker, ledger, topic):
    """A batch made by hand is read by Kafka's own client as it was meant."""
    name = topic()
    headers = [(b"k", b"1"), (b"k", None), (b"", b"")]
    rows = [Row(0, b"a", b"1", 1_700_000_000_000, 0, headers), Row(0, None, None, 5, 0, None)]
    raw.send(ledger, name, 0, rows)
    raw.send(ledger, name, 0, rows)
    assert consume.rows(broker, name, 1)[0] == list(ledger.rows[name, 0].values())
    assert [row.offset for row in ledger.rows[name, 0].values()] == [0, 1, 2, 3]


def test_header_keys_that_are_no_text_become_base64():
    """The promised spelling of header keys."""
    assert header_key("ключ".encode()) == "ключ"
    assert header_key(b"\xff\xfe") == "base64://4="
    assert header_key(b"base64:x") == "base64:YmFzZTY0Ong="


def test_the_proxy_counts_what_a_client_asks(broker, ledger, topic):
    """A client that comes through the proxy comes back to it, and is counted."""
    from confluent_kafka.admin import AdminClient

    _written(ledger, topic(2))
    with Proxy(broker) as proxy:
        client = AdminClient({"bootstrap.servers": broker.counted_address, "log_level": 0})
        assert len(client.list_topics(timeout=10).topics) > 0
        assert proxy.requests["Metadata"] >= 1 and proxy.connections >= 1
