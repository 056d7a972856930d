"""What each function may do, and what it must not: the roles, written out once more by somebody
who did not look at the template."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from .templates import documents, of_type, resources

LOGS = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/tidegate"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:tidegate"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret"
DOCUMENTS = {("dynamodb:GetItem", "<StateTable.Arn>"), ("dynamodb:PutItem", "<StateTable.Arn>")}
DOCUMENTS |= {("dynamodb:UpdateItem", "<StateTable.Arn>")}
STREAM = {
    (f"dynamodb:{action}", "<StateTable.Arn>/stream/*")
    for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
}


def same(function: str) -> set[tuple[str, str]]:
    """What all three may do."""
    logs = {
        (f"logs:{action}", f"{LOGS}-{function}:*") for action in ("CreateLogStream", "PutLogEvents")
    }
    return {*logs, *DOCUMENTS, ("sqs:SendMessage", "<FailureQueue.Arn>")}


MAY = {
    "PlannerRole": {
        *same("planner"),
        ("lambda:InvokeFunction", f"{FUNCTION}-reader"),
        ("lambda:InvokeFunction", f"{FUNCTION}-finalizer"),
    },
    "ReaderRole": {
        *same("reader"),
        ("s3:PutObject", "arn:aws:s3:::lake/_staging/*"),
        ("s3:AbortMultipartUpload", "arn:aws:s3:::lake/_staging/*"),
    },
    "FinalizerRole": {
        *same("finalizer"),
        *STREAM,
        ("lambda:InvokeFunction", f"{FUNCTION}-planner"),
        ("lambda:InvokeFunction", f"{FUNCTION}-finalizer"),
        ("s3:GetObject", "arn:aws:s3:::lake/*"),
        ("s3:PutObject", "arn:aws:s3:::lake/*"),
        ("s3:AbortMultipartUpload", "arn:aws:s3:::lake/*"),
        ("s3:DeleteObject", "arn:aws:s3:::lake/_staging/*"),
        ("s3:ListBucket", "arn:aws:s3:::lake"),
    },
    "ScheduleRole": {("lambda:InvokeFunction", f"{FUNCTION}-planner")},
}
# All that a deployment can ask for at once.
EVERYTHING = {
    "BucketKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/bucket",
    "VpcSubnetIds": "subnet-1,subnet-2",
    "VpcSecurityGroupIds": "sg-1",
    "SecretArns": f"{SECRET}:one,{SECRET}:two",
    "SecretsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/secrets",
    "MskClusterArn": "arn:aws:kafka:eu-central-1:123456789012:cluster/main/uuid-1",
    "MskTopics": "rides-*",
    "Prefix": "raw/",
}


def listed(value: Any) -> list[Any]:
    """One or many, as many."""
    return value if isinstance(value, list) else [value]


def statements(role: str, **parameters: str) -> list[dict[str, Any]]:
    """The statements of a role. None is attached by name: what AWS manages, AWS changes."""
    properties = of_type("AWS::IAM::Role", **parameters)[role]
    assert "ManagedPolicyArns" not in properties
    documents = [policy["PolicyDocument"] for policy in properties["Policies"]]
    return [s for document in documents for s in listed(document["Statement"])]


def may(role: str, **parameters: str) -> set[tuple[str, str]]:
    """Actions and resources that a role allows."""
    found: set[tuple[str, str]] = set()
    for statement in statements(role, **parameters):
        if statement["Effect"] == "Allow":
            assert not {"NotAction", "NotResource"} & statement.keys()
            pairs = itertools.product(listed(statement["Action"]), listed(statement["Resource"]))
            found |= set(pairs)
    return found


def services(role: str, **parameters: str) -> set[str]:
    """The services that a role may call."""
    return {action.split(":")[0] for action, _ in may(role, **parameters)}


@pytest.mark.parametrize("role", MAY)
def test_a_role_allows_what_its_function_does_and_nothing_else(role: str):
    """Action by action, resource by resource."""
    assert may(role) == MAY[role]


def test_each_role_is_looked_at():
    """SAM adds none of its own."""
    assert of_type("AWS::IAM::Role").keys() == MAY.keys()


def test_each_function_has_its_own_role():
    """And is what alone may take it."""
    functions = of_type("AWS::Lambda::Function")
    roles = {name: function["Role"] for name, function in functions.items()}
    assert roles == {f"{n}Function": f"<{n}Role.Arn>" for n in ("Planner", "Reader", "Finalizer")}
    for role, properties in of_type("AWS::IAM::Role").items():
        [trusted] = listed(properties["AssumeRolePolicyDocument"]["Statement"])
        service = "scheduler" if role == "ScheduleRole" else "lambda"
        assert trusted["Principal"] == {"Service": f"{service}.amazonaws.com"}


def test_what_no_function_may_do_whatever_is_deployed():
    """The planner has no path to Kafka, S3 or a secret; the reader starts nothing and deletes
    nothing; the finalizer has no path to Kafka and deletes what is staged alone; nobody deletes
    state."""
    assert services("PlannerRole", **EVERYTHING) == {"logs", "dynamodb", "lambda", "sqs"}
    assert "lambda" not in services("ReaderRole", **EVERYTHING)
    finalizer = services("FinalizerRole", **EVERYTHING)
    assert finalizer == {"logs", "dynamodb", "lambda", "sqs", "s3", "kms"}
    deletes = {
        (role, action, resource)
        for role in MAY
        for action, resource in may(role, **EVERYTHING)
        if "Delete" in action and not action.startswith("ec2:")
    }
    staged = "arn:aws:s3:::lake/raw/_staging/*"
    assert deletes == {("FinalizerRole", "s3:DeleteObject", staged)}


def test_what_is_asked_for_adds_rights_to_the_reader_and_no_more():
    """Each parameter brings its rights, on what it names."""
    msk = "arn:aws:kafka:eu-central-1:123456789012"
    added = {
        ("kms:GenerateDataKey", EVERYTHING["BucketKeyArn"]),
        ("kms:Decrypt", EVERYTHING["BucketKeyArn"]),
        ("secretsmanager:GetSecretValue", f"{SECRET}:one"),
        ("secretsmanager:GetSecretValue", f"{SECRET}:two"),
        ("kms:Decrypt", EVERYTHING["SecretsKeyArn"]),
        ("kafka-cluster:Connect", f"{msk}:cluster/main/uuid-1"),
        ("kafka-cluster:DescribeTopic", f"{msk}:topic/main/uuid-1/rides-*"),
        ("kafka-cluster:ReadData", f"{msk}:topic/main/uuid-1/rides-*"),
    }
    plain = {(a, r.replace("lake/", "lake/raw/")) for a, r in MAY["ReaderRole"]}
    found = may("ReaderRole", **EVERYTHING)
    assert {(a, r) for a, r in found if not a.startswith("ec2:")} == plain | added


def test_network_interfaces_are_lambdas_business():
    """They cannot be named before they are made, so this is the one `*`; and the function's own
    code is denied the very same actions."""
    found = [s for s in statements("ReaderRole", **EVERYTHING) if s["Resource"] == "*"]
    allowed, denied = found
    assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")
    assert allowed["Action"] == denied["Action"]
    assert all(action.startswith("ec2:") for action in allowed["Action"])
    source = {"lambda:SourceFunctionArn": f"{FUNCTION}-reader"}
    assert denied["Condition"] == {"ArnEquals": source}
    assert not [s for s in statements("ReaderRole") if s["Resource"] == "*"]


def test_the_finalizer_replaces_nothing():
    """It is denied to write an object unless it is absent; parts of an upload are no objects."""
    [denied] = [s for s in statements("FinalizerRole") if s["Effect"] == "Deny"]
    assert (denied["Action"], denied["Resource"]) == ("s3:PutObject", "arn:aws:s3:::lake/*")
    assert denied["Condition"] == {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }


@pytest.mark.parametrize("parameters", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_no_star_in_an_action_nor_in_a_resource_that_could_be_named(parameters: dict[str, str]):
    """A star ends the name of something that is named: log streams, streams of the table, objects
    below a prefix, topics by pattern."""
    for role in MAY:
        for action, resource in may(role, **parameters):
            assert "*" not in action, (role, action)
            named = resource.rstrip("*")
            assert "*" not in named, (role, action, resource)
            assert named.count(":") >= 5 or named.startswith("<") or action.startswith("ec2:")


def test_what_resources_allow_by_themselves():
    """Queue and bucket allow nothing to anybody and refuse what is not over TLS; the topic takes
    messages from this account's alarms."""
    stack = resources()
    allowed = []
    for name in ("FailureQueuePolicy", "DataBucketPolicy", "AlarmTopicPolicy"):
        found = stack[name]["Properties"]["PolicyDocument"]["Statement"]
        insecure = [s for s in found if s["Effect"] == "Deny"]
        assert [s["Condition"] for s in insecure] == [{"Bool": {"aws:SecureTransport": "false"}}]
        allowed += [s for s in found if s["Effect"] == "Allow"]
    [alarms] = allowed
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_no_template_has_a_policy_that_is_not_looked_at():
    """Policies stand in roles and on queue, bucket and topic."""
    kinds = {
        resource["Type"]
        for name in ("native", "pipeline.yaml", "function-alarms.yaml", "network.yaml")
        for resource in documents()[name]["Resources"].values()
        if "Polic" in resource["Type"] or "Permission" in resource["Type"]
    }
    assert kinds == {"AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"}
