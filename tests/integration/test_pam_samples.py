# SPDX-License-Identifier: GPL-2.0-or-later
# The samples of conf/pam.d in the real sudo, su, login and sshd, on top of Debian's own common-auth
# and common-account, and of such as sssd, LDAP and winbind make them.
"""The PAM samples as they are shipped."""

from __future__ import annotations

import re
from typing import Any, Iterator, Optional

import pexpect
import pytest

from tests.lib.pamworld import LIMIT, ROOT, PamWorld, pam_world
from tests.lib.site import catch_all, rule
from tests.lib.sshd import Sshd, make_key

PASSWORD = "correct horse battery"
SERVICES = ("sudo", "sudo-i", "su", "su-l", "login")
BASES = {"sudo-i": "sudo", "su-l": "su"}
IN = r"uid=6100[12]\("
# pam_unix finds no password; another module, as of sssd, finds the person in its directory.
DIRECTORY = """auth [success=2 default=ignore] pam_unix.so nodelay
auth [success=1 default=ignore] pam_debug.so auth={}
auth requisite pam_deny.so
auth required pam_permit.so
auth optional pam_cap.so
"""


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd", "sudo", "su", "login")) as made:
        for name in (*SERVICES, "sshd"):
            sample = ROOT / "conf" / "pam.d" / (name + "-devtrust")
            if "pam_devtrust.so" in sample.read_text():
                made.sample(name, name + "-devtrust")
            else:
                (made.pam_directory / name).write_text(sample.read_text())
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    for user in ("dtalice", "dtbob"):
        world.sim.add_user(user + "@example.com", factors=("push",))
        world.set_password(user, PASSWORD)
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    common = (world.pam_directory / "common-auth").read_text()
    yield
    (world.pam_directory / "common-auth").write_text(common)
    world.stop_daemon()


def decide(world: PamWorld, access: str, *, push: bool = False) -> None:
    """One rule for everything, in force."""
    for application in ("sshd", "sudo", "su", "login"):
        last = {**catch_all(), "actions": {"appSignOn": {"access": access}}}
        if push:
            last["actions"] = rule("x", 1, frequency="EVERY_SIGN_ON",
                                   factors=("push",))["actions"]
        world.site.set_policy({"name": application, "application": application, "rules": [last]})
    world.site.configure({"mfa": {"wait_pam": "20s"}})
    world.start_daemon()


def as_alice(*command: str) -> list[str]:
    return ["setpriv", "--reuid", "61001", "--regid", "61001", "--clear-groups", *command]


def attempt(world: PamWorld, service: str, password: Optional[str] = PASSWORD, *,
            flags: tuple[str, ...] = ()) -> str:
    """What a person at a terminal sees, who types this password, then Enter at each prompt: `login`
    of dtalice, the others as dtalice to become dtbob."""
    commands = {"sudo": as_alice("sudo", "-k", "-u", "dtbob", "id"),
                "sudo-i": as_alice("sudo", "-k", "-i", "-u", "dtbob", "id"),
                "su": as_alice("su", "dtbob", "-c", "id"),
                "su-l": as_alice("su", "-", "dtbob", "-c", "id"),
                "login": ["login", *flags, "dtalice"]}
    command = world.inside(commands[service])
    person = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8",
                           env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb"})
    seen = ""
    ends = [pexpect.EOF, r"(?i)password[^:\r\n]*: ?$",
            r"(?:Enter|in Okta Verify)[^\r\n]*: ?$", r"[$#] $", r"login: $", "Login incorrect",
            "Sorry, try again"]
    try:
        for _ in range(8):
            got = person.expect(ends)
            seen += (person.before or "") + (str(person.after) if got else "")
            if got == 1 and "new password" not in person.after.lower():
                person.sendline(password)
            elif got == 2:
                person.sendline("")
            elif got == 3:
                person.sendline("id; exit")
            else:
                break
    finally:
        person.close(force=True)
    return seen


def is_in(text: str) -> bool:
    return re.search(IN, text) is not None


def debug(world: PamWorld, service: str, count: int = 1) -> dict[str, Any]:
    event = world.outcome(BASES.get(service, service), count)
    return event["debugContext"]["debugData"]


@pytest.mark.parametrize("service", SERVICES)
def test_allowed(world: PamWorld, service: str) -> None:
    decide(world, "ALLOW")
    seen = attempt(world, service)
    assert is_in(seen), seen
    event = debug(world, service)
    assert (event["cause"], event["service"]) == ("RULE_ALLOW", service)


@pytest.mark.parametrize("service", SERVICES)
def test_denied(world: PamWorld, service: str) -> None:
    decide(world, "DENY")
    seen = attempt(world, service)
    assert not is_in(seen), seen
    assert debug(world, service)["cause"] == "RULE_DENY"


