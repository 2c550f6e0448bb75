# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustd below a service manager that holds its socket: started by the first login, restarted
# while somebody waits for a phone, killed, told to read its files.
"""Restarts that lose no login."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
from typing import Any, Iterator, Optional

import pytest

from tests.integration.test_pam_daemon import ALICE, BOTH, cause, ssh_key
from tests.lib.pamworld import DAEMON, LIMIT, PamWorld, pam_world, wait_until

BOB, CAROL = "dtbob@example.com", "dtcarol@example.com"


class Manager:
    """What systemd does with devtrustd.socket and devtrustd.service; a context manager."""

    def __init__(self, world: PamWorld) -> None:
        self.world = world
        self.daemon: Optional["subprocess.Popen[bytes]"] = None
        self.pids: list[int] = []
        self.may_start = threading.Event()
        self.may_start.set()
        self._ends = False

    def __enter__(self) -> "Manager":
        self.world.site.socket_path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(self.world.site.socket_path))
        os.chmod(self.world.site.socket_path, 0o600)
        self.socket.listen(128)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self.may_start.set()
        self._thread.join()
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        self.socket.close()
        self.world.site.socket_path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._ends:
            if self.daemon is not None and self.daemon.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.daemon.wait(0.05)
            elif select.select([self.socket], [], [], 0.05)[0] and self.may_start.is_set():
                self._start()

    def _start(self) -> None:
        passed = os.dup2(self.socket.fileno(), 50)
        command = [DAEMON, "--config", self.world.site.config_path, "--user", "root",
                   "--foreground"]
        shell = ["/bin/bash", "-c", f"exec 3<&{passed} {passed}<&-; LISTEN_FDS=1 LISTEN_PID=$$ "
                 'exec "$0" "$@"', *map(str, command)]
        with open(self.world.log_path, "ab") as log:
            self.daemon = subprocess.Popen(self.world.inside(shell), pass_fds=[passed],
                                           stdin=subprocess.DEVNULL, stderr=log)
        self.pids.append(self.daemon.pid)
        os.close(passed)

    def signal(self, number: int) -> "subprocess.Popen[bytes]":
        """To the daemon that runs, which is given back."""
        assert self.daemon is not None
        self.daemon.send_signal(number)
        return self.daemon


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd",)) as made:
        made.service("sshd")
        yield made


@pytest.fixture(name="manager")
def a_manager(world: PamWorld) -> Iterator[Manager]:
    world.sim.reset()
    for person in (ALICE, BOB, CAROL):
        world.sim.add_user(person, factors=BOTH)
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    with Manager(world) as made:
        yield made


def trusted(world: PamWorld, user: str = "dtalice") -> str:
    """Of somebody with an enrolled device."""
    return world.login("sshd", user, "--env", ssh_key(world, "device-p256"))["auth"]


def test_the_first_login_starts_it(world: PamWorld, manager: Manager) -> None:
    assert not manager.pids
    assert trusted(world) == "SUCCESS" and trusted(world) == "SUCCESS"
    assert len(manager.pids) == 1


def test_a_restart_waits_for_who_waits(world: PamWorld, manager: Manager) -> None:
    """One push, and a login that comes meanwhile is answered at once."""
    with world.harness("--service", "sshd", "--user", "dtalice") as waiting:
        waiting.prompt()
        old = manager.signal(signal.SIGTERM)
        assert trusted(world, "dtbob") == "SUCCESS"
        assert old.poll() is None
        world.sim.approve(ALICE)
        waiting.answer("")
        assert waiting.finish()["auth"] == "SUCCESS"
    assert old.wait(LIMIT) == 0
    assert world.sim.count("okta.verify") == 1 and world.sim.count("okta.cancel") == 0
    assert trusted(world) == "SUCCESS"
    assert len(manager.pids) == 2


def test_a_login_between_two_daemons(world: PamWorld, manager: Manager) -> None:
    assert trusted(world) == "SUCCESS"
    manager.may_start.clear()
    assert manager.signal(signal.SIGTERM).wait(LIMIT) == 0
    with world.harness("--service", "sshd", "--user", "dtalice", "--env",
                       ssh_key(world, "device-p256")) as waiting:
        wait_until(lambda: select.select([manager.socket], [], [], 0)[0], "it is in the queue")
        manager.may_start.set()
        assert waiting.finish()["auth"] == "SUCCESS"
    assert len(manager.pids) == 2


def test_who_does_not_answer_holds_up_no_restart(world: PamWorld, manager: Manager) -> None:
    world.site.configure({"mfa": {"wait_pam": "3s"}})
    try:
        with world.harness("--service", "sshd", "--user", "dtalice") as waiting:
            waiting.prompt()
            old = manager.signal(signal.SIGTERM)
            assert old.wait(LIMIT) == 0
            waiting.answer("")
            assert waiting.finish()["auth"] != "SUCCESS"
    finally:
        world.site.configure({"mfa": {"wait_pam": "20s"}})
    assert {cause(e) for e in world.site.sign_ons()} == {"MFA_TIMEOUT"}
    wait_until(lambda: world.sim.count("okta.cancel") == 1, "the push is taken back")


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)])
def test_an_end_at_once(world: PamWorld, manager: Manager, numbers: "tuple[int, ...]") -> None:
    with contextlib.ExitStack() as stack:
        logins = [stack.enter_context(world.harness("--service", "sshd", "--user", user))
                  for user in ("dtalice", "dtbob", "dtcarol")]
        for login in logins:
            login.prompt()
        for number in numbers:
            old = manager.signal(number)
        # Of two signals that come at once the kernel keeps one.
        wait_until(lambda: old.poll() is not None or manager.signal(numbers[-1]) is None, "its end")
        assert old.returncode == 0
        for login in logins:
            login.answer("")
            assert login.finish()["auth"] == "AUTHINFO_UNAVAIL"
    assert {cause(e) for e in world.site.sign_ons()} == {"BUSY"}
    assert world.sim.count("okta.cancel") == 3


def test_killed(world: PamWorld, manager: Manager) -> None:
    """The login that waited is refused at once; it costs no second push, and a passcode works."""
    with world.harness("--service", "sshd", "--user", "dtalice") as waiting:
        waiting.prompt()
        manager.signal(signal.SIGKILL).wait()
        world.sim.approve(ALICE)  # for nobody
        waiting.answer("")
        assert waiting.finish()["auth"] == "AUTHINFO_UNAVAIL"
    with world.harness("--service", "sshd", "--user", "dtalice") as again:
        again.prompt()
        again.answer(world.sim.passcode(ALICE))
        assert again.finish()["auth"] == "SUCCESS"
    assert len(world.sim.pushes()) == 1 and len(manager.pids) == 2


def test_files_are_read_while_somebody_waits(world: PamWorld, manager: Manager) -> None:
    with world.harness("--service", "sshd", "--user", "dtalice") as waiting:
        waiting.prompt()
        manager.signal(signal.SIGHUP)
        assert trusted(world, "dtbob") == "SUCCESS"
        world.sim.approve(ALICE)
        waiting.answer("")
        assert waiting.finish()["auth"] == "SUCCESS"
    assert world.sim.count("okta.verify") == 1 and len(manager.pids) == 1
