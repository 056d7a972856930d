"""A broker with one listener for each way to connect, all at once, with rights checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from .broker import Broker, free_ports
from .certificates import Certificates
from .wait import until

# Listener -> Kafka's name of its security protocol.
LISTENERS = {
    "SASLP": "SASL_PLAINTEXT",
    "ONLY512": "SASL_PLAINTEXT",
    "TLS": "SSL",
    "SASLS": "SASL_SSL",
    "MTLS": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
}
PLAIN_USER, PLAIN_PASSWORD = "alice", "plain-secret-5b1f09, =\u00e4"
SCRAM_USER, SCRAM_PASSWORD = "scr=am,user", "scram-secret-c27e44, =\u00e4"
MTLS_USER = "mtls-user"
LOGIN_MODULE = "org.apache.kafka.common.security"


class ListenersBroker(Broker):
    """`at[LISTENER]` is the address of each of them. On the listeners of `Broker` everybody may
    do everything."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        super().__init__(folder)
        self.certificates = certificates
        ports = free_ports(len(LISTENERS))
        self.at = {name: f"127.0.0.1:{port}" for name, port in zip(LISTENERS, ports, strict=True)}

    def settings(self) -> dict[str, Any]:
        """Those of a broker, and the listeners."""
        plain = super().settings()
        folder = self.certificates.folder
        mine = [f"{name}://{address}" for name, address in self.at.items()]
        security = [f"{name}:{protocol}" for name, protocol in LISTENERS.items()]
        added: dict[str, Any] = {
            "listeners": ",".join([plain["listeners"], *mine]),
            "advertised.listeners": ",".join([plain["advertised.listeners"], *mine]),
            "listener.security.protocol.map": ",".join(
                [plain["listener.security.protocol.map"], *security]
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": folder / "broker-keystore.pem",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": folder / "ca.pem",
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.mtls.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "listener.name.expired.ssl.keystore.location": folder / "expired-keystore.pem",
            "listener.name.elsewhere.ssl.keystore.location": folder / "elsewhere-keystore.pem",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.only512.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "connection.failed.authentication.delay.ms": 10,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "false",
        }
        # Java reads properties as Latin-1, other letters by their number.
        password = "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in PLAIN_PASSWORD)
        users = f'user_{PLAIN_USER}="{password}"'
        for listener, protocol in LISTENERS.items():
            if protocol.startswith("SASL"):
                name = f"listener.name.{listener.lower()}"
                added[f"{name}.plain.sasl.jaas.config"] = (
                    f"{LOGIN_MODULE}.plain.PlainLoginModule required {users};"
                )
                for scram in ("scram-sha-256", "scram-sha-512"):
                    added[f"{name}.{scram}.sasl.jaas.config"] = (
                        f"{LOGIN_MODULE}.scram.ScramLoginModule required;"
                    )
        return plain | added

    def create(self) -> ListenersBroker:
        """Starts, and makes the users of SCRAM."""
        super().create()
        mechanisms = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        made = [
            UserScramCredentialUpsertion(
                SCRAM_USER, ScramCredentialInfo(one, 4096), SCRAM_PASSWORD.encode()
            )
            for one in mechanisms
        ]
        for one in made:
            self.admin.alter_user_scram_credentials([one])[SCRAM_USER].result(30)

        def known() -> bool:
            described = self.admin.describe_user_scram_credentials([SCRAM_USER])[SCRAM_USER]
            return len(described.result(30).scram_credential_infos) == len(mechanisms)

        until("the users of SCRAM are known", known)
        return self

    def allow(self, topic: str, *operations: AclOperation) -> None:
        """Gives rights on a topic to everybody who logs in."""
        operations = operations or (AclOperation.READ, AclOperation.DESCRIBE)
        bindings = [
            AclBinding(
                ResourceType.TOPIC,
                topic,
                ResourcePatternType.LITERAL,
                f"User:{user}",
                "*",
                operation,
                AclPermissionType.ALLOW,
            )
            for user in (PLAIN_USER, SCRAM_USER, MTLS_USER)
            for operation in operations
        ]
        for made in self.admin.create_acls(bindings).values():
            made.result(30)
