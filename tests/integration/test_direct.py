# SPDX-License-Identifier: GPL-2.0-or-later
# [mfa] okta_way = direct at real doors: ssh by key, where Okta sees no password, and a VPN gateway
# and Wi-Fi whose password Okta checks in the same transaction. One world of each kind.
"""Direct Authentication of the Identity Engine."""

from __future__ import annotations

import re
from typing import Any, Iterator

import pexpect
import pytest

from tests.integration.test_primary import OKTA
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.matrix import cell
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.sshd import Sshd
from tests.sim.client import Sim

FACTORS = ("push", "token:software:totp", "sms", "email")
LOGIN = "dtalice@example.com"
PASSWORD = "Kr0ne & \"Säule\"\\42"
ODD_TOKENS = ("missing", "other", "audience", "expired", "unsigned", "password")


def settings(sim: Any) -> dict[str, dict[str, Any]]:
    return {"okta": {"native_client_id": sim.okta_native_client_id, "poll_interval": "250ms"},
            "mfa": {"factors": ", ".join(FACTORS), "okta_way": "direct", "push_pause": "0s",
                    "push_limit": "1000", "message_limit": "100"}}


def assert_no_secret(sim: Any, site: sites.Site) -> None:
    """Neither tokens of transactions nor the password are in what was written."""
    files = [p for p in site.directory.rglob("*") if p.is_file()]
    text = b"".join(p.read_bytes() for p in files)
    secrets = sim.authn()["secrets"]
    assert secrets
    assert [s for s in [*secrets, "Kr0ne"] if s.encode() in text] == []


# --- PAM ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        made.site.configure(settings(made.sim))
        made.site.set_policy(sites.guide_policy("sshd", factors=FACTORS))
        made.start_daemon()
        yield made
        made.stop_daemon()


@pytest.fixture(scope="module")
def server(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world) as made:
        yield made


@pytest.fixture(scope="module")
def key(server: Sshd) -> Any:
    return server.stranger("dtalice")


@pytest.fixture
def person(world: PamWorld) -> Any:
    def give(*factors: str, **switches: Any) -> None:
        world.sim.reset()
        world.site.audit_path.unlink(missing_ok=True)
        world.stop_daemon()
        for path in world.site.store_path.parent.iterdir():
            path.unlink()
        world.start_daemon()
        world.sim.org(direct_interval=1.0, **switches)
        world.sim.add_user(LOGIN, factors=factors)
    return give


def end(ssh: "pexpect.spawn[str]") -> int:
    """0: the person is in."""
    found = ssh.expect(["I-am-in", "Permission denied", "Too many authentication failures"])
    ssh.expect(pexpect.EOF)
    ssh.close()
    return found


def debug(world: PamWorld) -> dict[str, Any]:
    data: dict[str, Any] = world.outcome("sshd")["debugContext"]["debugData"]
    return data


@cell("pam", "ssh, way direct", "push")
def test_push_by_ssh(world: PamWorld, server: Sshd, key: Any, person: Any) -> None:
    """The number is seen before the wait. Polls keep Okta's interval; the API token stays away
    from the token endpoint, which would refuse it."""
    person("push", force_number_challenge=True)
    ssh = server.connect("dtalice", key)
    ssh.expect(r"number\s+(\d+)\s+in\s+Okta\s+Verify")
    assert ssh.match is not None
    world.sim.approve(LOGIN, number=int(ssh.match.group(1)))
    ssh.sendline("")
    assert end(ssh) == 0
    told = debug(world)
    assert (told["cause"], told["factor"]) == ("MFA_SUCCESS", "push")
    assert world.sim.authn()["hurried"] == 0
    assert world.sim.count("okta.primary") == 1 and world.sim.count("okta.verify") == 0
    assert_no_secret(world.sim, world.site)


@cell("pam", "ssh, way direct", "passcode", whole=True)
def test_passcode_by_ssh(world: PamWorld, server: Sshd, key: Any, person: Any) -> None:
    person("token:software:totp")
    ssh = server.connect("dtalice", key)
    ssh.expect("passcode: ")
    ssh.sendline("000000")
    ssh.expect(r"not accepted[\s\S]*passcode: ")
    ssh.sendline(world.sim.code(LOGIN, "token:software:totp"))
    assert end(ssh) == 0
    assert debug(world)["factor"] == "token:software:totp"


