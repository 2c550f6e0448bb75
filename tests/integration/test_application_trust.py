# SPDX-License-Identifier: GPL-2.0-or-later
# [application NAME]: what makes a device trusted at one login does not at another, on one host
# (real sshd, and sudo's PAM service) and on one RADIUS server (real FreeRADIUS). And devices of
# Okta's Devices API at these logins: Wi-Fi has test_okta_device.py.
"""Trust by application; devices that Okta knows, over SSH and VPN."""

from __future__ import annotations

import json
import os
import secrets
from typing import Any, Iterator

import pytest

from tests.integration.test_ctl import NO, YES, run
from tests.integration.test_pam_ssh import asked, debug, let_in
from tests.integration.test_radius_vpn import device_pairs
from tests.integration.test_radius_wifi import station
from tests.lib import radius as rad
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.radius import ACCEPT, World
from tests.lib.sshd import Sshd, install_device_key

HINT = "s3cretKeyOfTheOrg-0123456789"
LOGIN = "dtalice@example.com"


# --- one host: sshd and sudo -------------------------------------------------------------------

@pytest.fixture(name="host", scope="module")
def _host(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        made.service("sudo")
        yield made


@pytest.fixture(name="sshd", scope="module")
def _sshd(host: PamWorld) -> Iterator[Sshd]:
    with Sshd(host) as made:
        made.allow("dtalice", install_device_key(host, "device-p256"))
        yield made


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> Iterator[None]:
    if "host" not in request.fixturenames:
        yield
        return
    host = request.getfixturevalue("host")
    host.stop_daemon()
    host.sim.reset()
    host.sim.add_user(LOGIN, factors=("push",), push="deny", after=1.0)
    host.site.audit_path.unlink(missing_ok=True)
    for path in host.site.store_path.parent.iterdir():
        path.unlink()
    hint, managed = host.directory / "hint", host.directory / "managed.json"
    hint.write_text(HINT + "\n")
    managed.write_text(json.dumps({
        "kind": "androidenterprise#managedConfiguration",
        "productId": "app:com.okta.android.mobile.oktamobile",
        "managedProperty": [{"key": "siteName", "valueString": host.sim.okta_url},
                            {"key": "managementHint", "valueString": HINT}]}))
    for path in (hint, managed):
        os.chmod(path, 0o600)
    host.site.configure({
        "daemon": {"local_services": "sudo"},
        "device_trust": {"trusted_when": "certificate+intune", "management_hint_file": hint,
                         "managed_configuration_file": managed, "cache_ttl": "1s",
                         "negative_ttl": "1s"}})
    yield
    host.stop_daemon()
    for name in ("application sshd", "application sudo"):
        host.site.settings.pop(name, None)


def enrol(host: PamWorld, **okta: Any) -> str:
    """The SSH key belongs to a device of Intune's; with `okta`, of Okta's, too."""
    made = host.pki["devices"]["device-p256"]
    host.sim.enrol_device(made["device_id"], user=LOGIN)
    host.add_device(made["files"]["certificate"])
    if okta:
        host.sim.set_okta_device("guo" + secrets.token_hex(6), udid=made["device_id"].upper(),
                                 **okta)
    return made["device_id"]


def evidence(event: dict[str, Any]) -> set[str]:
    return set(event["evidence"].split("+"))


def sudo(host: PamWorld, count: int = 1) -> dict[str, Any]:
    host.login("sudo", "dtalice")
    return debug(host.outcome("sudo", count))


@pytest.mark.parametrize("sshd_rule,sudo_rule", [
    ("ssh-key+intune", None), (None, "management-hint"), ("ssh-key+intune", "management-hint"),
    ("management-hint", "ssh-key+intune"), (None, None)])
def test_each_login_has_its_own_rule(host: PamWorld, sshd: Sshd, sshd_rule: Any,
                                     sudo_rule: Any) -> None:
    """The host's managed configuration is good at sudo alone, the person's SSH key at sshd alone;
    both are there each time."""
    for name, rule in (("sshd", sshd_rule), ("sudo", sudo_rule)):
        if rule:
            host.site.configure({"application " + name: {"trusted_when": rule}})
    enrol(host)
    host.start_daemon()
    ssh = sshd.connect("dtalice", install_device_key(host, "device-p256"))
    if sshd_rule == "ssh-key+intune":
        let_in(ssh)
        event = debug(host.outcome("sshd"))
        assert event["verdict"] == "TRUSTED" and evidence(event) == {"intune", "ssh-key"}
    else:
        asked(ssh)
    sshd.hang_up()
    event = sudo(host)
    trusted = sudo_rule == "management-hint"
    assert (event["verdict"] == "TRUSTED") == trusted, event
    assert (event["cause"] == "RULE_ALLOW") == trusted, event


# --- Okta's devices over SSH  -------------------------------------------------------------------

@pytest.fixture(name="by_okta")
def _by_okta(host: PamWorld) -> PamWorld:
    host.site.configure({"okta": {"user_ttl": "1s"},
                         "device_trust": {"trusted_when": "ssh-key+okta-device"}})
    return host


def test_ssh_with_a_device_that_okta_manages(by_okta: PamWorld, sshd: Sshd) -> None:
    enrol(by_okta, users={LOGIN: "MANAGED"})
    by_okta.start_daemon()
    let_in(sshd.connect("dtalice", install_device_key(by_okta, "device-p256")))
    event = debug(by_okta.outcome("sshd"))
    assert event["verdict"] == "TRUSTED" and evidence(event) == {"okta-device", "ssh-key"}
    assert by_okta.sim.count("graph.total") == 0


def test_what_okta_said_is_shown_and_forgotten(by_okta: PamWorld, sshd: Sshd) -> None:
    device = enrol(by_okta, users={LOGIN: "MANAGED"})
    other = "00112233-4455-4677-8899-aabbccddeeff"
    by_okta.start_daemon()
    key = install_device_key(by_okta, "device-p256")
    let_in(sshd.connect("dtalice", key))
    by_okta.outcome("sshd")
    config = by_okta.site.config_path
    assert run("device", "forget", "-c", config, other).code == NO
    answer = run("device", "show", "--json", "-c", config, device)
    assert answer.code == YES, answer
    said = json.loads(answer.lines[0])
    assert (said["deviceId"], said["source"], said["user"]) == (device, "okta-device", LOGIN)
    assert said["trusted"] is True and said["state"] == "managed" and said["oktaId"]
    text = run("device", "show", "-c", config, device)
    assert "TRUSTED" in text.out and LOGIN in text.out
    assert run("device", "forget", "-c", config, device).code == YES
    assert run("device", "show", "-c", config, device).code == NO
    assert run("device", "forget", "-c", config, device).code == NO


@pytest.mark.parametrize("status,managed,reason", [
    ("SUSPENDED", "MANAGED", "DEVICE_DEACTIVATED"), ("DEACTIVATED", "MANAGED", "NOT_ENROLLED"),
    ("CREATED", "MANAGED", "NOT_ENROLLED"), ("ACTIVE", "NOT_MANAGED", "NOT_MANAGED")])
def test_ssh_with_a_device_that_okta_refuses(by_okta: PamWorld, sshd: Sshd, status: str,
                                             managed: str, reason: str) -> None:
    """Okta's list names no DEACTIVATED device: it is as if it were not there."""
    enrol(by_okta, users={LOGIN: managed}, status=status)
    by_okta.start_daemon()
    asked(sshd.connect("dtalice", install_device_key(by_okta, "device-p256")))
    sshd.hang_up()
    event = debug(by_okta.outcome("sshd"))
    assert (event["verdict"], event["deviceReason"]) == ("NOT_TRUSTED", reason), event


# --- one RADIUS server: VPN and Wi-Fi ------------------------------------------------------------

PUSH = "push"


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory,
            pki_index: dict[str, Any]) -> Iterator[World]:
    settings = {"mfa": {"wait_vpn": "8s", "wait_wifi": "8s"},
                "device_trust": {"trusted_when": "certificate+intune"},
                "application vpn": {"trusted_when": "vpn-client+intune"}}
    with rad.start_world(tmp_path_factory.mktemp("applied"), pki_index,
                         settings=settings) as made:
        yield made


