# SPDX-License-Identifier: GPL-2.0-or-later
# Logins at this host as open sessions: a real sshd with the shipped samples, a shell that stays
# open, and a device whose compliance changes meanwhile; su and sudo inside it are none.
"""Open sessions of pam_devtrust."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pexpect
import pytest

from tests.integration.test_pam_ssh import enrolled
from tests.integration.test_sessions import LOSS
from tests.lib.pamworld import CTL, LIMIT, PamWorld, pam_world, wait_until
from tests.lib.site import catch_all, rule
from tests.lib.sshd import Sshd

ALICE = "dtalice@example.com"
RECHECK = {"sessions": {"recheck": "5s"}}


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        made.service("sudo")
        made.site.configure(RECHECK)
        made.site.set_policy({"name": "sudo", "application": "sudo",
                              "rules": [rule("no device", 1, "NOT_TRUSTED"), catch_all()]})
        made.sim.add_user(ALICE, factors=("push",))
        made.start_daemon()
        yield made
        made.stop_daemon()


@pytest.fixture(scope="module")
def sshd(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world) as made:
        yield made


@pytest.fixture(scope="module")
def key(world: PamWorld, sshd: Sshd) -> Path:
    return enrolled(world, sshd, "device-rsa")


def sessions(world: PamWorld) -> list[dict[str, Any]]:
    done = subprocess.run([CTL, "sessions", "--json", "-c", str(world.site.config_path)],
                          text=True, capture_output=True, timeout=LIMIT)
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def losses(world: PamWorld) -> list[dict[str, Any]]:
    return [e for e in world.site.events() if e["eventType"] == LOSS]


class Shell:
    """A shell of dtalice behind ssh."""

    def __init__(self, sshd: Sshd, key: Path) -> None:
        command = sshd.command("dtalice", key, "echo I-am-in; exec cat")
        self.ssh = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8",
                                 env={"PATH": os.environ["PATH"], "HOME": str(sshd.directory)})
        self.ssh.expect("I-am-in")

    def __enter__(self) -> "Shell":
        return self

    def __exit__(self, *_: object) -> None:
        self.ssh.close(force=True)


def test_a_shell_is_a_session_until_it_ends(world: PamWorld, sshd: Sshd, key: Path) -> None:
    with Shell(sshd, key):
        found = wait_until(lambda: [s for s in sessions(world) if s["state"] == "open"],
                           "the session is open")[0]
        assert (found["door"], found["service"], found["user"]) == ("host", "sshd", "dtalice")
        assert found["login"] == ALICE and found["verdict"] == "TRUSTED"
        assert found["deviceId"] == world.pki["devices"]["device-rsa"]["device_id"]
        assert os.path.exists(f"/proc/{found['leader']}")
        with Shell(sshd, key):
            wait_until(lambda: len(sessions(world)) == 2, "both are known")
        wait_until(lambda: [s["id"] for s in sessions(world)] == [found["id"]], "one has ended")
    wait_until(lambda: not sessions(world), "the session has ended")
    assert not losses(world)


def test_one_whose_leader_is_killed_ends_by_itself(world: PamWorld, sshd: Sshd,
                                                   key: Path) -> None:
    with Shell(sshd, key):
        wait_until(lambda: [s for s in sessions(world) if s["state"] == "open"], "it is open")
        sshd.hang_up()
        wait_until(lambda: not sessions(world), "nobody closed it, and it has ended")


def test_sudo_is_none_of_its_own(world: PamWorld) -> None:
    world.login("sudo", "dtalice", "--ruser", "dtalice", "--also", "session")
    assert world.outcome("sudo")["outcome"]["result"] == "ALLOW"
    assert not sessions(world)


def test_who_wants_a_login_ended_reads_how(world: PamWorld, sshd: Sshd, key: Path) -> None:
    """devtrustd has no right to end it. What the event says ends it."""
    before = len(losses(world))
    with Shell(sshd, key):
        found = wait_until(lambda: sessions(world), "it is known")[0]
        done = subprocess.run([CTL, "sessions", "end", found["id"], "-c",
                               str(world.site.config_path)],
                              text=True, capture_output=True, timeout=LIMIT)
        assert done.returncode == 0, done.stderr
        event = wait_until(lambda: losses(world)[before:], "the request is reported")[0]
        data = event["debugContext"]["debugData"]
        assert event["outcome"]["reason"] == "OPERATOR" and not data["ended"]
        command = data["result"].partition("as root: ")[2]
        assert command == f"kill {found['leader']}", data
        subprocess.run(["/bin/sh", "-c", command], check=True)
        wait_until(lambda: not sessions(world), "it has ended")


def test_a_device_that_is_no_longer_compliant(world: PamWorld, sshd: Sshd, key: Path) -> None:
    device = world.pki["devices"]["device-rsa"]["device_id"]
    before = len(losses(world))
    with Shell(sshd, key):
        found = wait_until(lambda: sessions(world), "it is known")[0]
        world.sim.make_noncompliant(device)
        try:
            event = wait_until(lambda: losses(world)[before:], "the loss is reported")[0]
            data = event["debugContext"]["debugData"]
            assert data["session"] == found["id"] and data["deviceReason"] == "NOT_COMPLIANT"
            assert data["source"] == "recheck" and data["service"] == "sshd"
            assert len(losses(world)) == before + 1
        finally:
            world.sim.make_compliant(device)
