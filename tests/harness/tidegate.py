"""The binary under test: how it is called, and what holds for every call of it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .broker import end_with_parent

ROOT = Path(__file__).resolve().parents[2]

DONE, FAILED, USAGE, DONE_BUT, INTERRUPTED = 0, 1, 2, 3, 130

OUTCOMES = {"committed", "idle", "busy", "paused"}
RUN_KEYS = {
    "outcome",
    "pipeline",
    "run",
    "rows",
    "bytes_read",
    "bytes_written",
    "files",
    "lag_before",
    "lag_after",
    "seconds",
    "losses",
    "stopped",
}


def binary() -> Path:
    """TIDEGATE_BIN, or the release build of this tree."""
    if given := os.environ.get("TIDEGATE_BIN"):
        return Path(given).resolve()
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"]
    found = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return Path(json.loads(found.stdout)["target_directory"]) / "release" / "tidegate"


@dataclass
class Ended:
    """A call that has ended."""

    code: int
    out: str
    err: str
    seconds: float
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def line(self) -> dict[str, Any]:
        """The only line."""
        assert len(self.lines) == 1, f"one line was expected, not {self.lines}"
        return self.lines[0]

    @property
    def rows(self) -> int:
        """Rows of all runs of the call."""
        return sum(line["rows"] for line in self.lines)

    def outcomes(self) -> list[str]:
        """The outcome of each run."""
        return [line["outcome"] for line in self.lines]


class Started:
    """A call that goes on."""

    def __init__(self, process: subprocess.Popen[str], as_json: bool) -> None:
        self.process = process
        self.as_json = as_json
        self.began = time.monotonic()

    def signal(self, sent: signal.Signals) -> None:
        """Sends a signal to the process, by its own id."""
        self.process.send_signal(sent)

    def kill(self) -> None:
        """SIGKILL, and waits: nothing is checked of what it said."""
        self.process.kill()
        self.process.communicate()

    def end(self, seconds: float = 120) -> Ended:
        """Waits for the end."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"still running after {seconds} s:\n{out}\n{err}") from None
        ended = Ended(self.process.returncode, out, err, time.monotonic() - self.began)
        _never(ended)
        if self.as_json:
            ended.lines = [_object(line) for line in out.splitlines()]
        return ended


def _never(ended: Ended) -> None:
    """What no call may do, whatever it was asked for."""
    for word in ("panicked at", "RUST_BACKTRACE", "stack backtrace"):
        assert word not in ended.err + ended.out, f"a panic:\n{ended.err}"
    assert ended.code in (DONE, FAILED, USAGE, DONE_BUT, INTERRUPTED), (
        f"exit code {ended.code} means nothing:\n{ended.err}"
    )
    if ended.code in (FAILED, USAGE):
        assert ended.err.strip() or ended.out.strip(), f"failed without a word: {ended}"


def _object(line: str) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        raise AssertionError(f"--json printed a line that is no JSON: {line!r}") from None
    assert isinstance(read, dict), f"--json printed a line that is no object: {line!r}"
    return read


class Tidegate:
    """Calls the binary."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(
        self, *arguments: str | Path, env: dict[str, str] | None = None, as_json: bool = True
    ) -> Started:
        """Starts a call; `--json` is added unless it is not wanted."""
        command = [str(self.path), *map(str, arguments), *(["--json"] if as_json else [])]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=os.environ | {"RUST_BACKTRACE": "0", "NO_COLOR": "1"} | (env or {}),
            preexec_fn=end_with_parent,
        )
        return Started(process, as_json)

    def call(self, *arguments: str | Path, code: int | None = DONE, **how: Any) -> Ended:
        """A call to its end; `code` is the exit code that is right, none: any."""
        seconds = how.pop("seconds", 120)
        ended = self.start(*arguments, **how).end(seconds)
        assert code is None or ended.code == code, (
            f"{' '.join(map(str, arguments))}: exit code {ended.code} instead of {code}\n"
            f"{ended.out}\n{ended.err}"
        )
        return ended

    def run(self, spec: Path, *arguments: str, code: int | None = DONE, **how: Any) -> Ended:
        """`tidegate run`, with its promised lines checked."""
        ended = self.call("run", spec, *arguments, code=code, **how)
        for line in ended.lines:
            if "outcome" in line:
                check_run_line(line)
        return ended

    def catch_up(self, spec: Path, **how: Any) -> Ended:
        """Runs until there is nothing more to do."""
        how.setdefault("seconds", 600)
        ended = self.run(spec, "--until-caught-up", **how)
        assert set(ended.outcomes()) <= {"committed", "idle"}, ended.lines
        return ended


def check_run_line(line: dict[str, Any]) -> None:
    """The line of one run has what is promised, of the types that are promised."""
    missing = RUN_KEYS - line.keys()
    assert not missing, f"the line of a run lacks {missing}: {line}"
    assert line["outcome"] in OUTCOMES, line
    for name in ("rows", "bytes_read", "bytes_written", "files"):
        assert isinstance(line[name], int) and line[name] >= 0, (name, line)
    assert line["seconds"] >= 0, line


def peak_rss_mb() -> float:
    """The highest resident memory that any child of this process ever had."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
