# SPDX-License-Identifier: GPL-2.0-or-later
# A host for tests of the PAM front door: its own PAM services, accounts and sudoers in a private
# mount namespace, so that the machine's own are never touched; a devtrustd; and programs that log
# in through pam_devtrust.so as it was built.
"""The world of the PAM tests: PamWorld."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from tests.lib.site import Settings, Site
from tests.sim.client import Sim

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("DEVTRUST_BUILD", ROOT / "build"))
MODULE = BUILD / "pam_devtrust.so"
DAEMON = BUILD / "devtrustd"
CTL = BUILD / "devtrustctl"
NSS_ALIAS = BUILD / "tests" / "lib" / "nss_alias.so"
NSS_PLACE = "/lib/x86_64-linux-gnu/libnss_hesiod.so.2"
LIMIT = 60.0  # seconds; every wait is for a condition, this is when it has failed

# Accounts that exist in the world only. Their passwords are locked.
ACCOUNTS = {"dtalice": 61001, "dtbob": 61002, "dtcarol": 61003, "devtrust": 61010}

Process = subprocess.Popen


def wait_until(condition: Callable[[], Any], what: str, limit: float = LIMIT) -> Any:
    """What the condition gives once that is true; fails with `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain: " + what)
        time.sleep(0.02)


def without_delay(text: str) -> str:
    """A PAM file whose refusals come at once: nobody guesses passwords in a test, and each refusal
    would take 2 to 3 seconds."""
    text = re.sub(r"^(auth\s.*\bpam_unix\.so\b)", r"\1 nodelay", text, flags=re.MULTILINE)
    return re.sub(r"(\bpam_faildelay\.so\s+delay=)\d+", r"\g<1>0", text)


def is_running(pid: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class PamWorld:
    """Everything for one module of tests; a context manager."""

    def __init__(self, pki: Mapping[str, Any], *, applications: Sequence[str] = ("sshd", "sudo"),
                 settings: Optional[Settings] = None,
                 accounts: Optional[Mapping[str, int]] = None, aliases: bool = False,
                 packages: Optional[Path] = None, network: Optional[str] = None) -> None:
        """`accounts`: more of them; `aliases`: all are known as NAME@corp.example, too; `packages`:
        a tree of unpacked packages (unpack_packages) that the world has over a copy of its own of
        this system, in which everything may be changed; `network`: the network namespace (ip-netns)
        that everything in the world is in."""
        self.packages = packages
        self.network = network
        self.accounts = {**ACCOUNTS, **(accounts or {})}
        self.aliases = aliases
        self.directory = Path(tempfile.mkdtemp(prefix="devtrust-pam-"))
        os.chmod(self.directory, 0o755)
        self.pki = pki
        self.pam_directory = self.directory / "pam.d"
        self.log_path = self.directory / "devtrustd.log"
        self.one_path = self.directory / "devtrustd-one"
        # Where users other than root can read them, wherever the build is.
        self.module = Path(shutil.copy(MODULE, self.directory))
        self.ctl = Path(shutil.copy(CTL, self.directory))
        self._closing = contextlib.ExitStack()
        self.daemon: Optional["Process[bytes]"] = None
        try:
            self.sim = self._closing.enter_context(Sim.start(self.directory / "sim",
                                                             tenant=pki["tenant_id"]))
            self.site = Site(self.directory / "site", self.sim, pki, applications=applications,
                             settings=settings)
            self._write_host()
            self._holder = self._enter_namespace()
        except BaseException:
            self.close()
            raise

    # --- the host ----------------------------------------------------------------------------

    def _write_host(self) -> None:
        shutil.copytree("/etc/pam.d", self.pam_directory)
        self.drop_delays()
        (self.directory / "login.defs").write_text(  # su waits a second of its own
            Path("/etc/login.defs").read_text() + "FAIL_DELAY 0\n")
        for name in ("passwd", "group", "shadow"):
            shutil.copy(Path("/etc") / name, self.directory / name)
        # As unix_chkpwd wants it, which checks the password of lockers that are not root's.
        shutil.chown(self.directory / "shadow", "root", "shadow")
        with open(self.directory / "passwd", "a") as passwd, \
                open(self.directory / "group", "a") as group, \
                open(self.directory / "shadow", "a") as shadow:
            for name, uid in self.accounts.items():
                passwd.write(f"{name}:x:{uid}:{uid}::{self.directory}:/bin/sh\n")
                group.write(f"{name}:x:{uid}:\n")
                shadow.write(f"{name}:*:19000:0:99999:7:::\n")
        # Not the machine's folder of times: another run may have left one there a moment ago.
        (self.directory / "sudoers").write_text(
            f"Defaults !fqdn, !lecture, timestamp_timeout=0, timestampdir={self.directory}/times\n"
            "root ALL=(ALL) ALL\ndtalice ALL=(ALL) ALL\n")
        os.chmod(self.directory / "sudoers", 0o440)
        self.set_one()

    def _enter_namespace(self) -> "Process[bytes]":
        ready = self.directory / "namespace-ready"
        binds = [(self.pam_directory, "/etc/pam.d"), (self.directory / "sudoers", "/etc/sudoers")]
        binds += [(self.directory / n, "/etc/" + n) for n in ("passwd", "group", "shadow")]
        # Programs look the names of hosts up: nobody may answer, nor keep a test waiting.
        (self.directory / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        binds.append((self.directory / "resolv.conf", "/etc/resolv.conf"))
        binds.append((self.directory / "login.defs", "/etc/login.defs"))
        if self.aliases:
            switch = self.directory / "nsswitch.conf"
            switch.write_text("passwd: files hesiod\ngroup: files\nshadow: files\nhosts: files\n")
            binds += [(switch, "/etc/nsswitch.conf"), (NSS_ALIAS, NSS_PLACE)]
        script = ["set -e"]
        if self.packages:
            layers = self.directory / "layers"
            layers.mkdir()
            script.append(f"mount -t tmpfs tmpfs '{layers}'")
            for top in ("etc", "usr", "var", "run"):
                upper, work = layers / top, layers / (top + ".work")
                below = [str(self.packages / top)] if (self.packages / top).is_dir() else []
                script.append(f"mkdir '{upper}' '{work}'; mount -t overlay overlay -o lowerdir="
                              f"{':'.join([*below, '/' + top])},upperdir={upper},workdir={work} "
                              f"/{top}")
        script += [f"[ ! -e '{target}' ] || mount --bind '{source}' '{target}'"
                   for source, target in binds]
        # The privilege separation directory of a Debian sshd, which its service makes.
        # And of sudo's time stamps, none but this world's own.
        script += ["mkdir -p /run/sshd /run/sudo", "mount -t tmpfs -o mode=711 tmpfs /run/sudo",
                   f": > '{ready}'", "exec sleep 86400"]
        holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
                                   "\n".join(script)], stdin=subprocess.DEVNULL, cwd="/")
        self._closing.callback(self._end, holder)
        wait_until(lambda: ready.exists() or holder.poll() is not None, "a mount namespace")
        assert holder.poll() is None, "no private mount namespace can be made"
        return holder

    def inside(self, command: Sequence[Any]) -> list[str]:
        """The command line that runs a command in the world."""
        # With the holder's root and directory: in a chroot the namespace's own root is another.
        net = [f"--net=/run/netns/{self.network}"] if self.network else []
        return ["nsenter", "-t", str(self._holder.pid), "-m", "-r", "-w", *net, *map(str, command)]

    def run(self, command: Sequence[Any], **options: Any) -> "subprocess.CompletedProcess[str]":
        """Runs a command in the world to its end."""
        options.setdefault("timeout", LIMIT)
        return subprocess.run(self.inside(command), text=True, capture_output=True, **options)

    def _end(self, process: "Process[Any]") -> None:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        try:
            self.stop_daemon()
        finally:
            self._closing.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "PamWorld":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set_password(self, user: str, password: str) -> None:
        """Of one of the world's own accounts."""
        crypted = subprocess.run(["openssl", "passwd", "-6", password], check=True, text=True,
                                 capture_output=True).stdout.strip()
        shadow = self.directory / "shadow"
        lines = [f"{user}:{crypted}:19000:0:99999:7:::" if line.startswith(user + ":") else line
                 for line in shadow.read_text().splitlines()]
        shadow.write_text("\n".join(lines) + "\n")

    # --- PAM services ------------------------------------------------------------------------

    def module_line(self, *arguments: str) -> str:
        """The module as built, pointed at this world's daemon."""
        ours = [f"socket={self.site.socket_path}", f"daemon={self.one_path}"]
        given = {a.partition("=")[0] for a in arguments}
        return " ".join([str(self.module), *(a for a in ours if a.partition("=")[0] not in given),
                         *arguments])

    def service(self, name: str, *arguments: str, auth: str = "", account: str = "") -> None:
        """A PAM service of the module alone; `auth` and `account` go in front of it."""
        line = self.module_line(*arguments)
        (self.pam_directory / name).write_text(
            f"{auth}auth required {line}\n{account}account required {line}\n"
            f"session required {line}\npassword required {line}\n")

    def drop_delays(self) -> None:
        """From every PAM service so far."""
        for service in self.pam_directory.iterdir():
            service.write_text(without_delay(service.read_text()))

    def sample(self, name: str, sample: str, *arguments: str) -> None:
        """A PAM service from a sample of conf/pam.d; only the module's place is changed, and how
        long a refusal takes."""
        text = (ROOT / "conf" / "pam.d" / sample).read_text()
        assert "pam_devtrust.so" in text
        line = self.module_line(*arguments)
        (self.pam_directory / name).write_text(
            without_delay(text).replace("pam_devtrust.so", line))

    def set_one(self, *arguments: str, config: Optional[Path] = None,
                user: str = "root") -> None:
        """What the module starts where no daemon listens: devtrustd with this site's file."""
        options = ["--config", str(config or self.site.config_path), "--user", user, *arguments]
        quoted = " ".join(f"'{o}'" for o in options)
        self.one_path.unlink(missing_ok=True)
        self.one_path.write_text(f"#!/bin/bash -p\nexec '{DAEMON}' {quoted} \"$@\"\n")
        os.chmod(self.one_path, 0o755)

    # --- the daemon --------------------------------------------------------------------------

    def start_daemon(self, *arguments: str, user: str = "root") -> None:
        """Starts devtrustd and waits until it listens."""
        assert self.daemon is None
        log = open(self.log_path, "ab")
        with log:
            self.daemon = subprocess.Popen(
                self.inside([DAEMON, "--config", self.site.config_path, "--user", user,
                             "--foreground", *arguments]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        started = self.daemon
        wait_until(lambda: self.is_listening() or started.poll() is not None,
                   "devtrustd listens")
        if started.poll() is not None:
            self.daemon = None
            raise AssertionError(self.log_path.read_text())

    def is_listening(self) -> bool:
        """Whether somebody answers at the daemon's socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            return probe.connect_ex(str(self.site.socket_path)) == 0

    def stop_daemon(self, how: int = signal.SIGTERM) -> Optional[int]:
        """Ends it; gives its exit status."""
        if self.daemon is None:
            return None
        daemon, self.daemon = self.daemon, None
        if daemon.poll() is None:
            daemon.send_signal(how)
        try:
            status = daemon.wait(LIMIT)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
            raise
        if how == signal.SIGKILL:
            self.site.socket_path.unlink(missing_ok=True)
        return status

    def restart_daemon(self, settings: Optional[Settings] = None) -> None:
        """With other settings over those of the site."""
        self.stop_daemon()
        self.site.configure(settings or {})
        self.start_daemon()

    def trust_host(self, device: str, user: str, trusted: bool) -> None:
        """Gives this host a certificate of its own, of a compliant device, or takes it away; from
        the daemon's next start on."""
        made = self.pki["devices"][device]
        self.sim.enrol_device(made["device_id"], user=user)
        files = made["files"] if trusted else {}
        self.site.configure({"device_trust": {
            "host_certificate_file": files.get("certificate"),
            "host_key_file": files.get("key")}})

    def add_device(self, certificate: str) -> None:
        """Enrols a device's key in the registry, as the administrator does."""
        self.run_ctl("device", "add", certificate)

    def run_ctl(self, *arguments: Any) -> str:
        """devtrustctl with this site's configuration, which must succeed; its output."""
        done = subprocess.run([CTL, *map(str, arguments), "-c", str(self.site.config_path)],
                              text=True, capture_output=True, timeout=LIMIT)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # --- logging in through a small harness --------------------------------------------------

    def harness(self, *arguments: Any, **options: Any) -> "Harness":
        """See tests/lib/pam_harness.py."""
        return Harness(self, arguments, options)

    def login(self, service: str, user: str, *arguments: Any, limit: float = LIMIT,
              **options: Any) -> dict[str, Any]:
        """One authentication and account management; the harness's report."""
        with self.harness("--service", service, "--user", user, *arguments, **options) as h:
            return h.finish(limit)

    # --- the audit log -----------------------------------------------------------------------

    def outcome(self, application: str, count: int = 1, limit: float = LIMIT) -> dict[str, Any]:
        """The newest outcome event of an application, once there are `count` of them."""
        def found() -> Any:
            events = [e for e in self.site.sign_ons() if application in names_in(e)]
            return events[-1] if len(events) >= count else None

        return wait_until(found, f"{count} audit events of {application}:\n"
                          + "\n".join(map(json.dumps, self.site.events())), limit)


def unpack_packages(name: str, *packages: str) -> Path:
    """Debian packages that must not be installed here, in a folder of the build tree."""
    directory = BUILD / "packages" / name
    done = subprocess.run([ROOT / "scripts" / "unpack-packages.sh", directory, *packages],
                          text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return directory / "root"


def names_in(event: Mapping[str, Any]) -> set[str]:
    """The names of an event's targets."""
    return {t.get("displayName", "") for t in event.get("target") or []}


class Harness:
    """A program that logs in: tests/lib/pam_harness.py, running."""

    def __init__(self, world: PamWorld, arguments: Sequence[Any],
                 options: Mapping[str, Any]) -> None:
        command = ["/usr/bin/python3", ROOT / "tests" / "lib" / "pam_harness.py", *arguments]
        self.process = subprocess.Popen(world.inside(command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, **options)
        self.lines: list[dict[str, Any]] = []

    def next(self) -> dict[str, Any]:
        """The next line of its report."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the harness ended"
        self.lines.append(json.loads(line))
        return self.lines[-1]

    def prompt(self) -> str:
        """Waits until the person is asked something; gives the text."""
        while True:
            line = self.next()
            assert "prompt" in line or "message" in line, line
            if "prompt" in line:
                return line["prompt"]

    def answer(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def finish(self, limit: float = LIMIT) -> dict[str, Any]:
        """What the login got; fails after `limit` seconds."""
        try:
            rest, _ = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the login hangs; so far: {self.lines}") from None
        self.lines += [json.loads(line) for line in rest.splitlines()]
        assert self.lines, f"the harness said nothing and ended with {self.process.returncode}"
        return {"status": self.process.returncode, "lines": self.lines, **self.lines[-1]}

    def __enter__(self) -> "Harness":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def pam_world(pki: Mapping[str, Any], **options: Any) -> Iterator[PamWorld]:
    """A world, with everything in it that the tests need built."""
    for product in (MODULE, DAEMON, CTL):
        assert product.exists(), f"{product} is not built"
    with PamWorld(pki, **options) as world:
        yield world