def test_radius_vpn_and_wifi_have_rules_of_their_own(server: World) -> None:
    user = server.person("both", PUSH, push="deny")
    certificate = server.pki["devices"]["device-p256"]
    device = server.sim.enrol_device(certificate["device_id"])["id"]
    assert server.client().login(user, Cisco_AVPair=device_pairs(device)).code == ACCEPT
    assert evidence(server.outcome(user, "RULE_ALLOW")) == {"intune", "vpn-client"}
    assert rad.eap_tls(server.radius, user, certificate, station=station()).success
    assert evidence(server.outcome(user, "RULE_ALLOW", 2)) == {"certificate", "intune"}


def test_radius_other_applications_go_by_the_general_rule(tmp_path: Any,
                                                          pki_index: dict[str, Any]) -> None:
    """What wifi accepts, vpn does not, and the other way round."""
    settings = {"mfa": {"wait_vpn": "8s", "wait_wifi": "8s"},
                "device_trust": {"trusted_when": "vpn-client+intune"},
                "application vpn": {"trusted_when": "certificate+intune"}}
    with rad.start_world(tmp_path, pki_index, settings=settings) as world:
        certificate = world.pki["devices"]["device-p256"]
        device = world.sim.enrol_device(certificate["device_id"])["id"]
        # A denied push lets no other go out for a while: each door has a person of its own.
        user = world.person("crossed-vpn", PUSH, push="deny", after=0.3)
        assert world.client().login(user, Cisco_AVPair=device_pairs(device)).code == rad.REJECT
        assert world.outcome(user, "MFA_REJECTED")["verdict"] == "NOT_TRUSTED"
        user = world.person("crossed-wifi", PUSH, push="deny", after=0.3)
        assert not rad.eap_tls(world.radius, user, certificate, station=station()).success
        assert world.outcome(user, "MFA_REJECTED")["verdict"] == "NOT_TRUSTED"


