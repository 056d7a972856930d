"""Functions whose processes are killed in the middle of a run."""

from __future__ import annotations

import pytest
from harness.aws.killing import FUNCTIONS, counted, killing
from harness.aws.pipeline import CloudPipeline, outcome
from harness.records import send_small
from harness.sizes import size
from harness.wait import until


def settled(made: CloudPipeline) -> bool:
    """Ticks once; whether there was nothing to do. A planner that is killed answers with an
    error."""
    answer, error = made.deployment.ask("planner", made.event)
    return error is None and outcome(answer) == "idle"


@pytest.mark.timeout(3600)
def test_w16_functions_killed_at_any_request(cloud, ledger, topic, proxy, rng):
    """W01 W02 W03 W14 W15 W16: SIGKILL for a reader, a finalizer or a planner, before or after any
    request that it makes, once in each of 6 [50] runs: the next ticks finish the run. Every
    record is there once, no stray file is, and nothing stays staged."""
    name = topic(4)
    made = cloud([name], limits__readers=2, limits__bytes_per_task="8KiB")

    def produce() -> None:
        for partition in range(4):
            send_small(ledger, name, partition, rng.randrange(20, 200), 100)

    produce()
    with counted(proxy, made) as counts:
        made.run()
        made.catch_up()
    assert all(counts[function] > 3 for function in FUNCTIONS), counts
    killed = []
    while len(killed) < size(6, 50):
        # Most often those that move data.
        function = rng.choice([*FUNCTIONS, "reader", "finalizer"])
        number, after = rng.randrange(counts[function]), rng.random() < 0.5
        produce()
        with killing(proxy, made, function, number, after) as rule:
            until("the run is over", lambda: settled(made), seconds=180, every=0.2)
        if rule.taken:
            killed.append(f"{function} {'after' if after else 'before'} {rule.taken[0].operation}")
    print(f"killed: {killed}")
    made.check(ledger)
