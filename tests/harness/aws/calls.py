"""Requests to AWS as they pass the proxy: which operation of which service it is, and of whom."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")


@dataclass
class Request:
    """One request of a function. `find_sender` looks for the function's process."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)
    find_sender: Callable[[], int | None] = field(repr=False)

    @cached_property
    def pid(self) -> int | None:
        """The function's process, if it can be told. It takes a while, so who wants it asks."""
        return self.find_sender()

    @cached_property
    def service(self) -> str:
        """The service that it is signed for."""
        found = _SCOPE.search(self.headers.get("authorization", ""))
        return found.group(1) if found else "unsigned"

    @cached_property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.target).path)

    @cached_property
    def query(self) -> dict[str, str]:
        """The query; of names given twice the first."""
        asked = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in asked.items()}

    @cached_property
    def operation(self) -> str:
        """The operation's name, as the service's documentation has it."""
        if self.service == "s3":
            return self._s3()
        if "x-amz-target" in self.headers:
            return self.headers["x-amz-target"].rpartition(".")[2]
        if self.service == "lambda" and self.path.endswith("/invocations"):
            return "Invoke"
        return f"{self.method} {self.path}"

    def _s3(self) -> str:
        query, method = self.query, self.method
        copies = "x-amz-copy-source" in self.headers
        # A bucket by itself has no second slash.
        of_bucket = "/" not in self.path.strip("/")
        if method == "PUT":
            part = "partNumber" in query
            return {
                (True, True): "UploadPartCopy",
                (True, False): "UploadPart",
                (False, True): "CopyObject",
                (False, False): "PutObject",
            }[part, copies]
        if method == "POST":
            if "uploads" in query:
                return "CreateMultipartUpload"
            return "DeleteObjects" if "delete" in query else "CompleteMultipartUpload"
        if method == "GET":
            return "ListObjectsV2" if of_bucket else "GetObject"
        if method == "DELETE":
            return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
        return "HeadBucket" if of_bucket else "HeadObject"

    @property
    def key(self) -> str:
        """The S3 key (path style)."""
        return self.path.lstrip("/").partition("/")[2]

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body of a JSON request."""
        return json.loads(self.body)

    @cached_property
    def item(self) -> tuple[str, str]:
        """Pipeline and item of a DynamoDB request for one item."""
        key = self.json.get("Key") or self.json.get("Item") or {}
        return key.get("pipeline", {}).get("S", ""), key.get("item", {}).get("S", "")

    def about(self, pipeline: str) -> bool:
        """Whether it concerns a pipeline: its items, its objects, its events."""
        return pipeline in self.path or pipeline.encode() in self.body


@dataclass
class Answer:
    """What goes back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