@cell("pam", "ssh, way direct", "sms", whole=True)
def test_sms_by_ssh(world: PamWorld, server: Sshd, key: Any, person: Any) -> None:
    person("sms")
    ssh = server.connect("dtalice", key)
    ssh.expect(r"Code sent by SMS")
    ssh.sendline(world.sim.code(LOGIN, "sms"))
    assert end(ssh) == 0
    assert debug(world)["factor"] == "sms"


@cell("pam", "ssh, way direct", "denied", whole=True)
def test_denied_by_ssh(world: PamWorld, server: Sshd, key: Any, person: Any) -> None:
    person("push")
    ssh = server.connect("dtalice", key)
    ssh.expect(r"Okta\s+Verify[\s\S]*press\s+Enter")
    world.sim.deny(LOGIN)
    ssh.sendline("")
    assert end(ssh) != 0
    assert debug(world)["cause"] == "MFA_REJECTED"


def test_a_factor_that_this_way_cannot_ask_for(world: PamWorld, server: Sshd, key: Any,
                                               person: Any) -> None:
    person("email")
    assert end(server.connect("dtalice", key)) != 0
    assert debug(world)["cause"] == "MFA_NO_FACTOR"


@pytest.mark.parametrize("what", ODD_TOKENS)
def test_an_odd_id_token_lets_nobody_in(world: PamWorld, server: Sshd, key: Any, person: Any,
                                        what: str) -> None:
    """The passcode is right, and Okta answers 200."""
    person("token:software:totp", direct_id_token=what)
    ssh = server.connect("dtalice", key)
    ssh.expect("passcode: ")
    ssh.sendline(world.sim.code(LOGIN, "token:software:totp"))
    assert end(ssh) != 0
    assert debug(world)["cause"] == "OKTA_ANSWER_UNUSABLE"


def test_an_app_that_may_not(world: PamWorld, server: Sshd, key: Any, person: Any) -> None:
    """What the administrator has to do is in the event."""
    person("push", direct_grants="password mfa-otp mfa-oob")
    assert end(server.connect("dtalice", key)) != 0
    told = debug(world)
    assert told["cause"] == "CONFIG" and "native_client_id" in told["detail"]


# --- RADIUS -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def radius(tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[rad.World]:
    directory = tmp_path_factory.mktemp("direct")
    with Sim.start(directory / "sim") as sim:
        sim.org(authn_per_second=0, direct_interval=1.0)
        own = {**settings(sim), "primary": {"okta_password": "vpn, wifi"}}
        site = sites.Site(directory / "site", sim, pki_index, settings=own, policies=[
            sites.guide_policy(name, factors=FACTORS) for name in ("vpn", "wifi")])
        with rad.Radius(directory / "raddb", site, replace=OKTA) as server:
            yield rad.World(sim, pki_index, site, server)
            assert server.is_running(), server.log_text()
            assert server.stop() == 0, server.log_text()
            assert_no_secret(sim, site)


def give(radius: rad.World, name: str, *factors: str) -> str:
    radius.person(name, *factors)
    radius.sim.set_user(name + "@example.com", password=PASSWORD)
    return name


@cell("radius", "VPN challenge, way direct", "push")
def test_password_and_push_by_challenge(radius: rad.World) -> None:
    user = give(radius, "pusher", "push")
    radius.sim.org(force_number_challenge=True)
    try:
        client = radius.client()
        asked = client.login(user, PASSWORD)
        assert asked.code == rad.CHALLENGE, radius.radius.log_text()
        found = re.search(r"number (\d+) in Okta Verify", asked.message)
        assert found, asked.message
        radius.sim.approve(user + "@example.com", number=int(found.group(1)))
        assert client.login(user, "", state=asked.state).code == rad.ACCEPT
    finally:
        radius.sim.org(force_number_challenge=False)
    assert radius.outcome(user, "MFA_SUCCESS")["primary"] == "okta-password"
    assert radius.sim.count("okta.authn") == 0


