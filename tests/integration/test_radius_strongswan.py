# SPDX-License-Identifier: GPL-2.0-or-later
# strongSwan with eap-radius in front of the samples, with the presets of conf/strongswan: a tunnel
# that accounting does not end, a person who takes their time, keys that change without a sign-on.
"""FreeRADIUS with rlm_devtrust behind strongSwan."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib import vpn
from tests.lib.matrix import cell
from tests.lib.radius import World

MISSING = vpn.missing("charon-systemd", "swanctl")
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

PUSH, TOTP = "push", "token:software:totp"
POLICIES = [sites.guide_policy("vpn"), sites.guide_policy("wifi")]
REKEY = {"rekey_time = 4h": "rekey_time = 3s\n\t\trand_time = 0s\n\t\tover_time = 60s"}
TIMES = 3
# Timers as they are without the preset.
DEFAULTS = {"retransmit_timeout = 5.0": "retransmit_timeout = 2.0",
            "retransmit_base = 1.0": "retransmit_base = 1.4",
            "retransmit_tries = 13": "retransmit_tries = 4"}


def case(name: str, whole: bool = True) -> pytest.MarkDecorator:
    return cell("radius", "strongSwan", name, whole)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    """The directory knows the device of one person; the gateway accounts every two seconds."""
    users = (f'trusted Cleartext-Password := "{rad.PASSWORD}", '
             f'DevTrust-Asserted-Device-Id := "{vpn.DEVICE}"\n'
             "    Acct-Interim-Interval = 2\n\n")
    with rad.start_world(
            tmp_path_factory.mktemp("world"), pki_index, extra=vpn.CLIENTS, users_text=users,
            settings={"mfa": {"push_limit": "1000", "push_pause": "0s", "wait_vpn": "55s"},
                      "device_trust": {"trusted_when": "vpn-client+intune"}},
            replace={"#\tvpn_device_id = &DevTrust-Asserted-Device-Id":
                     "\tvpn_device_id = &control:DevTrust-Asserted-Device-Id"},
            policies=POLICIES) as made:
        made.sim.enrol_device(vpn.DEVICE)
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.fixture(scope="module")
def gateway(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[vpn.StrongSwan]:
    """With every line of the presets, but that keys change every three seconds."""
    with vpn.StrongSwan(tmp_path_factory.mktemp("strongswan"), world.radius,
                        connection=REKEY) as made:
        yield made


def pushes(world: World, user: str) -> int:
    return len(world.sim.pushes(user + "@example.com"))


def packets(gateway: vpn.StrongSwan, code: int, user: str) -> list[vpn.Packet]:
    assert gateway.relay is not None
    return gateway.relay.of(code, vpn.USER_NAME, user.encode())


def accounted(gateway: vpn.StrongSwan, user: str, status: bytes) -> list[vpn.Packet]:
    return [p for p in packets(gateway, vpn.ACCOUNTING_REQUEST, user)
            if p.all(vpn.ACCT_STATUS_TYPE) == [status]]


@case("trusted", whole=False)
def test_trusted(world: World, gateway: vpn.StrongSwan) -> None:
    """In without MFA, and still there after accounting has come and gone some times."""
    user = world.person("trusted", PUSH)
    with gateway.client(user) as client:
        assert client.connect(), client.log
        vpn.wait_for(lambda: len(accounted(gateway, user, vpn.ALIVE)) >= 3, lambda: client.log)
        assert client.is_connected and accounted(gateway, user, vpn.START)
    vpn.wait_for(lambda: accounted(gateway, user, vpn.STOP), lambda: client.log)
    assert world.outcome(user, "RULE_ALLOW")["verdict"] == "TRUSTED" and not pushes(world, user)


@case("push", whole=False)
def test_push(world: World, gateway: vpn.StrongSwan) -> None:
    user = world.person("approves", PUSH, push="approve", after=0.5)
    with gateway.client(user) as client:
        assert client.connect() and client.is_connected, client.log
    assert pushes(world, user) == 1 and world.outcome(user, "MFA_SUCCESS")


@case("renegotiated")
def test_a_session_asks_once(world: World, gateway: vpn.StrongSwan) -> None:
    """Its keys change without a sign-on, and what the gateway names it stays."""
    user = world.person("asked", PUSH, push="approve", after=1.0)
    with gateway.client(user) as client:
        assert client.connect(), client.log
        signed_on = len(packets(gateway, vpn.ACCESS_REQUEST, user))
        vpn.wait_for(lambda: gateway.charon.log.count("rekeyed between") >= TIMES,
                     lambda: client.log)
        assert client.is_connected
    assert pushes(world, user) == 1
    assert len(packets(gateway, vpn.ACCESS_REQUEST, user)) == signed_on
    vpn.wait_for(lambda: accounted(gateway, user, vpn.STOP), lambda: client.log)


@case("accounting")
def test_without_an_answer_to_accounting(world: World, tmp_path: Path) -> None:
    """What the samples' accounting is for: without it the tunnel goes."""
    user = world.person("unanswered", PUSH, push="approve")
    quick = {"retransmit_timeout = 5.0": "retransmit_timeout = 0.5",
             "retransmit_tries = 13": "retransmit_tries = 2"}
    with vpn.StrongSwan(tmp_path / "gateway", world.radius, changes=quick) as gateway:
        assert gateway.relay is not None
        gateway.relay.silent.add(vpn.ACCOUNTING_RESPONSE)
        with gateway.client(user) as client:
            client.connect(20)
            vpn.wait_for(lambda: not client.is_connected, lambda: client.log)


