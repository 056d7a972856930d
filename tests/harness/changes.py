"""What happens to topics: made anew, grown, cut, cleaned; and what is then told of them."""

from __future__ import annotations

from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from . import consume
from .broker import Broker
from .ledger import Ledger
from .pipeline import Pipeline
from .tidegate import DONE_BUT
from .wait import until


def delete_topic(broker: Broker, name: str) -> None:
    """Deletes a topic and waits until it is gone."""
    broker.admin.delete_topics([name])[name].result(30)
    until("the topic is gone", lambda: name not in broker.admin.list_topics(timeout=10).topics)


def make_anew(broker: Broker, name: str, partitions: int = 1) -> Ledger:
    """Deletes a topic and creates another one of its name; a ledger for that one, whose producers
    never knew the old one."""
    delete_topic(broker, name)
    broker.create_topics([name], partitions)
    return Ledger(broker)


def add_partitions(broker: Broker, name: str, total: int) -> Ledger:
    """Adds partitions, and waits until all have a leader; a ledger whose producers know them."""
    broker.admin.create_partitions([NewPartitions(name, total)])[name].result(30)
    until("the partitions are there", lambda: _count(broker, name) == total)
    broker.ends(name, total - 1)
    return Ledger(broker)


def _count(broker: Broker, name: str) -> int:
    return len(broker.admin.list_topics(name, timeout=10).topics[name].partitions)


def delete_records(broker: Broker, topic: str, partition: int, before: int) -> None:
    """DeleteRecords: the log start moves to `before`."""
    wanted = [TopicPartition(topic, partition, before)]
    for done in broker.admin.delete_records(wanted).values():
        done.result(30)
    assert broker.ends(topic, partition)[0] == before


def set_config(broker: Broker, topic: str, **settings: str | int) -> None:
    """Sets a topic's settings (dots as underscores)."""
    entries = [
        ConfigEntry(name.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for done in broker.admin.incremental_alter_configs([resource]).values():
        done.result(30)


def keep_survivors(ledger: Ledger, topic: str, partitions: int) -> None:
    """The ledger forgets what Kafka's own consumer no longer finds."""
    for partition, rows in consume.rows(ledger.broker, topic, partitions).items():
        found = {row.offset for row in rows}
        kept = ledger.rows[topic, partition]
        ledger.rows[topic, partition] = {at: row for at, row in kept.items() if at in found}


def told(made: Pipeline, place: tuple[str, int], reason: str, *words: str) -> None:
    """One more run, `status` and `plan` (as tables and as --json) and the manifest tell that the
    partition is stopped, and why: by the same `reason`, and in `words`."""
    topic, partition = place

    def mine(lines: list[dict]) -> dict:
        found = [line for line in lines if (line.get("topic"), line.get("partition")) == place]
        assert len(found) == 1, (place, lines)
        return found[0]

    texts = []
    line = made.one_run(code=DONE_BUT)
    assert line["rows"] == 0, line
    seen = [mine(line["stopped"])]
    shown = made.status(code=DONE_BUT)
    seen.append(mine([one for one in shown.lines if one["type"] == "stopped"]))
    for one in seen:
        assert (one["state"], one["reason"]) == ("stopped", reason), one
        texts.append(one["cause"])
    entries = [entry for manifest in made.books().manifests for entry in manifest["checkpoint"]]
    last = [one for one in entries if (one["topic"], one["partition"]) == place][-1]
    assert (last["state"], last["reason"]) == ("stopped", reason), last
    texts.append(last["cause"])
    for verb in (made.status, made.plan):
        ended = verb(code=DONE_BUT, as_json=False)
        shown = [text for text in ended.out.splitlines() if f"{topic}-{partition}" in text]
        texts.append("\n".join(shown))
    for text in texts:
        missing = [word for word in words if word not in text]
        assert not missing, f"{missing} not in {text!r}"
