"""The state table as it stands: heads and documents, read without any of our code."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

Item = dict[str, Any]


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
        return _document(item) if item else None

    def document(self, pipeline: str, name: str) -> dict[str, Any]:
        """A document that is small enough for one item."""
        item = self.item(pipeline, name)
        assert item, f"{pipeline} has no {name}"
        return _document(item)

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

    def restore(self, pipeline: str, items: list[Item]) -> None:
        """Puts the pipeline's items back as they once were, as a restored backup has them."""
        for item in self.items(pipeline):
            key = {name: item[name] for name in ("pipeline", "item")}
            self.client.delete_item(TableName=self.table, Key=key)
        for item in items:
            self.client.put_item(TableName=self.table, Item=item)


def _document(item: Item) -> dict[str, Any]:
    size = int(item["bytes"]["N"])
    plain = pa.decompress(item["body"]["B"], decompressed_size=size, codec="zstd")
    return json.loads(plain.to_pybytes())
