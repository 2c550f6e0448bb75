# SPDX-License-Identifier: GPL-2.0-or-later
# Every factor by every way to Okta that takes the Okta password ([mfa] okta_way), at real doors:
# ssh in front of sshd, and a VPN gateway that shows challenges to FreeRADIUS. One world of each
# door and way.
"""Factor by way by door."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Iterator

import pexpect
import pytest

from tests.integration.test_factors import ALL, PROMPTS, debug, end
from tests.integration.test_primary import OKTA, PASSWORD
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.matrix import cell
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.sshd import Sshd
from tests.sim.client import Sim

PUSH, TOTP = "push", "token:software:totp"
LOGIN = "dtalice@example.com"
NUMBER = r"Choose the number (\d+) in\s+Okta Verify"
ASKS = {**PROMPTS, TOTP: r"[Pp]asscode[^\r\n]*: ", PUSH: r"press\s+Enter[^\r\n]*: "}
SHORT = (PUSH, TOTP)  # in make check, too


@dataclass(frozen=True)
class Way:
    """A way, and what a right password gets by it from the Authn API."""
    name: str
    authn_status: str
    kinds: tuple[str, ...] = ALL

    def settings(self, application: str) -> dict[str, Any]:
        return {"mfa": {"factors": ", ".join(ALL), "message_limit": "100", "push_limit": "100",
                        "okta_way": self.name},
                "primary": {"okta_password": application}}

    def person(self, sim: Sim, login: str) -> None:
        sim.set_user(login, password=PASSWORD, authn_status=self.authn_status)


# A way that takes the password has a line here.
WAYS = (Way("factors", "SUCCESS"), Way("authn", "MFA_REQUIRED"))


def cells(door: str, program: str, kinds: Any = None) -> list[Any]:
    return [pytest.param(way, kind, id=f"{way.name}-{kind}",
                         marks=cell(door, f"{program}, way {way.name}", kind,
                                    kind not in SHORT or way.name == "factors"))
            for way in WAYS for kind in kinds or way.kinds]


def of_ways(door: str, program: str, case: str) -> list[Any]:
    return [pytest.param(way, id=way.name,
                         marks=cell(door, f"{program}, way {way.name}", case, True))
            for way in WAYS]


def calls(sim: Sim, way: Way, kind: str) -> None:
    """The factor was asked for by this way, and by no other."""
    by_authn = sim.count("okta.authn_verify") + sim.count("okta.authn_resend")
    by_factors = sim.count("okta.verify")
    assert (by_authn > 0, by_factors > 0) == (way.name == "authn", way.name == "factors"), kind


# --- PAM ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.service("sshd", "password")
        made.site.set_policy(sites.guide_policy("sshd", factors=ALL))
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


def ssh_with_password(world: PamWorld, server: Sshd, key: Any, way: Way, *factors: str,
                      **org: Any) -> "pexpect.spawn[str]":
    """As far as the prompt behind the password, of a person who has these factors alone."""
    world.stop_daemon()
    world.sim.reset()
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    world.site.configure(way.settings("sshd"))
    world.start_daemon()
    world.sim.org(authn_per_second=0, **org)
    world.sim.add_user(LOGIN, factors=factors)
    way.person(world.sim, LOGIN)
    ssh = server.connect("dtalice", key)
    ssh.expect("Okta password: ")
    ssh.sendline(PASSWORD)
    return ssh


@pytest.mark.parametrize("way,kind", cells("pam", "ssh"))
def test_a_factor_by_ssh(world: PamWorld, server: Sshd, key: Any, way: Way, kind: str) -> None:
    """A wrong answer, where there is one, and the right one."""
    ssh = ssh_with_password(world, server, key, way, kind)
    ssh.expect(ASKS[kind])
    if kind == PUSH:
        world.sim.approve(LOGIN)
        ssh.sendline("")
    else:
        ssh.sendline("cc" * 22 if kind == "token:hardware" else "000000")
        ssh.expect(r"not accepted[\s\S]*" + ASKS[kind])
        ssh.sendline(world.sim.code(LOGIN, kind) if kind != TOTP else world.sim.passcode(LOGIN))
    assert end(ssh) == 0
    told = debug(world)
    assert (told["cause"], told["primary"]) == ("MFA_SUCCESS", "okta-password")
    assert told["factor"].startswith(kind)
    assert world.sim.authn()["open"] == []
    calls(world.sim, way, kind)


@pytest.mark.parametrize("way", of_ways("pam", "ssh", "number"))
def test_a_number_by_ssh(world: PamWorld, server: Sshd, key: Any, way: Way) -> None:
    ssh = ssh_with_password(world, server, key, way, PUSH, force_number_challenge=True)
    ssh.expect(NUMBER)
    assert ssh.match is not None
    number = int(ssh.match.group(1))
    world.sim.approve(LOGIN, number=number)
    ssh.sendline("")
    assert end(ssh) == 0


@pytest.mark.parametrize("way", of_ways("pam", "ssh", "denied"))
def test_a_push_denied_by_ssh(world: PamWorld, server: Sshd, key: Any, way: Way) -> None:
    """One push, and no second one."""
    ssh = ssh_with_password(world, server, key, way, PUSH)
    ssh.expect(ASKS[PUSH])
    world.sim.deny(LOGIN)
    ssh.sendline("")
    assert end(ssh) != 0
    assert debug(world)["cause"] == "MFA_REJECTED"
    assert len(world.sim.pushes(LOGIN)) == 1
    assert world.sim.authn()["open"] == []


@pytest.mark.parametrize("way", of_ways("pam", "ssh", "passcode"))
def test_a_passcode_while_a_push_waits(world: PamWorld, server: Sshd, key: Any, way: Way) -> None:
    ssh = ssh_with_password(world, server, key, way, PUSH, TOTP)
    world.sim.wait_push(LOGIN)
    ssh.expect(r"passcode[^\r\n]*: ")
    ssh.sendline("000000")
    ssh.expect(r"not accepted[\s\S]*: ")
    ssh.sendline(world.sim.passcode(LOGIN))
    assert end(ssh) == 0
    assert debug(world)["factor"].startswith(TOTP)
    assert len(world.sim.pushes(LOGIN)) == 1 and not world.sim.pushes(LOGIN, "WAITING")


# --- RADIUS -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def radius(request: Any, tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[tuple[Way, rad.World]]:
    way: Way = request.param
    with rad.start_world(tmp_path_factory.mktemp("way-" + way.name), pki_index,
                         settings=way.settings("vpn, wifi"), replace=OKTA,
                         policies=[sites.guide_policy("vpn", factors=ALL),
                                   sites.guide_policy("wifi", factors=ALL)]) as made:
        made.sim.org(authn_per_second=0)
        yield way, made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def person(radius: tuple[Way, rad.World], name: str, *factors: str) -> str:
    way, world = radius
    user = world.person(name.replace(":", "-"), *factors)
    way.person(world.sim, user + "@example.com")
    return user


@pytest.mark.parametrize("radius,kind", cells("radius", "VPN challenge"), indirect=["radius"])
def test_a_factor_by_challenge(radius: tuple[Way, rad.World], kind: str) -> None:
    """The State goes on in the same transaction, once; the person's address goes along. A push is
    waited for."""
    _, world = radius
    user = person(radius, "challenge-" + kind, kind)
    client = world.client()
    if kind == PUSH:
        world.sim.set_push(user + "@example.com", "approve")
        assert client.login(user, PASSWORD).code == rad.ACCEPT, world.radius.log_text()
        return
    asked = client.login(user, PASSWORD)
    assert asked.code == rad.CHALLENGE, world.radius.log_text()
    assert re.search(ASKS[kind].rstrip(": "), asked.message), asked.message
    answer = (world.passcode(user) if kind == TOTP else
              world.sim.code(user + "@example.com", kind))
    assert client.login(user, answer, state=asked.state).code == rad.ACCEPT
    assert world.outcome(user, "MFA_SUCCESS")["primary"] == "okta-password"
    assert client.login(user, answer + "1", state=asked.state).code == rad.REJECT
    assert user + "@example.com" not in world.sim.authn()["open"]
    assert set(world.sim.authn()["forwarded_for"]) == {"198.51.100.7"}


@pytest.mark.parametrize("radius", of_ways("radius", "VPN challenge", "denied"),
                         indirect=["radius"])
def test_a_push_that_is_denied_by_challenge(radius: tuple[Way, rad.World]) -> None:
    _, world = radius
    user = person(radius, "denied", PUSH)
    world.sim.set_push(user + "@example.com", "deny")
    assert world.client().login(user, PASSWORD).code == rad.REJECT
    assert world.outcome(user, "MFA_REJECTED")
    assert len(world.sim.pushes(user + "@example.com")) == 1
    assert user + "@example.com" not in world.sim.authn()["open"]


@pytest.mark.parametrize("radius", of_ways("radius", "Wi-Fi", PUSH), indirect=["radius"])
def test_a_push_by_wifi(radius: tuple[Way, rad.World]) -> None:
    """EAP-TTLS/PAP, parked."""
    _, world = radius
    user = person(radius, "ttls", PUSH)
    world.sim.set_push(user + "@example.com", "approve")
    done = rad.eap_ttls(world.radius, user, PASSWORD)
    assert done.accepts == 1, done.output[-3000:]
    assert world.outcome(user, "MFA_SUCCESS")["primary"] == "okta-password"


# --- what the org says in the transaction ---------------------------------------------------------

# After the right factor; the cause, and a word of what the person reads.
ENDS = (("PASSWORD_EXPIRED", "PRIMARY_EXPIRED", "must be changed"),
        ("PASSWORD_RESET", "PRIMARY_EXPIRED", "must be changed"),
        ("MFA_ENROLL", "PRIMARY_ENROLL", "set up a verification method"),
        ("MFA_ENROLL_ACTIVATE", "PRIMARY_ENROLL", "set up a verification method"),
        ("LOCKED_OUT", "MFA_LOCKED", "locked"),
        ("PASSWORD_WARN", "OKTA_REFUSED", "does not accept"),
        ("RECOVERY", "OKTA_REFUSED", "does not accept"))


@pytest.mark.parametrize("status,cause,word", ENDS)
@pytest.mark.parametrize("radius", [pytest.param(WAYS[1], id="authn")], indirect=["radius"])
def test_what_ends_a_transaction(radius: tuple[Way, rad.World], status: str, cause: str,
                                 word: str) -> None:
    _, world = radius
    user = person(radius, "ends-" + status.lower().replace("_", "-"), TOTP)
    client = world.client()
    asked = client.login(user, PASSWORD)
    assert asked.code == rad.CHALLENGE, world.radius.log_text()
    world.sim.set_user(user + "@example.com", **(
        {"status": status} if status == "LOCKED_OUT" else {"authn_after_mfa": status}))
    reply = client.login(user, world.passcode(user), state=asked.state)
    assert reply.code == rad.REJECT
    assert world.outcome(user, cause) and word in reply.message, reply.message


@pytest.mark.parametrize("radius", [pytest.param(WAYS[1], id="authn")], indirect=["radius"])
def test_without_a_transaction(radius: tuple[Way, rad.World]) -> None:
    """Where the org lets in by the password alone, nobody is asked in another way."""
    _, world = radius
    user = person(radius, "nomfa", PUSH)
    world.sim.set_user(user + "@example.com", authn_status="SUCCESS")
    assert world.client().login(user, PASSWORD).code == rad.REJECT
    assert "okta_way" in world.outcome(user, "CONFIG")["detail"]
    assert not world.sim.pushes(user + "@example.com")
