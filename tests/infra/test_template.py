"""What a deployment consists of, resource by resource, in CloudFormation's own words."""

from __future__ import annotations

import json

import pytest

from .lines import COMMIT, TICK
from .templates import (
    FUNCTIONS,
    GIVEN,
    INFRA,
    documents,
    function,
    of_type,
    resources,
    variables,
)

IN_VPC = {"VpcSubnetIds": "subnet-1,subnet-2", "VpcSecurityGroupIds": "sg-1"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_a_native_binary(name: str):
    """A zip with `bootstrap`, for arm64 unless something else is asked for."""
    made = function(name)
    assert (made["Runtime"], made["Handler"]) == ("provided.al2023", "bootstrap")
    assert made["Architectures"] == ["arm64"]
    assert function(name, Architecture="x86_64")["Architectures"] == ["x86_64"]
    assert made["LoggingConfig"] == {"LogFormat": "JSON"}
    written = documents()["template.yaml"]["Resources"][f"{name}Function"]
    assert written["Metadata"]["BuildMethod"] == "rust-cargolambda"
    assert written["Properties"]["CodeUri"] == f"../functions/{name.lower()}"


def test_functions_know_each_other_by_name():
    """The planner starts readers and finalizers, the finalizer itself and the planner, the reader
    nobody."""
    names = {name: function(name)["FunctionName"] for name in FUNCTIONS}
    assert names == {name: f"tidegate-{name.lower()}" for name in FUNCTIONS}
    table = {"TIDEGATE_TABLE": "<StateTable>"}
    reading = {"TIDEGATE_READING_LEASE_SECONDS": 1200}
    finalizing = {"TIDEGATE_FINALIZING_LEASE_SECONDS": 960}
    named = {f"TIDEGATE_{name.upper()}": made for name, made in names.items()}
    planner = {n: named[n] for n in ("TIDEGATE_READER", "TIDEGATE_FINALIZER")}
    finalizer = {n: named[n] for n in ("TIDEGATE_PLANNER", "TIDEGATE_FINALIZER")}
    assert variables("Planner") == {**table, **planner, **reading, **finalizing}
    assert variables("Reader") == table
    assert variables("Finalizer") == {**table, **finalizer, **finalizing}


def test_a_login_is_the_readers_alone():
    """It is handed to no other function, and shown by no console."""
    login = {"KafkaCredentials": '{"username": "u", "password": "p"}'}
    assert variables("Reader", **login)["KAFKA_CREDENTIALS"] == login["KafkaCredentials"]
    assert "KAFKA_CREDENTIALS" not in variables("Planner", **login)
    assert "KAFKA_CREDENTIALS" not in variables("Finalizer", **login)
    assert documents()["template.yaml"]["Parameters"]["KafkaCredentials"]["NoEcho"] is True


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lambda_repeats_nothing_by_itself(name: str):
    """Attempts are counted in the head. What fails goes to the queue, with its cause."""
    config = of_type("AWS::Lambda::EventInvokeConfig")[f"{name}FunctionEventInvokeConfig"]
    assert config["MaximumRetryAttempts"] == 0
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == "<FailureQueue.Arn>"


def test_a_lease_outlasts_what_it_is_for():
    """A reader that starts as late as it may, and runs as long as it may, is over before its lease
    is; a finalizer, too. With the defaults, and with the times for a local AWS."""
    local = documents()["local.yaml"]
    for given in ({}, local):
        values = {
            name: int(given.get(name, parameter.get("Default")))
            for name, parameter in documents()["template.yaml"]["Parameters"].items()
            if name.endswith(("Timeout", "LeaseSeconds", "AgeSeconds"))
        }
        last = values["ReaderEventAgeSeconds"] + values["ReaderTimeout"]
        assert last <= values["ReadingLeaseSeconds"]
        assert values["FinalizerTimeout"] < values["FinalizingLeaseSeconds"]
    # As it is written: the transform fills in the default where it has to know a number.
    written = documents()["template.yaml"]["Resources"]["ReaderFunction"]["Properties"]
    age = written["EventInvokeConfig"]["MaximumEventAgeInSeconds"]
    assert age == {"Ref": "ReaderEventAgeSeconds"}


def test_the_reader_alone_is_in_the_vpc():
    """And only if subnets are given."""
    assert "VpcConfig" not in function("Reader")
    assert function("Reader", **IN_VPC)["VpcConfig"] == {
        "SubnetIds": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["sg-1"],
    }
    assert not [n for n in ("Planner", "Finalizer") if "VpcConfig" in function(n, **IN_VPC)]


def test_concurrency_is_reserved_on_request():
    """Of readers, never of the planner: ticks of many pipelines come in the same second."""
    reserved = {n: function(n, ReaderConcurrency="20") for n in FUNCTIONS}
    key = "ReservedConcurrentExecutions"
    assert [n for n in FUNCTIONS if key in reserved[n]] == ["Reader"]
    assert key not in function("Reader")


def test_chains_are_not_taken_for_endless_loops():
    """Of the functions that start themselves or each other."""
    loops = {name: function(name).get("RecursiveLoop") for name in FUNCTIONS}
    assert loops == {"Planner": "Allow", "Reader": None, "Finalizer": "Allow"}


def test_the_stream_starts_the_finalizer_when_a_run_is_read():
    """Only the item that says so; one run an invocation, and several side by side; and what fails
    goes to the queue."""
    [mapping] = of_type("AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionName"] == "<FinalizerFunction>"
    assert mapping["EventSourceArn"] == "<StateTable.StreamArn>"
    [pattern] = mapping["FilterCriteria"]["Filters"]
    assert json.loads(pattern["Pattern"]) == {
        "dynamodb": {"NewImage": {"complete": {"BOOL": [True]}}}
    }
    assert (mapping["BatchSize"], mapping["BisectBatchOnFunctionError"]) == (1, False)
    assert (mapping["MaximumRetryAttempts"], mapping["ParallelizationFactor"]) == (0, 10)
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == "<FailureQueue.Arn>"


def test_endpoints_that_are_there_are_not_made_again():
    """A route table takes one route for each service."""
    needed = {"VpcId": "vpc-1", "RouteTableIds": "rtb-1"}
    assert set(resources("network.yaml", **needed)) == {"S3Endpoint", "DynamoDbEndpoint"}
    assert set(resources("network.yaml", CreateS3Endpoint="false", **needed)) == {
        "DynamoDbEndpoint"
    }
    assert set(resources("network.yaml", CreateDynamoDbEndpoint="false", **needed)) == {
        "S3Endpoint"
    }


def test_failed_events_are_kept_for_two_weeks():
    """Encrypted."""
    [queue] = of_type("AWS::SQS::Queue").values()
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True


def test_logs_are_kept_for_as_long_as_is_said():
    """Of each function, and for no longer."""
    groups = of_type("AWS::Logs::LogGroup", LogRetentionDays="7").values()
    found = {group["LogGroupName"]: group["RetentionInDays"] for group in groups}
    assert found == {f"/aws/lambda/<{name}Function>": "7" for name in FUNCTIONS}


def test_a_pipeline_is_two_schedules():
    """Both hand the spec to the planner; one opens runs. Neither is repeated, or has a name that
    another stack could have."""
    spec = json.dumps({"pipeline": "rides", "topics": ["rides"]})
    schedules = of_type("AWS::Scheduler::Schedule", Spec=spec, Pipeline="rides")
    modes = {}
    for schedule in schedules.values():
        target = schedule["Target"]
        said = json.loads(target["Input"])
        assert said["spec"] == json.loads(spec)
        modes[said["mode"]] = schedule["ScheduleExpression"]
        assert target["Arn"].endswith(":function:tidegate-planner")
        expected = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
        assert target["RetryPolicy"] == expected
        assert "Name" not in schedule
    assert modes == {"tick": "rate(15 minutes)", "roll_forward": "rate(5 minutes)"}
    off = of_type("AWS::Scheduler::Schedule", ScheduleState="DISABLED").values()
    assert {schedule["State"] for schedule in off} == {"DISABLED"}


def test_a_second_pipeline_has_nothing_but_schedules_and_alarms():
    """It is ticked by the first one's planner."""
    given = {"Platform": "lake", "ScheduleRoleArn": "arn:role", "AlarmTopicArn": "arn:topic"}
    stack = resources("pipeline.yaml", Pipeline="taxis", **given)
    kinds = {resource["Type"] for resource in stack.values()}
    assert kinds == {"AWS::Scheduler::Schedule", "AWS::CloudWatch::Alarm"}
    target = stack["Schedule"]["Properties"]["Target"]
    assert target["Arn"].endswith(":function:lake-planner") and target["RoleArn"] == "arn:role"
    alarms = [r["Properties"] for r in stack.values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    assert {alarm["AlarmName"].rsplit("taxis")[0] for alarm in alarms} == {"lake-"}
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {("arn:topic",)}


def test_both_templates_mean_the_same_by_a_parameter():
    """Default, bounds and description."""
    outer = documents()["template.yaml"]["Parameters"]
    inner = documents()["pipeline.yaml"]["Parameters"]
    given = {"Platform", "ScheduleRoleArn", "AlarmTopicArn", "Pipeline", "Spec"}
    assert {n: p for n, p in inner.items() if n not in given} == {
        n: outer[n] for n in inner if n not in given
    }
    handed = documents()["template.yaml"]["Resources"]["FirstPipeline"]["Properties"]["Parameters"]
    assert handed.keys() == inner.keys()


def test_alarms_tell_the_topic_and_the_topic_a_person():
    """The stack's own, or one that is there; mail only if somebody is named."""
    stack = resources(AlarmEmail="a@example.com")
    assert stack["AlarmSubscription"]["Properties"]["Endpoint"] == "a@example.com"
    assert "AlarmSubscription" not in resources()
    other = resources(AlarmTopicArn="arn:topic", AlarmEmail="a@example.com")
    assert not {"AlarmTopic", "AlarmTopicPolicy", "AlarmSubscription"} & other.keys()
    for topic, parameters in (("<AlarmTopic>", {}), ("arn:topic", {"AlarmTopicArn": "arn:topic"})):
        alarms = of_type("AWS::CloudWatch::Alarm", **parameters).values()
        assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(topic,)}
        nested = of_type("AWS::CloudFormation::Stack", **parameters).values()
        assert {stack["Parameters"]["AlarmTopicArn"] for stack in nested} == {topic}


def test_each_function_has_its_alarms():
    """A failed invocation of any is told by the queue; what lasts by the function's own alarms."""
    nested = of_type("AWS::CloudFormation::Stack")
    watched = {n: s["Parameters"].get("FunctionName") for n, s in nested.items()}
    del watched["FirstPipeline"]
    assert watched == {f"{name}Alarms": f"<{name}Function>" for name in FUNCTIONS}
    alarms = resources("function-alarms.yaml", FunctionName="f", AlarmTopicArn="t").values()
    metrics = {alarm["Properties"]["MetricName"] for alarm in alarms}
    assert metrics == {"Errors", "Throttles", "AsyncEventsDropped"}
    queue = resources()["FailureQueueAlarm"]["Properties"]
    assert queue["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert queue["Dimensions"] == [{"Name": "QueueName", "Value": "<FailureQueue.QueueName>"}]


def test_the_dashboard_shows_metrics_that_there_are():
    """It is JSON, and names no other metric of ours."""
    body = json.loads(resources()["Dashboard"]["Properties"]["DashboardBody"])
    shown = json.dumps(body)
    for name in {*TICK, *COMMIT} - {"RowsWritten"}:
        assert f'MetricName=\\"{name}\\"' in shown, name
    assert shown.count("MetricName=") == len({*TICK, *COMMIT}) - 1
    columns = [(w["x"], w["y"]) for w in body["widgets"]]
    assert len(set(columns)) == len(columns)


def test_the_next_commands_are_printed():
    """With what is known only after the deployment."""
    outputs = documents()["template.yaml"]["Outputs"]
    status, _ = outputs["StatusCommand"]["Value"]["Fn::Sub"]
    assert status == "tidegate status ${Pipeline}.json --state dynamodb://${Table}"
    following, _ = outputs["NextPipelineCommand"]["Value"]["Fn::Sub"]
    given = {word.split("=")[0].strip('"') for word in following.split() if "=" in word}
    assert given == {"Platform", "ScheduleRoleArn", "AlarmTopicArn", "Pipeline", "Spec"}
    # What is sent as it is may not be larger; `aws cloudformation deploy` sends it so.
    assert (INFRA / "pipeline.yaml").stat().st_size < 51_200


def test_what_must_be_given_has_no_default():
    """And all else has one."""
    parameters = documents()["template.yaml"]["Parameters"]
    missing = {name for name, parameter in parameters.items() if "Default" not in parameter}
    assert missing == {"Pipeline", "Spec", "BucketName"} <= GIVEN.keys()
