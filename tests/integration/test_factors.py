# SPDX-License-Identifier: GPL-2.0-or-later
# Every factor at real doors: a person at a terminal in front of ssh, and a VPN gateway that shows
# challenges to FreeRADIUS. One world of each kind.
"""Codes, tokens, the security question, the menu, and words behind the password."""

from __future__ import annotations

import re
from typing import Any, Iterator

import pexpect
import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.matrix import cell
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.sshd import Sshd

ALL = ("push", "token:software:totp", "token:hotp", "token", "token:hardware", "sms", "call",
       "email", "question")
SETTINGS = {"mfa": {"factors": ", ".join(ALL), "message_limit": "100"}}
LOGIN = "dtalice@example.com"
# What asks for each, once it is the only one that the person has.
PROMPTS = {
    "sms": r"Code sent by SMS \(\.\.\.1337\)\s[\s\S]*new\s+one\): ",
    "call": r"Code sent by phone call\s+\(\.\.\.1337\)\s[\s\S]*new\s+one\): ",
    "email": r"Code sent by email\s+\([a-z]\.\.\.@example\.com\)\s[\s\S]*new\s+one\): ",
    "question": r"What is your favorite piece of\s+art\?: ",
    "token:hotp": r"Token passcode: ",
    "token": r"RSA SecurID passcode: ",
    "token:hardware": r"YubiKey passcode: ",
}
WHOLE = ("call", "email", "token:hotp", "token")  # in the whole matrix alone


def kinds(door: str, program: str, whole: tuple[str, ...]) -> list[Any]:
    return [pytest.param(kind, marks=cell(door, program, kind, kind in whole)) for kind in PROMPTS]


# --- PAM ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        made.site.configure(SETTINGS)
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


@pytest.fixture
def person(world: PamWorld) -> Any:
    """Gives dtalice these factors, and nothing else is known of her."""
    def give(*factors: str) -> None:
        world.sim.reset()
        world.site.audit_path.unlink(missing_ok=True)
        world.stop_daemon()
        for path in world.site.store_path.parent.iterdir():
            path.unlink()
        world.start_daemon()
        world.sim.add_user(LOGIN, factors=factors)
    return give


def end(ssh: "pexpect.spawn[str]") -> int:
    """0: the person is in. Whatever is asked once more is left unanswered."""
    found = ssh.expect(["I-am-in", "Permission denied", "Too many authentication failures"])
    ssh.expect(pexpect.EOF)
    ssh.close()
    return found


def debug(world: PamWorld) -> dict[str, Any]:
    data: dict[str, Any] = world.outcome("sshd")["debugContext"]["debugData"]
    return data


@pytest.mark.parametrize("kind", kinds("pam", "ssh, factors", WHOLE))
def test_a_factor_by_ssh(world: PamWorld, server: Sshd, key: Any, person: Any, kind: str) -> None:
    """What is asked, a wrong answer, and the right one, which is not shown."""
    person(kind)
    ssh = server.connect("dtalice", key)
    ssh.expect(PROMPTS[kind])
    wrong = "cc" * 22 if kind == "token:hardware" else "000000"
    ssh.sendline(wrong)
    ssh.expect(r"not accepted[\s\S]*" + PROMPTS[kind])
    answer = world.sim.code(LOGIN, kind)
    ssh.sendline(answer)
    assert end(ssh) == 0
    assert answer not in ssh.before
    told = debug(world)
    assert (told["cause"], told["factor"]) == ("MFA_SUCCESS", kind)
    assert answer not in world.site.audit_path.read_text()
    assert "555" not in world.site.audit_path.read_text()


def test_another_code_by_enter(world: PamWorld, server: Sshd, key: Any, person: Any) -> None:
    person("sms")
    ssh = server.connect("dtalice", key)
    ssh.expect(PROMPTS["sms"])
    first = world.sim.code(LOGIN, "sms")
    ssh.sendline("")
    ssh.expect(r"new code was sent[\s\S]*" + PROMPTS["sms"])
    assert world.sim.messages(LOGIN, "sms") == 2
    ssh.sendline(world.sim.code(LOGIN, "sms"))
    assert end(ssh) == 0 and first != ""


def test_a_code_a_moment_ago(world: PamWorld, server: Sshd, key: Any, person: Any) -> None:
    """Okta sends none within 30 seconds: the one before is asked for."""
    person("sms")
    world.sim.org(message_pause=300.0)
    for _ in range(2):
        ssh = server.connect("dtalice", key)
        ssh.expect(PROMPTS["sms"])
    ssh.sendline(world.sim.code(LOGIN, "sms"))
    assert end(ssh) == 0 and world.sim.messages(LOGIN, "sms") == 1


