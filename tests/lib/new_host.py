# SPDX-License-Identifier: GPL-2.0-or-later
# A host on which devtrust was just installed: what `make install` puts there, over a copy of
# this system in a private mount namespace, an Okta org and an Intune tenant, and real servers with
# what `devtrustctl setup` writes.
"""A host of one's own for devtrustctl setup and doctor."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator, Sequence

from tests.lib.pamworld import LIMIT, ROOT, wait_until
from tests.lib.ports import free_port
from tests.lib.radius import free_port as free_udp_port
from tests.lib.sshd import public_key
from tests.sim.client import Sim

SUFFIX = "@corp.example"
PASSWORD = "correct horse battery"
SECRET = "0123456789abcdef0123456789abcdef"
DEVICE = "device-p256"
RADDB = "/etc/freeradius/3.0"
TOPS = ("etc", "usr", "var", "run", "root")
WATCHED = ("/etc/pam.d", "/etc/devtrust", "/etc/ssh", RADDB, "/etc/group", "/etc/gshadow")


class Host:
    """A host on which devtrust was just installed, and an Okta org and an Intune tenant for it."""

    def __init__(self, directory: Path, pki: dict[str, Any], sim: Sim) -> None:
        self.directory, self.pki, self.sim = directory, pki, sim
        self.ssh_port, self.vpn_port = free_port(), free_udp_port()
        self.wifi_port = free_udp_port()
        self._install()
        self._holder = self._enter_namespace()
        self.answers = self._write_answers()
        self._prepare()

    def _install(self) -> None:
        """As `make install` puts it, into folders that the namespace lays over the system."""
        tree = self.directory / "tree"
        subprocess.run(["make", "-s", "install", f"DESTDIR={tree}"], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "MAKEFLAGS": ""})
        for folder in tree.rglob("*"):
            if folder.is_dir():
                folder.chmod(0o755)

    def _enter_namespace(self) -> "subprocess.Popen[bytes]":
        layers, ready = self.directory / "layers", self.directory / "ready"
        layers.mkdir()
        script = ["set -e", f"mount -t tmpfs -o mode=755 tmpfs '{layers}'"]
        for top in TOPS:
            upper = layers / top
            below = self.directory / "tree" / top
            script.append(f"mkdir '{upper}' '{upper}.work'")
            # Nothing of this system's own devtrust or daemons may be seen.
            if top in ("run", "root"):
                script.append(f"mount -t tmpfs -o mode=755 tmpfs /{top}")
                continue
            lower = f"'{below}':/{top}" if below.is_dir() else f"/{top}"
            script.append(f"mount -t overlay overlay -o lowerdir={lower},upperdir='{upper}',"
                          f"workdir='{upper}.work' /{top}")
        script += [f": >'{ready}'", "exec sleep 86400"]
        holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
                                   "\n".join(script)], stdin=subprocess.DEVNULL, cwd="/")
        wait_until(lambda: ready.exists() or holder.poll() is not None, "a mount namespace")
        assert holder.poll() is None, "no private mount namespace can be made"
        return holder

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()

    def inside(self, command: Sequence[Any]) -> list[str]:
        return ["nsenter", "-t", str(self._holder.pid), "-m", "-r", "-w", *map(str, command)]

    def run(self, *command: Any, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(self.inside(command), text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        assert not check or done.returncode == 0, done.stdout
        return done

    def shell(self, script: str) -> str:
        return self.run("sh", "-ec", script).stdout

    def path(self, inside: str) -> Path:
        return Path(f"/proc/{self._holder.pid}/root{inside}")

    def _write_answers(self) -> Path:
        place = self.path("/root")
        for name, source in (("token", self.sim.okta_token_file), ("graph.key", self.sim.key_file),
                             ("graph.pem", self.sim.certificate_file),
                             ("sim-ca.pem", self.sim.ca_file),
                             ("company.pem", self.pki["authorities"]["company_ca"]),
                             ("shared.pem", self.pki["authorities"]["shared_ca"]),
                             ("radius.pem", self.pki["radius_server"]["chain"]),
                             ("radius.key", self.pki["radius_server"]["key"])):
            shutil.copy(source, place / name)
        (place / "gateway.secret").write_text(SECRET + "\n")
        for secret in ("token", "graph.key", "radius.key", "gateway.secret"):
            (place / secret).chmod(0o600)
        lines = {"org_url": self.sim.okta_url, "login_suffix": SUFFIX,
                 "api_token_file": "/root/token", "okta_ca_file": "/root/sim-ca.pem",
                 "tenant_id": self.sim.tenant_id, "intune_client_id": self.sim.client_id,
                 "intune_certificate_file": "/root/graph.pem", "intune_key_file": "/root/graph.key",
                 "intune_ca_file": "/root/sim-ca.pem", "login_url": self.sim.login_url,
                 "graph_url": self.sim.graph_url, "company_ca_file": "/root/company.pem",
                 "shared_ca_file": "/root/shared.pem", "applications": "sshd, sudo, su, vpn",
                 "radius_clients": "gateway 127.0.0.1 /root/gateway.secret"}
        answers = place / "answers"
        answers.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
        return answers

    def _prepare(self) -> None:
        """People, and what a host with free ports needs to be one of several on this machine."""
        ports = {1812: self.vpn_port, 1813: free_udp_port(), 1822: self.wifi_port,
                 1823: free_udp_port()}
        for name in ("devtrust-vpn", "devtrust-wifi"):
            site = (ROOT / "conf/raddb/sites-available" / name).read_text()
            for known, free in ports.items():
                site = site.replace(f"ipaddr = *\n\t\tport = {known}",
                                    f"ipaddr = 127.0.0.1\n\t\tport = {free}")
            self.path(f"{RADDB}/sites-available/{name}").write_text(site)
        self.shell(f"""
            systemd-sysusers /usr/lib/sysusers.d/devtrust.conf
            install -d -o devtrust -g devtrust -m 0700 /var/lib/devtrust
            install -d -o devtrust -g devtrust -m 0750 /var/log/devtrust
            install -d -o devtrust -g devtrust /run/devtrust
            install -d -o freerad -g freerad -m 0700 /var/lib/devtrust-radius
            install -d -o freerad -g freerad -m 0700 /var/lib/devtrust-radius/tls-cache
            install -d -o freerad -g freerad -m 0750 /var/log/devtrust-radius
            install -d -o freerad -g freerad /run/freeradius
            mkdir -p /run/sshd /run/sudo /var/backups
            rm -f {RADDB}/sites-enabled/inner-tunnel {RADDB}/mods-enabled/eap
            : >{RADDB}/clients.conf  # it has an entry for this address, too
            for name in ann bob; do useradd -m -s /bin/sh $name; done
            echo 'ann:{PASSWORD}' | chpasswd
            echo 'bob:{PASSWORD}' | chpasswd
            echo 'Defaults !fqdn, !lecture, timestamp_timeout=0' >/etc/sudoers.d/people
            echo 'ann, bob ALL=(ALL) ALL' >>/etc/sudoers.d/people
            printf 'ann Cleartext-Password := "{PASSWORD}"\\n' >>{RADDB}/mods-config/files/authorize
            ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_test_key
        """)

    def setup(self, *options: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return self.run("/usr/sbin/devtrustctl", "setup", *options, check=check)

    def snapshot(self) -> dict[str, str]:
        """Every file that setup may write to: type, mode, owner, content."""
        found = {}
        for top in WATCHED:
            for path in [self.path(top), *self.path(top).rglob("*")]:
                status = path.lstat()
                what = f"{status.st_mode:o} {status.st_uid}:{status.st_gid} "
                if path.is_symlink():
                    what += os.readlink(path)
                elif path.is_file():
                    what += hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path).split("/root", 1)[1]] = what
        return found

    def events(self, log: str = "/var/log/devtrust/audit.log") -> list[dict[str, Any]]:
        path = self.path(log)
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def allow_key(self, user: str, key: Path) -> None:
        folder = self.path(f"/home/{user}/.ssh")
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "authorized_keys").write_text(public_key(key) + "\n")
        self.run("chown", "-R", f"{user}:{user}", f"/home/{user}/.ssh")

    def ssh(self, user: str, key: Path, *more: str) -> list[str]:
        options = ("IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=no",
                   "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", *more)
        return ["ssh", "-F", "none", "-p", str(self.ssh_port), "-i", str(key),
                *(word for option in options for word in ("-o", option)),
                f"{user}@127.0.0.1", "id"]


@contextlib.contextmanager
def new_host(pki_index: dict[str, Any]) -> Iterator[Host]:
    """The host, and ann and bob, who have factors; ann's device is enrolled."""
    directory = Path(tempfile.mkdtemp(prefix="devtrust-setup-"))
    directory.chmod(0o755)
    with Sim.start(directory / "sim", tenant=pki_index["tenant_id"]) as sim:
        for name in ("ann", "bob"):
            sim.add_user(name + SUFFIX, factors=("push", "token:software:totp"))
        sim.enrol_device(pki_index["devices"][DEVICE]["device_id"], user="ann" + SUFFIX)
        made = Host(directory, pki_index, sim)
        try:
            yield made
        finally:
            made.close()
    shutil.rmtree(directory, ignore_errors=True)


class Server:
    """A server of the host while it runs."""

    def __init__(self, host: Host, log: Path, started: bytes, *command: str) -> None:
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(host.inside(command), stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out)
        wait_until(lambda: started in log.read_bytes() or self.process.poll() is not None,
                   command[0])
        assert self.process.poll() is None, log.read_text()[-4000:]

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(LIMIT)


def sshd_of(host: Host) -> Server:
    return Server(host, host.directory / "sshd.log", b"Server listening", "/usr/sbin/sshd", "-D",
                  "-e", "-p", str(host.ssh_port), "-o", "ListenAddress=127.0.0.1", "-o",
                  "HostKey=/etc/ssh/ssh_host_test_key", "-o", "PidFile=none")


def radius_of(host: Host) -> Server:
    return Server(host, host.directory / "radius.log", b"Ready to process requests",
                  "/usr/sbin/freeradius", "-f", "-l", "stdout")
