"""The command line on AWS: the state in the table, the destination in the bucket, and Kafka as the
deployed reader sees it. The binary has every feature, as `make unit` builds it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from harness.aws import tools
from harness.aws.pipeline import CloudPipeline
from harness.records import send_small
from harness.tidegate import DONE, USAGE, Ended, Tidegate

BUILD = ["cargo", "build", "--workspace", "--all-features", "--locked", "--bin", "tidegate"]
CONTRACT = ["cargo", "test", "--workspace", "--all-features", "--locked", "--test", "contract"]


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> Tidegate:
    """The binary with its AWS side."""
    log = tmp_path_factory.mktemp("build") / "build.log"
    tools.call([*BUILD, "--message-format", "json"], tools.ROOT, os.environ, log, seconds=3600)
    artifacts = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
    (path,) = [a["executable"] for a in artifacts if a.get("executable")]
    return Tidegate(Path(path))


class Caller:
    """Calls verbs for one pipeline."""

    def __init__(self, tidegate: Tidegate, made: CloudPipeline) -> None:
        self.tidegate, self.made = tidegate, made
        self.spec = made.folder / "spec.json"

    def __call__(self, verb: str, *arguments: str, code: int = DONE) -> Ended:
        """A verb with `--json`, with the state of the deployment."""
        self.spec.write_text(json.dumps(self.made.spec))
        endpoint = self.made.deployment.server.endpoint
        table = self.made.deployment.outputs["StateTable"]
        env = tools.CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}
        env["TIDEGATE_STATE"] = f"dynamodb://{table}"
        return self.tidegate.call(verb, self.spec, *arguments, code=code, env=env)


def one(ended: Ended, kind: str) -> dict[str, Any]:
    """The only line of a type."""
    (line,) = [line for line in ended.lines if line.get("type") == kind]
    return line


def test_an_operator_looks_and_pauses(cloud, ledger, topic, command_line):
    """`status` and `plan` ask the reader for the ends of the log; a paused pipeline opens no run,
    and still tells its lag; `verify` proves what the functions published."""
    name = topic(2)
    send_small(ledger, name, 0, 60)
    made = cloud([name])
    made.run()
    tidegate = Caller(command_line, made)

    send_small(ledger, name, 1, 40)
    seen = one(tidegate("status"), "pipeline")
    assert seen["observed"] and not seen["paused"], seen
    assert (seen["lag"]["records"], seen["last_run"]) == (40, 1), seen
    assert one(tidegate("plan"), "summary")["offsets"] == 40

    tidegate("pause")
    assert made.tick() == "paused"
    assert made.lags()[-1]["OffsetLag"] == 40, "a paused tick tells its lag"
    tidegate("resume")
    made.run()
    assert one(tidegate("verify", "--deep"), "verified")["whole"]
    made.check(ledger)


def test_a_run_in_one_process_and_the_functions_share_a_pipeline(
    cloud, ledger, topic, command_line
):
    """Readers in this process write to the bucket and commit to the table; the next run is the
    functions', the one after it this process's again."""
    name = topic(3)
    made = cloud([name])
    tidegate = Caller(command_line, made)
    for _ in range(2):
        for partition in range(3):
            send_small(ledger, name, partition, 50)
        assert tidegate("run").line["outcome"] == "committed"
        made.check(ledger)
        send_small(ledger, name, 1, 30)
        made.run()
        made.check(ledger)
    assert made.head()["last_run"] == 4


def test_a_reset_reads_again_what_is_asked_for(cloud, ledger, topic, command_line):
    """`reset` shows what would change, refuses what would double rows, and moves a partition on."""
    name = topic(1)
    send_small(ledger, name, 0, 50)
    made = cloud([name])
    made.run()
    tidegate = Caller(command_line, made)
    to_earliest = ["--to", "earliest", "--reason", "once more"]
    refused = tidegate("reset", *to_earliest, code=USAGE)
    assert "--allow-duplicates" in refused.err, refused.err
    send_small(ledger, name, 0, 20)
    tidegate("reset", "--to", "latest", "--reason", "nobody wants these")
    assert made.tick() == "idle"
    assert made.books().manifests[-1]["kind"] == "reset"


def test_without_a_table_it_is_said_where_to_name_one(cloud, topic, command_line):
    """The state of a destination in S3 is never guessed."""
    made = cloud([topic(1)])
    spec = made.folder / "spec.json"
    spec.write_text(json.dumps(made.spec))
    ended = command_line.call("status", spec, code=USAGE, env={"TIDEGATE_STATE": ""})
    assert "--state" in ended.err and "TIDEGATE_STATE" in ended.err, ended.err


@pytest.mark.timeout(600)
def test_the_ports_keep_the_contract_on_this_aws(ministack, tmp_path):
    """The contract suite of state and objects, against MiniStack."""
    log = tmp_path / "contract.log"
    env = os.environ | {"TIDEGATE_LOCAL_AWS": ministack.endpoint}
    tools.call([*CONTRACT, "local_aws", "--", "--nocapture"], tools.ROOT, env, log, seconds=3600)
    said = log.read_text(errors="replace")
    assert "state_and_objects_on_a_local_aws_keep_the_contract ... ok" in said, said
    assert "not run" not in said, said
