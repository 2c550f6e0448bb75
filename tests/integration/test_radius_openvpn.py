# SPDX-License-Identifier: GPL-2.0-or-later
# OpenVPN with its RADIUS plugin in front of the samples, with the presets of conf/openvpn: a person
# is in, stays in, is asked once a session, and can give a passcode.
"""FreeRADIUS with rlm_devtrust behind OpenVPN."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib import vpn
from tests.lib.matrix import cell
from tests.lib.radius import World

pytestmark = pytest.mark.skipif(bool(vpn.missing("openvpn")), reason=vpn.missing("openvpn"))

PUSH, TOTP = "push", "token:software:totp"
# Seconds; an hour in people's servers. Longer than a sign-on with a push takes here: a
# renegotiation that begins within one does not end.
RENEGOTIATE = "reneg-sec 9"
TIMES = 2
POLICIES = [sites.guide_policy("vpn"), sites.guide_policy("wifi")]


def case(name: str, whole: bool = True) -> pytest.MarkDecorator:
    return cell("radius", "OpenVPN", name, whole)


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
            replace={"#append_passcode = yes": "append_passcode = yes",
                     "#\tvpn_device_id = &DevTrust-Asserted-Device-Id":
                         "\tvpn_device_id = &control:DevTrust-Asserted-Device-Id"},
            policies=POLICIES) as made:
        made.sim.enrol_device(vpn.DEVICE)
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.fixture(scope="module")
def gateway(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[vpn.OpenVpn]:
    """Renegotiations go by RADIUS: without tokens."""
    with vpn.OpenVpn(tmp_path_factory.mktemp("openvpn"), world.radius,
                     changes={"auth-gen-token 28800 3600\n": ""}) as made:
        yield made


@pytest.fixture(scope="module")
def as_shipped(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[vpn.OpenVpn]:
    """With every line of the preset."""
    with vpn.OpenVpn(tmp_path_factory.mktemp("shipped"), world.radius) as made:
        yield made


def pushes(world: World, user: str) -> int:
    return len(world.sim.pushes(user + "@example.com"))


def packets(gateway: vpn.OpenVpn, code: int, user: str) -> list[vpn.Packet]:
    assert gateway.relay is not None
    return gateway.relay.of(code, vpn.USER_NAME, user.encode())


def accounted(gateway: vpn.OpenVpn, user: str, status: bytes) -> list[vpn.Packet]:
    return [p for p in packets(gateway, vpn.ACCOUNTING_REQUEST, user)
            if p.all(vpn.ACCT_STATUS_TYPE) == [status]]


@case("trusted", whole=False)
def test_trusted(world: World, gateway: vpn.OpenVpn) -> None:
    """In without MFA, and still there after accounting has come and gone some times."""
    user = world.person("trusted", PUSH)
    with gateway.client(user) as client:
        client.wait_connected()
        vpn.wait_for(lambda: len(accounted(gateway, user, vpn.ALIVE)) >= 3, lambda: client.log)
        assert client.is_connected and accounted(gateway, user, vpn.START)
    vpn.wait_for(lambda: accounted(gateway, user, vpn.STOP), lambda: client.log)
    assert world.outcome(user, "RULE_ALLOW")["verdict"] == "TRUSTED" and not pushes(world, user)


@case("push", whole=False)
def test_push(world: World, gateway: vpn.OpenVpn) -> None:
    user = world.person("approves", PUSH, push="approve", after=0.5)
    with gateway.client(user) as client:
        client.wait_connected()
    assert pushes(world, user) == 1 and world.outcome(user, "MFA_SUCCESS")


@case("renegotiated")
def test_a_session_asks_once(world: World, gateway: vpn.OpenVpn) -> None:
    user = world.person("asked", PUSH, push="approve", after=0.2)
    with gateway.client(user, more=RENEGOTIATE) as client:
        client.wait_connected()
        vpn.wait_for(lambda: len(packets(gateway, vpn.ACCESS_REQUEST, user)) > TIMES,
                     lambda: client.log)
        world.outcome(user, "MFA_REMEMBERED", TIMES)
        assert client.is_connected
    assert pushes(world, user) == 1 and len(world.outcomes(user, "MFA_SUCCESS")) == 1
    sessions = {p.all(vpn.ACCT_SESSION_ID)[0]
                for p in packets(gateway, vpn.ACCESS_REQUEST, user)}
    assert len(sessions) == 1
    # After its Stop it is another session.
    vpn.wait_for(lambda: accounted(gateway, user, vpn.STOP), lambda: client.log)
    with gateway.client(user) as client:
        client.wait_connected()
    assert pushes(world, user) == 2


@case("renegotiated")
def test_renegotiation_by_a_token(world: World, as_shipped: vpn.OpenVpn) -> None:
    """Nobody asks RADIUS again."""
    user = world.person("token", PUSH, push="approve", after=0.2)
    with as_shipped.client(user, more=RENEGOTIATE) as client:
        client.wait_connected()
        for _ in range(TIMES):
            client.wait_renegotiated()
        assert client.is_connected
    assert pushes(world, user) == 1
    assert len(packets(as_shipped, vpn.ACCESS_REQUEST, user)) == 1


@case("passcode")
def test_static_challenge(world: World, as_shipped: vpn.OpenVpn) -> None:
    user = world.person("static", TOTP, PUSH, push="deny")
    with as_shipped.client(user, answer=world.passcode(user)) as client:
        client.wait_connected()
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == TOTP and not pushes(world, user)


@case("passcode")
def test_passcode_behind_the_password(world: World, as_shipped: vpn.OpenVpn) -> None:
    user = world.person("comma", TOTP, PUSH, push="deny")
    with as_shipped.client(user, f"{rad.PASSWORD},{world.passcode(user)}") as client:
        client.wait_connected()
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == TOTP and not pushes(world, user)


@case("passcode")
def test_a_wrong_passcode(world: World, as_shipped: vpn.OpenVpn) -> None:
    user = world.person("wrong", TOTP)
    with as_shipped.client(user, answer="000000") as client:
        client.wait_refused()
    assert not world.outcomes(user, "MFA_SUCCESS")


@case("push")
def test_static_challenge_left_empty(world: World, as_shipped: vpn.OpenVpn) -> None:
    user = world.person("empty", TOTP, PUSH, push="approve", after=0.5)
    with as_shipped.client(user, answer="") as client:
        client.wait_connected()
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == PUSH


@case("push")
def test_a_slow_person(world: World, as_shipped: vpn.OpenVpn) -> None:
    """Longer than any default of OpenVPN or its plugin lets them be."""
    user = world.person("slow", PUSH, push="approve", after=40.0)
    with as_shipped.client(user) as client:
        client.wait_connected()
    assert pushes(world, user) == 1
    assert len(packets(as_shipped, vpn.ACCESS_REQUEST, user)) == 1


@case("denied")
def test_denied(world: World, as_shipped: vpn.OpenVpn) -> None:
    user = world.person("denies", PUSH, push="deny", after=0.5)
    with as_shipped.client(user) as client:
        client.wait_refused()
    world.outcome(user, "MFA_REJECTED")


@case("denied")
def test_a_wrong_password(world: World, as_shipped: vpn.OpenVpn) -> None:
    user = world.person("nobody", PUSH, push="approve")
    with as_shipped.client(user, "wrong") as client:
        client.wait_refused()
    assert not pushes(world, user)


@case("okta down")
def test_okta_down(world: World, as_shipped: vpn.OpenVpn) -> None:
    """Nobody is let in without the MFA that is due; a trusted device is."""
    user = world.person("down", PUSH, push="approve")
    world.sim.listener("okta", "down")
    try:
        with as_shipped.client(user) as client:
            client.wait_refused()
        world.outcome(user, "OKTA_UNAVAILABLE")
        with as_shipped.client("trusted") as client:
            client.wait_connected()
    finally:
        world.sim.listener("okta", "up")
