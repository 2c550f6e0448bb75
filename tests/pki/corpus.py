# SPDX-License-Identifier: GPL-2.0-or-later
# The corpus: files that devices could show, each with the verdict that must come of it and why.
# Made anew for every run. What a row is for is named in `why`; with the check removed that it is
# about, it fails. Other kinds of files (OpenSSH certificates) have rows of their own.
"""A table of certificates and claims, good and bad, and what each must yield."""

from __future__ import annotations

import base64
import datetime
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from tests.pki import der
from tests.pki.der import Signer, extension, oid, seq, tlv

TENANT, FOREIGN = "72f988bf-0000-4111-8222-00000000feed", "0badc0de-0000-4111-8222-00000000beef"
ID, OTHER = "5a6b7c8d-1234-4abc-9def-0123456789ab", "00112233-4455-4677-8899-aabbccddeeff"
URI = "IntuneDeviceId://"
ISE = {"intune": "ID:Intune:GUID:", "mem": "ID:Microsoft Endpoint Manager:GUID:"}
TRUSTED, INVALID, ISSUER = "TRUSTED", "CERTIFICATE_INVALID", "UNTRUSTED_ISSUER"
EXPIRED, EARLY = "CERTIFICATE_EXPIRED", "CERTIFICATE_NOT_YET_VALID"
TENANT_WRONG, REVOKED, UNAVAILABLE = "WRONG_TENANT", "CERTIFICATE_REVOKED", "LOOKUP_UNAVAILABLE"
DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
SECOND = datetime.timedelta(seconds=1)


@dataclass
class Case:
    """One row: the file, the site that judges it (of SITES), when, and what must come of it."""

    name: str
    path: Path
    expect: str
    why: str
    site: str = "plain"
    at: Optional[str] = None
    device: Optional[str] = None  # that must be named when it is trusted
    ocsp: Optional[Path] = None  # an OCSP responder's answer
    ca: Optional[str] = None  # the section by whose rules it must be judged when it is trusted
    entra: Optional[str] = None  # Entra's device, likewise
    serial: Optional[str] = None  # the hardware's serial number, where nothing else names it
    says: str = ""  # what the reason in words must hold, where it is refused


# What each site sets besides its CAs, under [device_trust].
SITES: dict[str, dict[str, str]] = {
    "plain": {},
    "crl": {"revocation": "require", "crl_file": "now.crl"},
    "crl-old": {"revocation": "require", "crl_file": "old.crl"},
    "crl-old-soft": {"revocation": "soft", "crl_file": "old.crl"},
    "crl-future": {"revocation": "require", "crl_file": "future.crl"},
    "crl-other": {"revocation": "require", "crl_file": "other.crl"},
    "crl-other-soft": {"revocation": "soft", "crl_file": "other.crl"},
    "ocsp": {"revocation": "require", "ocsp": "yes", "ocsp_url": "http://ocsp.example.com/"},
    "ocsp-soft": {"revocation": "soft", "ocsp": "yes", "ocsp_url": "http://ocsp.example.com/"},
    "ocsp-crl": {"revocation": "require", "ocsp": "yes", "ocsp_url": "http://ocsp.example.com/",
                 "crl_file": "now.crl"},
    "ocsp-own": {"revocation": "require", "ocsp": "yes"},
    "ocsp-trusted": {"revocation": "require", "ocsp": "yes",
                     "ocsp_url": "http://ocsp.example.com/",
                     "ocsp_responder_file": "responder.pem"},
    "cas": {},
    "ssh": {"ssh_device_ca_file": "ssh-ca.pub", "ssh_certificate_device_id": "key-id"},
}

ATTESTATION, MANAGED = "1.3.6.1.4.1.32473.1", "1.3.6.1.4.1.32473.2"  # of nobody (RFC 5612)
# The sections with a name that a site has besides.
SECTIONS: dict[str, dict[str, dict[str, str]]] = {
    "cas": {
        "ca intune": {"certificate_file": "root-intune.pem", "tenant_id": TENANT,
                      "device_id": "extension, common-name"},
        "ca scep": {"certificate_file": "root-scep.pem", "device_id": "san-uri",
                    "keys": "rsa, p384",
                    "rsa_bits_min": "3072", "crl_file": "scep.crl", "revocation": "require"},
        "ca cloud": {"certificate_file": "root-cloud.pem", "device_id": "san-uri, extension",
                     "extended_key_usage": f"{der.CLIENT}, {MANAGED}"},
        "ca okta": {"certificate_file": "root-okta.pem", "device_id": "common-name",
                    "extended_key_usage": ATTESTATION, "keys": "p256"},
        "ca entra": {"certificate_file": "root-entra.pem", "tenant_id": TENANT,
                     "device_id": "ms-organization-access"},
        "ca joined": {"certificate_file": "root-joined.pem",
                      "device_id": "san-uri, entra-common-name"},
        "intune": {"lookup_by": "intune-id, entra-id, serial"},
        "ca serial": {"certificate_file": "root-serial.pem", "device_id": "san-uri, serial-number"},
        "ca partner": {"certificate_file": "root-partner.pem", "tenant_id": FOREIGN},
        "ca lab": {"certificate_file": "root-lab.pem", "device_id": "extension"},
    },
}


def pem(*ders: bytes) -> bytes:
    out = b""
    for one in ders:
        text = base64.encodebytes(one).replace(b"\n", b"")
        lines = b"\n".join(text[i:i + 64] for i in range(0, len(text), 64))
        out += b"-----BEGIN CERTIFICATE-----\n" + lines + b"\n-----END CERTIFICATE-----\n"
    return out


