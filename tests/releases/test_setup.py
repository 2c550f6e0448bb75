# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway from nothing: packages, `devtrustctl setup` with an answer file, and logins."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pexpect

from tests.lib.pamworld import wait_until
from tests.lib.radius import Client
from tests.lib.release_root import Root
from tests.lib.sshd import PROMPT, make_key, public_key
from tests.pki import pki
from tests.releases.test_packages import ALL, give
from tests.sim.client import Sim

SUFFIX, PASSWORD = "@corp.example", "correct horse battery"
LOCALHOST_SECRET = b"testing123"  # of the entry for 127.0.0.1 that FreeRADIUS ships
DEVICE = "device-p256"
CLONE_NEWNET = 0x40000000
MINUTES_MAX, COMMANDS_MAX = 5, 5
LIMIT = 120


@contextlib.contextmanager
def network_of(root: Root) -> Iterator[None]:
    """This process and what it starts are in the root's network meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: str) -> None:
        with open(path, "rb") as space:
            assert libc.setns(space.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    with open("/proc/self/ns/net", "rb") as own:
        enter(f"/proc/{root.first}/ns/net")
        try:
            yield
        finally:
            assert libc.setns(own.fileno(), CLONE_NEWNET) == 0


class Administrator:
    """Types commands, which are counted and timed."""

    def __init__(self, root: Root) -> None:
        self.root, self.commands, self.seconds = root, 0, 0.0

    def types(self, command: str, network: bool = False) -> str:
        self.commands += 1
        began = time.monotonic()
        said = self.root.run(command, network=network).stdout
        took = time.monotonic() - began
        self.seconds += took
        print(f"--- command {self.commands}: {took:.1f} s", flush=True)
        return said


def put_answers(root: Root, sim: Sim, index: dict[str, Any]) -> None:
    """What an administrator has at hand: credentials, CAs, and the answers."""
    for name, source, mode in (("token", sim.okta_token_file, 0o600),
                               ("graph.key", sim.key_file, 0o600),
                               ("graph.pem", sim.certificate_file, 0o644),
                               ("sim-ca.pem", sim.ca_file, 0o644),
                               ("company.pem", index["authorities"]["company_ca"], 0o644),
                               ("shared.pem", index["authorities"]["shared_ca"], 0o644),
                               ("device.pem", index["devices"][DEVICE]["files"]["certificate"],
                                0o644)):
        root.copy_in(source, f"/root/{name}")
        root.path(f"/root/{name}").chmod(mode)
        shutil.chown(root.path(f"/root/{name}"), 0, 0)
    answers = {"org_url": sim.okta_url, "login_suffix": SUFFIX, "api_token_file": "/root/token",
               "okta_ca_file": "/root/sim-ca.pem", "tenant_id": sim.tenant_id,
               "intune_client_id": sim.client_id, "intune_certificate_file": "/root/graph.pem",
               "intune_key_file": "/root/graph.key", "intune_ca_file": "/root/sim-ca.pem",
               "login_url": sim.login_url, "graph_url": sim.graph_url,
               "company_ca_file": "/root/company.pem", "shared_ca_file": "/root/shared.pem",
               "device_certificate": "/root/device.pem", "applications": "sshd, sudo, vpn"}
    root.path("/root/answers").write_text(
        "".join(f"{key} = {value}\n" for key, value in answers.items()))


def add_people(root: Root, folder: Path, index: dict[str, Any]) -> dict[str, Path]:
    """ann comes by her laptop's key, bob by a key of his own."""
    keys = {"ann": folder / "laptop", "bob": make_key(folder / "stranger")}
    shutil.copy(index["devices"][DEVICE]["files"]["key"], keys["ann"])
    keys["ann"].chmod(0o600)
    for name, key in keys.items():
        root.run(f"useradd -m -s /bin/sh {name} && echo '{name}:{PASSWORD}' | chpasswd && "
                 f"install -d -o {name} -g {name} -m 0700 /home/{name}/.ssh && "
                 f"echo '{public_key(key)}' >/home/{name}/.ssh/authorized_keys && "
                 f"echo '{name} ALL=(ALL) ALL' >/etc/sudoers.d/{name}", quiet=True)
    root.run(f"echo 'ann Cleartext-Password := \"{PASSWORD}\"' "
             ">>/etc/freeradius/3.0/mods-config/files/authorize", quiet=True)
    return keys


def person(command: list[str], sim: Sim, name: str, password: bool = False) -> tuple[str, bool]:
    """What was seen at the end, and whether there was a push."""
    child = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8")
    pushed, deadline = False, time.monotonic() + LIMIT
    while True:
        got = child.expect([r"uid=\d+", r"(?i)password[^:\r\n]*: ?$",
                            PROMPT + r"|in Okta Verify: ?$",
                            "Connection refused", pexpect.EOF])
        if got == 3:  # sshd closes its socket for a moment when it reloads
            assert time.monotonic() < deadline
            time.sleep(0.05)
            child = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8")
        elif got == 1 and password:
            child.sendline(PASSWORD)
        elif got == 2:
            pushed = True
            sim.approve(name + SUFFIX)
            child.sendline("")
        else:
            seen = (child.before or "") + (str(child.after) if got == 0 else "")
            child.close()
            return seen, pushed


