# SPDX-License-Identifier: GPL-2.0-or-later
# ocserv, asking the shipped virtual server by radcli, and openconnect as people run it. Its entry
# in clients.conf is the sample's.
"""FreeRADIUS with rlm_devtrust: behind ocserv."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import ocserv
from tests.lib import radius as rad
from tests.lib import vpn
from tests.lib.matrix import cell
from tests.lib.ocserv import Ocserv
from tests.lib.radius import World

pytestmark = pytest.mark.skipif(bool(ocserv.missing()), reason=ocserv.missing())

PROGRAM = "ocserv, openconnect"
PUSH, TOTP = "push", "token:software:totp"
ADDRESS = ocserv.POOL + ".77"
GIVEN = f"""
DEFAULT Cleartext-Password := "{rad.PASSWORD}"
    Framed-IP-Address = {ADDRESS},
    Framed-IP-Netmask = 255.255.255.255,
    Framed-Protocol = PPP,
    Session-Timeout = 3600

"""


def entry(**changes: str) -> str:
    """What the sample has for ocserv in clients.conf, for the gateway under test."""
    text = (rad.SAMPLES / "clients-devtrust.conf").read_text()
    found = re.search(r"^#client ocserv \{\n(?:#.*\n)*?#\}\n", text, re.MULTILINE)
    assert found
    made = re.sub(r"(?m)^#", "", found[0])
    for old, new in {"192.0.2.2": ocserv.SOURCE, "change-me-and-make-me-long-and-random":
                     rad.SECRET.decode(), **changes}.items():
        assert old in made, old
        made = made.replace(old, new)
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("ocserv"), pki_index, extra=entry(),
                         users_text=GIVEN, settings={"mfa": {"push_limit": "1000"}}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Ocserv]:
    with Ocserv(tmp_path_factory.mktemp("gateway"), world.radius) as made:
        yield made


@pytest.mark.parametrize("case", [pytest.param("trusted", marks=cell(
    "radius", PROGRAM, "trusted", whole=True))])
def test_trusted(case: str) -> None:
    pytest.skip("ocserv tells RADIUS nothing about the device: " + case)


@pytest.mark.parametrize("after", [pytest.param(1.0, marks=cell("radius", PROGRAM, "push")),
                                   pytest.param(12.0, marks=cell("radius", PROGRAM, "push",
                                                                 whole=True))])
def test_push(world: World, gateway: Ocserv, after: float) -> None:
    """The form waits as long as the person does; one push, however often radcli asks."""
    user = world.person(f"push-{after:.0f}", PUSH, push="approve", after=after)
    with gateway.client(user) as client:
        client.answer(rad.PASSWORD)
        client.wait_connected()
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == PUSH
    assert len(world.sim.pushes(user + "@example.com")) == 1


@pytest.mark.parametrize("wrong", [pytest.param(0, marks=cell("radius", PROGRAM, "passcode")),
                                   pytest.param(1, marks=cell("radius", PROGRAM, "passcode",
                                                              whole=True))])
def test_passcode(world: World, gateway: Ocserv, wrong: int) -> None:
    """The second form is the challenge's, with its text; a wrong passcode gets a third."""
    user = world.person(f"passcode-{wrong}", TOTP)
    with gateway.client(user) as client:
        client.answer(rad.PASSWORD)
        assert "passcode" in client.wait_asked()
        right = world.passcode(user)
        for _ in range(wrong):
            client.answer(f"{(int(right) + 1) % 1000000:06d}")
            client.wait_asked()
        client.answer(right)
        client.wait_connected()
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == TOTP


@pytest.mark.parametrize("push,cause", [
    pytest.param("deny", "MFA_REJECTED", marks=cell("radius", PROGRAM, "denied", whole=True)),
    pytest.param("ignore", "MFA_TIMEOUT", marks=cell("radius", PROGRAM, "denied", whole=True))])
def test_denied(world: World, gateway: Ocserv, push: str, cause: str) -> None:
    user = world.person("denied-" + push, PUSH, push=push, after=0.5)
    with gateway.client(user) as client:
        client.answer(rad.PASSWORD)
        client.wait_refused()
    world.outcome(user, cause)


@pytest.mark.parametrize("case", [pytest.param("okta down", marks=cell(
    "radius", PROGRAM, "okta down", whole=True))])
def test_okta_down(world: World, gateway: Ocserv, case: str) -> None:
    user = world.person("down", PUSH, push="approve")
    with world.okta_down(), gateway.client(user) as client:
        client.answer(rad.PASSWORD)
        assert "Okta cannot be reached" in client.wait_refused()
    assert world.outcome(user, "OKTA_UNAVAILABLE"), case


@pytest.mark.parametrize("password", [pytest.param("wrong", marks=cell(
    "radius", PROGRAM, "denied", whole=True))])
