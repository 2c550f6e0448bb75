# SPDX-License-Identifier: GPL-2.0-or-later
# Who may use an application at all, by Okta: only whom the org has assigned to okta_app, and only
# accounts that are active there. With a real sshd, and a real FreeRADIUS with a VPN gateway's
# client and an EAP-TLS supplicant.
"""okta_app, and accounts that may not sign on, at both doors."""

from __future__ import annotations

import secrets
from typing import Any, Iterator

import pexpect
import pytest

from tests.lib import radius as rad
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.radius import ACCEPT, REJECT, World
from tests.lib.sshd import Sshd, install_device_key, make_key

APP = "0oadevtrust"
OTHER = "0oaanother"
PUSH = "push"
DEVICE = "device-p256"
SETTINGS = {"policy": {"okta_app": APP}, "okta": {"timeout": "2s", "user_ttl": "0"},
            "mfa": {"wait_vpn": "10s"}, "application wifi": {"okta_app": OTHER}}
# What each state of an account comes to: the cause, and what the person reads of it.
STATES = {"SUSPENDED": ("OKTA_USER_SUSPENDED", "is suspended"),
          "DEPROVISIONED": ("OKTA_USER_DEACTIVATED", "is deactivated"),
          "STAGED": ("OKTA_USER_NOT_ACTIVATED", "is not activated yet"),
          "PROVISIONED": ("OKTA_USER_NOT_ACTIVATED", "is not activated yet"),
          "PASSWORD_EXPIRED": ("OKTA_PASSWORD_EXPIRED", "must be changed"),
          "RECOVERY": ("OKTA_PASSWORD_EXPIRED", "must be changed"),
          "LOCKED_OUT": ("MFA_LOCKED", "is locked")}
BROKEN = [("html", {}, "OKTA_ANSWER_UNUSABLE"),
          ("json", {"body": {}}, "OKTA_ANSWER_UNUSABLE"),
          ("json", {"body": {"id": "00uother", "status": "ACTIVE"}}, "OKTA_ANSWER_UNUSABLE"),
          ("redirect", {"location": "https://127.0.0.1:1/"}, "OKTA_ANSWER_UNUSABLE"),
          ("status", {"status": 503}, "OKTA_UNAVAILABLE")]


def add_apps(sim: Any) -> None:
    sim.add_app(id=APP, label="VPN", groups=["VPN users"])
    sim.add_app(id=OTHER, label="Wi-Fi")


# --- RADIUS --------------------------------------------------------------------------------------

@pytest.fixture(scope="module", name="shared")
def shared_world(tmp_path_factory: pytest.TempPathFactory,
                 pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("okta-app"), pki_index,
                         settings=SETTINGS) as made:
        add_apps(made.sim)
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


@pytest.fixture(name="vpn")
def world_without_faults(shared: World) -> Iterator[World]:
    yield shared
    shared.sim.clear_faults()


def person(world: World, **values: Any) -> str:
    return world.person("p" + secrets.token_hex(4), PUSH, push="approve", **values)


@pytest.mark.parametrize("how", [{"apps": {APP: "ACTIVE"}}, {"groups": ["VPN users"]}])
def test_assigned(vpn: World, how: dict[str, Any]) -> None:
    user = person(vpn, **how)
    assert vpn.client().login(user).code == ACCEPT
    vpn.outcome(user, "MFA_SUCCESS")


@pytest.mark.parametrize("how", [{}, {"groups": ["Everyone", "vpn users "]},
                                 {"apps": {OTHER: "ACTIVE"}}, {"apps": {APP: "STAGED"}},
                                 {"apps": {APP: "SUSPENDED"}}])
def test_not_assigned(vpn: World, how: dict[str, Any]) -> None:
    user = person(vpn, **how)
    reply = vpn.client().login(user)
    assert reply.code == REJECT and "not assigned" in reply.message
    assert APP in vpn.outcome(user, "APP_NOT_ASSIGNED")["detail"]
    assert not vpn.sim.pushes(f"{user}@example.com")


def test_a_trusted_device_of_somebody_not_assigned(vpn: World) -> None:
    made = vpn.pki["devices"][DEVICE]
    inside, outside = person(vpn, apps={OTHER: "ACTIVE"}), person(vpn, apps={APP: "ACTIVE"})
    for user, cause in ((inside, "RULE_ALLOW"), (outside, "APP_NOT_ASSIGNED")):
        vpn.sim.enrol_device(made["device_id"], user=f"{user}@example.com")
        end = rad.eap_tls(vpn.radius, user, made,
                          station="02-" + "-".join(f"{b:02X}" for b in secrets.token_bytes(5)))
        assert end.success == (cause == "RULE_ALLOW"), end.output[-2000:]
        assert vpn.outcome(user, cause)["verdict"] == "TRUSTED"


