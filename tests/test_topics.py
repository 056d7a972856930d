"""Which topics take part, and where their files go."""

from __future__ import annotations

from harness.records import send_small
from harness.tidegate import DONE, DONE_BUT, FAILED


def tables(made) -> set[str]:
    """Top folders that are no `_` ones."""
    return {path.name for path in made.destination.iterdir() if not path.name.startswith("_")}


def test_r08_r10_a_pattern_picks_up_new_topics(ledger, broker, pipeline):
    """R08 R10: a pattern matches whole names, exclude wins, internal topics never; a topic that
    comes later is read from its start."""
    names = ["pat-a", "pat-b", "pat-secret", "xpat-a"]
    broker.create_topics(names)
    for name in names:
        send_small(ledger, name, 0, 5)
    made = pipeline({"pattern": "pat-.*|__.*", "exclude": ".*secret"})
    assert made.catch_up().rows == 10
    broker.create_topics(["pat-c"])
    send_small(ledger, "pat-c", 0, 7)
    assert made.catch_up().rows == 7
    assert tables(made) == {"pat-a", "pat-b", "pat-c"}
    made.check(ledger, topics=["pat-a", "pat-b", "pat-c"])


def test_p18_topics_whose_names_look_like_something_else(ledger, broker, pipeline):
    """P18: names with periods, dashes and file-like ends."""
    names = ["eu.rides-v2.parquet", "a.b.c", "x-0000000001-1", "UPPER_lower.json"]
    broker.create_topics(names)
    for name in names:
        send_small(ledger, name, 0, 5)
    made = pipeline(names)
    made.catch_up()
    assert tables(made) == set(names)
    made.check(ledger, everyone=True)


def test_several_topics_share_a_table(ledger, broker, pipeline):
    """`table` without `{topic}`: one folder, in (topic, partition, offset) order."""
    names = ["shared-one", "shared-two"]
    broker.create_topics(names, 2)
    for name in names:
        for partition in (0, 1):
            send_small(ledger, name, partition, 10)
    made = pipeline(names, table="events")
    made.catch_up()
    assert tables(made) == {"events"}
    books = made.check(ledger, everyone=True)
    assert books.files_per_table()["events"] <= 2


def test_r04_a_topic_that_is_not_there(ledger, topic, pipeline):
    """R04 R09 X12: a named topic that does not exist is said; the others go on."""
    name = topic()
    send_small(ledger, name, 0, 5)
    made = pipeline([name, "no-such-topic"])
    ended = made.run("--until-caught-up", code=None)
    assert ended.code in (DONE_BUT, FAILED), ended
    assert "no-such-topic" in ended.err + ended.out
    if ended.code == DONE_BUT:
        assert ended.rows == 5
        made.check(ledger)


def test_a_table_folder_that_would_be_hidden(ledger, broker, pipeline):
    """A topic whose folder would begin with `_` is left out with its cause; the others go on."""
    broker.create_topics(["_hidden-a", "hidden-b"])
    for name in ("_hidden-a", "hidden-b"):
        send_small(ledger, name, 0, 5)
    made = pipeline({"pattern": "_?hidden-.*"})
    ended = made.run("--until-caught-up", code=None)
    assert ended.code in (DONE, DONE_BUT), ended.err
    assert ended.rows == 5 and tables(made) == {"hidden-b"}
    plan = made.plan(code=None)
    assert "_hidden-a" in plan.out + plan.err