class Corpus:
    """Makes the files under `out`; `cases` is the table."""

    def __init__(self, out: Path) -> None:
        self.out, self.cases = Path(out), []
        self.out.mkdir(parents=True, exist_ok=True)
        self.now = datetime.datetime.utcnow().replace(microsecond=0)
        self.keys: dict[str, Any] = {}
        self.company = self.root("Corpus Device CA")
        self.company_rsa = self.root("Corpus Device CA RSA", "rsa2048")
        self.other = self.root("Corpus Other CA")
        self.foreign = self.root("Corpus Foreign CA")
        self.shared = self.root("Microsoft Intune Root Certification Authority")
        self.everybody = self.root("Corpus CA for Everybody")
        self.tilted = self.root("Corpus Server-only CA", eku=der.usages(der.SERVER))
        self.limited = self.root("Corpus Limited CA", bc=der.basic(True, 0))
        self._write("company.pem", pem(self.company.der, self.company_rsa.der, self.other.der,
                                       self.tilted.der, self.limited.der))
        self._write("shared.pem", pem(self.shared.der, self.everybody.der))
        for make in (self.times, self.algorithms, self.chains, self.usage, self.structure,
                     self.names, self.extension_ids, self.tenants, self.containers,
                     self.revocation, self.cas, self.ocsp, self.ssh):
            make()

    # --- making ------------------------------------------------------------------------------

    def _write(self, file: str, content: bytes) -> Path:
        path = self.out / file
        path.write_bytes(content)
        return path

    def key(self, kind: str) -> Any:
        if kind not in self.keys:
            self.keys[kind] = der.make_key(kind)
        return self.keys[kind]

    def authority(self, common_name: str, above: Optional[Signer], kind: str = "p256",
                  *more: bytes, bc: Optional[bytes] = der.basic(True), eku: Optional[bytes] = None,
                  ku: bytes = b"\x06", **fields: Any) -> Signer:
        """A CA below `above`, or a root. `bc`, `eku`: its extensions; `ku`: its key usage."""
        key = der.make_key(kind)
        subject = der.name(common_name)
        made = [] if bc is None else [extension(der.OIDS["bc"], bc, True)]
        made.append(extension(der.OIDS["ku"], der.bits(ku, 1), True))
        if eku is not None:
            made.append(extension(der.OIDS["eku"], eku))
        me = Signer(subject, key)
        fields = {"not_before": der.when(self.now - 30 * DAY),
                  "not_after": der.when(self.now + 3650 * DAY), **fields}
        me.der = der.certificate(above or me, key, subject, [*made, *more], **fields)
        me.chain = [me.der, *above.chain] if above is not None else []
        return me

    def root(self, common_name: str, kind: str = "p256", **fields: Any) -> Signer:
        return self.authority(common_name, None, kind, **fields)

    def leaf(self, signer: Optional[Signer] = None, *, key: str = "p256", cn: Any = "laptop",
             subject: Optional[bytes] = None, san: Optional[bytes] = der.uris(URI + ID),
             more: tuple[bytes, ...] = (), start: Any = None, end: Any = None,
             bc: Optional[bytes] = der.basic(False), ku: Optional[bytes] = der.bits(b"\x80", 7),
             eku: Optional[bytes] = der.usages(der.CLIENT), critical_san: bool = False,
             **fields: Any) -> bytes:
        """A device certificate; everything that is not given is as it should be."""
        made = []
        for number, value, critical in (("bc", bc, True), ("ku", ku, True), ("eku", eku, False),
                                        ("san", san, critical_san)):
            if value is not None:
                made.append(extension(der.OIDS[number], value, critical))
        limits = {}
        for field, value, fallback in (("not_before", start, self.now - DAY),
                                       ("not_after", end, self.now + 365 * DAY)):
            moment = fallback if value is None else value
            limits[field] = moment if isinstance(moment, bytes) else der.when(moment)
        return der.certificate(signer or self.company, self.key(key),
                               der.name(cn) if subject is None else subject, [*made, *more],
                               **limits, **fields)

    def add(self, name: str, content: bytes, expect: str, why: str, *, chain: Any = (),
            site: str = "plain", at: Optional[datetime.timedelta] = None,
            device: Optional[str] = ID, raw: bool = False, ocsp: Optional[Path] = None,
            ca: Optional[str] = None, entra: Optional[str] = None,
            serial: Optional[str] = None, says: str = "") -> None:
        """A row. `at`: so long from now; `raw`: the content is the file, else one certificate."""
        assert name not in {c.name for c in self.cases}, name
        path = self._write(name + ".pem", content if raw else pem(content, *chain))
        moment = None if at is None else (self.now + at).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.cases.append(Case(name, path, expect, why, site, moment, device, ocsp, ca, entra,
                               serial, says))

    # --- when ----------------------------------------------------------------------------------

    def times(self) -> None:
        start, end = self.now - 10 * HOUR, self.now + 10 * HOUR
        short = self.leaf(start=start, end=end)
        for name, at, expect, why in (
                ("time-inside", 0 * DAY, TRUSTED, "both ends are ten hours away"),
                ("time-first-second", -10 * HOUR, TRUSTED, "notBefore is part of the validity"),
                ("time-second-before", -10 * HOUR - SECOND, EARLY, "a second too early"),
                ("time-second-left", 10 * HOUR - SECOND, TRUSTED, "a second is left"),
                ("time-last-second", 10 * HOUR, EXPIRED,
                 "RFC 5280 counts notAfter in, OpenSSL does not: a second on the safe side"),
                ("time-second-after", 10 * HOUR + SECOND, EXPIRED, "a second too late"),
                ("time-clock-day-ahead", DAY, EXPIRED, "a clock a day ahead lets nothing through"),
                ("time-clock-day-behind", -DAY, EARLY, "nor one a day behind"),
                ("time-before-the-ca", -20000 * DAY, EARLY,
                 "a clock that begins in 1970 is not the CA's fault"),
                ("time-in-30-years", 10950 * DAY, "UNTRUSTED_ISSUER",
                 "the CA has ended, too; OpenSSL looks from the top")):
            self.add(name, short, expect, why, at=at)
        self.add("time-end-9999", self.leaf(end=tlv(0x18, b"99991231235959Z")), TRUSTED,
                 "RFC 5280 4.1.2.5: no well-defined end")
        self.add("time-turned-round", self.leaf(start=end, end=start), EARLY,
                 "an end before the start is never valid")
        for name, value in (("month-13", b"991340000000Z"), ("no-zone", b"990101000000"),
                            ("text", b"yesterday-noonZ"), ("empty", b"")):
            self.add("time-end-" + name, self.leaf(end=tlv(0x17, value)), INVALID,
                     "a time that cannot be read is no time")
        self.add("time-start-unreadable", self.leaf(start=tlv(0x17, b"x")), INVALID,
                 "a time that cannot be read is no time")
        self.add("time-start-integer", self.leaf(start=tlv(2, b"\1")), INVALID,
                 "a number is no time")

    # --- keys and signatures -------------------------------------------------------------------

    def algorithms(self) -> None:
        for kind in ("rsa2048", "rsa3072", "p256", "p384", "p521", "ed25519"):
            self.add("key-" + kind, self.leaf(key=kind), TRUSTED, "a strong key")
        for kind in ("rsa1024", "p192", "p224", "k256", "bp256", "ed448"):
            self.add("key-" + kind, self.leaf(key=kind), INVALID,
                     "weak, or of a type that devices do not have")
        self.add("key-unreadable", self.leaf(spki=seq(seq(oid("1.2.840.113549.1.1.1"),
                                                          tlv(5, b"")), der.bits(b"\x30\x03abc"))),
                 INVALID, "a key that cannot be read")
        self.add("key-unknown-type", self.leaf(spki=seq(seq(oid("1.2.3.4")), der.bits(b"x" * 32))),
                 INVALID, "a key of a type that nobody knows")
        for digest in ("md5", "sha1"):
            self.add("signature-rsa-" + digest, self.leaf(self.company_rsa, digest=digest), INVALID,
                     "a hash that collides signs nothing")
        self.add("signature-ec-sha1", self.leaf(digest="sha1"), INVALID, "so in ECDSA")
        for digest in ("sha256", "sha384", "sha512"):
            self.add("signature-rsa-" + digest, self.leaf(self.company_rsa, digest=digest), TRUSTED,
                     "a good hash")
        for digest in ("sha384", "sha512"):
            self.add("signature-ec-" + digest, self.leaf(digest=digest), TRUSTED, "a good hash")
        good = self.leaf()
        self.add("signature-last-bit", good[:-1] + bytes([good[-1] ^ 1]), ISSUER,
                 "not what the CA signed")
        cut = good.replace(ID.encode(), OTHER.encode())
        self.add("signature-other-id", cut, ISSUER, "the device id was changed after signing")
        self.add("signature-algorithms-differ",
                 self.leaf(outer=der.algorithm(self.company.key, "sha384")), INVALID,
                 "RFC 5280 4.1.1.2: inside and outside are the same")
        empty = Signer(self.company.subject, self.foreign.key)
        self.add("signature-of-other-key", self.leaf(empty), ISSUER,
                 "the CA's name, and somebody else's key")

    # --- who signed ----------------------------------------------------------------------------

    def chains(self) -> None:
        def below(name: str, expect: str, why: str, *more: bytes, above: Optional[Signer] = None,
                  kind: str = "p256", sent: bool = True, **fields: Any) -> Signer:
            ca = self.authority("Sub " + name, above or self.company, kind, *more, **fields)
            self.add("chain-" + name, self.leaf(ca), expect, why, chain=ca.chain if sent else ())
            return ca

        self.add("chain-direct", self.leaf(), TRUSTED, "the anchor signed it")
        self.add("chain-foreign", self.leaf(self.foreign), ISSUER, "nobody configured that CA")
        self.add("chain-foreign-sent", self.leaf(self.foreign), ISSUER,
                 "a root that the client brings along is not an anchor", chain=[self.foreign.der])
        own = Signer(der.name("laptop"), self.key("p256"))
        self.add("chain-self-signed", self.leaf(own), ISSUER, "its own word only")
        one = below("one", TRUSTED, "an intermediate that the client sends")
        below("not-sent", ISSUER, "nobody knows the intermediate", sent=False)
        two = below("two", TRUSTED, "two of them", above=one)
        self.add("chain-wrong-order", self.leaf(two), TRUSTED, "order does not matter",
                 chain=list(reversed(two.chain)))
        self.add("chain-with-strangers", self.leaf(one), TRUSTED, "what is not needed is ignored",
                 chain=[self.foreign.der, *one.chain])
        self.add("chain-junk-behind", self.leaf(), INVALID, "an intermediate that is none",
                 chain=[b"\x30\x82\x00\x04abcd" + b"x" * 200])
        self.add("chain-too-many", self.leaf(), INVALID, "more than a client may send",
                 chain=[self.foreign.der] * 9)
        long = self.company
        for number in range(6):
            long = self.authority(f"Long {number}", long)
            if number == 3:
                self.add("chain-longest", self.leaf(long), TRUSTED, "as long as a path may be",
                         chain=long.chain)
            if number > 3:
                self.add(f"chain-longer-{number}", self.leaf(long), ISSUER, "longer than that",
                         chain=long.chain)
        below("expired", ISSUER, "the intermediate has ended",
              not_after=der.when(self.now - HOUR))
        below("early", ISSUER, "the intermediate has not begun",
              not_before=der.when(self.now + HOUR))
        below("no-ca", ISSUER, "it says that it is no CA", bc=der.basic(False))
        below("no-constraints", ISSUER, "it does not say that it is a CA", bc=None)
        below("no-sign", ISSUER, "its key may not sign certificates", ku=b"\x02")
        below("path-0", TRUSTED, "pathLenConstraint 0 allows devices", bc=der.basic(True, 0))
        narrow = self.authority("Narrow", self.company, bc=der.basic(True, 0))
        below("path-0-broken", ISSUER, "but no CA below", above=narrow)
        below("root-path-0", ISSUER, "nor below an anchor that says so", above=self.limited)
        below("server-only", ISSUER, "a CA for servers makes no devices' certificates",
              eku=der.usages(der.SERVER))
        below("client-only", TRUSTED, "a CA for clients does", eku=der.usages(der.CLIENT))
        self.add("chain-root-server-only", self.leaf(self.tilted), ISSUER,
                 "so for an anchor that is limited")
        below("unknown-critical", ISSUER, "what must be understood and is not",
              extension("1.2.3.4", b"\5\0", True))
        below("sha1", ISSUER, "a weak link", digest="sha1")
        below("weak-key", ISSUER, "a CA that anybody could be", kind="rsa1024")
        leaf_key = self.leaf()
        mid = Signer(der.name("laptop"), self.key("p256"), leaf_key, [leaf_key])
        self.add("chain-below-device", self.leaf(mid, cn="other"), ISSUER,
                 "a device's certificate signs no other", chain=[leaf_key])

        def limited(name: str, expect: str, why: str, tree: bytes, permitted: bool) -> None:
            nc = seq(tlv(0xA0 if permitted else 0xA1, seq(tree)))
            below(name, expect, why, extension(der.OIDS["nc"], nc, True))
        limited("nc-name-held", TRUSTED, "name constraints that hold",
                tlv(0xA4, der.name("laptop")), True)
        limited("nc-name-broken", ISSUER, "it may name others only",
                tlv(0xA4, der.name("server")), True)
        limited("nc-name-excluded", ISSUER, "it may not name this one",
                tlv(0xA4, der.name("laptop")), False)
        limited("nc-dns", TRUSTED, "a limit on names that a device does not have",
                tlv(0x82, b"example.com"), True)

    # --- for what ------------------------------------------------------------------------------

    def usage(self) -> None:
        def eku(name: str, expect: str, why: str, *oids: str) -> None:
            self.add("eku-" + name, self.leaf(eku=der.usages(*oids)), expect, why)
        eku("client", TRUSTED, "for clients", der.CLIENT)
        eku("client-and-server", TRUSTED, "for clients, too", der.SERVER, der.CLIENT)
        eku("client-and-unknown", TRUSTED, "for clients, too", "1.2.3.4.5", der.CLIENT)
        eku("server", INVALID, "for servers", der.SERVER)
        eku("any", INVALID, "for anything is not for clients", der.ANY)
        eku("email", INVALID, "for mail", "1.3.6.1.5.5.7.3.4")
        eku("code", INVALID, "for signing programs", "1.3.6.1.5.5.7.3.3")
        eku("ocsp", INVALID, "for OCSP", "1.3.6.1.5.5.7.3.9")
        eku("smartcard", INVALID, "for a person's smart card", "1.3.6.1.4.1.311.20.2.2")
        eku("empty", INVALID, "a list of nothing")
        self.add("eku-missing", self.leaf(eku=None), INVALID, "it must say what it is for")
        self.add("eku-unreadable", self.leaf(eku=b"\x30\x05\x06\x09ab"), INVALID, "unreadable")
        for name, value, expect, why in (
                ("missing", None, TRUSTED, "no limit"),
                ("signature", der.bits(b"\x80", 7), TRUSTED, "for signatures"),
                ("signature-and-more", der.bits(b"\xa0", 5), TRUSTED, "for signatures, too"),
                ("encipherment", der.bits(b"\x20", 5), INVALID, "not for signatures"),
                ("agreement", der.bits(b"\x08", 3), INVALID, "not for signatures"),
                ("nothing", der.bits(b"\x00", 7), INVALID, "for nothing at all"),
                ("cert-sign", der.bits(b"\x84", 2), INVALID, "RFC 5280 4.2.1.9: for a CA only"),
                ("unreadable", b"\x03\x00", INVALID, "unreadable")):
            self.add("ku-" + name, self.leaf(ku=value), expect, why)
        self.add("bc-missing", self.leaf(bc=None), TRUSTED, "devices need not say they are no CA")
        self.add("bc-ca", self.leaf(bc=der.basic(True)), INVALID, "a CA is no device")
        self.add("bc-ca-that-signs", self.leaf(bc=der.basic(True), ku=der.bits(b"\x86", 1)),
                 INVALID, "a CA is no device")
        self.add("bc-unreadable", self.leaf(bc=b"\x30\x09\x01\x01"), INVALID, "unreadable")

    # --- form ----------------------------------------------------------------------------------

    def structure(self) -> None:
        unknown = extension("1.2.3.4", b"\5\0")
        self.add("form-unknown", self.leaf(more=(unknown,)), TRUSTED, "need not be understood")
        self.add("form-unknown-critical", self.leaf(more=(extension("1.2.3.4", b"\5\0", True),)),
                 INVALID, "must be understood")
        self.add("form-san-critical", self.leaf(critical_san=True), TRUSTED, "is understood")
        self.add("form-san-twice",
                 self.leaf(more=(extension(der.OIDS["san"], der.uris(URI + ID)),)),
                 INVALID, "RFC 5280 4.2: once each")
        self.add("form-version-1", self.leaf(version=None), INVALID,
                 "version 1 has no extensions, and these are there")
        self.add("form-version-1-bare", self.leaf(version=None, bc=None, ku=None, eku=None,
                                                  san=None, cn=ID), INVALID,
                 "version 1 does not say what it is for")
        self.add("form-serial-long", self.leaf(serial=b"\x11" * 33), INVALID,
                 "RFC 5280 4.1.2.2: 20 bytes; we take 32")
        self.add("form-serial-20", self.leaf(serial=b"\x11" * 20), TRUSTED, "as long as allowed")
        self.add("form-empty-subject", self.leaf(subject=der.seq(), critical_san=True), TRUSTED,
                 "the alternative name stands for the subject")
        self.add("form-empty-subject-san-not-critical", self.leaf(subject=der.seq()), INVALID,
                 "RFC 5280 4.2.1.6: then it must be critical")
        self.add("form-subject-nul", self.leaf(cn=b"laptop\0evil"), INVALID,
                 "a NUL in the subject reads differently for others")
        self.add("form-subject-control", self.leaf(cn="a\x1b[31mb\r\nadded"), TRUSTED,
                 "ugly; it is escaped when shown")
        self.add("form-subject-long", self.leaf(cn="n" * 600), TRUSTED, "it is cut when shown")

    # --- which device --------------------------------------------------------------------------

    def names(self) -> None:
        def san(name: str, expect: str, why: str, *uris: Any, device: str = ID) -> None:
            self.add("san-" + name, self.leaf(san=der.uris(*uris)), expect, why, device=device)
        sid = "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1001"
        no = "names no device"
        san("plain", TRUSTED, "as Intune's SCEP profiles write it", URI + ID)
        san("upper", TRUSTED, "any case", (URI + ID).upper())
        san("lower", TRUSTED, "any case", (URI + ID).lower())
        san("sid-behind", TRUSTED, "strong mapping behind it", f"{URI}{ID},{sid}")
        san("sid-before", TRUSTED, "strong mapping before it", f"{sid},{URI}{ID}")
        san("sid-apart", TRUSTED, "strong mapping in a URI of its own", sid, URI + ID)
        san("blanks", TRUSTED, "blanks around a list's members", f"{sid}, {URI}{ID} ")
        san("others", TRUSTED, "other URIs beside it", "https://example.com/", URI + ID, "urn:x:1")
        san("same-twice", TRUSTED, "the same id twice", URI + ID, URI + ID.upper())
        san("same-twice-list", TRUSTED, "the same id twice", f"{URI}{ID},{URI}{ID}")
        san("sid-only", INVALID, no, sid)
        san("two", INVALID, "two devices", URI + ID, URI + OTHER)
        san("two-list", INVALID, "two devices", f"{URI}{ID},{URI}{OTHER}")
        san("two-far-apart", INVALID, "two devices", URI + ID, *["urn:x:1"] * 20, URI + OTHER)
        for name, uri in (
                ("empty", URI), ("nil", URI + str(uuid.UUID(int=0))), ("short", URI + ID[:-1]),
                ("long", URI + ID + "0"), ("slash", URI + ID + "/"), ("query", URI + ID + "?a=b"),
                ("no-hyphens-short", URI + ID.replace("-", "")[:-1]),
                ("wrong-hyphens", URI + ID[:7] + "-" + ID[7:8] + ID[9:]),
                ("not-hex", URI + ID[:-1] + "g"),
                ("percent", URI + "%35" + ID[1:]), ("blank-inside", URI + " " + ID),
                ("control", URI.encode() + b"\x1b" + ID.encode()),
                ("nul-end", (URI + ID).encode() + b"\0"), ("nul-only", b"\0"),
                ("nul-before", b"\0" + (URI + ID).encode()),
                ("high-bytes", URI.encode() + b"\xe5" * 36),
                ("unicode-digits", (URI + "\uff15" + ID[1:]).encode())):
            san("bad-" + name, INVALID, "looks like an id and is none", uri)
        for name, uri in (("one-slash", "IntuneDeviceId:/" + ID), ("no-scheme", ID),
                          ("other-scheme", "XIntuneDeviceId://" + ID),
                          ("inside", "https://example.com/" + URI + ID),
                          ("hidden", f"https://example.com/?{URI}{ID}"),
                          ("aad", "AADDeviceId://" + ID)):
            san("no-" + name, INVALID, no, uri)
        self.ise_names()
        for name, uri in (("nul", b"urn:x\0y"), ("guid", URI + ID[:-1])):
            self.add(f"san-bad-{name}-beside-good", self.leaf(san=der.uris(uri, URI + ID)),
                     INVALID, "a good one beside it does not mend it")
        self.add("san-unreadable-cn-good", self.leaf(cn=ID, san=b"\x30\x82\xff\xff\x86"),
                 INVALID, "a good common name does not mend it")
        self.add("san-as-dns", self.leaf(san=seq(tlv(0x82, (URI + ID).encode()))), INVALID,
                 "a DNS name is no URI")
        self.add("san-as-mail", self.leaf(san=seq(tlv(0x81, (URI + ID).encode()))), INVALID,
                 "a mail address is no URI")
        self.add("san-empty-list", self.leaf(san=seq()), INVALID, "an empty list")
        self.add("san-unreadable", self.leaf(san=b"\x30\x82\xff\xff\x86\x05abc"), INVALID,
                 "unreadable")
        self.add("san-trailing", self.leaf(san=der.uris(URI + ID) + b"junk"), INVALID,
                 "bytes behind the list")
        self.add("san-many", self.leaf(san=der.uris(*["urn:x:1"] * 500, URI + ID)), TRUSTED,
                 "many are slow to nobody")
        self.add("cn-id", self.leaf(cn=ID, san=None), TRUSTED, "the common name is the id")
        self.add("cn-upper", self.leaf(cn=ID.upper(), san=None), TRUSTED, "any case")
        self.add("cn-differs", self.leaf(cn=OTHER), TRUSTED,
                 "a common name that is Entra's id does not contradict")
        for name, cn in (("none", "laptop"), ("braces-broken", "{" + ID), ("with-more", ID + " x"),
                         ("nil", str(uuid.UUID(int=0)))):
            self.add("cn-" + name, self.leaf(cn=cn, san=None), INVALID, no)
        self.add("cn-two", self.leaf(subject=der.name(ID, OTHER), san=None), INVALID,
                 "two common names name nobody")
        self.add("cn-wide", self.leaf(subject=der.name(ID.encode("utf-16-be"), tag=0x1E), san=None),
                 TRUSTED, "a BMPString is text, too")

    def ise_names(self) -> None:
        """The URIs in which Cisco's Identity Services Engine reads Intune's id."""
        def san(name: str, expect: str, why: str, *uris: Any, says: str = "") -> None:
            self.add("ise-" + name, self.leaf(san=der.uris(*uris)), expect, why, says=says)
        sid = "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1001"
        for kind, prefix in ISE.items():
            alone, two = "not followed by a device id alone", "names two devices"
            san(kind, TRUSTED, "as Cisco documents it", prefix + ID)
            san(kind + "-digits", TRUSTED, "a GUID's digits have no case", prefix + ID.upper())
            san(kind + "-sid", TRUSTED, "strong mapping beside it", f"{prefix}{ID},{sid}")
            san(kind + "-and-intune", TRUSTED, "both say the same", prefix + ID, URI + ID)
            san(kind + "-against-intune", INVALID, "two devices", prefix + ID, URI + OTHER,
                says=two)
            san(kind + "-after-intune", INVALID, "two devices", URI + ID, prefix + OTHER, says=two)
            san(kind + "-list", INVALID, "two devices", f"{URI}{ID},{prefix}{OTHER}", says=two)
            san(kind + "-two", INVALID, "two devices", prefix + ID, prefix + OTHER, says=two)
            san(kind + "-nul", INVALID, "a NUL ends it for some", (prefix + ID).encode() + b"\0x",
                says="contains a NUL")
            for bad, text in (
                    ("empty", ""), ("nil", str(uuid.UUID(int=0))), ("short", ID[:-1]),
                    ("long", ID + "0"), ("trailing", ID + "/x"), ("blank", " " + ID),
                    ("braces", "{" + ID + "}"), ("bare", ID.replace("-", "")),
                    ("not-hex", ID[:-1] + "g"), ("variable", "{{DeviceId}}"), ("name", "laptop")):
                san(f"{kind}-bad-{bad}", INVALID, "looks like an id and is none", prefix + text,
                    says=alone)
                san(f"{kind}-bad-{bad}-beside-good", INVALID, "a good one does not mend it",
                    URI + ID, prefix + text, says=alone)
            for case, text in (("upper", prefix.upper()), ("lower", prefix.lower())):
                san(f"{kind}-{case}", INVALID, "not as documented", text + ID, says="these letters")
                san(f"{kind}-{case}-hidden", INVALID, "and not passed over beside a good one",
                    text + OTHER, URI + ID, says="these letters")
        for name, uri in (("jamf", "ID:Jamf:GUID:"), ("vmware", "ID:VMware Workspace ONE:GUID:"),
                          ("meraki", "ID:Meraki Systems Manager:UDID:"),
                          ("longer", "ID:Intunes:GUID:"),
                          ("endpoint", "ID:Microsoft Endpoint:GUID:")):
            san("other-" + name, INVALID, "another MDM's id", uri + ID, says="another MDM")
            san(f"other-{name}-beside", TRUSTED, "Intune's is beside it", uri + OTHER, URI + ID)
        for name, uri in (("inside", f"https://example.com/{ISE['intune']}{ID}"),
                          ("no-id", "Intune:GUID:" + ID), ("mac", f"ID:Intune:MAC:{'0' * 12}")):
            san("no-" + name, INVALID, "no device's id", uri, says="names no device id")
        self.add("ise-as-dns", self.leaf(san=seq(tlv(0x82, (ISE["intune"] + ID).encode()))),
                 INVALID, "a DNS name is no URI", says="names no device id")
        self.add("ise-as-cn", self.leaf(cn=ISE["intune"] + ID, san=None), INVALID,
                 "nor is a common name", says="names no device id")

    def extension_ids(self) -> None:
        le, other = uuid.UUID(ID).bytes_le, uuid.UUID(OTHER).bytes_le

        def ids(name: str, expect: str, why: str, *values: bytes, **more: Any) -> None:
            made = tuple(extension(der.OIDS["id"], v) for v in values)
            self.add("id-" + name, self.leaf(more=made, **{"san": None, **more}), expect, why)
        ids("bare", TRUSTED, "sixteen bytes, little-endian", le)
        ids("octets", TRUSTED, "or within an OCTET STRING", tlv(4, le))
        ids("with-san", TRUSTED, "and the SAN says the same", le, san=der.uris(URI + ID))
        ids("against-san", INVALID, "and the SAN says another", other, san=der.uris(URI + ID))
        ids("big-endian", INVALID, "big-endian is another device's id", uuid.UUID(ID).bytes,
            san=der.uris(URI + ID))
        ids("text", INVALID, "text is not how it is written", ID.encode())
        ids("short", INVALID, "fifteen bytes", le[:-1])
        ids("long", INVALID, "seventeen bytes", le + b"\0")
        ids("empty", INVALID, "no bytes")
        ids("zero", INVALID, "no device has it", bytes(16))
        ids("twice", INVALID, "RFC 5280 4.2: once each", le, le)
        ids("wrong-length", INVALID, "an OCTET STRING that lies", b"\x04\x11" + le)
        ids("broken-beside-san", INVALID, "broken, whatever else there is", b"x",
            san=der.uris(URI + ID))

    def tenants(self) -> None:
        ours, foreign = uuid.UUID(TENANT).bytes_le, uuid.UUID(FOREIGN).bytes_le

        def tenant(name: str, signer: Signer, expect: str, why: str, *values: bytes) -> None:
            made = tuple(extension(der.OIDS["tenant"], v) for v in values)
            self.add("tenant-" + name, self.leaf(signer, more=made), expect, why,
                     chain=signer.chain)
        device_ca = self.authority("Microsoft Intune MDM Device CA", self.shared)
        tenant("ours", device_ca, TRUSTED, "ours", tlv(4, ours))
        tenant("ours-bare", device_ca, TRUSTED, "ours, without OCTET STRING", ours)
        tenant("missing", device_ca, TENANT_WRONG, "that CA signs for every tenant")
        tenant("foreign", device_ca, TENANT_WRONG, "somebody else's device", tlv(4, foreign))
        tenant("big-endian", device_ca, TENANT_WRONG, "not how it is written",
               tlv(4, uuid.UUID(TENANT).bytes))
        tenant("zero", device_ca, TENANT_WRONG, "nobody's", bytes(16))
        tenant("short", device_ca, TENANT_WRONG, "unreadable", tlv(4, ours[:-1]))
        tenant("text", device_ca, TENANT_WRONG, "unreadable", TENANT.encode())
        tenant("twice", device_ca, TENANT_WRONG, "which one?", tlv(4, ours), tlv(4, ours))
        tenant("both", device_ca, TENANT_WRONG, "which one?", tlv(4, ours), tlv(4, foreign))
        tenant("root-missing", self.shared, TENANT_WRONG, "so right below the root")
        tenant("shared-anchor-missing", self.everybody, TENANT_WRONG,
               "shared because the site says so, whatever its name")
        tenant("shared-anchor-ours", self.everybody, TRUSTED, "the same, and ours", tlv(4, ours))
        tenant("company-ours", self.company, TRUSTED, "named though it need not be", tlv(4, ours))
        tenant("company-missing", self.company, TRUSTED, "the CA is ours alone")
        tenant("company-foreign", self.company, TENANT_WRONG, "named, and another's",
               tlv(4, foreign))
        tenant("company-unreadable", self.company, TENANT_WRONG, "named, and unreadable", b"x")
        disguised = self.authority("Microsoft Intune MDM Device CA", self.company)
        tenant("known-name-below-company", disguised, TENANT_WRONG,
               "a CA known to be shared, wherever it hangs")

    # --- the file ------------------------------------------------------------------------------

    def containers(self) -> None:
        good = self.leaf()
        text = pem(good)
        for name, content, expect, why in (
                ("der", good, TRUSTED, "DER as it is"),
                ("der-trailing", good + b"\0", INVALID, "bytes behind the certificate"),
                ("der-cut", good[:-1], INVALID, "cut short"),
                ("der-header", good[:4], INVALID, "four bytes of it"),
                ("der-indefinite", b"\x30\x80" + good[4:] + b"\0\0", INVALID, "BER is not DER"),
                ("empty", b"", INVALID, "nothing"),
                ("zeros", bytes(4096), INVALID, "nothing, at length"),
                ("no-end", text.replace(b"-----END", b"----- END"), INVALID, "no end"),
                ("not-base64", text.replace(b"MI", b"M!", 1), INVALID, "not base64"),
                ("key", text.replace(b"CERTIFICATE", b"PRIVATE KEY"), INVALID,
                 "something else than a certificate"),
                ("request", text.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"), INVALID,
                 "a request is not yet a certificate"),
                ("words", b"# the laptop of Ann\n" + text, TRUSTED, "text before it is no harm"),
                ("crlf", text.replace(b"\n", b"\r\n"), TRUSTED, "made on Windows"),
                ("large", pem(self.leaf(more=(extension("1.2.3.4", bytes(17000)),))), INVALID,
                 "larger than a certificate may be"),
                ("html", b"<html><body>404</body></html>", INVALID, "what a proxy says")):
            self.add("file-" + name, content, expect, why, raw=True)

    # --- revocation ----------------------------------------------------------------------------

    def _crl(self, file: str, ca: Signer, revoked: list[bytes], start: datetime.timedelta,
             end: datetime.timedelta) -> None:
        """By `openssl ca`, as a company's own CA would."""
        folder = self.out / ("ca-" + file)
        folder.mkdir()
        from cryptography.hazmat.primitives import serialization as form
        (folder / "ca.pem").write_bytes(pem(ca.der))
        (folder / "ca.key").write_bytes(ca.key.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
        stamp = (self.now - HOUR).strftime("%y%m%d%H%M%SZ")
        (folder / "index.txt").write_text("".join(
            f"R\t491231235959Z\t{stamp}\t{serial.hex().upper()}\tunknown\t/CN=laptop\n"
            for serial in revoked))
        (folder / "ca.conf").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index.txt\ndefault_md=sha256\n"
            f"certificate={folder}/ca.pem\nprivate_key={folder}/ca.key\n")
        limits = [(self.now + t).strftime("%y%m%d%H%M%SZ") for t in (start, end)]
        subprocess.run(["openssl", "ca", "-config", str(folder / "ca.conf"), "-gencrl",
                        "-crl_lastupdate", limits[0], "-crl_nextupdate", limits[1],
                        "-out", str(self.out / file)], check=True, capture_output=True)

    def revocation(self) -> None:
        bad, good = b"\x21" + b"\x07" * 15, b"\x22" + b"\x07" * 15
        self._crl("now.crl", self.company, [bad], -HOUR, 10 * DAY)
        self._crl("old.crl", self.company, [bad], -10 * DAY, -DAY)
        self._crl("future.crl", self.company, [bad], DAY, 10 * DAY)
        self._crl("other.crl", self.other, [good], -HOUR, 10 * DAY)
        revoked, fine = self.leaf(serial=bad), self.leaf(serial=good)
        below = self.authority("Sub unlisted", self.company)
        dead = self.authority("Sub revoked", self.company, serial=bad)

        def row(name: str, content: bytes, site: str, expect: str, why: str, **more: Any) -> None:
            self.add("crl-" + name, content, expect, why, site=site, **more)
        row("good", fine, "crl", TRUSTED, "a list in force does not name it")
        row("revoked", revoked, "crl", REVOKED, "a list in force names it")
        row("revoked-off", revoked, "plain", TRUSTED, "revocation = off")
        row("old-good", fine, "crl-old", UNAVAILABLE, "nobody knows since yesterday")
        row("old-revoked", revoked, "crl-old", REVOKED, "once revoked, always")
        row("old-soft", fine, "crl-old-soft", TRUSTED, "revocation = soft")
        row("old-soft-revoked", revoked, "crl-old-soft", REVOKED, "soft is not blind")
        row("future-good", fine, "crl-future", UNAVAILABLE, "a list of tomorrow")
        row("other-ca", fine, "crl-other", UNAVAILABLE,
            "the serial number stands in another CA's list; of ours there is none")
        row("other-ca-soft", fine, "crl-other-soft", TRUSTED, "revocation = soft")
        row("skew-inside", fine, "crl", TRUSTED, "clocks a few minutes apart",
            at=10 * DAY + datetime.timedelta(minutes=4))
        row("skew-outside", fine, "crl", UNAVAILABLE, "clocks further apart",
            at=10 * DAY + datetime.timedelta(minutes=6))
        row("clock-day-behind", fine, "crl", UNAVAILABLE, "a clock a day behind: the list is not "
            "in force yet", at=-23 * HOUR)
        row("intermediate-unlisted", self.leaf(below), "crl", UNAVAILABLE,
            "the intermediate made no list", chain=below.chain)
        row("intermediate-revoked", self.leaf(dead), "crl", REVOKED, "the intermediate is revoked",
            chain=dead.chain)
        row("expired-first", self.leaf(serial=bad, end=self.now - HOUR), "crl", EXPIRED,
            "no list need tell that")

    # --- OCSP ------------------------------------------------------------------------------------

    def _answer(self, file: str, about: bytes, by: Signer, *, status: str = "GOOD",
                made: Any = None, begins: Any = -HOUR, ends: Any = HOUR,
                issuer: Optional[Signer] = None, algorithm: Any = hashes.SHA1(),
                hashed: Any = hashes.SHA256()) -> Path:
        """What a responder says of a certificate. `by`: whose key signs; `made`: how it is cut."""
        load = x509.load_der_x509_certificate
        state = ocsp.OCSPCertStatus[status]
        gone = self.now - DAY if state == ocsp.OCSPCertStatus.REVOKED else None
        signer = load(by.der)
        builder = ocsp.OCSPResponseBuilder().add_response(
            load(about), load((issuer or self.company).der), algorithm, state, self.now + begins,
            None if ends is None else self.now + ends, gone, None)
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, signer)
        if by not in (self.company, self.other):
            builder = builder.certificates([signer])
        content = builder.sign(by.key, hashed).public_bytes(serialization.Encoding.DER)
        return self._write(file + ".ocsp", made(content) if made else content)

    def _responder(self, above: Signer, eku: Optional[bytes], bc: bytes = der.basic(False),
                   key: str = "p256", **fields: Any) -> Signer:
        """A responder's certificate, and its key."""
        made = self.leaf(above, key=key, cn="responder", eku=eku, bc=bc, san=None, **fields)
        return Signer(der.name("responder"), self.key(key), der=made)

    def ocsp(self) -> None:
        use = der.usages("1.3.6.1.5.5.7.3.9")
        bad = b"\x21" + b"\x07" * 15  # on the list of the site crl
        one, two, listed = self.leaf(), self.leaf(), self.leaf(serial=bad)
        right = self._responder(self.company, use)
        wrong = self._responder(self.other, use)
        self._write("responder.pem", pem(wrong.der))

        def row(name: str, expect: str, why: str, by: Optional[Signer] = None,
                file: bytes = one, about: Optional[bytes] = None, site: str = "ocsp",
                at: Any = None, chain: Any = (), **answer: Any) -> None:
            made = self._answer("ocsp-" + name, about or file, by or self.company, **answer)
            self.add("ocsp-" + name, file, expect, why, site=site, ocsp=made, at=at, chain=chain)
        row("good", TRUSTED, "the CA itself says so")
        row("good-soft", TRUSTED, "the same", site="ocsp-soft")
        row("revoked", REVOKED, "the CA says so", status="REVOKED")
        row("revoked-soft", REVOKED, "soft is not blind", status="REVOKED", site="ocsp-soft")
        row("unknown", UNAVAILABLE, "the responder does not know the certificate", status="UNKNOWN")
        row("delegated", TRUSTED, "a responder that the CA delegated to", right)
        row("delegated-revoked", REVOKED, "the same", right, status="REVOKED")
        row("delegated-by-other", UNAVAILABLE, "another CA delegated to it", wrong)
        row("other-ca", UNAVAILABLE, "another configured CA signed it", self.other)
        row("configured", TRUSTED, "ocsp_responder_file names it", wrong, site="ocsp-trusted")
        row("configured-other", UNAVAILABLE, "it names another", self.other, site="ocsp-trusted")
        for name, eku in (("no-usage", None), ("client", der.usages(der.CLIENT)),
                          ("any", der.usages(der.ANY)), ("server", der.usages(der.SERVER))):
            row("responder-" + name, UNAVAILABLE, "the CA did not make it a responder",
                self._responder(self.company, eku))
        row("responder-ca", UNAVAILABLE, "a CA is no delegate",
            self._responder(self.company, use, der.basic(True)))
        row("responder-expired", UNAVAILABLE, "its certificate has ended",
            self._responder(self.company, use, end=self.now - HOUR))
        row("responder-weak", UNAVAILABLE, "RSA of 1024 bits",
            self._responder(self.company, use, key="rsa1024"))
        row("sha1", UNAVAILABLE, "signed with SHA-1", hashed=hashes.SHA1())
        row("id-sha256", TRUSTED, "it may name the issuer by SHA-256", algorithm=hashes.SHA256())
        row("other-serial", UNAVAILABLE, "about another certificate", about=two)
        row("other-issuer", UNAVAILABLE, "the serial number of another CA", issuer=self.other)
        row("expired", UNAVAILABLE, "it ended yesterday", begins=-2 * DAY, ends=-DAY)
        row("future", UNAVAILABLE, "it begins tomorrow", begins=DAY, ends=2 * DAY)
        row("too-old", UNAVAILABLE, "older than ocsp_max_age", begins=-11 * DAY, ends=DAY)
        row("skew-inside", TRUSTED, "clocks a few minutes apart",
            at=HOUR + datetime.timedelta(minutes=4))
        row("skew-outside", UNAVAILABLE, "clocks further apart",
            at=HOUR + datetime.timedelta(minutes=6))
        row("clock-day-behind", UNAVAILABLE, "a clock a day behind", at=-23 * HOUR)
        row("no-end", TRUSTED, "without nextUpdate it holds a moment", begins=-SECOND, ends=None)
        row("no-end-old", UNAVAILABLE, "and no longer", begins=-HOUR, ends=None)
        row("garbage", UNAVAILABLE, "no answer at all", made=lambda _: b"<html>")
        row("cut", UNAVAILABLE, "its end is missing", made=lambda b: b[:-1])
        row("longer", UNAVAILABLE, "something behind it", made=lambda b: b + b"\0")
        row("turned", UNAVAILABLE, "one bit of the signature", made=lambda b: b[:-1] +
            bytes([b[-1] ^ 1]))
        row("try-later", UNAVAILABLE, "the responder cannot answer", made=lambda _: b"\x30\x03\x0a"
            b"\x01\x03")
        row("list-good", TRUSTED, "a list in force has it, and no answer came", site="ocsp-crl",
            made=lambda _: b"<html>")
        row("list-revoked", REVOKED, "the list outweighs the answer", file=listed, site="ocsp-crl")
        row("list-good-revoked", REVOKED, "the answer outweighs the list", site="ocsp-crl",
            status="REVOKED")
        row("no-address", UNAVAILABLE, "the certificate names no responder", site="ocsp-own")
        below = self.authority("Sub for OCSP", self.company)
        row("intermediate", UNAVAILABLE, "nothing tells of the intermediate", below,
            file=self.leaf(below), issuer=below, chain=below.chain)
    # --- CAs with rules of their own -------------------------------------------------------------

    def cas(self) -> None:
        """Each row is good under another CA's rules, or under those of none."""
        roots = {"intune": self.root("Microsoft Intune Corpus CA"), "scep": self.root("SCEP CA"),
                 "cloud": self.root("Cloud PKI CA"), "okta": self.root("Okta MTLS CA"),
                 "entra": self.root("MS-Organization-Access"), "partner": self.root("Partner CA"),
                 "lab": self.authority("Lab CA", self.company), "": self.company,
                 "serial": self.root("Serial CA"), "joined": self.root("Joined CA")}
        for name, signer in roots.items():
            if name:
                self._write(f"root-{name}.pem", pem(signer.der))
        bad, le, other = b"\x31" + b"\x07" * 15, uuid.UUID(ID).bytes_le, uuid.UUID(OTHER).bytes_le
        self._crl("scep.crl", roots["scep"], [bad], -HOUR, 10 * DAY)
        ids = {"id": extension(der.OIDS["id"], le), "other-id": extension(der.OIDS["id"], other),
               "entra-id": extension(der.OIDS["entra-id"], tlv(4, le)),
               "broken-entra-id": extension(der.OIDS["entra-id"], tlv(4, le[:-1]))}
        for tenant, value in (("ours", TENANT), ("foreign", FOREIGN)):
            coded = tlv(4, uuid.UUID(value).bytes_le)
            ids[tenant] = extension(der.OIDS["tenant"], coded)
            ids["entra-" + tenant] = extension(der.OIDS["entra-tenant"], coded)

        def row(name: str, ca: str, expect: str, why: str, *more: str, device: Optional[str] = ID,
                entra: Optional[str] = None, chain: Any = None, signer: Optional[Signer] = None,
                hardware: Optional[str] = None, says: str = "", **leaf: Any) -> None:
            made = self.leaf(signer or roots[ca], more=tuple(ids[m] for m in more), **leaf)
            self.add("ca-" + name, made, expect, why, site="cas", device=device, ca=ca,
                     entra=entra, serial=hardware, says=says,
                     chain=roots[ca].chain if chain is None else chain)
        no = {"san": None}
        row("none", "", TRUSTED, "a CA without rules of its own", key="rsa2048")
        row("none-cn", "", TRUSTED, "there the common name counts", cn=ID, **no)
        row("none-okta-usage", "", INVALID, "what Okta's CA may, others may not", cn=ID,
            eku=der.usages(ATTESTATION), **no)
        row("none-entra-id", "", INVALID, "what Entra's CA says, others may not", "entra-id",
            "ours", **no)
        row("none-foreign", "", TENANT_WRONG, "the partner's tenant is the partner CA's", "foreign")
        row("none-unlisted", "", TRUSTED, "nobody asked for lists of this CA", serial=bad)

        row("intune", "intune", TRUSTED, "as Intune's MDM device CA does", "id", "ours", **no)
        row("intune-cn", "intune", TRUSTED, "the common name is the device", "ours", cn=ID, **no)
        row("intune-san", "intune", INVALID, "it writes no SAN: whoever got one in chose it",
            "ours")
        row("intune-san-other", "intune", TRUSTED, "it writes no SAN; the extension counts",
            "id", "ours", san=der.uris(URI + OTHER))
        row("intune-no-tenant", "intune", TENANT_WRONG, "that CA signs for everybody", "id", **no)
        row("intune-foreign", "intune", TENANT_WRONG, "somebody else's device", "id", "foreign",
            **no)
        row("intune-entra-tenant", "intune", TENANT_WRONG, "that extension is Entra's CA's", "id",
            "entra-ours", **no)

        row("scep", "scep", TRUSTED, "an RSA key of 3072 bits", key="rsa3072")
        row("scep-p384", "scep", TRUSTED, "or P-384", key="p384")
        row("scep-short", "scep", INVALID, "2048 bits are too few here", key="rsa2048")
        row("scep-p256", "scep", INVALID, "not P-256", key="p256")
        row("scep-ed25519", "scep", INVALID, "not Ed25519", key="ed25519")
        row("scep-cn", "scep", INVALID, "a common name that the asker chose", key="p384", cn=ID,
            **no)
        row("scep-extension", "scep", INVALID, "an extension that the asker chose", "id",
            key="p384", **no)
        row("scep-two", "scep", TRUSTED, "the SAN alone counts, whatever else there is",
            "other-id", key="p384", cn=OTHER)
        row("scep-revoked", "scep", REVOKED, "its own list names it", key="p384", serial=bad)

        row("cloud", "cloud", TRUSTED, "for clients and managed devices",
            eku=der.usages(MANAGED, der.CLIENT))
        row("cloud-client", "cloud", INVALID, "for clients, and perhaps a person's")
        row("cloud-managed", "cloud", INVALID, "not for clients", eku=der.usages(MANAGED))
        row("cloud-any", "cloud", INVALID, "anything is neither", eku=der.usages(der.ANY))
        row("cloud-no-usage", "cloud", INVALID, "for nothing said", eku=None)
        row("cloud-cn", "cloud", INVALID, "the common name does not count here", cn=ID,
            eku=der.usages(MANAGED, der.CLIENT), **no)
        row("cloud-disagree", "cloud", INVALID, "both places count and disagree", "other-id",
            eku=der.usages(MANAGED, der.CLIENT))
        limited = self.authority("Sub Clients", roots["cloud"], eku=der.usages(der.CLIENT))
        row("cloud-below-limited", "cloud", ISSUER, "a CA that may not make managed devices'",
            signer=limited, chain=limited.chain, eku=der.usages(MANAGED, der.CLIENT))

        attested = {"eku": der.usages(ATTESTATION), "san": None}
        row("okta", "okta", TRUSTED, "an attestation of its own kind", cn=ID, **attested)
        row("okta-client", "okta", INVALID, "an ordinary client's certificate", cn=ID, **no)
        row("okta-rsa", "okta", INVALID, "not with RSA", cn=ID, key="rsa3072", **attested)
        row("okta-san", "okta", INVALID, "its SAN says nothing here",
            eku=der.usages(ATTESTATION))

        row("entra", "entra", TRUSTED, "Entra's device, in the right tenant", "entra-id",
            "entra-ours", device=None, entra=ID, **no)
        row("entra-foreign", "entra", TENANT_WRONG, "another tenant's device", "entra-id",
            "entra-foreign", **no)
        row("entra-no-tenant", "entra", TENANT_WRONG, "nobody's device", "entra-id", **no)
        row("entra-cn", "entra", INVALID, "a common name does not do", "entra-ours", cn=ID, **no)
        row("entra-san", "entra", INVALID, "nor a SAN", "entra-ours")
        row("entra-broken", "entra", INVALID, "an id that cannot be read", "broken-entra-id",
            "entra-ours", **no)

        row("serial", "serial", TRUSTED, "the hardware's serial number names it", device=None,
            hardware="PF3ABC12", subject=der.numbered("laptop", "pf-3Abc 12"), **no)
        row("serial-and-san", "serial", TRUSTED, "its id names it more surely",
            subject=der.numbered("laptop", "pf-3Abc 12"))
        row("serial-none", "serial", INVALID, "nothing names it", **no)
        row("serial-cn", "serial", INVALID, "a common name is none", cn="PF3ABC12", **no)
        row("serial-two", "serial", INVALID, "two of them name none",
            subject=der.numbered("laptop", "PF3ABC12", "PF3ABC13"), **no)
        row("serial-elsewhere", "", INVALID, "where nobody said that it counts", key="rsa2048",
            subject=der.numbered("laptop", "PF3ABC12"), **no)
        for at, word in enumerate(("0", "00000000", "To be filled by O.E.M.", "Default string",
                                   "System Serial Number", "None", "")):
            row(f"serial-word-{at}", "serial", INVALID, "no device's, but what makers leave in",
                subject=der.numbered("laptop", word), **no)

        for name, text in (("cn", ID), ("cn-upper", ID.upper()), ("cn-braces", "{" + ID + "}"),
                           ("host", "host/" + ID), ("host-upper", "host/" + ID.upper())):
            row("joined-" + name, "joined", TRUSTED, "Entra's id, as SCEP profiles write it",
                device=None, entra=ID, cn=text, **no)
        row("joined-and-san", "joined", TRUSTED, "Intune's id is nearer", cn="host/" + OTHER)
        row("joined-and-ise", "joined", TRUSTED, "in this form, too", cn="host/" + OTHER,
            san=der.uris(ISE["mem"] + ID))
        row("joined-bad-san", "joined", INVALID, "an id that cannot be read", cn="host/" + ID,
            san=der.uris(ISE["mem"] + ID[:-1]), says="not followed by a device id alone")
        row("joined-extension", "joined", INVALID, "a place that is not named here", "id",
            says="names no device id", **no)
        row("joined-two", "joined", INVALID, "two common names name nobody",
            subject=der.name("host/" + ID, "host/" + ID), says="not the only one", **no)
        row("joined-two-kinds", "joined", INVALID, "two common names name nobody",
            subject=der.name(ID, "host/" + ID), says="not the only one", **no)
        for name, text in (("host-upper-case", "HOST/" + ID), ("host-mixed", "Host/" + ID),
                           ("host-twice", "host/host/" + ID), ("host-slash", "host//" + ID),
                           ("host-long", "host/" + ID + "0"), ("host-realm", f"host/{ID}@CORP"),
                           ("host-domain", f"host/{ID}.corp.example"),
                           ("host-blank", "host/ " + ID),
                           ("host-braces", "host/{" + ID + "}"), ("http", "http/" + ID),
                           ("user", ID + " laptop"), ("behind", "laptop " + ID)):
            row("joined-" + name, "joined", INVALID, "an id, and something else", cn=text,
                says="common name has to be Entra's device id", **no)
        for name, text in (("name", "laptop"), ("host-name", "host/laptop.corp.example"),
                           ("host-only", "host/"), ("host-nil", "host/" + str(uuid.UUID(int=0))),
                           ("host-short", "host/" + ID[:-1]),
                           ("host-bare", "host/" + ID.replace("-", ""))):
            row("joined-" + name, "joined", INVALID, "no id at all", cn=text,
                says="names no device id", **no)
        row("joined-nul", "joined", INVALID, "a NUL ends it for some", cn=f"host/{ID}\0x",
            says="not text", **no)
        row("joined-elsewhere", "", INVALID, "where nobody said that it counts", key="rsa2048",
            cn="host/" + ID, says="names no device id", **no)
        row("joined-serial", "serial", INVALID, "a serial number is asked for there",
            cn="host/" + ID, says="names no device id", **no)
        row("joined-okta", "okta", INVALID, "Intune's id is asked for there", cn="host/" + ID,
            says="names no device id", **attested)

        row("partner", "partner", TRUSTED, "its tenant is not ours", "foreign")
        row("partner-ours", "partner", TENANT_WRONG, "and ours is not its", "ours")
        row("partner-no-tenant", "partner", TENANT_WRONG, "it must say so")

        row("lab", "lab", TRUSTED, "below the company's CA, and with other rules", "id", **no)
        row("lab-san", "lab", INVALID, "what holds for the CA above does not hold here")
        row("lab-other", "lab", TRUSTED, "only its extension counts", "other-id", device=OTHER)
        renamed = Signer(der.name("Lab CA, renamed"), roots["lab"].key)
        renamed.der = self.authority_certificate(self.company, renamed)
        row("lab-renamed", "lab", TRUSTED, "its key rules, under whatever name", "other-id",
            device=OTHER, signer=renamed, chain=[renamed.der])

    def authority_certificate(self, above: Signer, ca: Signer) -> bytes:
        """Another certificate of a CA, under the name that it has now."""
        made = [extension(der.OIDS["bc"], der.basic(True), True),
                extension(der.OIDS["ku"], der.bits(b"\x06", 1), True)]
        return der.certificate(above, ca.key, ca.subject, made,
                               not_before=der.when(self.now - 30 * DAY),
                               not_after=der.when(self.now + 3650 * DAY))

    # --- OpenSSH certificates --------------------------------------------------------------------

    def ssh(self) -> None:
        def keygen(*words: str) -> None:
            subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True,
                           cwd=self.out)
        for name in ("ssh-ca", "ssh-foreign", "ssh-device"):
            keygen("-t", "ed25519", "-N", "", "-f", name)
        line = (self.out / "ssh-device.pub").read_text()

        def row(name: str, expect: str, why: str, *options: str, ca: str = "ssh-ca",
                key_id: str = ID, **more: Any) -> None:
            (self.out / "current.pub").write_text(line)
            keygen("-s", ca, "-I", key_id, "-n", "ann", *options, "current.pub")
            self.add("ssh-" + name, (self.out / "current-cert.pub").read_bytes(), expect, why,
                     site="ssh", raw=True, **more)
        always = ("-V", "always:forever")
        row("good", TRUSTED, "of a device CA, the id in the key id", *always)
        row("foreign", ISSUER, "of another CA", *always, ca="ssh-foreign")
        row("host", INVALID, "a host's, not a user's", "-h", *always)
        row("no-id", INVALID, "the key id is no device id", *always, key_id="laptop")
        row("expired", EXPIRED, "it has ended", "-V", "20200101:20210101")
        row("early", EARLY, "it has not begun", "-V", "20380101:20390101")
        good = (self.out / "ssh-good.pem").read_bytes()
        kind, text, *_ = good.split()
        blob = bytearray(base64.b64decode(text))
        blob[-1] ^= 1
        for name, content, expect in (
                ("broken-signature", kind + b" " + base64.b64encode(bytes(blob)), INVALID),
                ("cut", kind + b" " + base64.b64encode(bytes(blob[:-10])), INVALID),
                ("not-base64", kind + b" !!!!", INVALID), ("type-alone", kind, INVALID)):
            self.add("ssh-" + name, content, expect, "not what the CA signed", site="ssh", raw=True)
