"""What was written, read by pyarrow, DuckDB and DataFusion, against what must be there."""

from __future__ import annotations

import itertools
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datafusion import SessionContext

from .ledger import SCHEMA, WRITTEN

ORDER = [("topic", "ascending"), ("partition", "ascending"), ("offset", "ascending")]


def data_files(destination: Path) -> list[Path]:
    """What anyone who lists the destination takes for data: every `*.parquet`, wherever it is."""
    return sorted(path for path in destination.rglob("*.parquet") if path.is_file())


def tables(destination: Path) -> list[Path]:
    """The tables' folders: those that hold data and do not begin with `_` or `.`."""
    tops = {path.relative_to(destination).parts[0] for path in data_files(destination)}
    hidden = sorted(top for top in tops if top.startswith(("_", ".")))
    assert not hidden, f"data files outside the tables: {hidden}"
    return [destination / top for top in sorted(tops)]


def by_pyarrow(destination: Path) -> pa.Table:
    """Each file on its own, its schema checked to the letter."""
    parts = []
    for path in data_files(destination):
        part = pq.ParquetFile(path)
        read = part.read()
        plain = read.schema.remove_metadata()
        assert plain.equals(WRITTEN), f"{path} has another schema:\n{plain}"
        parts.append(read.replace_schema_metadata())
    return _canonical(parts)


def by_duckdb(destination: Path) -> pa.Table:
    """Every table by one glob, as a user would."""
    parts = []
    columns = ", ".join(f'"{name}"' for name in SCHEMA.names)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        for table in tables(destination):
            source = f"read_parquet('{table}/**/*.parquet', hive_partitioning=false)"
            parts.append(connection.sql(f"SELECT {columns} FROM {source}").to_arrow_table())
    return _canonical(parts)


def by_datafusion(destination: Path) -> pa.Table:
    """Every table as a listing of its folder."""
    parts = []
    context = SessionContext()
    for table in tables(destination):
        frame = context.read_parquet(f"{table}/", file_extension=".parquet")
        parts.append(pa.Table.from_batches(frame.collect(), schema=frame.schema()))
    return _canonical(parts)


def _canonical(parts: list[pa.Table]) -> pa.Table:
    """With the promised types: engines choose views, large and finer ones, of the same values."""
    whole = [part.select(SCHEMA.names).cast(SCHEMA) for part in parts]
    return pa.concat_tables(whole) if whole else SCHEMA.empty_table()


def check(destination: Path, expected: pa.Table, *, everyone: bool = False) -> None:
    """Everything that is expected, nothing else, nothing twice; each file in offset order."""
    same(by_pyarrow(destination), expected, "pyarrow")
    for path in data_files(destination):
        in_order(path)
    if everyone:
        same(by_duckdb(destination), expected, "DuckDB")
        same(by_datafusion(destination), expected, "DataFusion")
        hive(destination, expected.num_rows)


def same(actual: pa.Table, expected: pa.Table, reader: str) -> None:
    """Equal, row by row and column by column; says what differs otherwise."""
    actual = actual.sort_by(ORDER).combine_chunks()
    expected = expected.combine_chunks()
    if actual.equals(expected):
        return
    names = ["topic", "partition", "offset"]
    read = list(zip(*(actual[name].to_pylist() for name in names)))
    wanted = list(zip(*(expected[name].to_pylist() for name in names)))
    lost, extra = sorted(set(wanted) - set(read)), sorted(set(read) - set(wanted))
    twice = sorted({one for one, after in itertools.pairwise(read) if one == after})
    counts = f"{reader}: {len(read)} rows instead of {len(wanted)}"
    assert not (lost or extra or twice), (
        f"{counts}; {len(lost)} lost {lost[:5]}, {len(extra)} too many {extra[:5]}, "
        f"{len(twice)} twice {twice[:5]}"
    )
    for name in SCHEMA.names:
        for at, (got, want) in enumerate(zip(actual[name], expected[name])):
            assert got.equals(want), (
                f"{reader}: {name} of {wanted[at]} is {str(got)[:200]} instead of {str(want)[:200]}"
            )
    raise AssertionError(f"{counts}; schemas {actual.schema} and {expected.schema}")


def in_order(path: Path) -> None:
    """Within the file the rows of a partition are in offset order, whatever lies between them."""
    read = pq.read_table(path, columns=["topic", "partition", "offset"], partitioning=None)
    last: dict[tuple[str, int], int] = {}
    places = zip(*(read[name].to_pylist() for name in ("topic", "partition", "offset")))
    for topic, partition, offset in places:
        before = last.get((topic, partition), -1)
        assert offset > before, f"{path}: {topic}/{partition} has {offset} after {before}"
        last[topic, partition] = offset


def hive(destination: Path, rows: int) -> None:
    """The directories are Hive partitions: DuckDB finds the rows by them, and each row stands in
    the directory of its own time."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        found = 0
        for table in tables(destination):
            source = f"read_parquet('{table}/**/*.parquet', hive_partitioning=true)"
            names = connection.sql(f"SELECT * FROM {source} LIMIT 0").columns
            wrong = "0"
            if "dt" in names and "hr" in names:
                wrong = (
                    "count(*) FILTER (WHERE timestamp IS NOT NULL AND (CAST(dt AS VARCHAR) <> "
                    "strftime(timestamp, '%Y-%m-%d') OR CAST(hr AS INTEGER) <> hour(timestamp)))"
                )
            ((count, misplaced),) = connection.sql(
                f"SELECT count(*), {wrong} FROM {source}"
            ).fetchall()
            assert misplaced == 0, f"{table}: {misplaced} rows are in a wrong directory"
            found += count
    assert found == rows, f"with Hive partitions DuckDB finds {found} rows instead of {rows}"


def row_count(destination: Path) -> int:
    """Rows by the footers alone."""
    return sum(pq.read_metadata(path).num_rows for path in data_files(destination))


def column_sum(destination: Path, name: str) -> int:
    """The sum of a number column, for data too large to be held."""
    total = 0
    for path in data_files(destination):
        for part in pq.ParquetFile(path).iter_batches(columns=[name]):
            total += pc.sum(part[name]).as_py() or 0
    return total
