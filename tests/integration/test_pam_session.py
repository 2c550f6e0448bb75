# SPDX-License-Identifier: GPL-2.0-or-later
# MFA once per login session and once a day, over a real sshd and sudo: who is asked again, who is
# not.
"""Frequencies at the PAM door."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

import pexpect
import pytest

from tests.lib.pamworld import LIMIT, PamWorld, pam_world
from tests.lib.site import catch_all, rule
from tests.lib.sshd import Sshd, make_key

ALICE = "dtalice@example.com"
ASKED = r"number (\d+) in Okta Verify"
DONE = r"uid=0\(root\)"
REFUSED = "not-in"
SSHD = ("auth required pam_permit.so\naccount required pam_permit.so\n"
        "session {} pam_loginuid.so\nsession required pam_permit.so\n")


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.service("sudo")
        yield made


@pytest.fixture(scope="module")
def sshd(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world) as made:
        yield made


@pytest.fixture(scope="module")
def key(world: PamWorld, sshd: Sshd) -> Path:
    made = make_key(world.directory / "login")
    sshd.allow("dtalice", made)
    return made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld, sshd: Sshd) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    world.sim.add_user(ALICE, factors=("push",))
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    (world.pam_directory / "sshd").write_text(SSHD.format("required"))
    world.site.configure({"mfa": {"wait_pam": "20s", "push_limit": "50"},
                          "daemon": {"session_services": None}})
    frequency(world, "ONCE_PER_SESSION")
    world.start_daemon()
    yield
    sshd.hang_up()
    world.stop_daemon()


def frequency(world: PamWorld, word: str) -> None:
    made = rule("unknown", 1, "NOT_TRUSTED", frequency=word, factors=("push",))
    made["actions"]["appSignOn"]["promptForFactor"]["remember"] = {"by": ["USER"]}
    world.site.set_policy({"name": "sudo", "application": "sudo", "rules": [made, catch_all()]})


class Session:
    """A shell of dtalice behind ssh, on a terminal."""

    def __init__(self, world: PamWorld, sshd: Sshd, key: Path) -> None:
        command = sshd.command("dtalice", key, "exec", "/bin/sh")
        self.world = world
        self.shell = pexpect.spawn(command[0], ["-tt", *command[1:]], timeout=LIMIT,
                                   encoding="utf-8", env={"PATH": os.environ["PATH"],
                                                          "TERM": "dumb",
                                                          "HOME": str(sshd.directory)})

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.shell.close(force=True)

    def sudo(self, *, asked: bool) -> None:
        """One sudo, which has to ask for MFA or must not."""
        self.shell.sendline("sudo id || echo not''-in")
        got = self.shell.expect([ASKED, DONE, REFUSED])
        assert got == (0 if asked else 1), self.shell.before
        if asked:
            self.world.sim.approve(ALICE, number=int(self.shell.match[1]))
            self.shell.sendline("")
            assert self.shell.expect([DONE, REFUSED]) == 0, self.shell.before


def cause(world: PamWorld, count: int) -> str:
    return world.outcome("sudo", count)["debugContext"]["debugData"]["cause"]


def test_once_per_login_session(world: PamWorld, sshd: Sshd, key: Path) -> None:
    with Session(world, sshd, key) as first, Session(world, sshd, key) as second:
        first.sudo(asked=True)
        first.sudo(asked=False)
        assert cause(world, 2) == "MFA_REMEMBERED"
        second.sudo(asked=True)
        first.sudo(asked=False)
        second.sudo(asked=False)
    with Session(world, sshd, key) as third:
        third.sudo(asked=True)


def test_session_is_known_to_the_next_daemon_and_to_none(world: PamWorld, sshd: Sshd,
                                                         key: Path) -> None:
    """It is the kernel's: not the daemon's, which may die, and be started for one login only."""
    with Session(world, sshd, key) as session:
        session.sudo(asked=True)
        world.stop_daemon(9)
        world.start_daemon()
        session.sudo(asked=False)
        world.stop_daemon()
        session.sudo(asked=False)


def test_no_session_is_known_without_pam_loginuid(world: PamWorld, sshd: Sshd,
                                                  key: Path) -> None:
    (world.pam_directory / "sshd").write_text(SSHD.format("[default=ignore]").replace(
        "pam_loginuid.so", "pam_permit.so"))
    with Session(world, sshd, key) as session:
        session.sudo(asked=True)
        session.sudo(asked=True)


def test_service_that_no_session_counts_for(world: PamWorld, sshd: Sshd, key: Path) -> None:
    world.restart_daemon({"daemon": {"session_services": "su"}})
    with Session(world, sshd, key) as session:
        session.sudo(asked=True)
        session.sudo(asked=True)


def test_once_a_day_is_for_all_sessions(world: PamWorld, sshd: Sshd, key: Path) -> None:
    frequency(world, "ONCE_A_DAY")
    world.restart_daemon()
    with Session(world, sshd, key) as first:
        first.sudo(asked=True)
        first.sudo(asked=False)
    with Session(world, sshd, key) as second:
        second.sudo(asked=False)
        assert cause(world, 3) == "MFA_REMEMBERED"
    world.stop_daemon()
    world.run_ctl("forget", "--user", ALICE)
    world.start_daemon()
    with Session(world, sshd, key) as third:
        third.sudo(asked=True)


def test_sudo_sends_no_second_push_after_a_denied_one(world: PamWorld, sshd: Sshd,
                                                      key: Path) -> None:
    """sudo asks three times on one PAM handle, and whoever types may try again later."""
    with Session(world, sshd, key) as session:
        session.shell.sendline("sudo id || echo not''-in")
        session.shell.expect(ASKED)
        session.shell.expect("in Okta Verify: ")  # the words again, as the prompt
        world.sim.deny(ALICE)
        session.shell.sendline("")
        assert session.shell.expect([ASKED, DONE, REFUSED]) == 2
        session.shell.sendline("sudo id || echo not''-in")
        assert session.shell.expect([ASKED, DONE, REFUSED]) == 2
    causes = [e["debugContext"]["debugData"]["cause"] for e in world.site.sign_ons()
              if e["debugContext"]["debugData"]["application"] == "sudo"]
    assert causes[0] == "MFA_REJECTED" and set(causes[1:]) == {"MFA_PUSH_PAUSED"}
    assert len(world.sim.pushes(ALICE)) == 1
