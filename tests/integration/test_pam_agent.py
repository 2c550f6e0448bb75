# SPDX-License-Identifier: GPL-2.0-or-later
# sudo with the SSH agent that the person brought along: over a real sshd with `ssh -A` and a real
# ssh-agent, and straight on a host with agents that lie, keep silent, or are somebody else's.
"""The source ssh-agent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator, Optional

import pexpect
import pytest

from tests.lib.pamworld import ACCOUNTS, LIMIT, PamWorld, pam_world, wait_until
from tests.lib.sshd import Sshd, install_device_key, make_key, make_security_key

ALICE, BOB = ACCOUNTS["dtalice"], ACCOUNTS["dtbob"]
FAKE = Path(__file__).resolve().parents[1] / "lib" / "fake_agent.py"
ROOT_SHOWN = "uid=0"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        sudoers = made.directory / "sudoers"
        sudoers.write_text(sudoers.read_text() + 'Defaults env_keep += "SSH_AUTH_SOCK"\n')
        made.service("sudo")
        (made.pam_directory / "sshd").write_text(
            "auth required pam_permit.so\naccount required pam_permit.so\n"
            "session required pam_permit.so\n")
        yield made


@pytest.fixture(scope="module")
def sshd(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    # Whom no factor can be asked for: what the device does not open stays shut, without a prompt.
    world.sim.add_user("dtalice@example.com", factors=())
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    world.site.configure({"device_trust": {"trusted_when": "ssh-agent+intune",
                                           "agent_timeout": "2s"},
                          "daemon": {"agent_services": "sudo", "local_services": "login"}})
    world.start_daemon()
    yield
    world.stop_daemon()


@pytest.fixture
def home(world: PamWorld) -> Iterator[Path]:
    """A directory of dtalice's that others may look into."""
    made = world.directory / "home"
    made.mkdir()
    os.chown(made, ALICE, ALICE)
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made)


def enrolled(world: PamWorld, device: str = "device-p256") -> Path:
    """The key of a device in the registry and in Intune."""
    made = world.pki["devices"][device]
    world.sim.enrol_device(made["device_id"], user="dtalice@example.com")
    world.add_device(made["files"]["certificate"])
    return install_device_key(world, device)


