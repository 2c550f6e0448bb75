# SPDX-License-Identifier: GPL-2.0-or-later
# Certificate authorities for tests: keys, certificates and how they are written to files.
#
# Exists apart from pki.py so that the simulated servers get their TLS certificates from the same
# few lines that make the device certificates.
"""Small certificate authorities for tests."""

from __future__ import annotations

import datetime
import ipaddress
import os
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Optional, Union

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

PrivateKey = Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]

# Microsoft's extensions in Intune MDM certificates.
OID_INTUNE_DEVICE_ID = ObjectIdentifier("1.2.840.113556.5.4")
OID_ENTRA_TENANT_ID = ObjectIdentifier("1.2.840.113556.5.14")
OID_SUBJECT_ALT_NAME = ObjectIdentifier("2.5.29.17")

CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
ANY_EKU = ObjectIdentifier("2.5.29.37.0")

# What a PKCS#12 file of the tests is locked with. No secret: the keys live for one run.
PKCS12_PASSWORD = "devtrust-test"

DAY = datetime.timedelta(days=1)


def now() -> datetime.datetime:
    """The present in UTC, whole seconds, as X.509 wants it."""
    return datetime.datetime.utcnow().replace(microsecond=0)


def make_key(kind: str) -> PrivateKey:
    """A new private key: rsa1024, rsa2048, rsa3072, p256, p384, p521 or ed25519."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curve = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}[kind]
    return ec.generate_private_key(curve())


def signing_hash(key: PrivateKey) -> Optional[hashes.HashAlgorithm]:
    """Ed25519 brings its own hash."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def device_id_extension(guid: str) -> bytes:
    """1.2.840.113556.5.4: sixteen bare bytes, little-endian GUID."""
    return uuid.UUID(guid).bytes_le


def tenant_extension(guid: str) -> bytes:
    """1.2.840.113556.5.14: the same bytes within an OCTET STRING."""
    return b"\x04\x10" + uuid.UUID(guid).bytes_le


def der_length(size: int) -> bytes:
    """A definite DER length (X.690 section 8.1.3)."""
    if size < 128:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def raw_uri_san(uris: Iterable[bytes]) -> bytes:
    """A SubjectAltName of URIs whose bytes need not be text at all."""
    names = b"".join(b"\x86" + der_length(len(u)) + u for u in uris)
    return b"\x30" + der_length(len(names)) + names


def name(common_name: str, organization: Optional[str] = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def key_usage(digital_signature: bool = True, ca: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature, content_commitment=False,
        key_encipherment=not ca, data_encipherment=False, key_agreement=False,
        key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False)


@dataclass
class Identity:
    """A private key with its certificate and what stands between it and its anchor."""

    key: PrivateKey
    certificate: x509.Certificate
    chain: list[x509.Certificate] = field(default_factory=list)

    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def certificate_der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def chain_pem(self) -> bytes:
        """The certificate first, then its intermediates."""
        rest = (c.public_bytes(serialization.Encoding.PEM) for c in self.chain)
        return self.certificate_pem() + b"".join(rest)

    def key_pem(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.PEM,
                                      serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())

    def key_der(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.DER,
                                      serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())

    def pkcs12(self, friendly_name: str) -> bytes:
        lock = serialization.BestAvailableEncryption(PKCS12_PASSWORD.encode())
        return pkcs12.serialize_key_and_certificates(
            friendly_name.encode(), self.key, self.certificate, self.chain or None, lock)

    def ssh_public_key(self, comment: str = "") -> bytes:
        """The line that authorized_keys and SSH_AUTH_INFO_0 know the key by."""
        text = self.key.public_key().public_bytes(serialization.Encoding.OpenSSH,
                                                  serialization.PublicFormat.OpenSSH)
        return text + (b" " + comment.encode() if comment else b"") + b"\n"


class Authority(Identity):
    """A CA that signs whatever a test asks for, however wrong."""

    @classmethod
    def root(cls, common_name: str, organization: Optional[str] = None,
             key_kind: str = "p256") -> "Authority":
        key = make_key(key_kind)
        subject = name(common_name, organization)
        return cls(key, _build_ca(subject, key, subject, key))

    def intermediate(self, common_name: str, organization: Optional[str] = None,
                     key_kind: str = "p256") -> "Authority":
        key = make_key(key_kind)
        certificate = _build_ca(name(common_name, organization), key,
                                self.certificate.subject, self.key)
        return Authority(key, certificate, self._upwards())

    def _upwards(self) -> list[x509.Certificate]:
        """What a certificate signed here has to bring along: this CA, unless it is a root."""
        if self.certificate.subject == self.certificate.issuer:
            return []
        return [self.certificate] + self.chain

    def _key_identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())

    def issue(self, subject: x509.Name, key: PrivateKey, *,
              extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
              not_before: Optional[datetime.datetime] = None,
              not_after: Optional[datetime.datetime] = None) -> Identity:
        """An end entity certificate with exactly these extensions, and basicConstraints."""
        start = not_before or now() - DAY
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(self.certificate.subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(start).not_valid_after(not_after or now() + 365 * DAY)
                   .add_extension(x509.BasicConstraints(False, None), True)
                   .add_extension(self._key_identifier(), False))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return Identity(key, builder.sign(self.key, signing_hash(self.key)), self._upwards())

    def issue_server(self, names: Iterable[str], key_kind: str = "p256",
                     purpose: ObjectIdentifier = SERVER_AUTH,
                     **validity: datetime.datetime) -> Identity:
        """A TLS server certificate for host names and IP addresses."""
        alternatives = [_general_name(n) for n in names]
        extensions = [(x509.SubjectAlternativeName(alternatives), False),
                      (x509.ExtendedKeyUsage([purpose]), False),
                      (key_usage(), True)]
        first = next(iter(names))
        return self.issue(name(first), make_key(key_kind), extensions=extensions, **validity)


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _build_ca(subject: x509.Name, key: PrivateKey, issuer: x509.Name,
              issuer_key: PrivateKey) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now() - 2 * DAY).not_valid_after(now() + 3650 * DAY)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(key_usage(ca=True), True)
            .add_extension(identifier, False)
            .sign(issuer_key, signing_hash(issuer_key)))


def write_file(path: Path, content: bytes, mode: int = 0o644) -> Path:
    """Writes a file whole or not at all; a key is never readable by others, not even briefly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix="." + path.name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path
