# SPDX-License-Identifier: GPL-2.0-or-later
# Secrets that systemd gives a service, in a directory made as systemd makes one. That systemd
# itself makes it is not tried here: it is not the first process of this suite.
"""credential:NAME in place of the path of a secret."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.pamworld import PamWorld, pam_world

ROOT = Path(__file__).resolve().parents[2]
CTL = Path(os.environ["DEVTRUST_BUILD"]) / "devtrustctl"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pytest.MonkeyPatch.context() as patch, \
            pam_world(pki_index, applications=("desk",)) as made:
        made.service("desk")
        made.site.configure({"okta": {"api_token_file": "credential:okta-token"}})
        directory = made.directory / "credentials"
        directory.mkdir(mode=0o700)
        patch.setenv("CREDENTIALS_DIRECTORY", str(directory))
        made.sim.add_user("dtalice@example.com")
        yield made
        made.stop_daemon()


@pytest.fixture(name="token")
def a_token(world: PamWorld) -> Iterator[Path]:
    path = world.directory / "credentials" / "okta-token"
    shutil.copyfile(world.site.okta_token_path, path)
    path.chmod(0o440)
    yield path
    world.stop_daemon()


def check(world: PamWorld) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([CTL, "check-config", "-c", world.site.config_path], text=True,
                          capture_output=True, timeout=60, check=False)


def test_a_daemon_takes_its_secret_from_it(world: PamWorld, token: Path) -> None:
    assert check(world).returncode == 0, check(world)
    world.start_daemon()
    assert world.login("desk", "dtalice")["auth"] != "SUCCESS"
    event = world.outcome("desk")  # which only an org that takes the token can tell
    assert event["debugContext"]["debugData"]["cause"] == "MFA_NO_FACTOR"


@pytest.mark.parametrize("spoil, said", [
    (lambda p: p.unlink(), "LoadCredential=okta-token:"), (lambda p: p.chmod(0o444), "by others"),
    (lambda p: os.chown(p, 54321, 0), "uid 54321"), (lambda p: p.write_text(""), "is empty"),
    (lambda p: p.parent.chmod(0o777), "by others")])
def test_what_is_no_credential(world: PamWorld, token: Path, spoil: Any, said: str) -> None:
    spoil(token)
    try:
        answer = check(world)
        assert answer.returncode == 2 and said in answer.stderr, answer
        assert "api_token_file" in answer.stderr
    finally:
        token.parent.chmod(0o700)
        token.unlink(missing_ok=True)


MANAGED = ("device_trust", "managed_configuration_file")  # the MDM writes it, not an administrator


def secret_keys(mark: str = ".secret = true") -> list[tuple[str, str]]:
    """Section and name of each key that takes a secret, as the table has them."""
    table = (ROOT / "common" / "core" / "config" / "config_table.c").read_text()
    rows = re.findall(r"\{(\w*KEY)\(([^)]*), DT_CONFIG_PATH\),(.*?)\},?\n", table, re.DOTALL)
    named = {"NAS_KEY": "nas one", "TRANSMITTER_KEY": "transmitter one"}
    found = []
    for macro, arguments, rest in rows:
        words = [word.strip() for word in arguments.split(",")]
        if mark in rest:
            found.append((words[0] if macro == "KEY" else named[macro], words[-1]))
    return found


def test_no_secret_is_left_out() -> None:
    assert len(secret_keys()) > 15
    assert set(secret_keys("secret.")) - set(secret_keys()) == {MANAGED}


PROXY = "http://127.0.0.1:3128"
# What else has to be set for a key to be read at all; None takes a setting of the site away.
NEEDS: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("okta", "key_file"): {"okta": {"client_id": "0oa1", "api_token_file": None}},
    ("okta", "next_key_file"): {"okta": {"client_id": "0oa1", "api_token_file": None}},
    ("okta", "proxy_credentials_file"): {"okta": {"proxy": PROXY}},
    ("http", "proxy_credentials_file"): {"http": {"proxy": PROXY}},
    ("intune", "client_secret_file"): {"intune": {"certificate_file": None, "key_file": None}},
    ("intune", "proxy_credentials_file"): {"intune": {"proxy": PROXY}},
    ("device_trust", "ocsp_proxy_credentials_file"): {"device_trust": {"ocsp_proxy": PROXY}},
    ("device_trust", "host_key_file"): {"device_trust": {"host_certificate_file": "HOST"}},
    ("device_trust", "host_key_pin_file"): {"device_trust": {
        "host_certificate_file": "HOST", "host_key": "pkcs11:token=dev;object=host",
        "pkcs11_module": "/usr/lib/softhsm/libsofthsm2.so"}},
    ("device_trust", "management_hint_file"): {"device_trust": {
        "managed_configuration_file": "HOST", "trusted_when": "management-hint"}},
    ("nas one", "secret_file"): {"nas one": {"address": "192.0.2.1"}},
}
# devtrust-signals has a service, and tests, of its own.
OTHERS = ("signals", "transmitter one")


@pytest.mark.parametrize("section, key", [k for k in secret_keys() if k[0] not in OTHERS])
def test_every_secret_may_be_a_credential(world: PamWorld, token: Path, section: str,
                                          key: str) -> None:
    """The one that is missing is named, with what to write into the unit."""
    saved = {name: dict(values) for name, values in world.site.settings.items()}
    host = world.pki["devices"]["host"]["files"]["certificate"]
    needs = NEEDS.get((section, key), {section: {}})
    more = {name: host if value == "HOST" else value for name, value in needs[section].items()}
    try:
        world.site.configure({section: {**more, key: "credential:gone"}})
        options = ["--radius"] if section == "radius" else []
        answer = subprocess.run([CTL, *options, "check-config", "-c", world.site.config_path],
                                text=True, capture_output=True, timeout=60, check=False)
        assert answer.returncode == 2, answer
        assert f"{key}: credential:gone: " in answer.stderr, answer.stderr
        assert "LoadCredential=gone:" in answer.stderr, answer.stderr
    finally:
        world.site.settings = saved
        world.site.configure({})
