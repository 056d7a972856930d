"""AWS that refuses, throttles, or does what it was asked without anybody hearing of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from harness.aws import faults
from harness.aws.calls import Answer, Request
from harness.aws.killing import sender
from harness.aws.pipeline import CloudPipeline
from harness.records import send_small
from harness.wait import until

S3_WRITES = {"PutObject", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}
DYNAMODB = {"GetItem", "PutItem", "UpdateItem"}


def errors(made: CloudPipeline, function: str) -> list[dict]:
    """What a function logged as errors."""
    lines = [line for line in made.deployment.log(function) if '"ERROR"' in line]
    return [json.loads(line) for line in lines if made.name in line]


def test_s3_refuses_the_reader(cloud, ledger, topic, proxy, deployment):
    """403 for all that is staged: nothing is committed, the log says what was refused and where;
    with the right given back all is copied."""
    name = topic(2)
    for partition in range(2):
        send_small(ledger, name, partition, 30)
    made = cloud([name])

    def staged(request: Request) -> bool:
        return request.service == "s3" and f"_staging/{made.name}/" in request.path

    with proxy.rule(staged, faults.refuse(403, "AccessDenied")):
        assert made.tick() == "opened"
        until("the reader says so", lambda: errors(made, "reader"))
        # Up to the last attempt and beyond it.
        until("the run is over", lambda: made.tick() and made.closed(1), seconds=60, every=0.3)
        assert deployment.state.checkpoint(made.name).get((name, 0), 0) == 0
        assert not made.data_files()
    said = json.dumps(errors(made, "reader"))
    assert "denied" in said.lower() and deployment.bucket in said, said
    made.catch_up()
    made.check(ledger)


def test_s3_refuses_the_finalizer(cloud, ledger, topic, proxy, deployment):
    """W11: 403 for data files: the run stays open, with nothing of it visible, however often it is
    helped on; with the right given back it is committed."""
    name = topic(1)
    send_small(ledger, name, 0, 30)
    made = cloud([name])

    def data(request: Request) -> bool:
        # Not HEAD: an object that is not there is looked for first.
        return (
            request.service == "s3"
            and request.method in ("PUT", "POST")
            and request.key.startswith(f"{made.name}/{name}/")
        )

    with proxy.rule(data, faults.refuse(403, "AccessDenied")) as refused:
        assert made.tick() == "opened"
        until("a finalizer was refused", lambda: refused.taken)
        for _ in range(3):
            made.tick()
        until("others were refused", lambda: made.tick() and len(refused.taken) > 2, every=0.3)
        assert made.open_run() and not made.data_files()
        assert not deployment.state.checkpoint(made.name)
    until("an error is logged", lambda: errors(made, "finalizer"))
    made.catch_up()
    made.check(ledger)


def test_dynamodb_refuses_the_planner(cloud, ledger, topic, proxy, deployment):
    """403 for the table: the tick fails, and says which table; nothing is begun."""
    name = topic(1)
    send_small(ledger, name, 0, 10)
    made = cloud([name])

    def mine(request: Request) -> bool:
        return request.service == "dynamodb" and request.about(made.name)

    with proxy.rule(mine, faults.refuse(400, "AccessDeniedException")):
        answer, error = deployment.ask("planner", made.event)
        assert error and answer["errorType"] == "denied", answer
        assert deployment.outputs["StateTable"] in answer["errorMessage"], answer
    assert not made.head()
    made.catch_up()
    made.check(ledger)


THROTTLED = {
    "s3": (503, "SlowDown"),
    "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "lambda": (429, "TooManyRequestsException"),
}


@pytest.mark.parametrize("service", THROTTLED)
def test_throttled_calls_are_made_again(service, cloud, ledger, topic, proxy):
    """W10 W13: each kind of call is throttled twice, and gets through: one tick commits."""
    name = topic(2)
    for partition in range(2):
        send_small(ledger, name, partition, 30)
    made = cloud([name])
    seen: dict[tuple[str, str], int] = {}

    def match(request: Request) -> bool:
        if request.service != service or not request.about(made.name):
            return False
        kind = (request.operation, sender(request))
        seen[kind] = seen.get(kind, 0) + 1
        return seen[kind] <= 2

    with proxy.rule(match, faults.refuse(*THROTTLED[service])) as throttled:
        made.run()
    assert len(throttled.taken) >= 2, seen
    made.check(ledger)


def once_each(made: CloudPipeline, wanted: set[str]) -> Callable[[Request], bool]:
    """Matches the first request of each kind: operation, sender, and what it is for."""
    seen: set[tuple[str, ...]] = set()

    def match(request: Request) -> bool:
        if request.operation not in wanted or not request.about(made.name):
            return False
        target = request.item[1] if request.service == "dynamodb" else request.path
        # Numbers and ids differ from run to run; what they name does not.
        words = tuple(part for part in target.split("/") if part.isalpha())
        kind = (request.operation, sender(request), *words)
        first = kind not in seen
        seen.add(kind)
        return first

    return match


@pytest.mark.parametrize(
    "wanted", [S3_WRITES, DYNAMODB, {"Invoke"}], ids=["s3", "dynamodb", "lambda"]
)
def test_answers_that_are_lost(wanted, cloud, ledger, topic, proxy):
    """Of each kind of call the first is done, and its answer lost: what was done by oneself is
    told from what another did, so the run commits, once."""
    name = topic(2)
    made = cloud([name], limits__readers=2, limits__bytes_per_task="1KiB")
    for _ in range(2):
        for partition in range(2):
            send_small(ledger, name, partition, 30)
        with proxy.rule(once_each(made, wanted), faults.lose) as lost:
            made.tick()
            made.catch_up()
        assert lost.taken
        print(sorted({f"{sender(one)} {one.operation}" for one in lost.taken}))
    made.check(ledger)


def test_a_multipart_copy_whose_answer_is_lost(cloud, ledger, topic, proxy, rng):
    """W07 W08: the answer to the request that completes a data file made of parts is lost, or is a
    200 with an error inside. The file is there once."""
    name = topic(1)
    for _ in range(12_000):
        ledger.send(name, 0, rng.randbytes(900))
    ledger.flush()
    made = cloud([name])

    def completes(request: Request) -> bool:
        return request.operation == "CompleteMultipartUpload" and request.key.startswith(
            f"{made.name}/{name}/"
        )

    def fails_inside(request: Request, forward: Callable[[], Answer]) -> Answer:
        del request, forward
        body = b"<Error><Code>InternalError</Code><Message>by the test</Message></Error>"
        return Answer(200, [("Content-Type", "application/xml")], body)

    with (
        proxy.rule(completes, fails_inside, times=1),
        proxy.rule(completes, faults.lose, 1) as lost,
    ):
        made.run()
    assert lost.taken, "no data file was made of parts"
    made.check(ledger)
