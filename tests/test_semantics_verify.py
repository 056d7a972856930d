"""SEMANTICS.md, sentence by sentence: what `verify` proves."""

from __future__ import annotations

import shutil

from harness.readback import data_files
from harness.records import send_small
from harness.tidegate import FAILED
from test_verify import fill, flip, named, objects


def test_verify_names_what_is_wrong(ledger, topic, pipeline):
    """`tidegate verify` names every object that is missing, altered, doubled or in another's
    place."""
    made = fill(ledger, topic, pipeline)
    files = sorted(data_files(made.destination))
    books = made.books()
    copy = files[0].with_name("copy.parquet")
    shutil.copy(files[0], copy)
    made.books().paths[0].unlink()
    books.layouts[1].write_bytes(books.layouts[1].read_bytes().replace(b'"rows":', b'"rows":1', 1))
    kept = files[-1].read_bytes()
    files[-1].write_bytes(files[-2].read_bytes())
    files[-2].write_bytes(kept)
    named(made, copy, books.paths[0], books.layouts[1], files[-1], files[-2])


def test_verify_deep_finds_a_flipped_bit(ledger, topic, pipeline):
    """With `--deep` every page is held against its checksum, and every row is there once, in
    order, in the directory of its time."""
    made = fill(ledger, topic, pipeline)
    path = objects(made)["data file"]
    flip(path)
    made.verify()
    named(made, path, deep=True)


def test_verify_while_runs_are_at_work(ledger, topic, pipeline):
    """While runs are at work, `verify` finds nothing wrong that is not."""
    name = topic(3)
    for partition in range(3):
        send_small(ledger, name, partition, 1_000)
    made = pipeline([name], limits__records_per_partition=50)
    made.one_run()
    call = made.tidegate.start("run", made.path, "--until-caught-up")
    looks = 0
    while call.process.poll() is None:
        made.verify(*(["--deep"] if looks % 2 else []))
        looks += 1
    assert looks > 2 and call.end().code == 0
    made.check(ledger)
    path = made.books().paths[0]
    path.unlink()
    assert path.name in made.verify(code=FAILED).out
