"""Certificates for tests, made anew for each session: nothing in the tree expires."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
# PKCS#1 of an RSA key, SEC1 of an EC key.
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Certificate:
    """A certificate, its key, and who signed it (none: itself)."""

    certificate: x509.Certificate
    key: Key
    issuer: Certificate | None = None

    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(PEM)

    def key_pem(
        self, form: serialization.PrivateFormat = PKCS8, password: bytes | None = None
    ) -> bytes:
        """The private key, in the form that is wanted."""
        lock = (
            serialization.BestAvailableEncryption(password)
            if password
            else serialization.NoEncryption()
        )
        return self.key.private_bytes(PEM, form, lock)

    def identity(self, form: serialization.PrivateFormat = PKCS8) -> bytes:
        """Key and certificate in one text: what Kafka calls a PEM keystore."""
        return self.key_pem(form) + self.pem()


def ec_key() -> Key:
    """A key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key() -> Key:
    """An RSA key of 2048 bits."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make(
    name: str,
    issuer: Certificate | None = None,
    *,
    authority: bool = False,
    hosts: tuple[str, ...] = (),
    days: tuple[int, int] = (-1, 3650),
    key: Key | None = None,
) -> Certificate:
    """A certificate of CN=name, valid from `days[0]` to `days[1]` from now."""
    key = key or ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.certificate.subject if issuer else subject
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if hosts:
        built = built.add_extension(
            x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False
        )
    signed = built.sign(issuer.key if issuer else key, hashes.SHA256())
    return Certificate(signed, key, issuer)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Certificates:
    """Everything that the login tests need, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        root = make("tests root", authority=True)
        between = make("tests intermediate", root, authority=True)
        here = ("localhost", "127.0.0.1")
        broker = make("broker", root, hosts=here)
        expired = make("broker", root, hosts=here, days=(-30, -2))
        elsewhere = make("broker", root, hosts=("kafka.elsewhere.example",))
        client = make("mtls-user", root)
        chained = make("mtls-user", between)
        old_style = make("mtls-user", root, key=rsa_key())
        stranger = make("mtls-user", make("nobody's root", authority=True))
        self._write("ca.pem", root.pem())
        self._write("other-ca.pem", make("another root", authority=True).pem())
        self._write("both-ca.pem", make("another root", authority=True).pem() + root.pem())
        for name, one in [("broker", broker), ("expired", expired), ("elsewhere", elsewhere)]:
            self._write(f"{name}-keystore.pem", one.identity())
        self._write("client-pkcs8.pem", client.identity())
        self._write("client-sec1.pem", client.pem() + client.key_pem(TRADITIONAL))
        self._write("client-pkcs1.pem", old_style.identity(TRADITIONAL))
        self._write("client-chain.pem", chained.identity() + between.pem())
        self._write("client-stranger.pem", stranger.identity())
        self._write("client-expired.pem", make("mtls-user", root, days=(-30, -2)).identity())
        self._write("client-encrypted.pem", client.key_pem(password=b"x" * 8) + client.pem())
        self._write("client-no-key.pem", client.pem())
        self._write("client-other-key.pem", client.pem() + old_style.key_pem())

    def _write(self, name: str, text: bytes) -> None:
        (self.folder / name).write_bytes(text)

    def ref(self, name: str) -> str:
        """How a spec names the file."""
        return f"file:{self.folder / name}"