MENU = (r"1\. Push to Phone of[^\n]*\n2\. Push to Ann's tablet\r?\n3\. Okta Verify passcode\r?\n"
        r"4\. Code by SMS \(\.\.\.1337\)\r?\n5\. Security question\r?\n"
        r"Type a number, or press Enter for 1: ")


@cell("pam", "ssh, factors", "menu")
def test_a_menu_by_ssh(world: PamWorld, server: Sshd, key: Any, person: Any) -> None:
    """Each line leads to its own factor, and the second device is the one that rings."""
    person("push", "token:software:totp", "sms", "question")
    tablet = world.sim.add_factor(LOGIN, "push", profile={"name": "Ann's tablet"})["id"]
    ssh = server.connect("dtalice", key)
    ssh.expect(MENU.replace(r"\n2", r"\s+2"))
    ssh.sendline("2")
    assert world.sim.wait_push(LOGIN)[0]["factor"] == tablet
    world.sim.approve(LOGIN)
    ssh.expect(r"Choose the number|press Enter")
    ssh.sendline("")
    assert end(ssh) == 0
    ssh = server.connect("dtalice", key)
    ssh.expect(r"Enter for 1: ")
    ssh.sendline("sms")
    ssh.expect(PROMPTS["sms"])
    ssh.sendline(world.sim.code(LOGIN, "sms"))
    assert end(ssh) == 0


# --- RADIUS -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def radius(tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[rad.World]:
    with rad.start_world(tmp_path_factory.mktemp("factors"), pki_index, settings=SETTINGS,
                         replace={"#append_passcode = yes": "append_passcode = yes",
                                  "wait = park\n\tprimary = control":
                                  "wait = park\n\tprimary = control\n\tappend_passcode = yes"},
                         policies=[sites.guide_policy("vpn", factors=ALL),
                                   sites.guide_policy("wifi", factors=ALL)]) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def give(radius: rad.World, name: str, *factors: str) -> str:
    return radius.person(name, *factors)


@pytest.mark.parametrize("kind", kinds("radius", "VPN challenge, factors",
                                       WHOLE))
def test_a_factor_by_challenge(radius: rad.World, kind: str) -> None:
    user = give(radius, "challenge-" + kind.replace(":", "-"), kind)
    client = radius.client()
    asked = client.login(user)
    assert asked.code == rad.CHALLENGE, radius.radius.log_text()
    assert re.search(PROMPTS[kind].rstrip(": "), asked.message), asked.message
    assert all(len(text) <= 253 for text in asked.all("Reply-Message"))
    answer = radius.sim.code(user + "@example.com", kind)
    assert client.login(user, answer, state=asked.state).code == rad.ACCEPT
    # Sent again, it is the same answer; another one gets nobody in by a State that was used.
    assert client.login(user, answer + "x", state=asked.state).code == rad.REJECT


@cell("radius", "VPN challenge, factors", "menu")
def test_a_menu_by_challenge(radius: rad.World) -> None:
    user = give(radius, "menu", "push", "sms", "email", "question")
    client = radius.client()
    asked = client.login(user)
    assert asked.code == rad.CHALLENGE
    assert "2. Code by SMS (...1337)" in asked.message, asked.message
    assert not radius.sim.pushes(user + "@example.com")
    asked = client.login(user, "2", state=asked.state)
    assert asked.code == rad.CHALLENGE and "Code sent by SMS" in asked.message
    answer = radius.sim.code(user + "@example.com", "sms")
    assert client.login(user, answer, state=asked.state).code == rad.ACCEPT


@cell("radius", "VPN challenge, factors", "word")
def test_a_word_behind_the_password(radius: rad.World) -> None:
    """password,sms: no menu; and password,push the phone at once."""
    user = give(radius, "word", "push", "sms")
    client = radius.client()
    asked = client.login(user, rad.PASSWORD + ",sms")
    assert asked.code == rad.CHALLENGE and "Code sent by SMS" in asked.message
    answer = radius.sim.code(user + "@example.com", "sms")
    assert client.login(user, answer, state=asked.state).code == rad.ACCEPT
    refused = client.login(user, rad.PASSWORD + ",email")
    assert refused.code == rad.REJECT
    assert radius.outcome(user, "MFA_NO_FACTOR")


@cell("radius", "Wi-Fi, factors", "word")
def test_a_code_by_two_sign_ons(radius: rad.World) -> None:
    """802.1X shows no prompt: password,sms has a code sent, password,123456 brings it."""
    user = give(radius, "two", "push", "sms")
    done = rad.eap_ttls(radius.radius, user, rad.PASSWORD + ",sms")
    assert done.rejects == 1 and radius.outcome(user, "MFA_CODE_SENT")
    assert not radius.sim.pushes(user + "@example.com")
    code = radius.sim.code(user + "@example.com", "sms")
    done = rad.eap_ttls(radius.radius, user, f"{rad.PASSWORD},{code}")
    assert done.accepts == 1, done.output[-3000:]
