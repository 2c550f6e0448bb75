#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the test PKI: authorities, device certificates good and bad, server and host certificates.
#
# Every run makes new keys, so nothing secret is ever committed. index.json says of each device
# certificate what devtrust has to find: the tests walk it, so a new bad kind needs no new test.
"""Generate the test PKI: python3 tests/pki/pki.py --out DIR"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Optional

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cryptography import x509  # noqa: E402

from tests.pki import authority as ca  # noqa: E402
from tests.pki.authority import Authority, Identity  # noqa: E402

DEFAULT_TENANT = "72f988bf-0000-4111-8222-00000000feed"
FOREIGN_TENANT = "0badc0de-0000-4111-8222-00000000beef"
NIL_GUID = "00000000-0000-0000-0000-000000000000"

TRUSTED = "TRUSTED"
INVALID = "CERTIFICATE_INVALID"
EXPIRED = "CERTIFICATE_EXPIRED"
NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
UNTRUSTED_ISSUER = "UNTRUSTED_ISSUER"
WRONG_TENANT = "WRONG_TENANT"


def new_guid() -> str:
    return str(uuid.uuid4())


@dataclass
class Device:
    """How one device certificate is made. The default is one that Intune would issue."""

    authority: str = "shared"
    key: str = "p256"
    device_id: str = field(default_factory=new_guid)
    common_name: Optional[str] = None  # None = the device id
    uris: Optional[list[bytes]] = None  # None = IntuneDeviceId://<device id>
    raw_san: Optional[bytes] = None  # the whole extension, instead of uris
    intune_id: Optional[str] = ""  # 1.2.840.113556.5.4; "" = the device id, None = left out
    raw_intune_id: Optional[bytes] = None
    tenant: Optional[str] = ""  # 1.2.840.113556.5.14; "" = ours, None = left out
    raw_tenant: Optional[bytes] = None
    eku: Optional[list] = field(default_factory=lambda: [ca.CLIENT_AUTH])  # None = left out
    digital_signature: bool = True
    starts: int = -1  # days from now
    ends: int = 365
    expect: str = TRUSTED
    expect_device_id: Optional[str] = ""  # "" = the device id, None = must not name one
    break_signature: bool = False


def san_only(uris: Iterable[bytes], expect: str = INVALID, **more: Any) -> Device:
    """A company certificate in which nothing but the SAN could name the device."""
    return Device(authority="company", common_name="laptop-0001", uris=list(uris),
                  intune_id=None, tenant=None, expect=expect, **more)


class Pki:
    """The authorities of one test world, and a place where certificates are written to.

    company: signs for this company's devices only. shared: stands for Microsoft's device CA, which
    signs for every tenant. joined: the company's, too, and trusted only where a section [ca NAME]
    has it. foreign: trusted by nobody. radius: of the RADIUS server itself.
    """

    def __init__(self, out: Path, tenant: str = DEFAULT_TENANT) -> None:
        self.out = Path(out)
        self.tenant = tenant
        shared_root = Authority.root("Microsoft Intune Root Certification Authority",
                                     key_kind="rsa2048")
        foreign_root = Authority.root("Microsoft Intune Root Certification Authority")
        self.shared_root = shared_root
        self.authorities = {
            "company": Authority.root("Example Device CA", "Example Corp"),
            "shared": shared_root.intermediate("Microsoft Intune MDM Device CA",
                                               key_kind="rsa2048"),
            "joined": Authority.root("Example Joined Device CA", "Example Corp"),
            "foreign": Authority.root("Elsewhere Device CA", "Elsewhere Ltd"),
            "foreign-same-name": foreign_root.intermediate("Microsoft Intune MDM Device CA"),
            "radius": Authority.root("Example RADIUS CA", "Example Corp"),
        }

    # --- writing -----------------------------------------------------------------------------

    def write_authorities(self) -> dict[str, str]:
        """CA files in PEM. shared-ca.pem holds root and intermediate: both serve as anchors."""
        files = {}
        for name in ("company", "joined", "foreign", "radius"):
            files[name + "_ca"] = self._write(name + "-ca.pem",
                                              self.authorities[name].certificate_pem())
        shared = self.authorities["shared"].certificate_pem()
        root = self.shared_root.certificate_pem()
        files["shared_ca"] = self._write("shared-ca.pem", shared + root)
        files["shared_root"] = self._write("shared-root.pem", root)
        return files

    def write_identity(self, name: str, identity: Identity) -> dict[str, str]:
        """NAME.pem, .chain.pem, .der, .key (0600), .key.der (0600), .p12 (0600), .pub."""
        return {
            "certificate": self._write(name + ".pem", identity.certificate_pem()),
            "chain": self._write(name + ".chain.pem", identity.chain_pem()),
            "der": self._write(name + ".der", identity.certificate_der()),
            "key": self._write(name + ".key", identity.key_pem(), 0o600),
            "key_der": self._write(name + ".key.der", identity.key_der(), 0o600),
            "pkcs12": self._write(name + ".p12", identity.pkcs12(name), 0o600),
            "ssh_public_key": self._write(name + ".pub", identity.ssh_public_key(name)),
        }

    def _write(self, name: str, content: bytes, mode: int = 0o644) -> str:
        return str(ca.write_file(self.out / name, content, mode))

    # --- making ------------------------------------------------------------------------------

    def device(self, name: str, **fields: Any) -> dict[str, Any]:
        """Makes and writes one device certificate; the arguments are Device's fields."""
        return self.add(name, Device(**fields))

    def add(self, name: str, device: Device) -> dict[str, Any]:
        identity = self.make(device)
        expected_id = device.device_id if device.expect_device_id == "" else device.expect_device_id
        return {
            "files": self.write_identity(name, identity),
            "authority": device.authority,
            "key_type": device.key,
            "device_id": expected_id,
            "guid": device.device_id,  # that stands in it, of whatever kind it is
            "reason": device.expect,
            "not_after": _epoch(identity.certificate.not_valid_after),
            "not_before": _epoch(identity.certificate.not_valid_before),
            "serial": format(identity.certificate.serial_number, "x"),
        }

    def make(self, device: Device) -> Identity:
        key = ca.make_key(device.key)
        subject = ca.name(device.device_id if device.common_name is None else device.common_name)
        signer = self._signer(device.authority, subject, key)
        identity = signer.issue(subject, key, extensions=self._extensions(device),
                                not_before=ca.now() + device.starts * ca.DAY,
                                not_after=ca.now() + device.ends * ca.DAY)
        if device.break_signature:
            identity.certificate = _with_broken_signature(identity.certificate)
        return identity

    def _signer(self, authority: str, subject: x509.Name, key: ca.PrivateKey) -> Authority:
        if authority == "self":
            return Authority(key, _self_signed(subject, key))
        if authority == "leaf":
            # A device certificate used as if it were a CA: its basicConstraints say it is none.
            device = self.make(Device())
            return Authority(device.key, device.certificate, device.chain)
        return self.authorities[authority]

    def _extensions(self, device: Device) -> list[tuple[x509.ExtensionType, bool]]:
        made: list[tuple[x509.ExtensionType, bool]] = [
            (ca.key_usage(digital_signature=device.digital_signature), True)]
        if device.eku is not None:
            made.append((x509.ExtendedKeyUsage(device.eku), False))
        uris = device.uris
        if uris is None:
            uris = [b"IntuneDeviceId://" + device.device_id.encode()]
        san = device.raw_san if device.raw_san is not None else ca.raw_uri_san(uris)
        if uris or device.raw_san is not None:
            made.append((x509.UnrecognizedExtension(ca.OID_SUBJECT_ALT_NAME, san), False))
        for oid, content in self._microsoft_extensions(device):
            made.append((x509.UnrecognizedExtension(oid, content), False))
        return made

    def _microsoft_extensions(self, device: Device) -> Iterable[tuple[Any, bytes]]:
        if device.raw_intune_id is not None:
            yield ca.OID_INTUNE_DEVICE_ID, device.raw_intune_id
        elif device.intune_id is not None:
            content = ca.device_id_extension(device.intune_id or device.device_id)
            yield ca.OID_INTUNE_DEVICE_ID, content
        if device.raw_tenant is not None:
            yield ca.OID_ENTRA_TENANT_ID, device.raw_tenant
        elif device.tenant is not None:
            yield ca.OID_ENTRA_TENANT_ID, ca.tenant_extension(device.tenant or self.tenant)


