"""`verify` on what a real broker filled: a good destination is whole, each damage is named.

Every field of every document is edited in cli/tests, against the broker of this project.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.pipeline import Pipeline
from harness.readback import data_files
from harness.records import send_small
from harness.tidegate import FAILED
from test_transactions import markers_visible


def fill(ledger, topic, pipeline, **fields) -> Pipeline:
    """Three runs and more of a hot topic and one of small partitions, with transactions."""
    hot, small = topic(name="hot"), topic(5, name="small")
    made = pipeline([hot, small], limits__records_per_partition=700, **fields)
    send_small(ledger, hot, 0, 1_500)
    for partition in range(4):
        send_small(ledger, small, partition, 20)
    made.catch_up()
    maker = ledger.producer(transactional_id=f"{small}-maker", linger_ms=0)
    maker.init_transactions(60)
    for end in (ledger.commit, ledger.abort):
        ledger.begin(maker)
        for number in range(5):
            ledger.send(small, 4, b"%d" % number, by=maker, transaction=True)
        end(maker)
    markers_visible(ledger.broker, small, 4)
    send_small(ledger, hot, 0, 100)
    made.catch_up()
    return made


@pytest.fixture
def good(ledger, topic, pipeline) -> Pipeline:
    """A destination in which nothing is wrong."""
    made = fill(ledger, topic, pipeline)
    summary = made.verify("--deep").lines[-1]
    books = made.books()
    assert summary["whole"] and summary["manifests"] == len(books.manifests) >= 4, summary
    assert summary["rows"] == books.total("rows") == 1_685, summary
    assert summary["partitions"] == 6 and summary["files"] == len(data_files(made.destination))
    return made


def objects(made: Pipeline) -> dict[str, Path]:
    """An object of each kind."""
    files = sorted(data_files(made.destination))
    books = made.books()
    return {"data file": files[0], "manifest": books.paths[1], "layout": books.layouts[1]}


def another(made: Pipeline, kind: str) -> Path:
    """A second object of the same kind."""
    files = sorted(data_files(made.destination))
    books = made.books()
    return {"data file": files[-1], "manifest": books.paths[2], "layout": books.layouts[2]}[kind]


def named(made: Pipeline, *paths: Path, deep: bool = False) -> None:
    """`verify` fails, and names each of these."""
    ended = made.verify(*(["--deep"] if deep else []), code=FAILED)
    findings = [line for line in ended.lines if line.get("type") == "finding"]
    assert len(findings) == ended.lines[-1]["findings"] > 0 and not ended.lines[-1]["whole"]
    for path in paths:
        name = str(path.relative_to(made.destination))
        assert any(name in line["at"] + line["message"] for line in findings), (name, findings)


def flip(path: Path) -> None:
    """Flips a bit in the middle of what is before the footer."""
    data = bytearray(path.read_bytes())
    footer = int.from_bytes(data[-8:-4], "little") if path.suffix == ".parquet" else 0
    data[(len(data) - footer) // 2] ^= 0x10
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-50]),
    "emptied": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"0"),
    "flipped": flip,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_object_is_named(how: str, good: Pipeline):
    """A data file, a manifest or a layout that is deleted, cut, emptied, longer or altered."""
    for path in objects(good).values():
        kept = path.read_bytes()
        DAMAGE[how](path)
        named(good, path, deep=how == "flipped")
        path.write_bytes(kept)
    good.verify("--deep")


def test_objects_that_changed_places_are_named(good: Pipeline):
    """Two objects of one kind, swapped: both are named."""
    for kind, path in objects(good).items():
        other = another(good, kind)
        kept, its = path.read_bytes(), other.read_bytes()
        path.write_bytes(its)
        other.write_bytes(kept)
        named(good, path, other)
        path.write_bytes(kept)
        other.write_bytes(its)
    good.verify("--deep")


@pytest.mark.parametrize("name", ["copy.parquet", "{pipeline}-0000000077-1.parquet", "x.csv"])
def test_a_copy_is_named_whatever_it_is_called(name: str, good: Pipeline):
    """A copy beside its original is read twice by whoever lists the table."""
    path = objects(good)["data file"]
    copy = path.with_name(name.format(pipeline=good.name))
    shutil.copy(path, copy)
    named(good, copy)
    copy.unlink()
    good.verify()


def test_a_lie_in_any_kind_of_field_is_named(good: Pipeline):
    """A manifest whose offsets, rows, bytes, times or ranges are others."""
    path = objects(good)["manifest"]
    text = path.read_text()
    for key in json.loads(text):
        lie = json.loads(text)
        del lie[key]
        path.write_text(json.dumps(lie))
        named(good, path)
    for change in (
        lambda m: m["files"][0].update(bytes=m["files"][0]["bytes"] + 1),
        lambda m: m["files"][0]["slices"][0].update(end=m["files"][0]["slices"][0]["end"] + 1),
        lambda m: m["slices"][0].update(rows=m["slices"][0]["rows"] - 1),
        lambda m: m["checkpoint"][0].update(leader_epoch=99),
    ):
        lie = json.loads(text)
        change(lie)
        path.write_text(json.dumps(lie))
        named(good, path)
    path.write_text(text)
    good.verify()


def test_since_a_run_looks_at_less(good: Pipeline):
    """`--since`: what is before that run is passed over, what is behind it is found."""
    books = good.books()
    last = books.manifests[-1]["run"]
    first, newest = (good.destination / books.manifests[at]["files"][0]["path"] for at in (0, -1))
    kept = first.read_bytes()
    first.unlink()
    summary = good.verify("--since", str(last), "--deep").lines[-1]
    assert summary["manifests"] == 1 and summary["since"] == last, summary
    text = good.tidegate.call("verify", good.path, "--since", str(last), as_json=False).out
    assert f"whole from run {last} on: 1 run and" in text, text
    newest.unlink()
    assert newest.name in good.verify("--since", str(last), code=FAILED).out
    first.write_bytes(kept)
