# SPDX-License-Identifier: GPL-2.0-or-later
# This host's own certificate and the person who does not sit at this host: the real login, on a
# host that keeps account of sessions as logind does, and on one that does not.
"""What a host has to show counts for those who sit at it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator, Optional

import pexpect
import pytest

from tests.integration.test_pam_daemon import ALICE, BOTH, PASSWORD, cause, debug, \
    host_certificate, prompts
from tests.lib.pamworld import LIMIT, PamWorld, pam_world
from tests.lib.site import guide_policy

APPLICATIONS = ("login", "sudo", "locker")
SESSION = "77"
LOCAL = "UID=61001\nUSER=dtalice\nREMOTE=0\nCLASS=user\nSEAT=seat0\nDISPLAY=:0\n"
FROM_AFAR = "UID=61001\nUSER=dtalice\nREMOTE=1\nCLASS=user\nREMOTE_HOST=198.51.100.7\n"
NO_SEAT = "UID=61001\nUSER=dtalice\nREMOTE=0\nCLASS=user\n"
SUDO = """
import json, os, sys
with open("/proc/self/loginuid", "w") as f:
    f.write("61001")
print(open("/proc/self/sessionid").read(), flush=True)
sys.stdin.readline()
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=APPLICATIONS) as made:
        systemd = made.directory / "run-systemd"
        systemd.mkdir()
        done = made.run(["sh", "-c", f"mkdir -p /run/systemd && mount --bind {systemd} "
                         "/run/systemd"])
        assert done.returncode == 0, done.stderr
        made.set_password("dtalice", PASSWORD)
        made.sample("login", "login-devtrust")
        for name in ("sudo", "locker"):
            made.service(name)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    """An enrolled host, whose person gets in without a prompt when they sit at it."""
    world.sim.reset()
    world.sim.add_user(ALICE, factors=BOTH)
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    for name in APPLICATIONS:
        world.site.set_policy(guide_policy(name))
    world.site.audit_path.unlink(missing_ok=True)
    world.site.configure({"policy": {"unknown_device_as": "not_trusted"},
                          "daemon": {"lock_screen_services": "locker", "person_at_host": None,
                                     "local_services": "login, sudo"}})
    logind(world)
    host_certificate(world, "host")
    yield
    world.stop_daemon()


def logind(world: PamWorld, session: Optional[str] = None, number: str = SESSION,
           runs: bool = True) -> None:
    """What logind says; of one session of dtalice's, or of none."""
    systemd = world.directory / "run-systemd"
    subprocess.run(["find", str(systemd), "-mindepth", "1", "-delete"], check=True)
    for name in ("seats", "sessions", "users"):
        (systemd / name).mkdir()
    if runs:
        (systemd / "seats" / "seat0").write_text("IS_SEAT0=1\n")
    if session is not None:
        (systemd / "sessions" / number).write_text(session)
        (systemd / "users" / "61001").write_text(f"NAME=dtalice\nSESSIONS={number}\n")


def real_login(world: PamWorld, *options: str) -> Any:
    """/bin/login on a terminal; the password is given, and the rest is the caller's."""
    command = world.inside(["login", *options, "dtalice"])
    child = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=LIMIT,
                          env={"PATH": os.environ["PATH"], "TERM": "dumb"})
    child.expect("[Pp]assword: ")
    child.sendline(PASSWORD)
    return child


@pytest.mark.parametrize("runs", [True, False], ids=["logind", "no-logind"])
@pytest.mark.parametrize("by", ["auto", "seat", "service"])
@pytest.mark.parametrize("host", ["198.51.100.7", "laptop.example.com", "localhost", "::1"])
def test_login_from_elsewhere(world: PamWorld, host: str, by: str, runs: bool) -> None:
    """login -h: the certificate of this host says nothing about the device of that person."""
    logind(world, runs=runs)
    world.restart_daemon({"daemon": {"person_at_host": by}})
    child = real_login(world, "-h", host)
    child.expect(["passcode", "Okta Verify"])
    child.close(force=True)
    event = debug(world.outcome("login"))
    assert event["verdict"] == "NOT_TRUSTED" and event["place"] == "remote"
    assert "certificate" not in event["evidence"]
    assert event["tty"].startswith("/dev/pts/")


