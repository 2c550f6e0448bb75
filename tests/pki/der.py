# SPDX-License-Identifier: GPL-2.0-or-later
# Certificates put together byte by byte, for those that no library would make: wrong versions,
# weak hashes, double extensions, unreadable values.
"""Writes X.509 certificates in DER, good and malformed."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass, field
from typing import Any, Iterable, Optional

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

CLIENT, SERVER, ANY = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"
OIDS = {"bc": "2.5.29.19", "ku": "2.5.29.15", "eku": "2.5.29.37", "san": "2.5.29.17",
        "id": "1.2.840.113556.5.4", "tenant": "1.2.840.113556.5.14", "nc": "2.5.29.30",
        "entra-id": "1.2.840.113556.1.5.284.2", "entra-tenant": "1.2.840.113556.1.5.284.5"}
HASHES = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha256": hashes.SHA256,
          "sha384": hashes.SHA384, "sha512": hashes.SHA512}
RSA_OIDS = {"md5": "4", "sha1": "5", "sha256": "11", "sha384": "12", "sha512": "13"}
EC_OIDS = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2",
           "sha384": "1.2.840.10045.4.3.3", "sha512": "1.2.840.10045.4.3.4"}


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def oid(text: str) -> bytes:
    first, second, *rest = (int(n) for n in text.split("."))
    out = b""
    for number in (40 * first + second, *rest):
        group = [number & 0x7F]
        while number > 0x7F:
            number >>= 7
            group.append(0x80 | (number & 0x7F))
        out += bytes(reversed(group))
    return tlv(6, out)


def bits(content: bytes, unused: int = 0) -> bytes:
    return tlv(3, bytes([unused]) + content)


def name(*common_names: Any, tag: int = 0x0C) -> bytes:
    """A distinguished name of common names; each text or raw bytes."""
    made = []
    for cn in common_names:
        raw = cn if isinstance(cn, bytes) else cn.encode()
        made.append(tlv(0x31, seq(oid("2.5.4.3"), tlv(tag, raw))))
    return seq(*made)


def numbered(cn: str, *serials: str) -> bytes:
    """A distinguished name of a common name and hardware serial numbers (X.520 serialNumber)."""
    made = [tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, cn.encode())))]
    made += [tlv(0x31, seq(oid("2.5.4.5"), tlv(0x13, s.encode()))) for s in serials]
    return seq(*made)


def when(moment: datetime.datetime) -> bytes:
    """UTCTime until 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5)."""
    if moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def extension(number: str, value: bytes, critical: bool = False) -> bytes:
    return seq(oid(number), tlv(1, b"\xff") if critical else b"", tlv(4, value))


def uris(*values: Any) -> bytes:
    return seq(*(tlv(0x86, v if isinstance(v, bytes) else v.encode()) for v in values))


def usages(*oids: str) -> bytes:
    return seq(*(oid(o) for o in oids))


def basic(ca: bool, path: Optional[int] = None) -> bytes:
    return seq(tlv(1, b"\xff") if ca else b"", b"" if path is None else tlv(2, bytes([path])))


def make_key(kind: str) -> Any:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ed448":
        return ed448.Ed448PrivateKey.generate()
    curve = {"p192": ec.SECP192R1, "p224": ec.SECP224R1, "p256": ec.SECP256R1,
             "p384": ec.SECP384R1, "p521": ec.SECP521R1, "k256": ec.SECP256K1,
             "bp256": ec.BrainpoolP256R1}[kind]
    return ec.generate_private_key(curve())


def public(key: Any) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def algorithm(key: Any, digest: str) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return seq(oid("1.2.840.113549.1.1." + RSA_OIDS[digest]), tlv(5, b""))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return seq(oid(EC_OIDS[digest]))
    return seq(oid("1.3.101.112"))


def sign(key: Any, digest: str, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), HASHES[digest]())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(HASHES[digest]()))
    return key.sign(data)


@dataclass
class Signer:
    """Who signs: a name, a key, a certificate, and the certificates above that a client sends."""

    subject: bytes
    key: Any
    der: bytes = b""
    chain: list[bytes] = field(default_factory=list)
    serial: bytes = b""


def certificate(signer: Signer, key: Any, subject: bytes, extensions: Iterable[bytes], *,
                not_before: bytes, not_after: bytes, digest: str = "sha256",
                version: Optional[int] = 2, serial: Optional[bytes] = None,
                outer: Optional[bytes] = None, issuer: Optional[bytes] = None,
                spki: Optional[bytes] = None) -> bytes:
    """One certificate. `outer`: the algorithm that stands outside the signed part."""
    inner = algorithm(signer.key, digest)
    parts = [b"" if version is None else tlv(0xA0, tlv(2, bytes([version]))),
             tlv(2, secrets.token_bytes(15).rjust(16, b"\x11") if serial is None else serial),
             inner, signer.subject if issuer is None else issuer,
             seq(not_before, not_after), subject, public(key) if spki is None else spki]
    made = list(extensions)
    if made:
        parts.append(tlv(0xA3, seq(*made)))
    signed = seq(*parts)
    return seq(signed, inner if outer is None else outer, bits(sign(signer.key, digest, signed)))
