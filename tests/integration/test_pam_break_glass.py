# SPDX-License-Identifier: GPL-2.0-or-later
# Break-glass accounts through real PAM: a terminal of this host lets them in; sshd, a
# pseudo-terminal, a remote host and the time refuse them, whatever the policy says.
"""[break_glass] of devtrust.conf."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import Any, Iterator

import pexpect
import pytest

from tests.integration.test_reload import allow_all, deny_all
from tests.lib.pamworld import LIMIT, PamWorld, pam_world
from tests.lib.sshd import Sshd, make_key

APPLICATIONS = ("login", "sudo", "sshd", "locker")
RESCUE = "dtcarol"
PASSWORD = "Tr0ub4dor-and-3"


def in_days(days: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=APPLICATIONS) as made:
        made.set_password(RESCUE, PASSWORD)
        made.sample("login", "login-devtrust")
        made.sample("sshd", "sshd-devtrust")
        for name in ("sudo", "locker"):
            made.service(name)
        yield made
        made.stop_daemon()


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    world.site.audit_path.unlink(missing_ok=True)
    start(world, in_days(1), "DENY")
    yield


def start(world: PamWorld, until: str, access: str) -> None:
    for name in APPLICATIONS:
        world.site.set_policy(allow_all(name) if access == "ALLOW" else deny_all(name))
    world.restart_daemon({
        "break_glass": {"users": RESCUE, "until": until},
        "policy": {"unknown_device_as": "not_trusted"},
        "daemon": {"local_services": "login, sudo", "lock_screen_services": "locker",
                   "person_at_host": "service", "identity_from": "user"}})


def event_of(world: PamWorld, service: str) -> tuple[str, str, str]:
    event = world.outcome(service)
    return (event["debugContext"]["debugData"]["cause"], event["severity"],
            event["debugContext"]["debugData"].get("detail", ""))


@pytest.mark.parametrize("service,tty", [("sudo", "tty1"), ("sudo", "/dev/ttyS0"),
                                         ("login", "/dev/tty2")])
def test_it_gets_in_at_a_terminal(world: PamWorld, service: str, tty: str) -> None:
    """The policy denies everybody, and neither Okta nor Intune is asked."""
    if service == "login":
        world.service("login")
    before = world.sim.count("okta.total")
    report = world.login(service, RESCUE, "--tty", tty)
    assert report["auth"] == "SUCCESS", report
    assert any("reported" in str(line) for line in report["lines"]), report
    cause, severity, detail = event_of(world, service)
    assert (cause, severity) == ("BREAK_GLASS", "ERROR") and tty in detail
    assert world.sim.count("okta.total") == before
    world.sample("login", "login-devtrust")


@pytest.mark.parametrize("service,where", [
    ("sudo", ("--tty", "pts/0")), ("sudo", ("--tty", ":0")), ("sudo", ()),
    ("sudo", ("--tty", "tty1", "--rhost", "198.51.100.7")),
    ("sudo", ("--tty", "tty1", "--rhost", "localhost")),
    ("sshd", ("--tty", "ssh", "--rhost", "198.51.100.7")),
    ("sshd", ("--tty", "tty1")), ("locker", ("--tty", "tty1"))])
def test_it_is_refused_elsewhere(world: PamWorld, service: str, where: tuple[str, ...]) -> None:
    """The policy would let everybody in."""
    world.service("sshd")
    start(world, in_days(1), "ALLOW")
    report = world.login(service, RESCUE, *where)
    assert report["auth"] == "PERM_DENIED", report
    assert event_of(world, service)[:2] == ("BREAK_GLASS_REFUSED", "ERROR")
    assert world.login(service, "dtalice", *where)["auth"] == "SUCCESS"
    world.sample("sshd", "sshd-devtrust")


@pytest.mark.parametrize("until", ["2020-01-31T18:00Z", pytest.param(in_days(-0.01), id="now")])
def test_it_expires(world: PamWorld, until: str) -> None:
    start(world, until, "ALLOW")
    assert world.login("sudo", RESCUE, "--tty", "tty1")["auth"] == "PERM_DENIED"
    cause, _, detail = event_of(world, "sudo")
    assert cause == "BREAK_GLASS_REFUSED" and "expired" in detail


def test_others_go_by_the_policy(world: PamWorld) -> None:
    assert world.login("sudo", "dtalice", "--tty", "tty1")["auth"] == "PERM_DENIED"
    assert event_of(world, "sudo")[0] == "RULE_DENY"


def test_real_sshd_refuses_it(world: PamWorld) -> None:
    start(world, in_days(1), "ALLOW")
    key = make_key(world.directory / "rescue.key")
    with Sshd(world) as sshd:
        for user in (RESCUE, "dtalice"):
            sshd.allow(user, key)
        child = sshd.connect(RESCUE, key)
        assert child.expect(["I-am-in", "Permission denied", pexpect.EOF]) != 0
        child.close(force=True)
        assert event_of(world, "sshd")[0] == "BREAK_GLASS_REFUSED"
        child = sshd.connect("dtalice", key)
        child.expect("I-am-in")
        child.close(force=True)


def test_real_login_on_a_pseudo_terminal_refuses_it(world: PamWorld) -> None:
    start(world, in_days(1), "ALLOW")
    command = world.inside(["login", RESCUE])
    child = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=LIMIT,
                          env={"PATH": os.environ["PATH"], "TERM": "dumb"})
    child.expect("[Pp]assword: ")
    child.sendline(PASSWORD)
    assert child.expect([r"[$#] ", "does not allow", "incorrect"]) != 0
    child.close(force=True)
    assert event_of(world, "login")[0] == "BREAK_GLASS_REFUSED"


def test_a_wrong_password_stays_wrong(world: PamWorld) -> None:
    """The stack's first factor is not replaced."""
    world.service("sudo", auth="auth requisite pam_deny.so\n")
    assert world.login("sudo", RESCUE, "--tty", "tty1")["auth"] != "SUCCESS"
    world.service("sudo")


def test_check_config_names_them(world: PamWorld) -> None:
    said = world.run([world.ctl, "check-config", "--user", "root", "-c", world.site.config_path])
    assert f"break glass   {RESCUE}, until" in said.stdout, said.stdout + said.stderr
    start(world, "2020-01-31T18:00Z", "DENY")
    said = world.run([world.ctl, "check-config", "--user", "root", "-c", world.site.config_path])
    assert "expired on 2020-01-31" in said.stdout
