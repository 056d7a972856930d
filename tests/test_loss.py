"""Records that are gone before they were read, and topics that are no longer the same."""

from __future__ import annotations

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from harness import consume
from harness.broker import Broker
from harness.ledger import Ledger
from harness.records import send_small
from harness.tidegate import DONE_BUT
from harness.wait import until


def delete_records(broker: Broker, topic: str, partition: int, before: int) -> None:
    """DeleteRecords: the log start moves to `before`."""
    wanted = [TopicPartition(topic, partition, before)]
    for done in broker.admin.delete_records(wanted).values():
        done.result(30)
    assert broker.ends(topic, partition)[0] == before


def keep_survivors(ledger: Ledger, topic: str, partitions: int) -> None:
    """The ledger forgets what Kafka's own consumer no longer finds."""
    for partition, rows in consume.rows(ledger.broker, topic, partitions).items():
        found = {row.offset for row in rows}
        kept = ledger.rows[topic, partition]
        ledger.rows[topic, partition] = {at: row for at, row in kept.items() if at in found}


def set_cleaning(broker: Broker, topic: str, policy: str) -> None:
    """Sets a topic's `cleanup.policy`; a cleaning that is under way comes to its end."""
    entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for done in broker.admin.incremental_alter_configs([resource]).values():
        done.result(30)

    def settled() -> bool:
        first = consume.rows(broker, topic, 1)
        return first == consume.rows(broker, topic, 1)

    until("the cleaner is done", settled, every=0.5)


def test_x09_x12_by_default_a_loss_stops_its_partition_only(ledger, topic, pipeline, broker):
    """X09 X12: records deleted before they were read: `stop` stops that partition, says so by exit
    code 3, and the others go on, then and later."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], limits__records_per_partition=4, catch_up=False)
    assert made.one_run()["rows"] == 8
    delete_records(broker, name, 0, 7)
    ended = made.run("--until-caught-up", code=DONE_BUT)
    assert ended.rows == 6
    books = made.books()
    books.check()
    assert books.checkpoint() == {(name, 0): 4, (name, 1): 10}
    assert books.losses() == {}
    status = made.status(code=None)
    assert status.code == DONE_BUT and "stopped" in status.out
    send_small(ledger, name, 1, 3)
    assert made.run("--until-caught-up", code=DONE_BUT).rows == 3
    made.books().check()


def test_x10_with_skip_the_range_is_recorded(ledger, topic, pipeline, broker):
    """X10: `skip` records the lost range in the manifest and reads the rest once; exit code 3 says
    that something was lost."""
    name = topic(2)
    for partition in (0, 1):
        send_small(ledger, name, partition, 10)
    made = pipeline([name], on_data_loss="skip", limits__records_per_partition=4, catch_up=False)
    assert made.one_run()["rows"] == 8
    delete_records(broker, name, 0, 7)
    ended = made.run("--until-caught-up", code=DONE_BUT)
    assert ended.rows == 3 + 6
    assert made.books().losses() == {(name, 0): [(4, 7)]}
    for offset in (4, 5, 6):
        del ledger.rows[name, 0][offset]
    made.check(ledger)
    assert made.one_run()["outcome"] == "idle"


def test_what_was_gone_before_the_first_run_is_no_loss(ledger, topic, pipeline, broker):
    """A first run starts at the log start, wherever that is."""
    name = topic()
    send_small(ledger, name, 0, 10)
    delete_records(broker, name, 0, 7)
    made = pipeline([name])
    assert made.catch_up().rows == 3
    assert made.books().losses() == {}
    keep_survivors(ledger, name, 1)
    made.check(ledger)


def test_x07_a_compacted_topic_has_holes(ledger, topic, pipeline, broker):
    """X07 A02: holes at the start, in the middle and at the end of slices and batches: the rows are
    the survivors, every other offset is counted as compacted."""
    name = topic(
        1,
        cleanup_policy="compact",
        segment_ms=200,
        min_cleanable_dirty_ratio=0.001,
        delete_retention_ms=0,
    )
    in_batches = ledger.producer("lz4", linger_ms=200)
    for number in range(600):
        key = b"once-%d" % number if number % 50 == 49 else b"again-%d" % (number % 7)
        ledger.send(name, 0, b"%d" % number, key=key, by=in_batches)
        if number % 100 == 99:
            ledger.flush(in_batches)

    def compacted() -> bool:
        # A later record closes the segment: the active one is never cleaned.
        ledger.send(name, 0, b"tick", key=b"tick")
        ledger.flush()
        return len(consume.rows(broker, name, 1)[0]) < 100

    until("the log is compacted", compacted, seconds=60, every=0.3)
    # From now on the log stays as it is.
    set_cleaning(broker, name, "delete")
    keep_survivors(ledger, name, 1)
    whole = pipeline([name])
    pieces = pipeline([name], limits__records_per_partition=61)
    for made in (whole, pieces):
        made.catch_up()
        books = made.check(ledger, everyone=True)
        assert books.total("compacted") == broker.ends(name)[1] - ledger.count() > 400


def test_r06_a_topic_made_anew_stops_until_reset(ledger, topic, pipeline, broker):
    """R06 R03 X13: a topic deleted and created again, with more records than were read, is another
    topic: nothing of it is read as if it were the old one."""
    name = topic()
    send_small(ledger, name, 0, 10)
    made = pipeline([name])
    assert made.catch_up().rows == 10
    broker.admin.delete_topics([name])[name].result(30)
    until("the topic is gone", lambda: name not in broker.admin.list_topics(timeout=10).topics)
    broker.create_topics([name])
    again = Ledger(broker)
    send_small(again, name, 0, 25)
    ended = made.run("--until-caught-up", code=DONE_BUT)
    assert ended.rows == 0
    made.check(ledger)
    assert "stopped" in made.status(code=None).out
