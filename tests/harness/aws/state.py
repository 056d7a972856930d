"""The state table as it stands: heads and documents, read without any of our code."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, NamedTuple

import pyarrow as pa

Item = dict[str, Any]
_OF_A_RUN = re.compile(r"run/(\d+)/[0-9a-f]{32}/([a-z]+(?:/\d+)?)")


class Stored(NamedTuple):
    """How large documents of one kind are: as they are read, and as they are kept."""

    plain: int
    kept: int
    items: int


class State:
    """One table."""

    def __init__(self, client: Any, table: str) -> None:
        self.client, self.table = client, table

    def item(self, pipeline: str, name: str) -> Item | None:
        """An item, with DynamoDB's own types."""
        key = {"pipeline": {"S": pipeline}, "item": {"S": name}}
        answer = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def head(self, pipeline: str) -> dict[str, Any] | None:
        """The head; none before the first run."""
        item = self.item(pipeline, "head")
        return self._read(pipeline, item) if item else None

    def document(self, pipeline: str, name: str) -> dict[str, Any]:
        """A document, whatever number of items it is kept in."""
        item = self.item(pipeline, name)
        assert item, f"{pipeline} has no {name}"
        return self._read(pipeline, item)

    def _read(self, pipeline: str, item: Item) -> dict[str, Any]:
        parts = [item]
        if "chunks" in item:
            of = f"{item['item']['S']}#{item['hash']['S']}"
            numbers = range(int(item["chunks"]["N"]))
            found = [self.item(pipeline, f"{of}/{number}") for number in numbers]
            parts = [chunk for chunk in found if chunk]
            assert len(parts) == len(found), f"{pipeline} lacks chunks of {of}"
        body = b"".join(part["body"]["B"] for part in parts)
        size = int(item["bytes"]["N"])
        return json.loads(pa.decompress(body, decompressed_size=size, codec="zstd").to_pybytes())

    def checkpoint(self, pipeline: str) -> dict[tuple[str, int], int]:
        """Topic, partition -> next offset, by the checkpoint that the head names."""
        head = self.head(pipeline)
        if not head or not head.get("checkpoint"):
            return {}
        named = head["checkpoint"]
        document = self.document(pipeline, f"run/{named['run']}/{named['plan']}/checkpoint")
        return {
            (entry["topic"], entry["partition"]): entry["offset"] for entry in document["entries"]
        }

    def items(self, pipeline: str) -> list[Item]:
        """All items of a pipeline."""
        found: list[Item] = []
        more: dict[str, Any] = {}
        while True:
            answer = self.client.query(
                TableName=self.table,
                KeyConditionExpression="pipeline = :p",
                ExpressionAttributeValues={":p": {"S": pipeline}},
                ConsistentRead=True,
                **more,
            )
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return found
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def stored(self, pipeline: str, run: int) -> dict[str, Stored]:
        """Kind (`head`, `plan`, `plan/N` of a task, …) -> how large it is, of one run."""
        found: dict[str, Stored] = {}
        for item in self.items(pipeline):
            name = item["item"]["S"]
            of_a_run = _OF_A_RUN.match(name)
            if of_a_run and int(of_a_run[1]) != run:
                continue
            kind = re.sub(r"\d+", "N", of_a_run[2]) if of_a_run else name
            plain, kept, items = found.get(kind, (0, 0, 0))
            plain += int(item.get("bytes", {"N": "0"})["N"])
            found[kind] = Stored(plain, kept + item_bytes(item), items + 1)
        return found

    def restore(self, pipeline: str, items: list[Item]) -> None:
        """Puts the pipeline's items back as they once were, as a restored backup has them."""
        for item in self.items(pipeline):
            key = {name: item[name] for name in ("pipeline", "item")}
            self.client.delete_item(TableName=self.table, Key=key)
        for item in items:
            self.client.put_item(TableName=self.table, Item=item)


def _value_bytes(value: dict[str, Any]) -> int:
    """The size of an attribute's value, as DynamoDB counts it."""
    ((kind, held),) = value.items()
    if kind == "B":
        return len(base64.b64decode(held) if isinstance(held, str) else held)
    if kind == "S":
        return len(held.encode())
    if kind == "N":
        return len(held) // 2 + 1
    if kind in ("SS", "NS"):
        return sum(_value_bytes({kind[0]: one}) for one in held)
    assert kind in ("BOOL", "NULL"), f"no document has an attribute of type {kind}"
    return 1


def item_bytes(item: dict[str, Any]) -> int:
    """The size of an item, as DynamoDB counts it: names and values."""
    return sum(len(name) + _value_bytes(value) for name, value in item.items())
