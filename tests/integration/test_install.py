# SPDX-License-Identifier: GPL-2.0-or-later
# The fenced blocks of INSTALL.md, run as they are written: by somebody at a client, against a real
# sshd with the shipped samples, with a trusted device's key and with another.
"""INSTALL.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import site as sites
from tests.lib.matrix import cell
from tests.lib.pamworld import LIMIT, ROOT, PamWorld, pam_world
from tests.lib.sshd import Sshd, install_device_key, make_key, public_key

BLOCKS = dict(re.findall(r"(?ms)^```[\w-]+ (\S+)\n(.*?)^```$", (ROOT / "INSTALL.md").read_text()))
PAGE = "only for those who are in"
PASSWORD = "correct horse battery"
CAROL, DEPLOY = 61003, 61020
TRUSTED = "Service accounts on trusted devices"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, accounts={"deploy": DEPLOY}) as made:
        made.sample("sshd", "sshd-devtrust")
        made.sample("sudo", "sudo-devtrust")
        made.set_password("deploy", PASSWORD)
        with open(made.directory / "sudoers", "a") as sudoers:
            sudoers.write("deploy ALL=(ALL) ALL\n")
        with open(made.directory / "group", "a") as group:
            group.write("devtrust-programs:x:61900:deploy\n")
        passwd = made.directory / "passwd"
        text = passwd.read_text()
        for name in ("deploy", "dtcarol"):
            (made.directory / name).mkdir()
            text = re.sub(rf"(?m)^({name}:.*):{made.directory}:", rf"\1:{made.directory}/{name}:",
                          text)
        passwd.write_text(text)
        fill_host(made.directory / "deploy")
        fill_client(made.directory / "dtcarol")
        zones = made.site.directory / "zones.json"
        made.site.configure({"policy": {"zones_file": zones}})
        yield made


def owned(path: Path, uid: int) -> None:
    subprocess.run(["chown", "-R", f"{uid}:{uid}", path], check=True)


def fill_host(home: Path) -> None:
    (home / "site").mkdir()
    repository = home / "app.git"
    subprocess.run(["git", "init", "-q", "--bare", repository], check=True)
    tree = subprocess.run(["git", "-C", repository, "mktree"], check=True, input="", text=True,
                          capture_output=True).stdout.strip()
    commit = subprocess.run(["git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@b",
                             "commit-tree", "-m", PAGE, tree], check=True, text=True,
                            capture_output=True).stdout.strip()
    subprocess.run(["git", "-C", repository, "update-ref", "HEAD", commit], check=True)
    owned(home, DEPLOY)


def fill_client(home: Path) -> None:
    (home / ".ssh").mkdir(mode=0o700)
    (home / "site").mkdir()
    (home / "site" / "index.html").write_text(PAGE + "\n")
    (home / "become.password").write_text(PASSWORD + "\n")
    for name in ("inventory.ini", "site.yml"):
        (home / name).write_text(BLOCKS[name])
    owned(home, CAROL)


@pytest.fixture(scope="module")
def server(world: PamWorld) -> Iterator[Sshd]:
    programs = world.directory / "devtrust-programs.conf"
    shutil.copy(ROOT / "conf" / "sshd" / "devtrust-programs.conf", programs)
    with Sshd(world, Subsystem="sftp /usr/lib/openssh/sftp-server", Include=programs,
              StrictModes="no") as made:  # the keys are not in the home
        (world.directory / "dtcarol" / ".ssh" / "config").write_text(
            f"Host web1\n    HostName 127.0.0.1\n    Port {made.port}\n"
            "    StrictHostKeyChecking no\n    UserKnownHostsFile /dev/null\n    LogLevel ERROR\n"
            + BLOCKS["config"])
        owned(world.directory / "dtcarol" / ".ssh", CAROL)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld, server: Sshd) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    world.sim.add_user("deploy@example.com", factors=("push",))
    world.sim.enrol_device(world.pki["devices"]["device-p256"]["device_id"],
                           user="deploy@example.com")
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    decide(world, "203.0.113.0/25")
    world.start_daemon()
    world.add_device(world.pki["devices"]["device-p256"]["files"]["certificate"])
    yield
    server.hang_up()
    world.stop_daemon()


def decide(world: PamWorld, data_centre: str) -> None:
    """INSTALL.md's rules before those of people."""
    (world.site.directory / "zones.json").write_text(json.dumps({"zones": [
        {"name": "Data centre", "type": "IP", "status": "ACTIVE", "gateways": [data_centre]}]}))
    for application in ("sshd", "sudo"):
        rules = json.loads(BLOCKS["rules-of-" + application])
        people = sites.guide_policy(application)["rules"]
        for rule in people[:-1]:
            rule["priority"] += len(rules)
        world.site.set_policy({"name": application, "application": application,
                               "rules": rules + people})


