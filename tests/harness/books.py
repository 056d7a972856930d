"""The public record: manifests and layouts against each other and against the data files (A02).

Written from the design alone: nothing here knows how the binary goes about it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from .readback import data_files

TERMS = ("rows", "dead_letters", "filtered", "markers", "aborted", "compacted")
MANIFEST_KEYS = {
    "format", "pipeline", "birth_id", "run", "previous", "kind", "layout_hash", "planned_at",
    "laid_out_at", "spec_hash", "slices", "losses", "checkpoint", "files", "set_aside",
}  # fmt: skip
NAME = re.compile(r"^(?P<pipeline>[a-z0-9-]{1,48})-(?P<run>\d{10})-(?P<number>\d+)\.parquet$")

Place = tuple[str, int]


class Books:
    """The manifests of one pipeline, in the order of their runs."""

    def __init__(self, destination: Path, pipeline: str) -> None:
        self.destination = destination
        self.pipeline = pipeline
        self.folder = destination / "_runs" / pipeline
        found = sorted(self.folder.glob("*.json")) if self.folder.exists() else []
        # Every layout is named `<run of the one before>.next.json`.
        self.layouts = [path for path in found if path.name.endswith(".next.json")]
        self.paths = [path for path in found if not path.name.endswith(".next.json")]
        self.manifests: list[dict[str, Any]] = [json.loads(path.read_text()) for path in self.paths]

    def total(self, term: str) -> int:
        """The sum of one term of the accounting."""
        return sum(part[term] for manifest in self.manifests for part in manifest["slices"])

    def losses(self) -> dict[Place, list[tuple[int, int]]]:
        """Lost ranges by partition."""
        found: dict[Place, list[tuple[int, int]]] = defaultdict(list)
        for manifest in self.manifests:
            for lost in manifest["losses"]:
                place = (lost["topic"], lost["partition"])
                found[place].append((lost["start"], lost["end"]))
        return dict(found)

    def checkpoint(self) -> dict[Place, int]:
        """The next offset of every partition, by the manifests' entries."""
        offsets: dict[Place, int] = {}
        for manifest in self.manifests:
            for entry in manifest["checkpoint"]:
                offsets[entry["topic"], entry["partition"]] = entry["offset"]
        return offsets

    def files_per_table(self) -> dict[str, int]:
        """Table -> number of data files."""
        counts: dict[str, int] = defaultdict(int)
        for manifest in self.manifests:
            for file in manifest["files"]:
                counts[file["path"].split("/")[0]] += 1
        return dict(counts)

    def check(self) -> None:
        """All that must hold between two runs."""
        self._chain()
        for manifest in self.manifests:
            self._accounting(manifest)
        self._tiling()
        self._files()
        self._nothing_staged()

    def _chain(self) -> None:
        previous = None
        for path, manifest in zip(self.paths, self.manifests):
            missing = MANIFEST_KEYS - manifest.keys()
            assert not missing, f"{path} lacks {missing}"
            assert manifest["format"] == 1 and manifest["pipeline"] == self.pipeline, path
            assert path.name == f"{manifest['run']:010d}.json", path
            assert manifest["previous"] == previous, (
                f"{path}: previous is {manifest['previous']} instead of {previous}"
            )
            previous = manifest["run"]
        births = {manifest["birth_id"] for manifest in self.manifests}
        assert len(births) <= 1, f"manifests of several births: {births}"

    def _accounting(self, manifest: dict[str, Any]) -> None:
        """`reached - start` = the sum of the terms; rows of the slices = rows of the files."""
        for part in manifest["slices"]:
            terms = {term: part[term] for term in TERMS}
            assert all(count >= 0 for count in terms.values()), part
            assert part["reached"] - part["start"] == sum(terms.values()), (
                f"run {manifest['run']}: {part['topic']}/{part['partition']} moved from "
                f"{part['start']} to {part['reached']}, but accounts for {terms}"
            )
        by_slices = sum(part["rows"] for part in manifest["slices"])
        by_files = sum(file["rows"] for file in manifest["files"])
        assert by_slices == by_files, (manifest["run"], by_slices, by_files)

    def _tiling(self) -> None:
        """What each partition's slices and losses cover follows without hole or overlap, and ends
        at its checkpoint. Only a reset moves a partition back, or begins anew with another topic of
        its name, and only as it says."""
        at: dict[Place, int] = {}
        for manifest in self.manifests:
            for moved in manifest.get("moves", []):
                place = (moved["topic"], moved["partition"])
                assert manifest["kind"] == "reset", manifest["run"]
                if moved["from"] is None:
                    at.pop(place, None)
                    continue
                assert at.get(place, moved["from"]) == moved["from"], f"{moved}, not {at[place]}"
                if moved["to"] < moved["from"]:
                    at[place] = moved["to"]
            parts = [(p, p["start"], p["reached"]) for p in manifest["slices"]]
            parts += [(lost, lost["start"], lost["end"]) for lost in manifest["losses"]]
            for part, start, end in sorted(parts, key=lambda one: one[1]):
                place = (part["topic"], part["partition"])
                if end > start:
                    assert at.get(place, start) == start, f"{place}: {start} follows {at[place]}"
                    at[place] = end
            for entry in manifest["checkpoint"]:
                if entry["state"] == "unresolved":
                    continue
                place = (entry["topic"], entry["partition"])
                assert at.setdefault(place, entry["offset"]) == entry["offset"], (
                    f"run {manifest['run']}: {place} is read up to {at[place]}, its checkpoint is "
                    f"{entry['offset']}"
                )

    def _files(self) -> None:
        """Each file stands, with the bytes, rows and ranges that its manifest says; and no other
        file of this pipeline stands anywhere."""
        named: set[Path] = set()
        for manifest in self.manifests:
            for file in manifest["files"]:
                path = self.destination / file["path"]
                assert path not in named, f"named twice: {path}"
                named.add(path)
                self._file(manifest, file, path)
        standing = {
            path
            for path in data_files(self.destination)
            if (match := NAME.match(path.name)) and match["pipeline"] == self.pipeline
        }
        assert standing == named, f"no manifest names {sorted(standing - named)}"

    def _file(self, manifest: dict[str, Any], file: dict[str, Any], path: Path) -> None:
        name = NAME.match(path.name)
        assert name and name["pipeline"] == self.pipeline and int(name["run"]) == manifest["run"]
        assert path.stat().st_size == file["bytes"], f"{path}: another size"
        parquet = pq.ParquetFile(path)
        assert parquet.metadata.num_rows == file["rows"], f"{path}: another number of rows"
        assert (file["rows"] == 0) == (manifest["kind"] == "aborted"), f"{path}: {manifest['kind']}"
        metadata = [value.decode() for value in (parquet.metadata.metadata or {}).values()]
        for wanted in (self.pipeline, str(manifest["run"]), manifest["layout_hash"]):
            assert wanted in metadata, f"{path}: its footer does not carry {wanted}: {metadata}"
        places: dict[Place, list[int]] = defaultdict(list)
        read = parquet.read(columns=["topic", "partition", "offset"])
        columns = [read[column].to_pylist() for column in ("topic", "partition", "offset")]
        for topic, partition, offset in zip(*columns):
            places[topic, partition].append(offset)
        assert places.keys() == {(part["topic"], part["partition"]) for part in file["slices"]}
        for place, offsets in places.items():
            ranges = [
                range(part["start"], part["end"])
                for part in file["slices"]
                if (part["topic"], part["partition"]) == place
            ]
            outside = [o for o in offsets if not any(o in one for one in ranges)]
            assert not outside, f"{path}: {place} holds {outside[:5]}, the manifest says {ranges}"

    def _nothing_staged(self) -> None:
        staging = self.destination / "_staging"
        left = [path for path in staging.rglob("*") if path.is_file()] if staging.exists() else []
        mine = [path for path in left if path.relative_to(staging).parts[0] == self.pipeline]
        assert not mine, f"{len(mine)} staged files are left: {mine[:3]}"
