# SPDX-License-Identifier: GPL-2.0-or-later
# The test PKI itself: that a good certificate is good, and a bad one bad in the way it claims.
#
# Judged by OpenSSL's and OpenSSH's own commands, not by the library that made the certificates.
"""Tests of tests/pki."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REASONS = {"TRUSTED", "CERTIFICATE_EXPIRED", "CERTIFICATE_NOT_YET_VALID", "CERTIFICATE_INVALID",
           "UNTRUSTED_ISSUER", "WRONG_TENANT"}

# What `openssl verify -purpose sslclient` says to those that do not reach a trusted anchor.
VERIFY_ERRORS = {"expired": 10, "not-yet-valid": 9, "self-signed": 18, "foreign-ca": 20,
                 "foreign-ca-same-name": 20, "broken-signature": 7, "wrong-eku": 26}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pki")
    subprocess.run(["/usr/bin/python3", str(ROOT / "tests/pki/pki.py"), "--out", str(out)],
                   check=True, capture_output=True, cwd="/")
    return out


@pytest.fixture(scope="module")
def index(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "index.json").read_text())


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def dump(path: str) -> str:
    return run("openssl", "x509", "-in", path, "-noout", "-text").stdout


def verify(index: dict[str, Any], name: str, chain: bool = False) -> str:
    """Both anchors are trusted. The exit status and the text of openssl verify."""
    device = index["devices"][name]
    anchors = index["authorities"]
    command = ["openssl", "verify", "-purpose", "sslclient",
               "-trusted", anchors["shared_ca"], "-trusted", anchors["company_ca"]]
    command += ["-untrusted", device["files"]["chain"]] if chain else []
    done = run(*command, device["files"]["certificate"])
    return f"{done.returncode} {done.stdout}{done.stderr}"


def test_every_file_is_there_and_keys_are_private(index: dict[str, Any]) -> None:
    identities = [d["files"] for d in index["devices"].values()] + [index["radius_server"]]
    assert len(identities) > 40
    for files in identities:
        assert len(files) == 7
        for kind, path in files.items():
            private = kind in ("key", "key_der", "pkcs12")
            assert stat.S_IMODE(os.stat(path).st_mode) == (0o600 if private else 0o644)
    for path in index["authorities"].values():
        assert "CERTIFICATE" in Path(path).read_text()


def test_no_authority_leaves_its_key(folder: Path, index: dict[str, Any]) -> None:
    keys = {p.stem for p in folder.iterdir() if p.suffix == ".key"}
    assert keys == set(index["devices"]) | {"radius-server"}


def test_every_reason_is_one_that_devtrust_knows(index: dict[str, Any]) -> None:
    header = (ROOT / "common/core/base/words.h").read_text()
    known = set(re.findall(r"DT_REASON_(\w+)", header))
    used = {d["reason"] for d in index["devices"].values()}
    assert used == REASONS and used <= known


def test_good_certificates_reach_their_anchor(index: dict[str, Any]) -> None:
    good = [n for n, d in index["devices"].items() if d["reason"] == "TRUSTED"]
    assert len(good) >= 12
    for name in good:
        assert verify(index, name).startswith("0 "), name
        device = index["devices"][name]
        assert str(uuid.UUID(device["device_id"])) == device["device_id"]


@pytest.mark.parametrize("name", sorted(VERIFY_ERRORS))
def test_bad_certificates_fail_as_they_claim(index: dict[str, Any], name: str) -> None:
    said = verify(index, name)
    assert said.startswith("2 ") and f"error {VERIFY_ERRORS[name]} at 0 depth" in said


def test_a_device_is_no_authority(index: dict[str, Any]) -> None:
    said = verify(index, "signed-by-leaf", chain=True)
    assert said.startswith("2 ") and "invalid CA certificate" in said


def test_keys_fit_their_certificates(index: dict[str, Any]) -> None:
    identities = {**{n: d["files"] for n, d in index["devices"].items()},
                  "radius-server": index["radius_server"]}
    for name, files in identities.items():
        from_key = run("openssl", "pkey", "-in", files["key"], "-pubout").stdout
        certified = run("openssl", "x509", "-in", files["certificate"], "-noout", "-pubkey").stdout
        der = run("openssl", "x509", "-inform", "DER", "-in", files["der"], "-noout",
                  "-pubkey").stdout
        assert "PUBLIC KEY" in from_key and from_key == certified == der, name


def test_ssh_reads_the_device_keys(index: dict[str, Any]) -> None:
    for name in ("device-rsa", "device-p256", "company-rsa", "host"):
        files = index["devices"][name]["files"]
        derived = run("ssh-keygen", "-y", "-f", files["key"]).stdout.split()
        assert derived and derived[:2] == Path(files["ssh_public_key"]).read_text().split()[:2]


def test_pkcs12_opens_with_its_password_only(index: dict[str, Any]) -> None:
    path = index["devices"]["device-rsa"]["files"]["pkcs12"]
    for password, status in ((index["pkcs12_password"], 0), ("wrong", 1)):
        done = run("openssl", "pkcs12", "-in", path, "-passin", "pass:" + password, "-nokeys")
        assert done.returncode == status
        assert ("Microsoft Intune MDM Device CA" in done.stdout) is (status == 0)


def test_key_types_and_sizes(index: dict[str, Any]) -> None:
    for name, text in (("device-rsa", "Public-Key: (2048 bit)"), ("device-p256", "P-256"),
                       ("device-p384", "P-384"), ("device-ed25519", "ED25519"),
                       ("weak-key", "Public-Key: (1024 bit)")):
        assert text in dump(index["devices"][name]["files"]["certificate"])


def extension(path: str, oid: str) -> str:
    """Hex of an extension's bytes, as openssl asn1parse finds them; "" when it is not there."""
    lines = run("openssl", "asn1parse", "-in", path).stdout.splitlines()
    for i, line in enumerate(lines):
        if line.rstrip().endswith(":" + oid):
            found = re.search(r"\[HEX DUMP\]:([0-9A-F]+)", lines[i + 1])
            assert found is not None
            return found[1]
    return ""