@contextlib.contextmanager
def agent(path: Path, uid: int, *keys: Path) -> Iterator[Path]:
    """A real ssh-agent of a user."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], user=uid, group=uid,
                               extra_groups=[], stdout=subprocess.DEVNULL)
    try:
        wait_until(path.exists, "ssh-agent listens")
        for key in keys:
            # Adding a key is the owner's business; the file is root's.
            subprocess.run(["ssh-add", "-q", "-"], input=key.read_bytes(), check=True, user=uid,
                           group=uid, extra_groups=[], capture_output=True,
                           env={**os.environ, "SSH_AUTH_SOCK": str(path)})
        yield path
    finally:
        process.terminate()
        process.wait(LIMIT)


@contextlib.contextmanager
def careful_agent(path: Path, uid: int, key: Path, *options: str, allows: bool = True,
                  provider: Optional[Path] = None) -> Iterator[Path]:
    """A real ssh-agent: it asks its owner before it uses the key (-c), or has it in a token."""
    says = path.with_suffix(".sh")
    says.write_text(f"#!/bin/sh\nexit {0 if allows else 1}\n")
    os.chmod(says, 0o755)
    environment = {**os.environ, "SSH_AUTH_SOCK": str(path), "SSH_ASKPASS": str(says),
                   "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":none"}
    allowed = ["-P", str(provider)] if provider is not None else []
    process = subprocess.Popen(["ssh-agent", "-D", *allowed, "-a", path], user=uid, group=uid,
                               extra_groups=[], env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(path.exists, "ssh-agent listens")
        subprocess.run(["ssh-add", "-q", *options, "-"], input=key.read_bytes(), check=True,
                       user=uid, group=uid, extra_groups=[], capture_output=True,
                       env=environment)
        yield path
    finally:
        process.terminate()
        process.wait(LIMIT)


@contextlib.contextmanager
def fake(path: Path, uid: int, manner: str = "silent") -> Iterator[Path]:
    """tests/lib/fake_agent.py of a user; the log it writes."""
    log = path.with_suffix(".log")
    log.touch()
    os.chmod(log, 0o666)
    process = subprocess.Popen([sys.executable, FAKE, path, manner, log], user=uid, group=uid,
                               extra_groups=[])
    try:
        wait_until(lambda: "listening" in log.read_text() or process.poll() is not None,
                   "the agent listens")
        yield log
    finally:
        process.terminate()
        process.wait(LIMIT)


def sudo(world: PamWorld, where: Any, *prefix: str) -> "subprocess.CompletedProcess[str]":
    """`sudo id` of dtalice at this host, with SSH_AUTH_SOCK as given."""
    variables = ["PATH=/usr/bin:/bin"] + ([] if where is None else [f"SSH_AUTH_SOCK={where}"])
    return world.run(["setpriv", f"--reuid={ALICE}", f"--regid={ALICE}", "--clear-groups", "env",
                      "-i", *prefix, *variables, "sudo", "id"], stdin=subprocess.DEVNULL)


def debug(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


def assert_in(world: PamWorld, done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0 and ROOT_SHOWN in done.stdout, done.stdout + done.stderr
    event = world.outcome("sudo")
    assert debug(event)["evidence"] == "intune+ssh-agent"
    assert debug(event)["cause"] == "RULE_ALLOW" and world.sim.count("okta.total") == 0


def assert_out(world: PamWorld, done: "subprocess.CompletedProcess[str]",
               reason: str) -> dict[str, Any]:
    assert done.returncode != 0 and ROOT_SHOWN not in done.stdout
    event = world.outcome("sudo")
    assert debug(event)["verdict"] == "NOT_TRUSTED", event
    assert debug(event)["deviceReason"] == reason, event
    return event


# --- over SSH ------------------------------------------------------------------------------------

def over_ssh(sshd: Sshd, where: Path, key: Path, *options: str) -> tuple[int, str]:
    """`sudo id` in a session that was come to with this agent at hand."""
    command = sshd.command("dtalice", key, "sudo", "id")
    at = command.index("IdentityAgent=none")
    del command[at - 1:at + 1]
    ssh = pexpect.spawn(command[0], [*options, *command[1:]], timeout=LIMIT, encoding="utf-8",
                        env={"PATH": os.environ["PATH"], "TERM": "dumb",
                             "HOME": str(sshd.directory), "SSH_AUTH_SOCK": str(where)})
    ssh.expect(pexpect.EOF)
    ssh.close()
    return ssh.exitstatus, ssh.before


def test_forwarded_agent_opens_sudo(world: PamWorld, sshd: Sshd, tmp_path: Path) -> None:
    login = make_key(tmp_path / "login")
    sshd.allow("dtalice", login)
    with agent(tmp_path / "agent", 0, login, enrolled(world)) as where:
        status, text = over_ssh(sshd, where, login, "-A")
    assert status == 0 and ROOT_SHOWN in text, text
    event = world.outcome("sudo")
    assert debug(event)["evidence"] == "intune+ssh-agent"
    assert world.sim.count("okta.total") == 0
    sshd.hang_up()


def test_agent_that_is_not_forwarded_or_holds_other_keys(world: PamWorld, sshd: Sshd,
                                                         tmp_path: Path) -> None:
    login = make_key(tmp_path / "login")
    sshd.allow("dtalice", login)
    key = enrolled(world)
    with agent(tmp_path / "agent", 0, login, key) as where:
        status, _ = over_ssh(sshd, where, login, "-a")
    assert status != 0
    assert debug(world.outcome("sudo"))["deviceReason"] == "NO_CERTIFICATE"
    with agent(tmp_path / "other", 0, login) as where:
        status, _ = over_ssh(sshd, where, login, "-A")
    assert status != 0
    assert debug(world.outcome("sudo", 2))["deviceReason"] == "NO_CERTIFICATE"
    sshd.hang_up()


# --- at this host --------------------------------------------------------------------------------

@pytest.mark.parametrize("device", ["device-rsa", "device-p256", "device-ed25519"])
def test_own_agent_opens_sudo(world: PamWorld, home: Path, device: str) -> None:
    with agent(home / "agent", ALICE, enrolled(world, device)) as where:
        assert_in(world, sudo(world, where))


def test_agent_is_asked_without_a_running_daemon(world: PamWorld, home: Path) -> None:
    key = enrolled(world)
    world.stop_daemon()
    with agent(home / "agent", ALICE, key) as where:
        assert_in(world, sudo(world, where))


def test_service_that_may_bring_no_agent(world: PamWorld, home: Path) -> None:
    key = enrolled(world)
    world.restart_daemon({"daemon": {"agent_services": "su"}})
    with agent(home / "agent", ALICE, key) as where:
        assert_out(world, sudo(world, where), "NO_CERTIFICATE")


def test_locked_agent_and_none(world: PamWorld, home: Path) -> None:
    enrolled(world)
    with agent(home / "agent", ALICE) as where:
        assert_out(world, sudo(world, where), "NO_CERTIFICATE")
    for count, nowhere in enumerate([None, "", home / "absent", home, "/dev/null"], 2):
        done = sudo(world, nowhere)
        assert done.returncode != 0
        assert debug(world.outcome("sudo", count))["deviceReason"] == "NO_CERTIFICATE"


@pytest.mark.parametrize("manner", ["silent", "nonsense", "endless", "gone"])
def test_hostile_agent_proves_nothing_and_holds_nobody(world: PamWorld, home: Path,
                                                       manner: str) -> None:
    enrolled(world)
    with fake(home / "agent", ALICE, manner) as log:
        started = time.monotonic()
        assert_out(world, sudo(world, home / "agent"), "NO_PROOF_OF_POSSESSION")
        assert time.monotonic() - started < 30
        assert log.read_text().count("connection") == 1


def test_interrupt_ends_the_wait_for_an_agent(world: PamWorld, home: Path) -> None:
    """^C, long before agent_timeout."""
    enrolled(world)
    world.restart_daemon({"device_trust": {"agent_timeout": "30s"}})
    with fake(home / "agent", ALICE) as log:
        # A terminal of its own: sudo takes ^C from there.
        command = world.inside(["setpriv", f"--reuid={ALICE}", f"--regid={ALICE}",
                                "--clear-groups", "env", f"SSH_AUTH_SOCK={home / 'agent'}",
                                "sudo", "id"])
        person = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8",
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        wait_until(lambda: "connection" in log.read_text(), "the agent is asked")
        started = time.monotonic()
        person.sendcontrol("c")
        person.expect(pexpect.EOF)
        person.close()
        assert debug(world.outcome("sudo"))["cause"] == "CLIENT_GONE"
        assert time.monotonic() - started < 4  # not the 5 s that the list may take


# --- whose agent, and which socket ---------------------------------------------------------------

def test_agent_of_another_user_is_not_asked(world: PamWorld, home: Path) -> None:
    enrolled(world)
    bobs = world.directory / "bobs"
    bobs.mkdir()
    os.chown(bobs, BOB, BOB)
    os.chmod(bobs, 0o755)
    try:
        with fake(bobs / "agent", BOB, "gone") as log:
            assert_out(world, sudo(world, bobs / "agent"), "NO_CERTIFICATE")
            os.chown(bobs / "agent", ALICE, ALICE)  # as if it were hers: he listens all the same
            done = sudo(world, bobs / "agent")
            assert done.returncode != 0
            assert debug(world.outcome("sudo", 2))["deviceReason"] == "NO_CERTIFICATE"
            # Whether she may connect is the kernel's to say; nothing is said over it.
            assert log.read_text().count("listening") == 1
    finally:
        shutil.rmtree(bobs)


def test_socket_that_is_another_users_is_not_connected_to(world: PamWorld, home: Path) -> None:
    """Even where its owner is not who listens there."""
    with agent(home / "agent", ALICE, enrolled(world)) as where:
        os.chmod(where, 0o777)
        os.chown(where, BOB, BOB)
        assert_out(world, sudo(world, where), "NO_CERTIFICATE")
        os.chown(where, ALICE, ALICE)
        done = sudo(world, where)
        assert done.returncode == 0 and ROOT_SHOWN in done.stdout


def test_path_that_only_root_may_walk_is_not_walked(world: PamWorld, home: Path) -> None:
    key = enrolled(world)
    closed = world.directory / "closed"
    closed.mkdir(mode=0o755)
    os.chmod(closed, 0o777)
    try:
        with agent(closed / "agent", ALICE, key) as where:
            os.chmod(closed, 0o700)  # root's
            assert_out(world, sudo(world, where), "NO_CERTIFICATE")
            os.chmod(closed, 0o755)
            done = sudo(world, where)
            assert done.returncode == 0 and ROOT_SHOWN in done.stdout
    finally:
        shutil.rmtree(closed)


def test_links_and_relative_paths_are_refused(world: PamWorld, home: Path) -> None:
    with agent(home / "agent", ALICE, enrolled(world)) as where:
        (home / "link").symlink_to(where)
        assert_out(world, sudo(world, home / "link"), "NO_CERTIFICATE")
        done = sudo(world, "agent", "-C", str(home))
        assert done.returncode != 0
        assert debug(world.outcome("sudo", 2))["deviceReason"] == "NO_CERTIFICATE"
        done = sudo(world, where)
        assert done.returncode == 0 and ROOT_SHOWN in done.stdout


# --- keys that ask their owner -----------------------------------------------------------------

@pytest.mark.parametrize("allows", [True, False])
def test_key_that_is_confirmed_each_time(world: PamWorld, home: Path, allows: bool) -> None:
    """ssh-add -c: the agent asks its owner before it signs."""
    key = enrolled(world)
    with careful_agent(home / "agent", ALICE, key, "-c", allows=allows) as at:
        done = sudo(world, at)
    if allows:
        assert_in(world, done)
    else:
        assert_out(world, done, "NO_PROOF_OF_POSSESSION")


def enrolled_security_key(world: PamWorld, where: Path) -> tuple[Path, Path]:
    """A key in a token, filed as a managed device's; and the token."""
    key, token = make_security_key(where / "sk")
    identifier = world.pki["devices"]["device-p256"]["device_id"]
    world.sim.enrol_device(identifier, user="dtalice@example.com")
    world.run_ctl("device", "add", "--id", identifier, "--ssh-key", key.with_suffix(".pub"))
    return key, token