def test_wrong_password(world: World, gateway: Ocserv, password: str) -> None:
    user = world.person("wrong", PUSH, push="approve")
    with gateway.client(user) as client:
        client.answer(password)
        client.wait_refused()
    assert not world.sim.pushes(user + "@example.com") and not world.outcomes(user)


# --- what RADIUS tells the gateway ---------------------------------------------------------------

@pytest.mark.parametrize("factor", [pytest.param(PUSH, marks=cell(
    "radius", PROGRAM + ", groupconfig", "push", whole=True)), pytest.param(TOTP, marks=cell(
        "radius", PROGRAM + ", groupconfig", "passcode", whole=True))])
def test_address_by_radius(world: World, tmp_path: Path, factor: str) -> None:
    """With groupconfig the address is that of the Access-Accept, which came after the wait."""
    user = world.person("given-" + factor[:4], factor, push="approve", after=0.5)
    with Ocserv(tmp_path, world.radius, group_config=True) as gateway, \
            gateway.client(user) as client:
        client.answer(rad.PASSWORD)
        if factor == TOTP:
            client.wait_asked()
            client.answer(world.passcode(user))
        assert client.wait_connected() == ADDRESS


@pytest.mark.parametrize("case", [pytest.param("accounting", marks=cell(
    "radius", PROGRAM, "accounting", whole=True))])
def test_accounting(world: World, gateway: Ocserv, case: str) -> None:
    """Start, interim and Stop are answered: ocserv ends a session whose accounting is not."""
    user = world.person(case, PUSH, push="approve")
    assert gateway.relay is not None
    with gateway.client(user) as client:
        client.answer(rad.PASSWORD)
        client.wait_connected()
        for kind in (vpn.START, vpn.ALIVE):
            vpn.wait_for(lambda: gateway.relay.of(  # type: ignore[union-attr]
                vpn.ACCOUNTING_REQUEST, vpn.ACCT_STATUS_TYPE, kind), lambda: gateway.log)
    vpn.wait_for(lambda: gateway.relay.of(  # type: ignore[union-attr]
        vpn.ACCOUNTING_REQUEST, vpn.ACCT_STATUS_TYPE, vpn.STOP), lambda: gateway.log)
    vpn.wait_for(lambda: len(gateway.relay.of(vpn.ACCOUNTING_RESPONSE)) >= 3,  # type: ignore
                 lambda: gateway.log)


# --- everything by challenge ---------------------------------------------------------------------

@pytest.mark.parametrize("end", [
    pytest.param("approve", marks=cell("radius", PROGRAM + ", wait = challenge", "push",
                                       whole=True)),
    pytest.param("deny", marks=cell("radius", PROGRAM + ", wait = challenge", "denied",
                                    whole=True))])
def test_push_by_challenge(tmp_path: Path, pki_index: dict[str, Any], end: str) -> None:
    """The second form says that a push is on its way; whoever has approved types only Enter."""
    with rad.start_world(tmp_path / "w", pki_index, extra=entry(),
                         replace={"wait = hybrid": "wait = challenge"}) as world:
        (tmp_path / "gateway").mkdir()
        user = world.person("enter", PUSH)
        with Ocserv(tmp_path / "gateway", world.radius) as gateway, \
                gateway.client(user) as client:
            client.answer(rad.PASSWORD)
            assert "Okta Verify" in client.wait_asked()
            getattr(world.sim, end)(user + "@example.com")
            client.answer("")
            if end == "approve":
                client.wait_connected()
            else:
                client.wait_refused()


# --- what radcli needs ---------------------------------------------------------------------------

@pytest.mark.parametrize("required,lets_in", [pytest.param("no", True, marks=cell(
    "radius", PROGRAM, "push", whole=True)), pytest.param("yes", False, marks=cell(
        "radius", PROGRAM, "push", whole=True))])
def test_entry_in_clients_conf(tmp_path: Path, pki_index: dict[str, Any], required: str,
                               lets_in: bool) -> None:
    """radcli sends no Message-Authenticator: with "yes" nobody gets an answer."""
    changed = entry(**{"require_message_authenticator = no":
                       "require_message_authenticator = " + required})
    (tmp_path / "gateway").mkdir()
    with rad.start_world(tmp_path / "w", pki_index, extra=changed) as world:
        user = world.person("entry", PUSH, push="approve")
        with Ocserv(tmp_path / "gateway", world.radius, timeout=8) as gateway, \
                gateway.client(user) as client:
            client.answer(rad.PASSWORD)
            if lets_in:
                client.wait_connected()
            else:
                client.wait_refused()
            assert gateway.relay is not None
            asked = gateway.relay.of(1)
            assert asked and not any(p.all(rad.ATTRIBUTES["Message-Authenticator"])
                                     for p in asked)
        assert lets_in == bool(world.outcomes(user))
