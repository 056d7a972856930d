"""Bad specs: each names its field and what is allowed; exit code 2, no panic, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness.tidegate import ROOT, USAGE

TABLE = json.loads((ROOT / "tests" / "data" / "bad_specs.json").read_text())


def test_there_are_twenty_or_more():
    """C10 T05 T07 R10 R11: the table is not empty by accident."""
    assert len(TABLE) >= 20
    assert len({case["name"] for case in TABLE}) == len(TABLE)


@pytest.mark.parametrize("case", TABLE, ids=[case["name"] for case in TABLE])
def test_a_bad_spec_is_refused(case, tidegate, tmp_path: Path):
    """C10 T05 T07 R10 R11: by `run`, before anything is touched."""
    path = tmp_path / "spec.json"
    text = case["spec"] if isinstance(case["spec"], str) else json.dumps(case["spec"])
    path.write_text(text)
    ended = tidegate.call("run", path, "--state", tmp_path / "state", code=USAGE)
    assert case["field"] in ended.err, f"{case['field']} is not named:\n{ended.err}"
    assert case["contains"] in ended.err, f"{case['contains']!r} is not said:\n{ended.err}"
    assert not (tmp_path / "state").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["spec.json"]
    assert not Path("/tmp/tidegate-bad-spec").exists()


@pytest.mark.parametrize("verb", ["plan", "status", "verify", "pause", "resume"])
def test_every_verb_refuses_it(verb, tidegate, tmp_path: Path):
    """The other verbs read the same spec the same way."""
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"pipeline": "p"}))
    ended = tidegate.call(verb, path, code=USAGE)
    assert "kafka" in ended.err or "topics" in ended.err or "destination" in ended.err, ended.err


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pipeline": "p",}', "\xff\x00"])
def test_what_is_no_json_is_refused(text, tidegate, tmp_path: Path):
    """Text that is no JSON object: exit code 2, naming the file."""
    path = tmp_path / "spec.json"
    path.write_bytes(text.encode("latin-1"))
    ended = tidegate.call("run", path, code=USAGE)
    assert "spec.json" in ended.err, ended.err


def test_a_spec_that_is_not_there(tidegate, tmp_path: Path):
    """A missing file: exit code 2, naming the path."""
    ended = tidegate.call("run", tmp_path / "nowhere.json", code=USAGE)
    assert "nowhere.json" in ended.err, ended.err