@pytest.mark.parametrize("real,ruser,asked", [
    (61002, "dtbob", True), (0, "dtbob", True), (61001, "dtbob", False), (61003, "dtbob", False),
    (61001, "dtalice", False), (61002, "", False), (61002, "nobody-of-this-name", False)])
def test_agent_is_that_of_who_really_called(world: PamWorld, home: Path, real: int, ruser: str,
                                            asked: bool) -> None:
    """dtbob's agent: PAM_RUSER counts where the kernel says the same, or knows nobody but root."""
    key = enrolled(world)
    where = home / "bob"
    where.mkdir()
    os.chown(where, 61002, 61002)
    with agent(where / "agent", 61002, key) as socket:
        report = world.login("sudo", "dtalice", "--real-uid", real, "--no-conversation",
                             *(("--ruser", ruser) if ruser else ()),
                             env={"PATH": "/usr/bin:/bin", "SSH_AUTH_SOCK": str(socket)})
    assert (report["auth"] == "SUCCESS") == asked
    event = debug(world.outcome("sudo"))
    assert ("ssh-agent" in event["evidence"]) == asked, event


@pytest.mark.parametrize("demanded", ["no", "yes"])
def test_security_key(world: PamWorld, home: Path, demanded: str) -> None:
    world.restart_daemon({"device_trust": {"ssh_require_hardware_key": demanded}})
    key, token = enrolled_security_key(world, home)
    with careful_agent(home / "agent", ALICE, key, "-S", str(token), provider=token) as at:
        assert_in(world, sudo(world, at))
    world.site.configure({"device_trust": {"ssh_require_hardware_key": None}})


