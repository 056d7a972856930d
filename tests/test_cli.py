"""The verbs beside `run`: what they say, what they leave alone, and their exit codes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from harness.records import send_small
from harness.tidegate import DONE, FAILED, USAGE


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def filled(ledger, topic, pipeline):
    """A pipeline that has read 300 records of two partitions."""
    name = topic(2)
    send_small(ledger, name, 0, 200)
    send_small(ledger, name, 1, 100)
    made = pipeline([name])
    made.catch_up()
    return made, name


def test_help_and_version(tidegate):
    """`--help` names every verb; `--version` tells the version."""
    text = tidegate.call("--help", as_json=False).out
    for verb in ("demo", "run", "plan", "status", "verify", "pause", "resume"):
        assert verb in text, f"{verb} is not in the help"
    assert tidegate.call("--version", as_json=False).out.startswith("tidegate ")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["run"], ["run", "--nonsense", "x"]])
def test_wrong_usage_is_exit_code_2(arguments, tidegate):
    """Usage errors: exit code 2, with a word about the right usage."""
    ended = tidegate.call(*arguments, code=USAGE, as_json=False)
    assert "usage" in ended.err.lower(), ended.err


def test_status_tells_offsets_and_lag(filled, ledger):
    """`status`: committed offset, end and lag per topic; the lag grows with what is produced."""
    made, name = filled
    status = made.status()
    assert name in status.out
    send_small(ledger, name, 0, 11)
    after = made.status()
    assert status.out != after.out
    text = made.tidegate.call("status", made.path, as_json=False).out
    assert name in text and "11" in text, text


def test_plan_changes_nothing(ledger, topic, pipeline):
    """`plan`: says what a run would do, and does none of it, before the first run and after."""
    name = topic(3)
    send_small(ledger, name, 0, 50)
    made = pipeline([name], limits__records_per_partition=20, catch_up=False)
    plan = made.plan()
    assert name in plan.out and "20" in plan.out, plan.out
    assert not made.destination.exists() or snapshot(made.destination) == {}
    made.one_run()
    before = snapshot(made.destination)
    made.plan()
    made.status()
    made.verify()
    assert snapshot(made.destination) == before
    made.tidegate.call("plan", made.path, as_json=False)


def test_pause_and_resume(filled, ledger):
    """`pause`: runs do nothing and exit 0; `resume`: they go on."""
    made, name = filled
    send_small(ledger, name, 0, 10)
    made.tidegate.call("pause", made.path)
    assert made.one_run()["outcome"] == "paused"
    assert "pause" in made.tidegate.call("status", made.path, as_json=False).out.lower()
    made.tidegate.call("pause", made.path)  # a second time changes nothing
    made.tidegate.call("resume", made.path)
    assert made.one_run()["rows"] == 10
    made.check(ledger)


def damaged(made, how: str) -> str:
    """Damages a data file; answers what must be named."""
    path = sorted(made.destination.glob("*/**/*.parquet"))[0]
    if how == "deleted":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "added":
        path = path.with_name(path.name.replace(".parquet", "9.parquet"))
        path.write_bytes(b"PAR1")
    elif how == "emptied":
        path.write_bytes(b"")
    return path.name


@pytest.mark.parametrize("how", ["deleted", "truncated", "added", "emptied"])
def test_verify_notices_damage(how, filled):
    """`verify`: exit code 0 on what is whole; 1, naming the file, on what is not."""
    made, _ = filled
    made.verify("--deep")
    name = damaged(made, how)
    ended = made.verify(code=FAILED)
    assert name in ended.out + ended.err, f"{name} is not named:\n{ended.out}\n{ended.err}"


def test_verify_notices_a_manifest_that_lies(filled):
    """`verify`: an edited or missing manifest is found."""
    made, _ = filled
    path = made.books().paths[0]
    text = path.read_text()
    assert '"reached":200' in text.replace(" ", "")
    path.write_text(text.replace("200", "199"))
    made.verify(code=FAILED)
    path.unlink()
    made.verify(code=FAILED)


def test_verify_notices_that_the_state_is_gone(filled, tmp_path):
    """`verify`: what stands in the destination must have a state; where nothing does it is the
    arguments that are wrong."""
    made, _ = filled
    other = str(tmp_path / "other-state")
    ended = made.verify("--state", other, code=FAILED)
    assert "_runs/" in ended.err and "state" in ended.err, ended.err
    made.set(destination=f"file://{tmp_path / 'elsewhere'}")
    made.verify("--state", other, code=USAGE)


def test_output_that_is_lost_is_no_success(filled):
    """A disk that is full must not make a part of the answer look like the whole."""
    made, _ = filled
    for verb in ("status", "plan", "verify"):
        with open("/dev/full", "w") as full:
            command = [str(made.tidegate.path), verb, str(made.path), "--json"]
            ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert ended.returncode == FAILED, f"{verb}: {ended}"
        assert ended.stderr.count(b"standard output") == 1, f"{verb}: {ended}"


def test_another_state_folder_is_another_memory(filled, tmp_path):
    """`--state`: a state that knows nothing of the destination's layouts publishes nothing."""
    made, _ = filled
    before = snapshot(made.destination)
    ended = made.run("--state", str(tmp_path / "other-state"), code=None)
    assert ended.code == FAILED, ended
    data = {path: facts for path, facts in before.items() if path.endswith(".parquet")}
    after = snapshot(made.destination)
    assert {path: facts for path, facts in after.items() if path.endswith(".parquet")} == data


def test_a_destination_is_not_changed_by_accident(filled, tmp_path):
    """A spec with another destination is refused until a reset says so."""
    made, _ = filled
    state = made.destination / "_state"
    made.set(destination=f"file://{tmp_path / 'elsewhere'}")
    ended = made.run("--state", str(state), code=None)
    assert ended.code in (FAILED, USAGE) and "destination" in (ended.err + ended.out).lower()
    assert not (tmp_path / "elsewhere").exists()


def test_the_environment_may_be_empty(filled, ledger):
    """No secrets, no variables, no home: nothing of it is needed."""
    made, name = filled
    send_small(ledger, name, 0, 1)
    command = [str(made.tidegate.path), "run", str(made.path), "--json"]
    ended = subprocess.run(command, env={}, cwd="/", capture_output=True, timeout=60)
    assert ended.returncode == DONE, ended.stderr
    made.check(ledger)


def test_demo_shows_the_whole_job_within_ten_seconds(tidegate, tmp_path):
    """`demo`: nothing but the binary, under ten seconds, exit code 0."""
    began = time.monotonic()
    call = tidegate.start("demo", "--dir", tmp_path / "demo", as_json=False)
    ended = call.end(60)
    assert ended.code == DONE, ended.err
    assert time.monotonic() - began < 10
    for word in ("parquet", "lag"):
        assert word in ended.out.lower(), ended.out
