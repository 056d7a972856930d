"""Which topics take part, and where their files go."""

from __future__ import annotations

from harness.changes import delete_topic, told
from harness.ledger import Ledger
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


def stopped(line: dict) -> list[tuple[str, int | None, str, str]]:
    """Topic, partition, state and reason of all that is not read."""
    return [
        (one["topic"], one["partition"], one["state"], one["reason"]) for one in line["stopped"]
    ]


def test_r04_r09_a_topic_is_deleted_among_others(ledger, broker, pipeline):
    """R04 R09: by name and by pattern: told once for the topic, with what to do, while the others
    go on; a topic that comes back under its name is another one, and stops."""
    names = ["among-a", "among-b"]
    broker.create_topics(names, 2)
    for name in names:
        for partition in (0, 1):
            send_small(ledger, name, partition, 5)
    both = [pipeline(names), pipeline({"pattern": "among-.*"})]
    for made in both:
        assert made.catch_up().rows == 20
    delete_topic(broker, "among-b")
    send_small(ledger, "among-a", 0, 3)
    for made in both:
        line = made.one_run(code=DONE_BUT)
        assert line["rows"] == 3
        assert stopped(line) == [("among-b", None, "unobserved", "data_loss")]
        cause = line["stopped"][0]["cause"]
        assert "was deleted" in cause and "taken out of the spec's topics" in cause, cause
        for verb in (made.status, made.plan):
            assert "was deleted" in verb(code=DONE_BUT, as_json=False).out
    broker.create_topics(["among-b"], 2)
    send_small(Ledger(broker), "among-b", 0, 9)
    send_small(ledger, "among-a", 1, 3)
    for made in both:
        line = made.one_run(code=DONE_BUT)
        assert line["rows"] == 3
        assert stopped(line) == [("among-b", p, "stopped", "recreated") for p in (0, 1)]
        told(made, ("among-b", 0), "recreated", "created anew", "tidegate reset")
        made.check(ledger, topics=names)
    made = both[1].set(topics={"pattern": "among-.*", "exclude": "among-b"})
    assert made.one_run()["outcome"] == "idle", "a topic that is taken out is nobody's business"


def test_r08_a_named_topic_that_is_created_later(ledger, topic, broker, pipeline):
    """R08 R04: named before it exists: told while it is missing, read from its first record when it
    is there, with `latest` too, and whatever stood in it when it was first seen."""
    name, later = topic(1), "named-before-it-is-there"
    send_small(ledger, name, 0, 5)
    made = pipeline([name, later], start="latest")
    line = made.one_run(code=DONE_BUT)
    assert line["rows"] == 0 and stopped(line) == [(later, None, "unobserved", "config")]
    assert "create it, or correct the spec's topics" in line["stopped"][0]["cause"]
    broker.create_topics([later], 2)
    send_small(ledger, later, 0, 4)
    send_small(ledger, name, 0, 2)
    assert made.one_run()["rows"] == 4 + 2
    assert made.one_run()["outcome"] == "idle"
    assert made.books().checkpoint() == {(name, 0): 7, (later, 0): 4, (later, 1): 0}
    made.books().check()


def test_r08_a_pattern_that_matches_nothing_at_first(ledger, broker, pipeline):
    """R08: the first run finds no topic at all; one that comes then has come later, and is read
    from its first record, with `latest` too."""
    made = pipeline({"pattern": "comes-to-match-.*"}, start="latest")
    line = made.one_run()
    assert (line["rows"], line["files"]) == (0, 0)
    assert made.one_run()["outcome"] == "idle"
    broker.create_topics(["comes-to-match-a"])
    send_small(ledger, "comes-to-match-a", 0, 6)
    assert made.one_run()["rows"] == 6
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
