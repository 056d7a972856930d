"""The sentences of SEMANTICS.md about logging in."""

from __future__ import annotations

from harness.ledger import Ledger
from harness.login import (
    ALLOWED,
    CA,
    DENIED,
    DESCRIBED,
    MTLS,
    PLAIN,
    SCRAM,
    SOON,
    Ways,
    login,
    no_secret,
    sasl,
)
from harness.tidegate import DONE_BUT, FAILED
from harness.wait import until


def test_no_secret_is_printed_or_written(ways: Ways):
    """A secret is never printed and never written."""
    for listener, fields, env in (
        ("SASLP", sasl("PLAIN"), login(**PLAIN)),
        ("SASLS", sasl("SCRAM-SHA-512", "SASL_SSL") | CA, login(**SCRAM)),
        ("MTLS", MTLS, None),
    ):
        made = ways.pipeline(listener, **fields)
        for verb in ("plan", "run", "status", "verify"):
            ended = ways.tidegate.call(verb, made.path, "-vv", env=env)
            no_secret(ended.out + ended.err, made.destination)
        assert any(made.destination.rglob("*.parquet"))


def refusals(ways: Ways) -> int:
    """How many logins the broker has refused."""
    log = (ways.broker.folder / "broker.log").read_text(errors="replace")
    return log.count("Failed authentication with")


def test_a_refused_login_ends_a_run_at_once(ways: Ways):
    """A login that a broker refuses ends a run at once, and says why."""
    made = ways.pipeline("SASLP", **sasl("SCRAM-SHA-256"))
    env = login(**SCRAM | {"password": "not-the-password"})
    before = refusals(ways)
    for tries in (1, 2):
        ended = made.run("--until-caught-up", code=FAILED, env=env)
        assert "refuses the login" in ended.err and "invalid credentials" in ended.err, ended.err
        assert ended.seconds < SOON
        until("the broker has told of it", lambda tries=tries: refusals(ways) >= before + tries)
        assert refusals(ways) == before + tries, "a refused login was tried again"
    assert made.run(env=login(**SCRAM)).rows == 50


def test_a_topic_without_rights_holds_up_no_other(ways: Ways, produced: Ledger):
    """A topic without the right to read it does not hold up the others."""
    made = ways.pipeline("SASLP", [ALLOWED, DENIED, DESCRIBED], **sasl("PLAIN"))
    ended = made.run(code=DONE_BUT, env=login(**PLAIN))
    assert ended.rows == 50
    made.check(produced, topics=[ALLOWED])
    stopped = {one["topic"]: one["cause"] for one in ended.line["stopped"]}
    assert "TopicAuthorizationFailed" in stopped[DENIED], stopped
    told = [line for line in ended.err.splitlines() if f"{DESCRIBED}-0" in line]
    assert any("TopicAuthorizationFailed" in line for line in told), ended.err
    assert ended.seconds < SOON