@pytest.mark.parametrize("kind, values, cause", BROKEN)
def test_without_an_answer_nobody_gets_in(vpn: World, kind: str, values: dict[str, Any],
                                          cause: str) -> None:
    user = person(vpn, apps={APP: "ACTIVE"})
    vpn.sim.fault(kind, listener="okta", endpoint="app_user", times=1000, **values)
    assert vpn.client().login(user).code == REJECT
    vpn.outcome(user, cause)


@pytest.mark.parametrize("status", STATES)
def test_account_at_a_gateway(vpn: World, status: str) -> None:
    cause, words = STATES[status]
    user = person(vpn, apps={APP: "ACTIVE"}, status=status)
    reply = vpn.client().login(user)
    assert reply.code == REJECT and words in reply.message
    vpn.outcome(user, cause)


def test_stranger_at_a_gateway(vpn: World) -> None:
    reply = vpn.client().login("stranger")
    assert reply.code == REJECT and "no account for this user name" in reply.message
    vpn.outcome("stranger", "OKTA_USER_UNKNOWN")


# --- PAM -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd", "desk")) as made:
        made.sample("sshd", "sshd-devtrust")
        made.service("desk")
        made.site.configure({"application sshd": {"okta_app": APP}, "okta": {"user_ttl": "0"},
                             "mfa": {"wait_pam": "20s"}})
        made.start_daemon()
        yield made
        made.stop_daemon()


@pytest.fixture(scope="module")
def server(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world) as made:
        yield made


@pytest.fixture(name="sshd")
def an_sshd(world: PamWorld, server: Sshd) -> Iterator[Sshd]:
    world.sim.reset()
    add_apps(world.sim)
    world.site.audit_path.write_text("")
    yield server
    server.hang_up()


@pytest.fixture(scope="module")
def stranger(world: PamWorld, server: Sshd) -> Any:
    """A key that may log in as dtalice, of a machine that nobody has enrolled."""
    key = make_key(world.directory / "stranger")
    server.allow("dtalice", key)
    return key


def refused(world: PamWorld, sshd: Sshd, key: Any, cause: str) -> None:
    """sshd shows no text of a refusal that comes without a prompt."""
    ssh = sshd.connect("dtalice", key)
    ssh.expect(["Permission denied", "Too many authentication failures"])
    ssh.expect(pexpect.EOF)
    event = world.outcome("sshd")
    assert event["debugContext"]["debugData"]["cause"] == cause
    assert not world.sim.pushes()


def test_ssh_of_somebody_not_assigned(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.sim.add_user("dtalice@example.com", factors=(PUSH,), push="approve")
    refused(world, sshd, stranger, "APP_NOT_ASSIGNED")


@pytest.mark.parametrize("assigned", [True, False])
def test_ssh_from_a_trusted_device(world: PamWorld, sshd: Sshd, assigned: bool) -> None:
    made = world.pki["devices"][DEVICE]
    world.sim.add_user("dtalice@example.com", apps={APP: "ACTIVE"} if assigned else {})
    world.sim.enrol_device(made["device_id"], user="dtalice@example.com")
    world.add_device(made["files"]["certificate"])
    key = install_device_key(world, DEVICE)
    sshd.allow("dtalice", key)
    if not assigned:
        refused(world, sshd, key, "APP_NOT_ASSIGNED")
        return
    ssh = sshd.connect("dtalice", key)
    ssh.expect("I-am-in")
    ssh.expect(pexpect.EOF)
    assert world.outcome("sshd")["debugContext"]["debugData"]["cause"] == "RULE_ALLOW"


def test_ssh_of_somebody_unknown(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    refused(world, sshd, stranger, "OKTA_USER_UNKNOWN")


@pytest.mark.parametrize("status", STATES)
def test_account_at_pam(world: PamWorld, sshd: Sshd, status: str) -> None:
    cause, words = STATES[status]
    world.sim.add_user("dtalice@example.com", factors=(PUSH,), status=status)
    report = world.login("desk", "dtalice")
    assert report["auth"] == ("AUTH_ERR" if cause == "MFA_LOCKED" else "PERM_DENIED")
    assert [line for line in report["lines"] if words in line.get("message", "")]
    assert world.outcome("desk")["debugContext"]["debugData"]["cause"] == cause
    assert not world.sim.pushes()


def test_somebody_unknown_at_pam(world: PamWorld, sshd: Sshd) -> None:
    report = world.login("desk", "dtalice")
    assert report["auth"] == "PERM_DENIED"
    assert "no account for this user name" in str(report["lines"])
