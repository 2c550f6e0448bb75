# SPDX-License-Identifier: GPL-2.0-or-later
# The demo's stage: the simulated Okta org and Intune tenant, one devtrust site, and over it a real
# sshd, devtrustd and FreeRADIUS, with people and their machines.
"""Everything the demo's steps act on."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

from tests.demo.narrator import Narrator
from tests.demo.runs import Note
from tests.lib import pamworld
from tests.lib import radius as rad
from tests.lib import sshd as ssh
from tests.pki.pki import Pki
from tests.sim.client import Sim

LIMIT = 60.0  # seconds; waits are for conditions, this is when the demo has gone wrong
PUSH, TOTP = "push", "token:software:totp"
CACHE_TTL = 5  # seconds; short, so that step 6 does not have to wait a quarter of an hour
KEPT = ("audit.log", "devtrustd.log", "radius.log", "output.log", "sim.log", "log",
        "devtrust.conf", "radiusd.conf", "sshd_config")
SETTINGS = {
    # vpn-client stands for what AnyConnect says of its device: asserted, not proved. This company
    # takes it for the VPN.
    "device_trust": {"trusted_when": "certificate+intune, ssh-key+intune, vpn-client+intune",
                     "cache_ttl": f"{CACHE_TTL}s", "negative_ttl": "1s"},
    "okta": {"poll_interval": "2s"},
    "mfa": {"wait_vpn": "55s", "wait_wifi": "25s", "wait_pam": "55s"},
}


class Deviation(Exception):
    """Something did not go as told."""


def expect(condition: Any, text: str) -> None:
    if not condition:
        raise Deviation(text)


def login_of(user: str) -> str:
    return user + "@example.com"


def free_name(name: str) -> str:
    """The name, or one that no account of this machine has."""
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        return "demo-" + name
    return name


def make_pki(directory: Path) -> dict[str, Any]:
    """As tests.pki.pki.generate does, with the only device certificate that is needed here."""
    pki = Pki(directory)
    server = pki.authorities["radius"].issue_server(["radius.example.com", "localhost",
                                                     "127.0.0.1"], "rsa2048")
    return {"tenant_id": pki.tenant, "authorities": pki.write_authorities(),
            "radius_server": pki.write_identity("radius-server", server),
            "devices": {"laptop": pki.device("laptop", key="rsa2048")}}


class Stage:
    """A context manager: all of it runs inside."""

    def __init__(self, narrator: Narrator, note: Note, logs: Path) -> None:
        self.narrator = narrator
        self.note = note
        self.logs = logs
        self.closing = contextlib.ExitStack()
        self.alice, self.bob = free_name("alice"), free_name("bob")
        pamworld.ACCOUNTS.update({self.alice: 61021, self.bob: 61022})

    # --- life --------------------------------------------------------------------------------

    def __enter__(self) -> "Stage":
        try:
            self._open()
        except BaseException:
            self.close(keep_logs=True)
            raise
        return self

    def _open(self) -> None:
        papers = Path(tempfile.mkdtemp(prefix="devtrust-demo-pki-"))
        self.closing.callback(shutil.rmtree, papers, ignore_errors=True)
        self.note.directory(papers)
        self.pki = make_pki(papers)
        self.world = self.closing.enter_context(
            pamworld.PamWorld(self.pki, applications=("sshd", "vpn", "wifi"), settings=SETTINGS))
        self.note.directory(self.world.directory)
        self.note.process(int(self.world.inside([])[2]))
        self.sim: Sim = self.world.sim
        self.note.process(self.sim.pid)
        self.site = self.world.site
        self._start_servers()
        self._enrol()

    def _start_servers(self) -> None:
        self.world.sample("sshd", "sshd-devtrust")
        self.world.start_daemon()
        assert self.world.daemon is not None
        self.note.process(self.world.daemon.pid)
        self.sshd = self.closing.enter_context(ssh.Sshd(self.world))
        assert self.sshd.process is not None
        self.note.process(self.sshd.process.pid)
        self.radius = rad.Radius(self.world.directory / "raddb", self.site)
        self.closing.enter_context(self.radius)
        assert self.radius.process is not None
        self.note.process(self.radius.process.pid)

    def _enrol(self) -> None:
        """Alice and her enrolled laptop; Bob and Carol, who come from machines of their own."""
        self.sim.add_user(login_of(self.alice), factors=(PUSH,))
        self.sim.add_user(login_of(self.bob), factors=(PUSH,))
        self.sim.add_user(login_of("carol"), factors=(TOTP,))
        self.laptop = self.pki["devices"]["laptop"]
        self.sim.enrol_device(self.laptop["device_id"], user=login_of(self.alice),
                              deviceName="ALICE-LAPTOP")
        self.laptop_key = ssh.install_device_key(self.world, "laptop")
        self.laptop_public = self.laptop_key.with_suffix(".pub")
        self.laptop_public.write_text(ssh.public_key(self.laptop_key) + "\n")
        self.other_key = ssh.make_key(self.world.directory / "unknown-machine.key")
        self.sshd.allow(self.alice, self.laptop_key)
        self.sshd.allow(self.alice, self.other_key)
        self.sshd.allow(self.bob, self.other_key)

    def __exit__(self, kind: Any, *_: object) -> None:
        self.close(keep_logs=kind is not None)

    def close(self, keep_logs: bool) -> None:
        """Ends every process and removes every file, the logs perhaps excepted."""
        if keep_logs:
            self.keep_logs()
        self.closing.close()
        self.note.remove()

    def keep_logs(self) -> None:
        """Logs and what configured the servers; nothing that is secret."""
        directory = getattr(getattr(self, "world", None), "directory", None)
        if directory is None:
            return
        shutil.rmtree(self.logs, ignore_errors=True)
        for path in directory.rglob("*"):
            if path.name in KEPT and path.is_file():
                target = self.logs / path.relative_to(directory)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        self.narrator.say(f"The logs are in {self.logs}")

    # --- what happened -----------------------------------------------------------------------

    def outcome(self, seen: int, user: str, application: str, cause: str) -> dict[str, Any]:
        """How a sign-on ended after the first `seen` events: told, its debug data given."""
        def fits(event: dict[str, Any]) -> bool:
            return (event["debugContext"]["debugData"].get("cause") == cause
                    and application in pamworld.names_in(event)
                    and user in (event["actor"].get("displayName"),
                                 event["actor"].get("alternateId"),
                                 event["actor"].get("alternateId", "").partition("@")[0]))

        deadline = time.monotonic() + LIMIT
        while True:
            fresh = self.site.events()[seen:]
            for event in fresh:
                if fits(event):
                    for one in fresh:  # that of the device, and that of how it ended
                        if one["transaction"] == event["transaction"]:
                            self.tell(one)
                    return event["debugContext"]["debugData"]
            if time.monotonic() > deadline:
                raise Deviation(f"no audit event {cause} of {user} at {application} among: "
                                + "; ".join(f'{e["actor"].get("displayName")} '
                                            f'{e["debugContext"]["debugData"].get("cause")}'
                                            for e in fresh))
            time.sleep(0.02)

    def tell(self, event: dict[str, Any]) -> None:
        """An audit event in the words of devtrustctl."""
        done = subprocess.run([pamworld.CTL, "log", "--file", "-"], input=json.dumps(event) + "\n",
                              text=True, capture_output=True, timeout=LIMIT)
        expect(done.returncode == 0, f"devtrustctl log: {done.stderr}")
        self.narrator.audit(done.stdout.strip())

    def control(self, *arguments: str, status: int = 0) -> str:
        """Runs devtrustctl on this site; its output."""
        command = [str(pamworld.CTL), arguments[0], *arguments[1:], "-c",
                   str(self.site.config_path)]
        done = subprocess.run(command, text=True, capture_output=True, timeout=LIMIT)
        expect(done.returncode == status,
               f"devtrustctl {arguments[0]} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    @contextlib.contextmanager
    def calls(self) -> Iterator[dict[str, int]]:
        """Counts what Okta and Graph were asked meanwhile, by endpoint."""
        before = self.sim.statistics()["counters"]
        made: dict[str, int] = {}
        yield made
        for name, count in self.sim.statistics()["counters"].items():
            if count != before.get(name, 0):
                made[name] = count - before.get(name, 0)

    def told(self, made: dict[str, int]) -> str:
        """The Okta calls in words."""
        parts = [f"{count} {name.partition('.')[2]}" for name, count in sorted(made.items())
                 if name.startswith("okta.") and name != "okta.total"]
        return f"{made.get('okta.total', 0)} calls to Okta: {', '.join(parts) or 'none'}."

    def seen(self) -> int:
        return len(self.site.events())

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.world.directory), "TERM": "dumb"}
