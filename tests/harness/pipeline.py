"""One pipeline of a test: its spec, its destination, the calls on it, and the final check that
everything is there exactly once and booked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import readback
from .books import Books
from .broker import Broker
from .ledger import Ledger
from .tidegate import Ended, Tidegate

_numbers = itertools.count(1)


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Sets `a.b.c` in nested objects."""
    *parents, last = path.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    document[last] = value


class Pipeline:
    """A spec file below `folder`, with the destination beside it."""

    def __init__(
        self,
        tidegate: Tidegate,
        address: str,
        folder: Path,
        topics: list[str] | dict[str, str],
        destination: Path | None = None,
        **fields: Any,
    ) -> None:
        """`fields`: other fields of the spec, with `__` for the dots of their paths."""
        number = next(_numbers)
        self.name = fields.pop("pipeline", f"p-{number}")
        self.tidegate = tidegate
        self.destination = destination or folder / f"lake-{number}"
        self.fields: dict[str, Any] = {
            "pipeline": self.name,
            "kafka": {"bootstrap_servers": [address]},
            "topics": topics,
            "destination": f"file://{self.destination}",
        }
        self.path = folder / f"spec-{number}.json"
        self.set(**fields)

    def set(self, **fields: Any) -> Pipeline:
        """Changes fields of the spec."""
        for name, value in fields.items():
            put(self.fields, name.replace("__", "."), value)
        self.path.write_text(json.dumps(self.fields, indent=2))
        return self

    def run(self, *arguments: str, **how: Any) -> Ended:
        """One `tidegate run`."""
        return self.tidegate.run(self.path, *arguments, **how)

    def one_run(self, **how: Any) -> dict[str, Any]:
        """One run that does not go on by itself; its line."""
        return self.tidegate.run(self.path, **how).line

    def catch_up(self, **how: Any) -> Ended:
        """Runs until nothing is left to do."""
        return self.tidegate.catch_up(self.path, **how)

    def plan(self, **how: Any) -> Ended:
        """What a run would do."""
        return self.tidegate.call("plan", self.path, **how)

    def status(self, **how: Any) -> Ended:
        """Offsets and lag."""
        return self.tidegate.call("status", self.path, **how)

    def verify(self, *arguments: str, **how: Any) -> Ended:
        """The binary's own proof."""
        return self.tidegate.call("verify", self.path, *arguments, **how)

    def books(self) -> Books:
        """What the manifests say."""
        return Books(self.destination, self.name)

    def check(
        self,
        ledger: Ledger,
        topics: Iterable[str] | None = None,
        committed: bool = True,
        upto: dict[tuple[str, int], int] | None = None,
        everyone: bool = False,
    ) -> Books:
        """Everything is there, exactly once, and booked. `everyone`: read by DuckDB and
        DataFusion too, not only by pyarrow."""
        expected = ledger.table(committed=committed, topics=topics, upto=upto)
        books = self.books()
        books.check()
        readback.check(self.destination, expected, everyone=everyone)
        self.verify()
        return books


def pipeline_factory(tidegate: Tidegate, broker: Broker, folder: Path) -> Any:
    """A function that makes pipelines on a broker's own listener."""

    def make(topics: list[str] | dict[str, str], address: str | None = None, **fields: Any):
        return Pipeline(tidegate, address or broker.address, folder, topics, **fields)

    return make