def use_key(world: PamWorld, server: Sshd, trusted: bool) -> None:
    made = world.directory / ("device-p256.key" if trusted else "other.key")
    if not made.exists():
        (install_device_key(world, "device-p256") if trusted else make_key(made))
        server.allow("deploy", made)
    key = world.directory / "dtcarol" / ".ssh" / "device"
    shutil.copy(made, key)
    key.with_suffix(".pub").write_text(public_key(made) + "\n")
    owned(key.parent, CAROL)


def run(world: PamWorld, block: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    """A block of INSTALL.md, by a person at the client."""
    home = world.directory / "dtcarol"
    return world.run(["setpriv", "--reuid", CAROL, "--regid", CAROL, "--clear-groups", "env", "-i",
                      f"HOME={home}", f"PATH={os.environ['PATH']}", "LC_ALL=C.UTF-8",
                      "ANSIBLE_NOCOLOR=1", "sh", "-c", f"cd {home}\n{BLOCKS[block]}"],
                     input=text, timeout=2 * LIMIT)


def by_ansible(world: PamWorld) -> bool:
    return "failed=0" in run(world, "ansible").stdout and \
        {e["debugContext"]["debugData"]["application"] for e in world.site.sign_ons()} \
        == {"sshd", "sudo"}


def by_rsync(world: PamWorld) -> bool:
    page = world.directory / "deploy" / "site" / "index.html"
    page.unlink(missing_ok=True)
    return run(world, "rsync").returncode == 0 and page.read_text() == PAGE + "\n"


def by_scp(world: PamWorld) -> bool:
    page = world.directory / "deploy" / "site" / "copy.html"
    page.unlink(missing_ok=True)
    return run(world, "scp").returncode == 0 and page.read_text() == PAGE + "\n"


def by_git(world: PamWorld) -> bool:
    clone = world.directory / "dtcarol" / "app"
    shutil.rmtree(clone, ignore_errors=True)
    return run(world, "git").returncode == 0 and (clone / ".git" / "HEAD").exists()


def by_vs_code(world: PamWorld) -> bool:
    """Its server is started by a script on standard input."""
    return "started 61020" in run(world, "vs-code", "echo started $(id -u)\n").stdout


RECIPES = {"ansible-playbook with sudo": by_ansible, "rsync as in INSTALL.md": by_rsync,
           "scp as in INSTALL.md": by_scp, "git as in INSTALL.md": by_git,
           "VS Code's ssh": by_vs_code}
SHORT = ("rsync as in INSTALL.md",)


def recipes(case: str) -> list[Any]:
    return [pytest.param(name, marks=cell("pam", name, case, whole=name not in SHORT))
            for name in RECIPES]


def causes(world: PamWorld) -> list[str]:
    return [e["debugContext"]["debugData"]["cause"] for e in world.site.sign_ons()]


@pytest.mark.parametrize("name", recipes("trusted"))
def test_trusted(world: PamWorld, server: Sshd, name: str) -> None:
    use_key(world, server, True)
    assert RECIPES[name](world), server.log.read_text()[-2000:]
    world.outcome("sshd")
    assert set(causes(world)) == {"RULE_ALLOW"} and world.sim.count("okta.total") == 0


@pytest.mark.parametrize("name", recipes("denied"))
def test_elsewhere(world: PamWorld, server: Sshd, name: str) -> None:
    """The third rule. No push: a service account has no phone."""
    use_key(world, server, False)
    assert not RECIPES[name](world)
    world.outcome("sshd")
    assert set(causes(world)) == {"RULE_DENY"} and world.sim.count("okta.total") == 0


def test_from_the_data_centre(world: PamWorld, server: Sshd) -> None:
    world.stop_daemon()
    decide(world, "127.0.0.0/8")
    world.start_daemon()
    use_key(world, server, False)
    assert by_rsync(world)
    world.outcome("sshd")
    assert causes(world) == ["RULE_ALLOW"]


def test_people_are_asked_as_before(world: PamWorld, server: Sshd) -> None:
    """Who is not in the group has the conversation."""
    world.sim.add_user("dtalice@example.com", factors=("push",))
    key = make_key(server.directory / "alice")
    server.allow("dtalice", key)
    ssh = server.connect("dtalice", key)
    ssh.expect(r"number (\d+) in Okta Verify")
    world.sim.approve("dtalice@example.com", number=int(ssh.match[1]))
    ssh.sendline("")
    ssh.expect("I-am-in")
    ssh.close()
    assert causes(world) == ["MFA_SUCCESS"]


def test_every_block_is_run() -> None:
    read = Path(__file__).read_text()
    assert len(BLOCKS) == 10 and all(f'"{name}"' in read or name.startswith("rules-of-")
                                     for name in BLOCKS), BLOCKS.keys()