@pytest.fixture(name="vpn", scope="module")
def _vpn(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[World]:
    settings = {"mfa": {"wait_vpn": "8s"},
                "device_trust": {"trusted_when": "vpn-client+okta-device"}}
    with rad.start_world(tmp_path_factory.mktemp("vpn-okta"), pki_index,
                         settings=settings) as made:
        yield made


@pytest.mark.parametrize("status,managed,reason", [
    ("ACTIVE", "MANAGED", "TRUSTED"), ("SUSPENDED", "MANAGED", "DEVICE_DEACTIVATED"),
    ("DEACTIVATED", "MANAGED", "NOT_ENROLLED"), ("CREATED", "MANAGED", "NOT_ENROLLED"),
    ("ACTIVE", "NOT_MANAGED", "NOT_MANAGED")])
def test_vpn_with_devices_of_okta(vpn: World, status: str, managed: str, reason: str) -> None:
    """The client's claim counts since the rule names it; the device has to be the person's own."""
    user = vpn.person("vpn" + secrets.token_hex(3), PUSH, push="deny", after=0.3)
    device = vpn.pki["devices"]["device-p256"]["device_id"]
    vpn.sim.set_okta_device("guo" + secrets.token_hex(6), udid=device.upper(), status=status,
                            users={user + "@example.com": managed})
    reply = vpn.client().login(user, Cisco_AVPair=device_pairs(device))
    good = reason == "TRUSTED"
    assert reply.code == (ACCEPT if good else rad.REJECT), reply
    event = vpn.outcome(user, "RULE_ALLOW" if good else "MFA_REJECTED")
    assert (event["verdict"] == "TRUSTED") == good
    assert event["deviceReason"] == reason


def test_vpn_with_somebody_elses_device(vpn: World) -> None:
    owner = vpn.person("owner", PUSH)
    user = vpn.person("borrower", PUSH, push="deny", after=0.3)
    device = vpn.pki["devices"]["device-p256"]["device_id"]
    vpn.sim.set_okta_device("guoother", udid=device.upper(),
                            users={owner + "@example.com": "MANAGED"})
    reply = vpn.client().login(user, Cisco_AVPair=device_pairs(device))
    assert reply.code == rad.REJECT
    assert vpn.outcome(user, "MFA_REJECTED")["deviceReason"] == "NOT_ENROLLED"
