"""Pipelines by the way in which they log in, and the search for secrets in all that they leave."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from .listeners import (
    PLAIN_PASSWORD,
    PLAIN_USER,
    SCRAM_PASSWORD,
    SCRAM_USER,
    ListenersBroker,
)
from .pipeline import Pipeline
from .tidegate import FAILED, Ended, Tidegate

# A machine at work may take its time; what hangs or is tried for ever takes longer.
SOON = 25
ALLOWED, DENIED, DESCRIBED = "allowed", "denied", "described"
PLAIN = {"username": PLAIN_USER, "password": PLAIN_PASSWORD}
SCRAM = {"username": SCRAM_USER, "password": SCRAM_PASSWORD}
SECRETS = (PLAIN_PASSWORD, SCRAM_PASSWORD)

Fields = dict[str, Any]


def sasl(mechanism: str, protocol: str = "SASL_PLAINTEXT", kept: str = "env:LOGIN") -> Fields:
    """The fields of a login."""
    return {
        "kafka__security_protocol": protocol,
        "kafka__sasl_mechanism": mechanism,
        "kafka__credentials": kept,
    }


def login(**credentials: str) -> dict[str, str]:
    """The environment of a process that may log in."""
    return {"LOGIN": json.dumps(credentials)}


class Ways:
    """Pipelines by listener; file references by name."""

    def __init__(self, tidegate: Tidegate, broker: ListenersBroker, folder: Path) -> None:
        self.tidegate, self.broker, self.folder = tidegate, broker, folder
        self.certificates = broker.certificates

    def pipeline(self, listener: str, topics: list[str] | None = None, **fields: Any) -> Pipeline:
        """A pipeline through a listener. Values that end in .pem are files of the tests."""
        fields = {
            name: self.certificates.ref(value) if str(value).endswith(".pem") else value
            for name, value in fields.items()
        }
        address = self.broker.address if listener == "PLAINTEXT" else self.broker.at[listener]
        return Pipeline(self.tidegate, address, self.folder, topics or [ALLOWED], **fields)

    def refused(
        self,
        words: tuple[str, ...],
        listener: str,
        env: dict[str, str] | None = None,
        code: int = FAILED,
        **fields: Any,
    ) -> Ended:
        """A run that must end soon, with these words and the broker's address or the field."""
        made = self.pipeline(listener, **fields)
        ended = made.run("-vv", code=code, env=env)
        assert ended.seconds < SOON, f"{ended.seconds} s:\n{ended.err}"
        last = ended.err.strip().splitlines()[-1]
        for word in words:
            assert word.lower() in last.lower(), f"{word!r} is not said:\n{ended.err}"
        no_secret(ended.err + ended.out, made.destination)
        return ended


def no_secret(text: str, folder: Path) -> None:
    """No password, in no spelling, in a text or in any file below a folder."""
    everywhere = {"what was printed": text.encode()}
    if folder.exists():
        everywhere |= {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for secret in SECRETS:
        spellings = [
            secret.encode(),
            secret.split(",")[0].encode(),
            base64.b64encode(secret.encode()),
            json.dumps(secret).encode()[1:-1],
        ]
        for where, content in everywhere.items():
            for spelling in spellings:
                assert spelling not in content, f"a secret is in {where}"
    for where, content in everywhere.items():
        assert b"PRIVATE KEY" not in content, f"a key is in {where}"


TLS = {"kafka__security_protocol": "SSL", "kafka__ca_certificate": "ca.pem"}
CA = {"kafka__ca_certificate": "ca.pem"}
MTLS = TLS | {"kafka__client_certificate": "client-pkcs8.pem"}