def test_security_key_that_nobody_touched(world: PamWorld, home: Path) -> None:
    """It signs, and says itself that it was not touched: malware on the laptop could do as much."""
    world.restart_daemon({"device_trust": {"ssh_require_hardware_key": "yes"}})
    key, token = enrolled_security_key(world, home)
    (token.parent / "touch").write_text("no\n")
    with careful_agent(home / "agent", ALICE, key, "-S", str(token), provider=token) as at:
        assert_out(world, sudo(world, at), "NO_PROOF_OF_POSSESSION")
    world.site.configure({"device_trust": {"ssh_require_hardware_key": None}})


def test_soft_key_where_hardware_is_demanded(world: PamWorld, home: Path) -> None:
    world.restart_daemon({"device_trust": {"ssh_require_hardware_key": "yes"}})
    with agent(home / "agent", ALICE, enrolled(world)) as at:
        assert_out(world, sudo(world, at), "KEY_NOT_HARDWARE")
    world.site.configure({"device_trust": {"ssh_require_hardware_key": None}})


def test_security_key_over_ssh(world: PamWorld, sshd: Sshd, home: Path) -> None:
    """sshd has the touch checked; the type of its key says that it is in a token."""
    world.restart_daemon({"device_trust": {"ssh_require_hardware_key": "yes",
                                           "trusted_when": "ssh-key+intune"}})
    key, token = enrolled_security_key(world, home)
    before = (world.pam_directory / "sshd").read_text()
    world.service("sshd")
    sshd.allow("dtalice", key)
    soft = enrolled(world)
    sshd.allow("dtalice", soft)
    try:
        for used, trusted in ((key, True), (soft, False)):
            world.site.audit_path.unlink(missing_ok=True)
            command = sshd.command("dtalice", used)
            command[1:1] = ["-o", f"SecurityKeyProvider={token}"]
            done = subprocess.run(command, text=True, capture_output=True, timeout=LIMIT,
                                  stdin=subprocess.DEVNULL)
            assert ("I-am-in" in done.stdout) == trusted, done.stderr
            event = world.outcome("sshd")
            assert debug(event)["evidence"] == "ssh-key+intune" if trusted \
                else debug(event)["deviceReason"] == "KEY_NOT_HARDWARE"
    finally:
        (world.pam_directory / "sshd").write_text(before)
        world.site.configure({"device_trust": {"ssh_require_hardware_key": None}})
