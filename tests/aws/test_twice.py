"""Everything that AWS may do twice, late, or for a run that is over. W04 W05 W06"""

from __future__ import annotations

import json
import threading

from harness.aws import faults
from harness.aws.calls import Answer, Request
from harness.aws.pipeline import CloudPipeline, outcome, together
from harness.records import send_small
from harness.wait import until


def is_event(pipeline: CloudPipeline):
    """Matches the asynchronous invocations of a pipeline's functions."""

    def match(request: Request) -> bool:
        kind = request.headers.get("x-amz-invocation-type")
        return kind == "Event" and request.operation == "Invoke" and request.about(pipeline.name)

    return match


def is_layout(pipeline: CloudPipeline):
    """Matches what writes a layout or a manifest of a pipeline."""

    def match(request: Request) -> bool:
        below = f"{pipeline.prefix}_runs/"
        return request.operation == "PutObject" and request.key.startswith(below)

    return match


def called(request: Request) -> tuple[str, dict]:
    """The function and the event of an invocation."""
    return request.path.split("/functions/")[1].split("/")[0], json.loads(request.body)


def twice(request: Request, forward) -> Answer:
    """An invocation that is made twice, as asynchronous ones may be."""
    del request
    forward()
    return forward()


def test_planners_at_once_open_one_run(cloud, ledger, topic):
    """K01 K06: of three ticks at once one opens a run; the others lose and say so."""
    name = topic(2)
    made = cloud([name])
    for number in range(1, 6):
        for partition in range(2):
            send_small(ledger, name, partition, 20)
        answers = together(*[lambda: made.deployment.invoke("planner", made.event)] * 3)
        outcomes = sorted(outcome(answer) for answer in answers)
        assert outcomes.count("opened") >= 1, outcomes
        made.catch_up()
        assert made.head()["last_run"] >= number
    books = made.check(ledger)
    assert books.total("rows") == 200


def test_everything_is_invoked_twice_and_again_when_the_run_is_closed(cloud, ledger, topic, proxy):
    """Each reader, finalizer and planner is invoked twice at once; when the runs are closed all of
    these events come once more: nobody changes anything, nobody fails."""
    name = topic(4)
    made = cloud([name], limits__readers=4, limits__bytes_per_task="1KiB", catch_up=True)
    with proxy.rule(is_event(made), twice) as doubled:
        for _ in range(2):
            for partition in range(4):
                send_small(ledger, name, partition, 60)
            made.catch_up()
    made.check(ledger)
    events = [called(request) for request in doubled.taken]
    readers = [event for function, event in events if function.endswith("-reader")]
    assert len(readers) >= 8, events
    # What is tidied up late is told apart from what late ones leave.
    head, stands = made.head(), made.keys()
    for event in readers:
        assert made.deployment.invoke("reader", event)["outcome"] == "stale"
    for run in {(event["run"], event["plan"]) for event in readers}:
        late = {"pipeline": made.name, "run": run[0], "plan": run[1], "set_aside": False}
        assert made.deployment.invoke("finalizer", late) == {"outcomes": ["stale"]}
        late["set_aside"] = True
        assert made.deployment.invoke("finalizer", late) == {"outcomes": ["stale"]}
    assert (made.head(), made.keys()) == (head, stands)


def test_a_reader_that_comes_late_finds_the_output(cloud, ledger, topic, proxy):
    """W05: a second reader of a task of a run that is still open adopts the first one's output;
    what it staged itself is in nobody's way."""
    name = topic(1)
    send_small(ledger, name, 0, 200)
    made = cloud([name])
    gate = threading.Event()
    with (
        proxy.rule(is_event(made), lambda _, forward: forward()) as seen,
        proxy.rule(is_layout(made), faults.hold(gate)),
    ):
        assert made.tick() == "opened"
        open_run = made.open_run()
        assert open_run
        (event,) = [event for function, event in map(called, seen.taken) if "task" in event]
        output = f"run/{event['run']}/{event['plan']}/output/{event['task']}"
        until("the output stands", lambda: made.deployment.state.item(made.name, output))
        assert made.deployment.invoke("reader", event)["outcome"] == "exists"
        gate.set()
        made.wait_closed(1)
    made.check(ledger)


def test_two_readers_of_one_task(cloud, ledger, topic, proxy):
    """W05: two readers of one task, side by side, have files of their own; one output stands."""
    name = topic(1)
    send_small(ledger, name, 0, 2_000, 400)
    made = cloud([name])
    barrier = threading.Barrier(2)

    def output(request: Request) -> bool:
        return request.operation == "PutItem" and "/output/" in request.item[1]

    def meet(request: Request, forward) -> Answer:
        del request
        barrier.wait(60)
        return forward()

    with (
        proxy.rule(is_event(made), twice, times=1),
        proxy.rule(
            lambda request: request.about(made.name) and output(request), meet, times=2
        ) as met,
    ):
        assert made.tick() == "opened"
        made.wait_closed(1)
    assert len(met.taken) == 2, "the readers did not meet"
    made.catch_up()
    made.check(ledger)


def test_finalizers_at_once(cloud, ledger, topic):
    """W06: while a run is open four more finalizers are invoked at once, again and again: one of
    them publishes, and all that they do comes to the same."""
    name = topic(3)
    made = cloud([name], limits__readers=3, limits__bytes_per_task="1KiB")
    outcomes = []
    for _ in range(3):
        for partition in range(3):
            send_small(ledger, name, partition, 50)
        assert made.tick() == "opened"
        run = made.open_run()
        while run:
            event = {"pipeline": made.name, "run": run["run"], "plan": run["plan"]}
            answers = together(*[lambda e=event: made.deployment.invoke("finalizer", e)] * 4)
            outcomes += [str(answer["outcomes"][0]) for answer in answers]
            run = made.open_run()
    assert any("stale" in one or "busy" in one for one in outcomes), outcomes
    made.catch_up()
    made.check(ledger)