def test_login_here(world: PamWorld) -> None:
    """On a terminal of a host without logind, or where the service's word counts."""
    logind(world, runs=False)
    child = real_login(world)
    child.expect(r"[$#] ")
    child.close(force=True)
    event = world.outcome("login")
    assert cause(event) == "RULE_ALLOW" and debug(event)["place"] == "here"


def test_login_on_a_pseudo_terminal(world: PamWorld) -> None:
    """With logind: before there is a session, only a virtual terminal is at this host."""
    child = real_login(world)
    child.expect(["passcode", "Okta Verify"])
    child.close(force=True)
    assert debug(world.outcome("login"))["place"] == "unknown"


@pytest.mark.parametrize("tty,rhost,here", [
    ("tty1", "", True), ("/dev/tty2", "", True), ("tty1", "198.51.100.7", False),
    ("ttyS0", "", False), ("pts/3", "", False), ("ssh", "", False), (":0", "", False),
    ("192.0.2.1:0", "", False), ("", "", False), ("console", "", False), ("cron", "", False)])
def test_terminals(world: PamWorld, tty: str, rhost: str, here: bool) -> None:
    where = [*(("--tty", tty) if tty else ()), *(("--rhost", rhost) if rhost else ())]
    report = world.login("sudo", "dtalice", *where, "--no-conversation")
    assert (report["auth"] == "SUCCESS") == here
    event = debug(world.outcome("sudo"))
    assert (event["place"] == "here") == here and event.get("tty", "") == tty


def test_display_of_a_seat(world: PamWorld) -> None:
    """A display manager: the greeter's session has the display and the seat."""
    logind(world, "UID=110\nREMOTE=0\nCLASS=greeter\nSEAT=seat0\nDISPLAY=:0\n", "c1")
    assert world.login("sudo", "dtalice", "--tty", ":0")["auth"] == "SUCCESS"
    assert world.login("sudo", "dtalice", "--tty", ":1", "--no-conversation")["auth"] != "SUCCESS"


def in_session(world: PamWorld, session: str) -> dict[str, Any]:
    """Asks for sudo in a login session of dtalice's that the kernel knows."""
    command = ["/usr/bin/python3", "-c", SUDO, "/usr/bin/python3",
               str(Path(__file__).parents[1] / "lib" / "pam_harness.py"), "--service", "sudo",
               "--user", "dtalice", "--tty", "pts/0", "--no-conversation"]
    with contextlib.ExitStack() as stack:
        asker = subprocess.Popen(world.inside(command), stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        stack.callback(asker.kill)
        assert asker.stdout is not None
        number = asker.stdout.readline().strip()
        if not number.isdigit() or number == "4294967295":
            pytest.skip("the kernel keeps no login sessions here")
        logind(world, session, number)
        asker.communicate("\n", timeout=LIMIT)
    return debug(world.outcome("sudo"))


def test_sudo_at_the_desktop(world: PamWorld) -> None:
    event = in_session(world, LOCAL)
    assert event["verdict"] == "TRUSTED" and event["seat"] == "seat0"


def test_sudo_over_ssh(world: PamWorld) -> None:
    event = in_session(world, FROM_AFAR)
    assert event["verdict"] == "NOT_TRUSTED" and event["place"] == "remote"
    assert world.outcome("sudo")["client"]["ipAddress"] == "198.51.100.7"


def test_sudo_in_a_session_without_a_seat(world: PamWorld) -> None:
    event = in_session(world, NO_SEAT)
    assert event["verdict"] == "NOT_TRUSTED" and event["place"] == "unknown"


def test_sudo_over_ssh_when_the_administrator_says_so(world: PamWorld) -> None:
    world.restart_daemon({"daemon": {"person_at_host": "service"}})
    assert in_session(world, FROM_AFAR)["verdict"] == "TRUSTED"


def test_lock_screen_in_no_session(world: PamWorld) -> None:
    """Not root, and in no session: nothing says that this is the screen of this host."""
    report = world.login("locker", "dtalice", "--uid", "61001", "--no-conversation")
    assert report["auth"] != "SUCCESS" and not prompts(report)[1:]
    assert debug(world.outcome("locker"))["place"] == "unknown"