@case("push")
def test_a_slow_person(world: World, gateway: vpn.StrongSwan) -> None:
    """Longer than strongSwan's own 14 and 30 seconds."""
    user = world.person("slow", PUSH, push="approve", after=40.0)
    with gateway.client(user) as client:
        assert client.connect(), client.log
        assert client.is_connected
    assert pushes(world, user) == 1


@case("gave up")
def test_without_the_preset(world: World, tmp_path: Path) -> None:
    """By strongSwan's own timers it gives up; the event of the approval after that says so."""
    user = world.person("late", PUSH, push="approve", after=25.0)
    with vpn.StrongSwan(tmp_path / "gateway", world.radius, changes=DEFAULTS) as gateway:
        with gateway.client(user) as client:
            assert not client.connect()
            detail = world.outcome(user, "MFA_SUCCESS", timeout=60.0)["detail"]
            assert detail is not None and "stopped repeating" in detail


@case("passcode")
def test_passcode_behind_the_password(world: World, gateway: vpn.StrongSwan) -> None:
    """By EAP-GTC, which brings the password as it was typed."""
    user = world.person("comma", TOTP, PUSH, push="deny")
    password = f"{rad.PASSWORD},{world.passcode(user)}"
    with gateway.client(user, password, method="eap-gtc") as client:
        assert client.connect(), client.log
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == TOTP and not pushes(world, user)


@case("passcode")
def test_a_wrong_passcode(world: World, gateway: vpn.StrongSwan) -> None:
    user = world.person("wrong", TOTP)
    with gateway.client(user, f"{rad.PASSWORD},000000", method="eap-gtc") as client:
        assert not client.connect()
    assert not world.outcomes(user, "MFA_SUCCESS")


@case("denied")
def test_denied(world: World, gateway: vpn.StrongSwan) -> None:
    user = world.person("denies", PUSH, push="deny", after=0.5)
    with gateway.client(user) as client:
        assert not client.connect() and not client.is_connected
        assert "EAP/FAIL" in client.log
    world.outcome(user, "MFA_REJECTED")


@case("denied")
def test_a_wrong_password(world: World, gateway: vpn.StrongSwan) -> None:
    user = world.person("nobody", PUSH, push="approve")
    with gateway.client(user, "wrong") as client:
        assert not client.connect()
    assert not pushes(world, user)


@case("okta down")
def test_okta_down(world: World, gateway: vpn.StrongSwan) -> None:
    """Nobody is let in without the MFA that is due; a trusted device is."""
    user = world.person("down", PUSH, push="approve")
    world.sim.listener("okta", "down")
    try:
        with gateway.client(user) as client:
            assert not client.connect()
        world.outcome(user, "OKTA_UNAVAILABLE")
        with gateway.client("trusted") as client:
            assert client.connect(), client.log
    finally:
        world.sim.listener("okta", "up")
