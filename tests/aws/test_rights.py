"""The deployed roles, with IAM enforced: they suffice for a run, and each function is denied what
it must not do. The calls are made with the credentials of the function's own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from harness.aws import processes, tools
from harness.aws.deployment import Deployment
from harness.aws.ministack import MiniStack
from harness.aws.pipeline import CloudPipeline, as_schedule_input
from harness.aws.proxy import Proxy
from harness.broker import Broker
from harness.ledger import Ledger
from harness.records import send_small

BUCKET = "tidegate-rights"


@pytest.fixture(scope="module")
def committed(
    tmp_path_factory: pytest.TempPathFactory, built: Path, broker: Broker
) -> Iterator[tuple[CloudPipeline, Ledger]]:
    """A stack on a local AWS that enforces IAM, with a run that was committed."""
    # The bucket answers TLS only; the proxy says for the functions that they came by it.
    proxy = Proxy(says_https=True)
    folder = tmp_path_factory.mktemp("rights")
    server = MiniStack(folder / "ministack", proxy.endpoint, auth=True)
    broker.create_topics(["rights"], 2)
    ledger = Ledger(broker)
    for partition in range(2):
        send_small(ledger, "rights", partition, 50)
    try:
        server.start()
        proxy.start(server)
        deployment = Deployment(server, "rights", BUCKET)
        made = CloudPipeline(deployment, "rights", broker.address, ["rights"], folder, "lake")
        deployment.deploy(
            built,
            Pipeline="rights",
            Prefix="lake/",
            Spec=as_schedule_input(made.spec),
            ScheduleState="DISABLED",
        )
        made.run()
        yield made, ledger
        proxy.stop()
    finally:
        server.stop()


def as_function(made: CloudPipeline, which: str, service: str) -> Any:
    """A client with the rights of a function, past the proxy but for what it says."""
    (pid, *_) = made.deployment.processes(which)
    mine = processes.variables(pid)
    return botocore.session.Session().create_client(
        service,
        region_name=tools.REGION,
        endpoint_url=mine["AWS_ENDPOINT_URL"],
        aws_access_key_id=mine["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=mine["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=mine["AWS_SESSION_TOKEN"],
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def test_the_roles_suffice(committed):
    """A tick, its readers, the stream's finalizer: each with its own role, to the commit, to the
    tidying up; and the chain of a run that leaves a backlog."""
    made, ledger = committed
    made.check(ledger)
    made.spec |= {"catch_up": True, "limits": {"records_per_partition": 20}}
    for partition in range(2):
        send_small(ledger, "rights", partition, 60)
    made.tick()
    made.wait_closed(4)
    made.catch_up()
    made.check(ledger)


def object_of(made: CloudPipeline) -> str:
    """The key of a data file."""
    return made.prefix + made.data_files()[0]


DENIED = {
    "the planner reads no data": ("planner", "s3", "get_object", {"Key": object_of}),
    "the planner writes no data": ("planner", "s3", "put_object", {"Key": object_of}),
    "the planner lists no bucket": ("planner", "s3", "list_objects_v2", {}),
    "the reader reads no data": ("reader", "s3", "get_object", {"Key": object_of}),
    "the reader publishes nothing": ("reader", "s3", "put_object", {"Key": object_of}),
    "the reader deletes nothing": ("reader", "s3", "delete_object", {"Key": object_of}),
    "the reader lists no bucket": ("reader", "s3", "list_objects_v2", {}),
    "the finalizer deletes no data": ("finalizer", "s3", "delete_object", {"Key": object_of}),
}


@pytest.mark.parametrize("what", DENIED)
def test_s3_is_denied(what: str, committed):
    """What a function must not do to the bucket."""
    made, _ = committed
    which, service, call, arguments = DENIED[what]
    given = {name: value(made) for name, value in arguments.items()}
    stands = made.keys()
    with pytest.raises(ClientError) as refused:
        getattr(as_function(made, which, service), call)(Bucket=made.deployment.bucket, **given)
    assert refused.value.response["Error"]["Code"] == "AccessDenied", refused.value
    assert made.keys() == stands


@pytest.mark.parametrize("which", ["planner", "reader", "finalizer"])
@pytest.mark.parametrize("target", ["planner", "reader", "finalizer"])
def test_who_may_invoke_whom(which: str, target: str, committed):
    """The reader invokes nobody, nobody but the finalizer starts a planner, and only the planner
    starts readers."""
    made, _ = committed
    allowed = {("planner", "reader"), ("planner", "finalizer")}
    allowed |= {("finalizer", "finalizer"), ("finalizer", "planner")}
    client = as_function(made, which, "lambda")
    # A dry run asks for the right and does nothing else.
    call = {"FunctionName": made.deployment.function(target), "InvocationType": "DryRun"}
    if (which, target) in allowed:
        assert client.invoke(**call)["StatusCode"] == 204
        return
    with pytest.raises(ClientError) as refused:
        client.invoke(**call)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException", refused.value


@pytest.mark.parametrize("which", ["planner", "reader", "finalizer"])
def test_state_is_never_deleted(which: str, committed):
    """No function deletes an item, nor the table, nor scans it."""
    made, _ = committed
    client, table = as_function(made, which, "dynamodb"), made.deployment.outputs["StateTable"]
    key = {"pipeline": {"S": made.name}, "item": {"S": "head"}}
    calls = [
        lambda: client.delete_item(TableName=table, Key=key),
        lambda: client.delete_table(TableName=table),
        lambda: client.scan(TableName=table),
    ]
    for call in calls:
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException", refused.value
    assert made.head()


@pytest.mark.parametrize("which", ["planner", "reader", "finalizer"])
def test_no_function_reads_secrets_that_nobody_gave(which: str, committed):
    """Without SecretArns no secret can be read."""
    made, _ = committed
    manager = made.deployment.client("secretsmanager")
    name = f"secret-{which}"
    manager.create_secret(Name=name, SecretString="hidden")
    with pytest.raises(ClientError) as refused:
        as_function(made, which, "secretsmanager").get_secret_value(SecretId=name)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException", refused.value
