# SPDX-License-Identifier: GPL-2.0-or-later
# A real sshd on a loopback port, in the private world of tests.lib.pamworld, and a person at a real
# ssh in front of it.
"""sshd and ssh for tests."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any, Optional

import pexpect
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat,
                                                          load_pem_private_key)

from tests.lib.pamworld import BUILD, LIMIT, ROOT, PamWorld, is_running, wait_until
from tests.lib.ports import free_port

PROMPT = r"(push sent|passcode|press Enter|Approve)[^\r\n]*: "


def make_key(path: Path, kind: str = "ed25519") -> Path:
    """A key pair that no device management knows of."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True,
                   stdin=subprocess.DEVNULL)
    return path


def make_security_key(where: Path) -> tuple[Path, Path]:
    """A key of a token (tests/lib/security_key.c), made by ssh-keygen; and the token's own library,
    is root's."""
    where.mkdir(mode=0o755)
    token = Path(shutil.copy(BUILD / "tests" / "lib" / "security_key.so", where))
    key = where / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519-sk", "-w", token, "-N", "", "-f", key],
                   check=True, stdin=subprocess.DEVNULL)
    return key, token


def install_device_key(world: PamWorld, device: str) -> Path:
    """The private key of a device certificate of the test PKI, for ssh to use."""
    pem = Path(world.pki["devices"][device]["files"]["key"]).read_bytes()
    key = load_pem_private_key(pem, None)
    path = world.directory / f"{device}.key"
    # ssh reads Ed25519 keys in no other form.
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    os.chmod(path, 0o600)
    return path


def public_key(key: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-y", "-f", key], check=True, capture_output=True,
                          text=True)
    return done.stdout.strip()


@functools.lru_cache(maxsize=None)
def knows_penalties() -> bool:
    """True from OpenSSH 9.8 on."""
    version = subprocess.run(["ssh", "-V"], stderr=subprocess.PIPE, text=True, check=True).stderr
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= (9, 8)


class Sshd:
    """A context manager: sshd with the shipped drop-in file and a PAM service `sshd`."""

    def __init__(self, world: PamWorld, **settings: Any) -> None:
        self.world = world
        self.port = free_port()
        self.directory = world.directory / ("sshd-" + uuid.uuid4().hex[:8])
        self.directory.mkdir(mode=0o755)
        self.log = self.directory / "log"
        self.keys = self.directory / "authorized"
        self.keys.mkdir(mode=0o755)
        make_key(self.directory / "host_key")
        self.config = self.directory / "sshd_config"
        self._write(settings)
        self.process: Optional["subprocess.Popen[bytes]"] = None

    def _write(self, settings: dict[str, Any]) -> None:
        # The first of two counts.
        lines = [f"{name} {value}" for name, value in settings.items()]
        lines += ["ListenAddress 127.0.0.1", f"Port {self.port}", "LogLevel VERBOSE",
                  f"HostKey {self.directory / 'host_key'}", "PidFile none",
                  f"AuthorizedKeysFile {self.keys}/%u",
                  f"Include {ROOT / 'conf' / 'sshd' / 'devtrust.conf'}"]
        if knows_penalties():
            lines.append("PerSourcePenalties no")  # which refused logins would earn
        self.config.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> "Sshd":
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.world.inside(["/usr/sbin/sshd", "-D", "-e", "-f", self.config]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: b"Server listening" in self.log.read_bytes()
                   or self.process.poll() is not None, "sshd listens")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.hang_up()
        self.process.terminate()
        self.process.wait(LIMIT)

    def allow(self, user: str, key: Path) -> None:
        """Puts the key into the user's authorized_keys."""
        with open(self.keys / user, "a") as authorized:
            authorized.write(public_key(key) + "\n")
        os.chmod(self.keys / user, 0o644)

    def stranger(self, user: str) -> Path:
        """A key that lets the user in, of a machine that nobody has enrolled."""
        made = make_key(self.directory / "stranger")
        self.allow(user, made)
        return made

    def children(self) -> list[int]:
        """Processes of connections, however deep below the listening one."""
        assert self.process is not None
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    if fields[0] != "Z":
                        parents[int(entry.name)] = int(fields[1])
        found: list[int] = []
        todo = [self.process.pid]
        while todo:
            parent = todo.pop()
            below = [pid for pid, its in parents.items() if its == parent]
            found += below
            todo += below
        return [pid for pid in found if is_running(pid)]

    def hang_up(self) -> None:
        """Ends all connections."""
        def ended() -> bool:
            children = self.children()
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not children

        wait_until(ended, "sshd's connections end")

    def command(self, user: str, key: Path, *remote: str) -> list[str]:
        return ["ssh", "-F", "none", "-p", str(self.port), "-i", str(key),
                "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1",
                f"{user}@127.0.0.1", *(remote or ("echo", "I-am-in"))]

    def connect(self, user: str, key: Path, *remote: str) -> "pexpect.spawn[str]":
        """A person at a terminal."""
        command = self.command(user, key, *remote)
        # A shell starts what runs in the background with SIGINT ignored.
        return pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8",
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                             env={"PATH": os.environ["PATH"], "TERM": "dumb",
                                  "HOME": str(self.directory)})