def _epoch(moment: datetime.datetime) -> int:
    """Seconds since 1970 of a certificate's time, which carries no zone and means UTC."""
    return int(moment.replace(tzinfo=datetime.timezone.utc).timestamp())


def _self_signed(subject: x509.Name, key: ca.PrivateKey) -> x509.Certificate:
    """Only gives Authority a subject to sign under: the certificate itself is used nowhere."""
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(ca.now() - ca.DAY).not_valid_after(ca.now() + ca.DAY)
            .sign(key, ca.signing_hash(key)))


def _with_broken_signature(certificate: x509.Certificate) -> x509.Certificate:
    from cryptography.hazmat.primitives.serialization import Encoding
    der = bytearray(certificate.public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_certificate(bytes(der))


def good_devices() -> dict[str, Device]:
    """Certificates that name a device and stand up to every check."""
    upper, lower, listed, tagged = new_guid(), new_guid(), new_guid(), new_guid()
    ise, endpoint = new_guid(), new_guid()
    return {
        "device-rsa": Device(key="rsa2048"),
        "device-p256": Device(),
        "device-p384": Device(key="p384"),
        "device-ed25519": Device(key="ed25519"),
        "device-second": Device(key="rsa2048"),
        "device-extensions-only": Device(uris=[]),
        "company-rsa": Device(authority="company", key="rsa2048"),
        "company-san-only": Device(authority="company", common_name="laptop-0002", intune_id=None,
                                   tenant=None),
        "company-cn-only": Device(authority="company", uris=[], intune_id=None, tenant=None),
        "host": Device(authority="company", key="rsa2048"),
        "host-p256": Device(authority="company"),
        "san-upper-case": san_only([b"INTUNEDEVICEID://" + upper.upper().encode()], TRUSTED,
                                   device_id=upper),
        "san-lower-case": san_only([b"intunedeviceid://" + lower.encode()], TRUSTED,
                                   device_id=lower),
        # Certificate authorities that add Microsoft's strong mapping write both into one URI.
        "san-comma-list": san_only(
            [b"IntuneDeviceId://" + listed.encode()
             + b",tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1001"],
            TRUSTED, device_id=listed),
        "san-two-uris": san_only(
            [b"tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1002",
             b"IntuneDeviceId://" + tagged.encode()], TRUSTED, device_id=tagged),
        "ise-intune": san_only([b"ID:Intune:GUID:" + ise.encode()], TRUSTED, device_id=ise),
        "ise-endpoint-manager": san_only(
            [b"tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1003",
             b"ID:Microsoft Endpoint Manager:GUID:" + endpoint.encode()], TRUSTED,
            device_id=endpoint),
    }


def joined_devices() -> dict[str, Device]:
    """Entra's id in the common name, as a SCEP profile with {{AAD_Device_ID}} writes it. Good
    only where a section [ca NAME] of authority "joined" has entra-common-name."""
    def joined(common_name: str, **more: Any) -> Device:
        return Device(authority="joined", common_name=common_name, uris=[], intune_id=None,
                      tenant=None, expect=UNTRUSTED_ISSUER, **more)
    nobody: dict[str, Any] = {"expect_device_id": None}
    bare, host, service, realm = new_guid(), new_guid(), new_guid(), new_guid()
    return {
        "joined-cn": joined(bare, device_id=bare),
        "joined-host": joined("host/" + host, device_id=host, **nobody),
        "joined-other-service": joined("http/" + service, device_id=service, **nobody),
        "joined-realm": joined(f"host/{realm}@CORP.EXAMPLE", device_id=realm, **nobody),
    }


def bad_issue() -> dict[str, Device]:
    """Wrong in who signed, when, for whom, or for what."""
    return {
        "expired": Device(starts=-400, ends=-1, expect=EXPIRED),
        "not-yet-valid": Device(starts=2, ends=400, expect=NOT_YET_VALID),
        "self-signed": Device(authority="self", expect=UNTRUSTED_ISSUER),
        "foreign-ca": Device(authority="foreign", expect=UNTRUSTED_ISSUER),
        "foreign-ca-same-name": Device(authority="foreign-same-name", expect=UNTRUSTED_ISSUER),
        "signed-by-leaf": Device(authority="leaf", expect=UNTRUSTED_ISSUER),
        "broken-signature": Device(break_signature=True, expect=UNTRUSTED_ISSUER),
        "wrong-eku": Device(eku=[ca.SERVER_AUTH], expect=INVALID),
        "any-eku": Device(eku=[ca.ANY_EKU], expect=INVALID),
        "no-eku": Device(eku=None, expect=INVALID),
        "no-digital-signature": Device(digital_signature=False, expect=INVALID),
        "weak-key": Device(key="rsa1024", expect=INVALID),
        "wrong-tenant": Device(tenant=FOREIGN_TENANT, expect=WRONG_TENANT),
        "missing-tenant": Device(tenant=None, expect=WRONG_TENANT),
        "garbage-tenant": Device(raw_tenant=b"\x04\x10short", expect=WRONG_TENANT),
        "company-wrong-tenant": Device(authority="company", tenant=FOREIGN_TENANT,
                                       expect=WRONG_TENANT),
    }


def bad_names() -> dict[str, Device]:
    """Wrong in which device they name: none, several, or something that only looks like one."""
    guid, other = new_guid(), new_guid()
    uri, text, nobody = b"IntuneDeviceId://", guid.encode(), {"expect_device_id": None}
    return {
        "no-device-id": san_only([], **nobody),
        "cn-san-disagree": Device(uris=[uri + other.encode()], expect=INVALID, **nobody),
        "extension-san-disagree": Device(intune_id=other, expect=INVALID, **nobody),
        "san-comma-two-ids": san_only([uri + text + b"," + uri + other.encode()], **nobody),
        "san-two-ids": san_only([uri + text, uri + other.encode()], **nobody),
        "san-nul": san_only([uri + text + b"\x00.example.com"], **nobody),
        "san-nul-inside": san_only([uri + text[:18] + b"\x00" + text[19:]], **nobody),
        "san-garbage": Device(authority="company", common_name="laptop-0003", intune_id=None,
                              tenant=None, raw_san=b"\x30\x82\xff\xff\x86\x05abc",
                              expect=INVALID, **nobody),
        "san-not-text": san_only([uri + bytes(range(128, 164))], **nobody),
        "san-short-guid": san_only([uri + text[:-1]], **nobody),
        "san-long-guid": san_only([uri + text + b"0"], **nobody),
        "san-nil-guid": san_only([uri + NIL_GUID.encode()], **nobody),
        "san-empty": san_only([uri], **nobody),
        "san-other-scheme": san_only([b"NotIntuneDeviceId://" + text], **nobody),
        "ise-other-mdm": san_only([b"ID:Jamf:GUID:" + text], **nobody),
        "ise-braces": san_only([b"ID:Intune:GUID:{" + text + b"}"], **nobody),
        "ise-trailing": san_only([b"ID:Microsoft Endpoint Manager:GUID:" + text + b".x"],
                                 **nobody),
        "ise-lower-case": san_only([b"id:intune:guid:" + text], **nobody),
        "ise-against-san": san_only([b"ID:Intune:GUID:" + text, uri + other.encode()], **nobody),
        "san-in-path": san_only([b"https://example.com/?IntuneDeviceId://" + text], **nobody),
        "extension-short": Device(authority="company", common_name="laptop-0004", uris=[],
                                  tenant=None, raw_intune_id=b"\x01\x02\x03", expect=INVALID,
                                  **nobody),
    }


def generate(out: Path, tenant: str = DEFAULT_TENANT,
             more: Optional[dict[str, Device]] = None) -> dict[str, Any]:
    """The whole set, and `more`, under `out`, with index.json, which is also returned."""
    pki = Pki(out, tenant)
    devices = {**good_devices(), **joined_devices(), **bad_issue(), **bad_names(),
               **(more or {})}
    server = pki.authorities["radius"].issue_server(["radius.example.com", "localhost",
                                                     "127.0.0.1"], "rsa2048")
    index = {
        "tenant_id": tenant,
        "pkcs12_password": ca.PKCS12_PASSWORD,
        "authorities": pki.write_authorities(),
        "radius_server": pki.write_identity("radius-server", server),
        "devices": {name: pki.add(name, device) for name, device in devices.items()},
    }
    text = json.dumps(index, indent=2, sort_keys=True) + "\n"
    ca.write_file(Path(out) / "index.json", text.encode())
    return index


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate the test PKI.")
    parser.add_argument("--out", required=True, type=Path, help="directory to write to")
    parser.add_argument("--tenant", default=DEFAULT_TENANT, help="our Entra tenant (GUID)")
    arguments = parser.parse_args()
    index = generate(arguments.out, str(uuid.UUID(arguments.tenant)))
    print(f"{len(index['devices'])} device certificates in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
