"""One pipeline of a deployed stack: its spec, its ticks, and the final check that everything is
there exactly once and booked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import readback
from ..books import Books
from ..ledger import Ledger
from ..pipeline import put
from ..wait import until
from . import lake
from .deployment import Deployment


class CloudPipeline:
    """A pipeline whose planner is invoked by the test, as the schedule would do it."""

    def __init__(
        self,
        deployment: Deployment,
        name: str,
        address: str,
        topics: list[str],
        folder: Path,
        below: str | None = None,
        **fields: Any,
    ) -> None:
        """`below`: the path of the destination in the bucket, the pipeline's name if none is given.
        `fields`: other fields of the spec, with `__` for the dots of their paths."""
        self.deployment, self.name, self.folder = deployment, name, folder
        below = name if below is None else below
        self.prefix = f"{below}/"
        self.spec: dict[str, Any] = {
            "pipeline": name,
            "kafka": {"bootstrap_servers": [address]},
            "topics": topics,
            "destination": f"s3://{deployment.bucket}/{below}",
            # A tick is one run, unless a test wants more.
            "catch_up": False,
        }
        for path, value in fields.items():
            put(self.spec, path.replace("__", "."), value)

    @property
    def event(self) -> dict[str, Any]:
        """The planner's event of a tick."""
        return {"spec": self.spec, "mode": "tick", "chain": 0}

    def tick(self, mode: str = "tick") -> str:
        """One tick, as a schedule fires it; its outcome in one word."""
        answer = self.deployment.invoke("planner", self.event | {"mode": mode})
        return outcome(answer)

    def commit_of(self, run: int) -> dict[str, Any]:
        """The metrics of the commit of a run. A call's lines are there when it has ended."""

        def find() -> dict[str, Any] | None:
            lines = self.deployment.emf("finalizer", self.name)
            return next((line for line in lines if line["run"] == run), None)

        found = until(f"the commit of run {run} of {self.name} is logged", find, every=0.1)
        assert found
        return found

    def lags(self) -> list[dict[str, Any]]:
        """The metrics of the ticks that looked at Kafka: not of those that only roll forward."""
        lines = self.deployment.emf("planner", self.name)
        return [line for line in lines if "OffsetLag" in line]

    def head(self) -> dict[str, Any]:
        """The head; empty before the first run."""
        return self.deployment.state.head(self.name) or {}

    def open_run(self) -> dict[str, Any] | None:
        """The open run, as the head has it."""
        return self.head().get("open")

    def closed(self, run: int) -> bool:
        """Whether a run was opened, and is closed."""
        head = self.head()
        return head.get("last_run", 0) >= run and not head.get("open")

    def wait_closed(self, run: int, seconds: float = 60) -> None:
        """Waits until a run is closed, without helping it."""
        until(f"run {run} of {self.name} is closed", lambda: self.closed(run), seconds, every=0.05)

    def run(self) -> int:
        """A tick that opens a run, which goes to its end by itself; the run's number."""
        assert self.tick() == "opened"
        run = self.head()["last_run"]
        self.wait_closed(run)
        return run

    def catch_up(self, seconds: float = 120, mode: str = "tick") -> None:
        """Ticks until one is idle: as schedules fire, only sooner."""
        until(
            f"{self.name} has caught up",
            lambda: self.tick(mode) == "idle",
            seconds,
            every=0.2,
        )

    def books(self) -> Books:
        """The manifests, and all that stands in the destination."""
        return Books(self.mirror(), self.name)

    def mirror(self) -> Path:
        """The destination as a folder."""
        client = self.deployment.client("s3")
        return lake.mirror(client, self.deployment.bucket, self.prefix, self.folder / self.name)

    def keys(self, below: str = "") -> list[str]:
        """What stands in the destination, below a path."""
        client = self.deployment.client("s3")
        found = lake.keys(client, self.deployment.bucket, self.prefix + below)
        return [key.removeprefix(self.prefix) for key in found]

    def data_files(self) -> list[str]:
        """What anyone who lists the destination takes for data."""
        return [key for key in self.keys() if key.endswith(".parquet")]

    def check(self, ledger: Ledger, everyone: bool = False, **which: Any) -> Books:
        """Everything is there, exactly once, and booked; nothing is staged, no upload is open, and
        the state's checkpoint is the manifests'. `which`: what of the ledger, as `Ledger.table`."""
        # The commit comes before the tidying up.
        until(f"nothing of {self.name} is staged", lambda: not self.keys("_staging/"), 30)
        books = self.books()
        books.check()
        readback.check(books.destination, ledger.table(**which), everyone=everyone)
        client, bucket = self.deployment.client("s3"), self.deployment.bucket
        assert not lake.uploads(client, bucket, self.prefix), "an upload was left open"
        assert self.deployment.state.checkpoint(self.name) == books.checkpoint()
        return books


def outcome(answer: Any) -> str:
    """The planner's outcome in one word."""
    return str(answer["outcome"]).split()[0].lower()


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Makes the calls at the same moment; their answers, or what they raised."""
    gate = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def make(at: int, call: Callable[[], Any]) -> None:
        gate.wait()
        try:
            answers[at] = call()
        except Exception as error:
            answers[at] = error

    threads = [threading.Thread(target=make, args=one) for one in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def as_schedule_input(spec: dict[str, Any]) -> str:
    """The spec in one line, as the template's parameter wants it."""
    return json.dumps(spec, separators=(",", ":"))