@pytest.mark.parametrize("service", SERVICES)
def test_push(world: PamWorld, service: str) -> None:
    for user in ("dtalice", "dtbob"):
        world.sim.set_push(user + "@example.com", "approve")
    decide(world, "ALLOW", push=True)
    seen = attempt(world, service)
    assert is_in(seen), seen
    assert debug(world, service)["cause"] == "MFA_SUCCESS"


@pytest.mark.parametrize("service", SERVICES)
def test_wrong_password_asks_okta_nothing(world: PamWorld, service: str) -> None:
    decide(world, "ALLOW", push=True)
    seen = attempt(world, service, "wrong")
    assert not is_in(seen), seen
    assert world.sim.count("okta.total") == 0 and not world.site.sign_ons()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("access", ["ALLOW", "DENY"])
def test_person_of_a_directory(world: PamWorld, service: str, access: str) -> None:
    """Who has no local password gets as far as devtrust, and no further."""
    (world.pam_directory / "common-auth").write_text(DIRECTORY.format("success"))
    decide(world, access)
    seen = attempt(world, service, "the directory's password")
    assert is_in(seen) == (access == "ALLOW"), seen
    assert debug(world, service)["cause"] == "RULE_" + access


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_of_any_directory(world: PamWorld, service: str) -> None:
    (world.pam_directory / "common-auth").write_text(DIRECTORY.format("user_unknown"))
    decide(world, "ALLOW", push=True)
    seen = attempt(world, service, "no password at all")
    assert not is_in(seen), seen
    assert world.sim.count("okta.total") == 0 and not world.site.sign_ons()


def expire_password(world: PamWorld, user: str) -> None:
    """As `chage -d 0` does: it must be changed at the next login."""
    shadow = world.directory / "shadow"
    text = shadow.read_text()
    shadow.write_text(re.sub(rf"(?m)^({user}:[^:]*):[^:]*:", r"\1:0:", text))


def test_login_without_authentication(world: PamWorld) -> None:
    """login -f runs the account lines alone."""
    decide(world, "ALLOW")
    assert is_in(attempt(world, "login", None, flags=("-f",)))
    assert debug(world, "login")["cause"] == "RULE_ALLOW"


@pytest.mark.parametrize("expired", [False, True])
def test_login_without_authentication_denied(world: PamWorld, expired: bool) -> None:
    """Also where the password must be changed: common-account then ends the stack."""
    if expired:
        expire_password(world, "dtalice")
    decide(world, "DENY")
    seen = attempt(world, "login", None, flags=("-f",))
    assert not is_in(seen) and "new password" not in seen.lower(), seen
    assert debug(world, "login")["cause"] == "RULE_DENY"


@pytest.mark.parametrize("service", ["su", "su-l", "login"])
def test_expired_password_denied(world: PamWorld, service: str) -> None:
    for user in ("dtalice", "dtbob"):
        expire_password(world, user)
    decide(world, "DENY")
    seen = attempt(world, service)
    assert not is_in(seen) and "new password" not in seen.lower(), seen
    assert debug(world, service)["cause"] == "RULE_DENY"


def test_expired_password_by_ssh_key(world: PamWorld) -> None:
    """`publickey` alone: sshd runs the account lines, and would let the password be changed."""
    expire_password(world, "dtalice")
    decide(world, "DENY")
    with Sshd(world, AuthenticationMethods="publickey") as sshd:
        key = make_key(sshd.directory / "key")
        sshd.allow("dtalice", key)
        ssh = sshd.connect("dtalice", key, "id")
        ssh.expect(pexpect.EOF)
        ssh.close()
        assert ssh.exitstatus == 255 and not is_in(ssh.before), ssh.before
    assert debug(world, "sshd")["cause"] == "RULE_DENY"


@pytest.mark.parametrize("command", [("su", "dtbob", "-c", "id"), ("su", "-", "dtbob", "-c", "id")])
def test_root_becomes_anybody(world: PamWorld, command: tuple[str, ...]) -> None:
    """Boot scripts and cron do that, with nobody there to ask."""
    decide(world, "DENY")
    assert is_in(world.run(command).stdout)
    assert not world.site.sign_ons()


def test_sudo_asks_once_within_its_time(world: PamWorld) -> None:
    """Its account lines run at every command; MFA must not."""
    for user in ("dtalice", "dtbob"):
        world.sim.set_push(user + "@example.com", "approve")
    sudoers = world.directory / "sudoers"
    before = sudoers.read_text()
    sudoers.write_text(before.replace("timestamp_timeout=0", "timestamp_timeout=15")
                       + "Defaults timestamp_type=global\n")
    decide(world, "ALLOW", push=True)
    try:
        done = world.run(as_alice("sh", "-c", "sudo -S id; sudo -n id; sudo -n id"),
                         input=PASSWORD + "\n\n")
    finally:
        sudoers.write_text(before)
    assert done.stdout.count("uid=0(root)") == 3, done.stderr
    world.outcome("sudo")
    assert len(world.site.sign_ons()) == 1
