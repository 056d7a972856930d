"""What `make local` shows of a deployed pipeline: files, offsets, lag, metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import tools
from .deployment import Deployment

METRICS = ("OffsetLag", "TimeLagSeconds", "OpenRunSeconds", "StoppedPartitions")


class Shown:
    """One pipeline, as a user would look at it."""

    def __init__(self, deployment: Deployment, spec: dict[str, Any], path: Path) -> None:
        self.deployment, self.path = deployment, path
        self.name: str = spec["pipeline"]
        below = spec["destination"].removeprefix(f"s3://{deployment.bucket}").strip("/")
        self.prefix = f"{below}/" if below else ""

    def manifest(self, run: int) -> dict[str, Any] | None:
        """A run's manifest, if it wrote one."""
        client = self.deployment.client("s3")
        key = f"{self.prefix}_runs/{self.name}/{run:010d}.json"
        try:
            body = client.get_object(Bucket=self.deployment.bucket, Key=key)["Body"]
        except client.exceptions.NoSuchKey:
            return None
        return json.loads(body.read())

    def committed(self) -> int:
        """The newest run that is committed with a manifest; 0 if there is none."""
        head = self.deployment.state.head(self.name) or {}
        return head.get("manifest") or 0

    def run_line(self, run: int) -> str:
        """What a run did, in a line."""
        manifest = self.manifest(run) or {"files": []}
        rows = sum(file["rows"] for file in manifest["files"])
        size = sum(file["bytes"] for file in manifest["files"])
        files = len(manifest["files"])
        return f"run {run}: {rows:,} rows in {files} file{'s'[: files != 1]}, {size / 1e6:.1f} MB"

    def everything(self) -> str:
        """Files, offsets, lag and metrics after the newest run."""
        run = self.committed()
        lines = [self.run_line(run), ""]
        lines += [
            f"s3://{self.deployment.bucket}/{self.prefix}{file['path']}"
            for file in (self.manifest(run) or {})["files"]
        ]
        lines += ["", f"the state, in DynamoDB table {self.deployment.outputs['StateTable']}:"]
        for (topic, partition), offset in sorted(
            self.deployment.state.checkpoint(self.name).items()
        ):
            lines.append(f"  {topic}-{partition}: read up to offset {offset:,}")
        lines += ["", "metrics, as CloudWatch would have them (dimension Pipeline):"]
        emitted = self.deployment.emf("planner", self.name) + self.deployment.emf(
            "finalizer", self.name
        )
        for line in emitted[-4:]:
            names = [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
            values = ", ".join(f"{name} {line[name]:,}" for name in names)
            lines.append(f"  {line['function']}: {values}")
        return "\n".join(lines)

    def hints(self) -> str:
        """What to try while it runs."""
        server, table = self.deployment.server, self.deployment.outputs["StateTable"]
        sql = (
            "SELECT count(*), max(timestamp) FROM "
            f"read_parquet('s3://{self.deployment.bucket}/{self.prefix}rides/**/*.parquet')"
        )
        keys = "key_id 'test', secret 'test', use_ssl false, url_style 'path'"
        return "\n".join(
            [
                "",
                "in another terminal:",
                f"  export AWS_ENDPOINT_URL={server.endpoint} AWS_REGION={tools.REGION}"
                " AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test",
                "  cargo run --release --features aws -- status"
                f" {self.path} --state dynamodb://{table}",
                f"  aws s3 ls --recursive s3://{self.deployment.bucket}/",
                "or in DuckDB:",
                f"  CREATE SECRET (TYPE s3, endpoint '127.0.0.1:{server.port}', {keys});",
                f"  {sql};",
                f"logs of this AWS: {server.log}",
            ]
        )
