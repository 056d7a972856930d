"""One deployed stack, and what a test asks of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..wait import until
from . import metrics, processes, sam
from .ministack import MiniStack
from .state import State

# Short, so that a test waits seconds for what takes minutes on AWS. The lease of readers ends
# before their timeout does: it saves money, and no safety rests on it.
SHORT = {
    "Architecture": "x86_64",
    "PlannerTimeout": "30",
    "ReaderTimeout": "20",
    "FinalizerTimeout": "20",
    "ReadingLeaseSeconds": "4",
    "FinalizingLeaseSeconds": "4",
}
_REPORT = re.compile(r"REPORT .*?\tDuration: (\d+) ms")


class Deployment:
    """A stack, deployed by SAM."""

    def __init__(self, server: MiniStack, name: str, bucket: str) -> None:
        self.server, self.name, self.bucket = server, name, bucket
        self.outputs: dict[str, str] = {}

    def deploy(self, built: Path, **parameters: str) -> Deployment:
        """Deploys the built template with short times, and these parameters."""
        wanted = SHORT | {"BucketName": self.bucket} | parameters
        log = self.server.folder / f"deploy-{self.name}.log"
        sam.deploy(self.server, built, self.name, wanted, log)
        self.describe()
        # MiniStack tries a record of a stream again until it is too old, whatever the number of
        # retries, and holds up all that follow: here it is too old after a second.
        self.change_stream(MaximumRecordAgeInSeconds=1)
        return self

    def change_stream(self, **settings: Any) -> None:
        """Changes the mapping that starts the finalizer."""
        client = self.client("lambda")
        found = client.list_event_source_mappings(FunctionName=self.function("finalizer"))
        (mapping,) = found["EventSourceMappings"]
        client.update_event_source_mapping(UUID=mapping["UUID"], **settings)

    def describe(self) -> Deployment:
        """Reads the stack's outputs."""
        described = self.client("cloudformation").describe_stacks(StackName=self.name)
        (stack,) = described["Stacks"]
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        return self

    def client(self, service: str) -> Any:
        """A client of a service, past the proxy."""
        return self.server.client(service)

    @property
    def state(self) -> State:
        """The state table."""
        return State(self.client("dynamodb"), self.outputs["StateTable"])

    def function(self, which: str) -> str:
        """The name of the `planner`, `reader` or `finalizer`."""
        return f"{self.name}-{which}"

    def invoke(self, which: str, event: Mapping[str, Any]) -> Any:
        """Calls a function and waits for its answer; an error of the function fails the test."""
        answer, error = self.ask(which, event)
        assert error is None, f"{which} failed with {error}: {answer}"
        return answer

    def ask(self, which: str, event: Mapping[str, Any]) -> tuple[Any, str | None]:
        """Calls a function and waits: its answer, and the kind of error if it is one."""
        answered = self.client("lambda").invoke(
            FunctionName=self.function(which), Payload=json.dumps(event).encode()
        )
        payload = answered["Payload"].read()
        return json.loads(payload) if payload else None, answered.get("FunctionError")

    def send(self, which: str, event: Mapping[str, Any]) -> None:
        """Calls a function asynchronously."""
        answered = self.client("lambda").invoke(
            FunctionName=self.function(which),
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )
        assert answered["StatusCode"] == 202, answered

    def processes(self, which: str) -> list[int]:
        """The processes of a function."""
        wanted = self.function(which)
        return [pid for pid, name in processes.functions(self.server.pid).items() if name == wanted]

    def log(self, which: str) -> list[str]:
        """What a function logged. A call's lines are there when it has ended."""
        return metrics.log_lines(self.client("logs"), self.function(which))

    def durations_ms(self, which: str) -> list[int]:
        """How long each call of a function took that has ended."""
        return [int(found[1]) for line in self.log(which) if (found := _REPORT.search(line))]

    def emf(self, which: str, pipeline: str | None = None) -> list[dict[str, Any]]:
        """The metrics that a function emitted."""
        return metrics.emf(self.log(which), pipeline)

    def failures(self) -> list[dict[str, Any]]:
        """What the failure queue holds; it is empty afterwards."""
        queue = self.outputs["FailureQueue"]
        client = self.client("sqs")
        found = []
        while messages := client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                found.append(json.loads(message["Body"]))
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def wait_for_failure(self, pipeline: str, seconds: float = 30) -> dict[str, Any]:
        """The first message of the failure queue that is about the pipeline."""
        mine: list[dict[str, Any]] = []

        def look() -> bool:
            mine.extend(one for one in self.failures() if pipeline in json.dumps(one))
            return bool(mine)

        until(f"the failure queue holds an event of {pipeline}", look, seconds, every=0.1)
        return mine[0]
