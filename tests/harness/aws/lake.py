"""A destination in S3, copied to a folder, so that the checks of a directory apply to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def keys(client: Any, bucket: str, prefix: str = "") -> list[str]:
    """All keys below a prefix."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def uploads(client: Any, bucket: str, prefix: str) -> list[str]:
    """The keys of multipart uploads that are neither completed nor aborted."""
    answer = client.list_multipart_uploads(Bucket=bucket)
    return [one["Key"] for one in answer.get("Uploads", []) if one["Key"].startswith(prefix)]


def mirror(client: Any, bucket: str, prefix: str, folder: Path) -> Path:
    """Copies what stands below the prefix, whole, to the folder; the folder. What was copied
    before is looked at again: objects must not change, but a test wants to see it if they do."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for key in keys(client, bucket, prefix):
        path = folder / key.removeprefix(prefix)
        wanted.add(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path not in wanted:
            path.unlink()
    return folder