@cell("radius", "VPN challenge, way direct", "passcode", whole=True)
def test_password_and_passcode_by_challenge(radius: rad.World) -> None:
    user = give(radius, "coder", "token:software:totp")
    client = radius.client()
    asked = client.login(user, PASSWORD)
    assert asked.code == rad.CHALLENGE
    answer = radius.sim.code(user + "@example.com", "token:software:totp")
    assert client.login(user, answer, state=asked.state).code == rad.ACCEPT


@cell("radius", "VPN challenge, way direct", "sms", whole=True)
def test_password_and_sms_by_challenge(radius: rad.World) -> None:
    user = give(radius, "texter", "sms")
    client = radius.client()
    asked = client.login(user, PASSWORD)
    assert asked.code == rad.CHALLENGE and "Code sent by SMS" in asked.message
    answer = radius.sim.code(user + "@example.com", "sms")
    assert client.login(user, answer, state=asked.state).code == rad.ACCEPT


@cell("radius", "VPN challenge, way direct", "denied", whole=True)
def test_denied_by_challenge(radius: rad.World) -> None:
    user = give(radius, "denier", "push")
    radius.sim.set_push(user + "@example.com", "deny", after=0.5)
    assert radius.client().login(user, PASSWORD).code == rad.REJECT
    assert radius.outcome(user, "MFA_REJECTED")


@cell("radius", "Wi-Fi, way direct", "push")
def test_password_and_push_by_wifi(radius: rad.World) -> None:
    user = give(radius, "roamer", "push")
    radius.sim.set_push(user + "@example.com", "approve", after=0.5)
    done = rad.eap_ttls(radius.radius, user, PASSWORD)
    assert done.accepts == 1, done.output[-3000:]
    assert radius.outcome(user, "MFA_SUCCESS")["primary"] == "okta-password"


def test_a_wrong_password_rings_no_phone(radius: rad.World) -> None:
    user = give(radius, "wrong", "push")
    assert radius.client().login(user, "no " + PASSWORD).code == rad.REJECT
    assert radius.outcome(user, "PRIMARY_FAILED")
    assert not radius.sim.pushes(user + "@example.com")


# What becomes of the reply that begins a push, and of the one that brings the tokens.
SPOILT: dict[str, tuple[str, dict[str, Any]]] = {
    "redirect": ("redirect", {"location": "https://evil.example/"}), "html": ("html", {}),
    "huge": ("huge", {}), "truncated": ("truncate", {"keep": 0.9}), "empty": ("json", {"body": {}}),
    "SUCCESS of another API": ("json", {"body": {"factorResult": "SUCCESS"}}),
}


@pytest.mark.parametrize("what", SPOILT)
def test_spoilt_begin(radius: rad.World, what: str) -> None:
    kind, values = SPOILT[what]
    user = give(radius, "begin-" + what.replace(" ", "-").lower(), "push")
    fault = radius.sim.fault(kind, listener="okta", endpoint="challenge", **values)
    try:
        assert radius.client().login(user, PASSWORD).code == rad.REJECT
        assert radius.outcome(user, "OKTA_ANSWER_UNUSABLE")
    finally:
        radius.sim.clear_fault(fault)


@pytest.mark.parametrize("what", SPOILT)
def test_spoilt_tokens(radius: rad.World, what: str) -> None:
    """The person has approved, and Okta's word for it does not arrive: nobody is in."""
    kind, values = SPOILT[what]
    user = give(radius, "tokens-" + what.replace(" ", "-").lower(), "token:software:totp")
    client = radius.client()
    asked = client.login(user, PASSWORD)
    assert asked.code == rad.CHALLENGE
    fault = radius.sim.fault(kind, listener="okta", endpoint="token", **values)
    try:
        answer = radius.sim.code(user + "@example.com", "token:software:totp")
        assert client.login(user, answer, state=asked.state).code == rad.REJECT
        assert radius.outcome(user, "OKTA_ANSWER_UNUSABLE")
    finally:
        radius.sim.clear_fault(fault)