def ssh(name: str, key: Path) -> list[str]:
    options = ("IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=no",
               "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    return ["ssh", "-F", "none", "-i", str(key),
            *(word for option in options for word in ("-o", option)), f"{name}@127.0.0.1", "id"]


def vpn(sim: Sim, name: str, answer: str) -> int:
    client = Client(1812, LOCALHOST_SECRET, **{"NAS-Identifier": "gateway",
                                               "Calling-Station-Id": "198.51.100.7"})
    sim.set_push(name + SUFFIX, answer)
    try:
        return client.start(name, PASSWORD).wait(LIMIT).code
    finally:
        sim.set_push(name + SUFFIX, "manual")


def test_from_nothing_to_logins(host: Root, packages: Path, tmp_path: Path) -> None:
    """Packages, setup, enforcement: sshd, sudo and FreeRADIUS, trusted and untrusted."""
    index = pki.generate(tmp_path / "pki")
    admin = Administrator(host)
    debs = give(host, packages, sorted(ALL))
    admin.types("apt-get -y -q --no-install-recommends install openssh-server sudo freeradius "
                f"{debs}", network=True)
    keys = add_people(host, tmp_path, index)
    with network_of(host), Sim.start(tmp_path / "sim", tenant=index["tenant_id"]) as sim:
        for name in keys:
            sim.add_user(name + SUFFIX, factors=("push", "token:software:totp"))
        sim.enrol_device(index["devices"][DEVICE]["device_id"], user="ann" + SUFFIX)
        put_answers(host, sim, index)
        assert "report-only" in admin.types("devtrustctl setup --answers /root/answers")
        admin.types("devtrustctl device add /root/device.pem")
        # Everybody gets in as before, and it is reported.
        assert "uid=" in person(ssh("bob", keys["bob"]), sim, "bob")[0]
        assert not sim.pushes()
        assert "enforced" in admin.types("devtrustctl setup --enforce")
        wait_until(lambda: host.run("devtrustctl log --query 'Reload of'", check=False,
                                    quiet=True).returncode == 0, "devtrustd takes the change")
        seen, pushed = person(ssh("ann", keys["ann"]), sim, "ann")
        assert "uid=" in seen and not pushed
        seen, pushed = person(ssh("bob", keys["bob"]), sim, "bob")
        assert "uid=" in seen and pushed
        sudo = ["nsenter", "-t", str(host.first), "-m", "-p", "-u", "-i", "-C", "runuser", "-u",
                "bob", "--", "sudo", "-k", "id"]
        seen, pushed = person(sudo, sim, "bob", password=True)
        assert "uid=0" in seen and pushed
        assert vpn(sim, "ann", "approve") == 2
        assert vpn(sim, "bob", "approve") == 3
        assert "nothing to do" in host.run("devtrustctl setup").stdout
        host.run("devtrustctl check-config; devtrustctl --radius check-config; "
                 "devtrustctl check-pam sshd; devtrustctl check-pam sudo")
        host.run("devtrustctl log -n 5; devtrustctl --radius log -n 5")
        host.run("devtrustctl setup --undo && ! grep -rl pam_devtrust /etc/pam.d && "
                 "systemctl is-active ssh freeradius")
    print(f"{admin.commands} commands, {admin.seconds:.0f} s")
    assert admin.commands <= COMMANDS_MAX and admin.seconds < 60 * MINUTES_MAX


def test_a_run_that_is_ended_leaves_nothing(release: str, tmp_path: Path) -> None:
    """`make releases` that gets SIGTERM: no process, no mount, no control group."""
    script = tmp_path / "test_one.py"
    script.write_text("import time\n"
                      "from tests.lib.release_root import Root\n"
                      "def test_it():\n"
                      f"    with Root('{release}', []) as root:\n"
                      f"        open('{tmp_path}/ready', 'w').write(str(root.work))\n"
                      "        time.sleep(600)\n")
    shutil.copy(Path(__file__).parent / "conftest.py", tmp_path / "conftest.py")
    run = subprocess.Popen([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", script],
                           cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL,
                           env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    deadline = time.monotonic() + LIMIT
    ready = tmp_path / "ready"
    while not (ready.exists() and ready.read_text()):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.1)
    work = ready.read_text()
    run.terminate()
    assert run.wait(LIMIT) != 0
    assert not Path(work).exists()
    assert work not in Path("/proc/mounts").read_text()
