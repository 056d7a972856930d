"""How one logs in: every protocol and mechanism on one real broker, and what goes wrong."""

from __future__ import annotations

import json
import socket

import pytest
from harness.ledger import Ledger
from harness.listeners import PLAIN_PASSWORD, PLAIN_USER, SCRAM_USER, ListenersBroker
from harness.login import (
    ALLOWED,
    CA,
    DENIED,
    MTLS,
    PLAIN,
    SCRAM,
    SOON,
    TLS,
    Fields,
    Ways,
    login,
    no_secret,
    sasl,
)
from harness.records import send_small
from harness.tidegate import DONE_BUT, FAILED, USAGE

GOOD: dict[str, tuple[str, Fields, dict[str, str] | None]] = {
    "PLAINTEXT": ("PLAINTEXT", {}, None),
    "SASL_PLAINTEXT PLAIN": ("SASLP", sasl("PLAIN"), login(**PLAIN)),
    "SASL_PLAINTEXT SCRAM-SHA-256": ("SASLP", sasl("SCRAM-SHA-256"), login(**SCRAM)),
    "SASL_PLAINTEXT SCRAM-SHA-512": ("ONLY512", sasl("SCRAM-SHA-512"), login(**SCRAM)),
    "SSL": ("TLS", TLS, None),
    "SSL, several authorities": ("TLS", TLS | {"kafka__ca_certificate": "both-ca.pem"}, None),
    "SASL_SSL PLAIN": ("SASLS", sasl("PLAIN", "SASL_SSL") | CA, login(**PLAIN)),
    "SASL_SSL SCRAM-SHA-256": ("SASLS", sasl("SCRAM-SHA-256", "SASL_SSL") | CA, login(**SCRAM)),
    "SASL_SSL SCRAM-SHA-512": ("SASLS", sasl("SCRAM-SHA-512", "SASL_SSL") | CA, login(**SCRAM)),
    "mTLS, PKCS#8": ("MTLS", MTLS, None),
    "mTLS, SEC1": ("MTLS", MTLS | {"kafka__client_certificate": "client-sec1.pem"}, None),
    "mTLS, PKCS#1": ("MTLS", MTLS | {"kafka__client_certificate": "client-pkcs1.pem"}, None),
    "mTLS, a chain": ("MTLS", MTLS | {"kafka__client_certificate": "client-chain.pem"}, None),
}


@pytest.mark.parametrize("way", GOOD)
def test_every_way_to_log_in(way: str, ways: Ways, produced: Ledger):
    """Each protocol and mechanism copies the topic, and nothing that was printed (with -vv) or
    written holds a secret."""
    listener, fields, env = GOOD[way]
    made = ways.pipeline(listener, **fields)
    ended = made.run("--until-caught-up", "-vv", env=env)
    assert ended.rows == 50
    made.check(produced, topics=[ALLOWED])
    for verb in ("plan", "status"):
        shown = ways.tidegate.call(verb, made.path, "-vv", env=env)
        no_secret(shown.out + shown.err, made.destination)
    no_secret(ended.out + ended.err, made.destination)


def test_credentials_from_a_file(ways: Ways, produced: Ledger):
    """`file:` for the login, `env:` for the certificates: each field takes either."""
    kept = ways.folder / "login.json"
    kept.write_text(json.dumps(PLAIN | {"engine": "more than is needed"}))
    fields = sasl("PLAIN", "SASL_SSL", f"file:{kept}") | {"kafka__ca_certificate": "env:CA"}
    authority = (ways.certificates.folder / "ca.pem").read_text()
    made = ways.pipeline("SASLS", **fields)
    assert made.run("--until-caught-up", env={"CA": authority}).rows == 50
    made.check(produced, topics=[ALLOWED])


def test_the_system_s_authorities(ways: Ways, produced: Ledger):
    """Without `ca_certificate` those of the system count; OpenSSL's variable names others."""
    fields = {"kafka__security_protocol": "SSL"}
    env = {"SSL_CERT_FILE": str(ways.certificates.folder / "ca.pem")}
    made = ways.pipeline("TLS", **fields)
    assert made.run("--until-caught-up", env=env).rows == 50
    other = {"SSL_CERT_FILE": str(ways.certificates.folder / "other-ca.pem")}
    words = ("certificate", "authority that this system trusts", "kafka.ca_certificate")
    ways.refused(words, "TLS", env=other, **fields)