def test_microsoft_extensions(index: dict[str, Any]) -> None:
    device = index["devices"]["device-rsa"]
    path = device["files"]["certificate"]
    little = uuid.UUID(device["device_id"]).bytes_le.hex().upper()
    tenant = uuid.UUID(index["tenant_id"]).bytes_le.hex().upper()
    assert extension(path, "1.2.840.113556.5.4") == little
    assert extension(path, "1.2.840.113556.5.14") == "0410" + tenant
    # OpenSSL 3.2 and later leave out the spaces.
    assert device["device_id"] in re.split("Subject: CN ?= ?", dump(path))[1][:40]
    for name, differs in (("missing-tenant", ""), ("wrong-tenant", None)):
        found = extension(index["devices"][name]["files"]["certificate"], "1.2.840.113556.5.14")
        assert found == differs if differs is not None else found not in ("", "0410" + tenant)


def test_names_that_try_to_deceive(folder: Path, index: dict[str, Any]) -> None:
    def der(name: str) -> bytes:
        return (folder / f"{name}.der").read_bytes()

    assert re.search(rb"IntuneDeviceId://[0-9a-f-]{36}\x00\.example\.com", der("san-nul"))
    assert re.search(rb"IntuneDeviceId://[0-9a-f-]{18}\x00[0-9a-f-]{17}", der("san-nul-inside"))
    assert re.search(rb"IntuneDeviceId://[0-9a-f-]{36},IntuneDeviceId://", der("san-comma-two-ids"))
    assert re.search(rb"IntuneDeviceId://[0-9a-f-]{36},tag:microsoft\.com", der("san-comma-list"))
    assert re.search(rb"INTUNEDEVICEID://[0-9A-F-]{36}", der("san-upper-case"))
    assert re.search(rb"intunedeviceid://[0-9a-f-]{36}", der("san-lower-case"))
    assert len(set(re.findall(rb"IntuneDeviceId://([0-9a-f-]{36})", der("san-two-ids")))) == 2
    common, san = (re.search(pattern, der("cn-san-disagree")) for pattern in (
        rb"\x55\x04\x03\x0c\x24([0-9a-f-]{36})", rb"IntuneDeviceId://([0-9a-f-]{36})"))
    assert common and san and common[1] != san[1]
    assert b"IntuneDeviceId" not in der("no-device-id")
    for name, device in index["devices"].items():
        if name.startswith("san-") and device["reason"] == "CERTIFICATE_INVALID":
            assert device["device_id"] is None