WRONG = {"username": PLAIN_USER, "password": "not-the-password"}
WRONG_SCRAM = {"username": SCRAM_USER, "password": "not-the-password"}
REFUSED: dict[str, tuple[tuple[str, ...], str, Fields, dict[str, str] | None, int]] = {
    "wrong password, PLAIN": (
        ("refuses the login", "PLAIN", "invalid username or password", "env:LOGIN"),
        "SASLP",
        sasl("PLAIN"),
        login(**WRONG),
        FAILED,
    ),
    "wrong password, SCRAM-SHA-256": (
        ("refuses the login", "SCRAM-SHA-256", "invalid credentials", "kafka.credentials"),
        "SASLP",
        sasl("SCRAM-SHA-256"),
        login(**WRONG_SCRAM),
        FAILED,
    ),
    "wrong password, SCRAM-SHA-512 over TLS": (
        ("refuses the login", "SCRAM-SHA-512", "invalid credentials", "kafka.credentials"),
        "SASLS",
        sasl("SCRAM-SHA-512", "SASL_SSL") | CA,
        login(**WRONG_SCRAM),
        FAILED,
    ),
    "unknown user": (
        ("refuses the login", "SCRAM-SHA-256", "kafka.credentials"),
        "SASLP",
        sasl("SCRAM-SHA-256"),
        login(username="nobody", password="nothing"),
        FAILED,
    ),
    "mechanism not enabled": (
        ("kafka.sasl_mechanism", "does not offer PLAIN", "SCRAM-SHA-512"),
        "ONLY512",
        sasl("PLAIN"),
        login(**PLAIN),
        USAGE,
    ),
    "unknown authority": (
        ("certificate", "not signed by an authority in kafka.ca_certificate", "other-ca.pem"),
        "TLS",
        TLS | {"kafka__ca_certificate": "other-ca.pem"},
        None,
        FAILED,
    ),
    "expired certificate": (("certificate", "has expired", "renew"), "EXPIRED", TLS, None, FAILED),
    "wrong host name": (
        ("certificate", "another host", "kafka.elsewhere.example", "127.0.0.1"),
        "ELSEWHERE",
        TLS,
        None,
        FAILED,
    ),
    "no client certificate": (
        ("wants a client certificate", "kafka.client_certificate"),
        "MTLS",
        TLS,
        None,
        FAILED,
    ),
    "a client certificate of strangers": (
        ("refuses the certificate in kafka.client_certificate", "client-stranger.pem"),
        "MTLS",
        TLS | {"kafka__client_certificate": "client-stranger.pem"},
        None,
        FAILED,
    ),
    "an expired client certificate": (
        ("refuses the certificate in kafka.client_certificate", "client-expired.pem"),
        "MTLS",
        TLS | {"kafka__client_certificate": "client-expired.pem"},
        None,
        FAILED,
    ),
    "login where nobody logs in": (
        ("kafka.security_protocol", "without login", "set PLAINTEXT"),
        "PLAINTEXT",
        sasl("PLAIN"),
        login(**PLAIN),
        USAGE,
    ),
    "login over TLS where nobody logs in": (
        ("kafka.security_protocol", "without login", "set SSL"),
        "TLS",
        sasl("PLAIN", "SASL_SSL") | CA,
        login(**PLAIN),
        USAGE,
    ),
    "no login where one logs in": (
        ("kafka.security_protocol", "wants a login", "PLAIN", "set SASL_PLAINTEXT"),
        "SASLP",
        {},
        None,
        USAGE,
    ),
    "TLS without login where one logs in": (
        ("kafka.security_protocol", "wants a login", "set SASL_SSL"),
        "SASLS",
        TLS,
        None,
        USAGE,
    ),
    "TLS where there is none": (
        ("kafka.security_protocol", "speaks no TLS", "set PLAINTEXT"),
        "PLAINTEXT",
        TLS,
        None,
        USAGE,
    ),
    "TLS where there is only a login": (
        ("kafka.security_protocol", "speaks no TLS", "set SASL_PLAINTEXT"),
        "SASLP",
        sasl("PLAIN", "SASL_SSL") | CA,
        login(**PLAIN),
        USAGE,
    ),
    "no TLS where there is": (
        ("kafka.security_protocol", "speaks TLS", "SSL"),
        "TLS",
        {},
        None,
        USAGE,
    ),
    "login without TLS where there is": (
        ("kafka.security_protocol", "speaks TLS", "SASL_SSL"),
        "SASLS",
        sasl("SCRAM-SHA-512"),
        login(**SCRAM),
        USAGE,
    ),
    "no such variable": (
        ("kafka.credentials: env:LOGIN", "no such environment variable"),
        "SASLP",
        sasl("PLAIN"),
        None,
        USAGE,
    ),
    "no such file": (
        ("kafka.credentials: file:/nowhere/login.json", "No such file"),
        "SASLP",
        sasl("PLAIN", kept="file:/nowhere/login.json"),
        None,
        USAGE,
    ),
    "a login that is no JSON": (
        ("kafka.credentials: env:LOGIN", "is no JSON"),
        "SASLP",
        sasl("PLAIN"),
        {"LOGIN": f"{PLAIN_USER}:{PLAIN_PASSWORD}"},
        USAGE,
    ),
    "a login of other fields": (
        ("kafka.credentials: env:LOGIN", "the two texts"),
        "SASLP",
        sasl("PLAIN"),
        {"LOGIN": json.dumps({"user": PLAIN_USER, "password": PLAIN_PASSWORD})},
        USAGE,
    ),
    "an authority that is no PEM": (
        ("kafka.ca_certificate: env:CA", "PEM"),
        "TLS",
        TLS | {"kafka__ca_certificate": "env:CA"},
        {"CA": "not a certificate"},
        USAGE,
    ),
    "an encrypted key": (
        ("kafka.client_certificate", "encrypted"),
        "MTLS",
        TLS | {"kafka__client_certificate": "client-encrypted.pem"},
        None,
        USAGE,
    ),
    "a client certificate without a key": (
        ("kafka.client_certificate", "no private key"),
        "MTLS",
        TLS | {"kafka__client_certificate": "client-no-key.pem"},
        None,
        USAGE,
    ),
    "the key of another certificate": (
        ("kafka.client_certificate", "does not belong"),
        "MTLS",
        TLS | {"kafka__client_certificate": "client-other-key.pem"},
        None,
        USAGE,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_goes_wrong_is_said_at_once(what: str, ways: Ways):
    """Each mistake has an error of its own that says what to do; it comes within seconds, and no
    secret is in it or in the logs."""
    words, listener, fields, env, code = REFUSED[what]
    ways.refused(words, listener, env=env, code=code, **fields)


def test_no_rights_at_all(ways: Ways):
    """Nothing may be read: the run fails and says which right is missing."""
    words = ("TopicAuthorizationFailed", "right", DENIED)
    ended = ways.refused(words, "SASLP", env=login(**PLAIN), topics=[DENIED], **sasl("PLAIN"))
    assert ended.code == FAILED


def test_a_right_that_is_given_later(ways: Ways, listeners: ListenersBroker, produced: Ledger):
    """A topic that was left out for want of a right is copied once the right is there."""
    listeners.create_topics(["later"])
    send_small(produced, "later", 0, 20)
    made = ways.pipeline("MTLS", [ALLOWED, "later"], **MTLS)
    assert made.run(code=DONE_BUT).rows == 50
    listeners.allow("later")
    assert made.catch_up().rows == 20
    made.check(produced, topics=[ALLOWED, "later"])


def test_silent_bootstrap_servers_cost_little(ways: Ways, produced: Ledger):
    """One that accepts and says nothing, not even TLS, is given up after 10 s; a good one behind
    several of them is found before that."""
    silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    try:
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in silent]
        made = ways.pipeline("TLS", **TLS).set(kafka__bootstrap_servers=addresses[:1])
        ended = made.run(code=FAILED)
        assert addresses[0] in ended.err and ended.seconds < SOON, ended
        made = ways.pipeline("PLAINTEXT").set(
            kafka__bootstrap_servers=[*addresses, ways.broker.address]
        )
        assert made.run("--until-caught-up").rows == 50
        made.check(produced, topics=[ALLOWED])
    finally:
        for one in silent:
            one.close()
