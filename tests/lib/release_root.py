# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian releases as roots: made by debootstrap in the build tree, entered by namespaces.

A root is an overlay: what is done in it is gone when it ends, and the next begins from the same
layer. Its processes have mounts, pids, host name, IPC, control groups and (but for apt) network of
their own, and systemd as first process, with its journal. Neither /proc/sys nor the clock of the
machine can be changed from it.
"""

import fcntl
import functools
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(os.environ["DEVTRUST_ROOT"])
BUILD = pathlib.Path(os.environ["DEVTRUST_BUILD"])
RELEASES = BUILD / "releases"
NAMES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
# What every root has beside the base system: a first process, and what a package may expect.
BASE = ["systemd", "systemd-sysv", "dbus", "ca-certificates", "iproute2", "procps", "logrotate"]
STEP_SECONDS = 3600
OUTPUT_SHOWN = 6000
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive", "TERM": "dumb"}


def source_files():
    """Files of this tree, without what is ignored."""
    names = output("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others",
                   "--exclude-standard").split("\0")
    return sorted({name for name in names if name and (ROOT / name).exists()})


def source_digest():
    """Of what packages are made of: tests have no part in them."""
    digest = hashlib.sha256()
    for name in source_files():
        if not name.startswith("tests/") or name.startswith("tests/unit/"):
            digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes() + b"\0")
    return digest.hexdigest()


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def archives(label):
    """Addresses of an archive of Debian, as this machine's apt reaches them."""
    lines = output("apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)").splitlines()
    return [line.split("|")[1] for line in lines if line.split("|")[0] == label]


@functools.lru_cache
def sources(release):
    mirror = [*archives("Debian"), "http://deb.debian.org/debian"][0]
    security = [*archives("Debian-Security"), "http://deb.debian.org/debian-security"][0]
    return mirror, [f"deb {mirror} {release} main", f"deb {security} {release}-security main"]


def apt_settings():
    """How this machine's apt reaches archives: proxies and the like."""
    lines = output("apt-config", "dump").splitlines()
    kept = [line for line in lines if re.match(r"Acquire::(https?::|Check-|Retries)", line)]
    return "\n".join([*kept, 'Acquire::Retries "3";', 'Acquire::Languages "none";', ""])


def unpack_base(release, target):
    mirror, lines = sources(release)
    subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(BASE)}", release,
                    target, mirror], check=True, stdout=subprocess.DEVNULL)
    (target / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
    (target / "etc/apt/apt.conf.d/50devtrust").write_text(apt_settings())
    (target / "etc/dpkg/dpkg.cfg.d/devtrust").write_text("force-unsafe-io\n")  # it is a copy
    (target / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (target / "etc/machine-id").write_text("")


def layer(release, name, made_of, make, grows=False):
    """A folder that `make(folder)` fills, kept for as long as `made_of` says the same. One that
    grows is filled further when that has changed."""
    folder = RELEASES / release / name
    stamp = folder.with_suffix(".stamp")
    key = hashlib.sha256(repr(made_of).encode()).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder.exists() and stamp.exists() and stamp.read_text() == key):
            if not (grows and stamp.exists()):
                shutil.rmtree(folder, ignore_errors=True)
            stamp.unlink(missing_ok=True)
            folder.mkdir(exist_ok=True)
            make(folder)
            stamp.write_text(key)
    return folder


def base(release):
    return layer(release, "base", (BASE, sources(release)),
                 lambda folder: unpack_base(release, folder))


def listed(sections):
    """What packages.txt names in these sections."""
    here, names = False, []
    for line in (ROOT / "packages.txt").read_text().splitlines():
        if line.startswith("["):
            here = not set(line.strip("[]").split()).isdisjoint(sections)
        elif here and line and not line.startswith("#"):
            names.append(line.split()[0])
    return names


def with_packages(release, sections):
    """The base with the packages of these sections of packages.txt."""
    def install(folder):
        with Root(release, [], upper=folder) as root:
            root.copy_in(ROOT / "packages.txt", "/tmp/deps/packages.txt")
            root.copy_in(ROOT / "scripts/deps.sh", "/tmp/deps/scripts/deps.sh")
            root.run("/tmp/deps/scripts/deps.sh " + " ".join(sections), network=True)
            root.run("rm -r /tmp/deps")
    return layer(release, "-".join(sections), (sources(release), listed(sections)), install,
                 grows=True)


MOUNTS = r"""
set -e
root=$1
mount --make-rprivate /
mount -t overlay -o "$2" devtrust-root "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 devtrust-dev "$root/dev"
for node in null zero full random urandom tty fuse net/tun; do
    [ -e "/dev/$node" ] || continue
    mkdir -p "$(dirname "$root/dev/$node")"
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 devtrust-shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%:*}" "$root/dev/${n#*:}"; done
mount -t tmpfs -o mode=755 devtrust-run "$root/run"
mount --bind "$3" "$root/tmp"
mount --bind "$4" "$root/var/cache/apt/archives"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
ip link set lo up
hostname "$5"
cd "$root"
mkdir -p mnt
pivot_root . mnt
umount -l /mnt
exec env -i container=devtrust PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_time,-sys_module,-sys_boot,-mknod,-syslog --inh-caps=-all \
    /lib/systemd/systemd --log-target=journal --show-status=no </dev/null >/dev/null 2>&1
"""


class Root:
    """A running root. `layers` are folders below it, highest first, above the base."""

    def __init__(self, release, layers, upper=None):
        self.release = release
        self.lower = [*layers, base(release)]
        RELEASES.mkdir(parents=True, exist_ok=True)
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="root-", dir=RELEASES))
        self.upper = upper or self.work / "upper"
        self.group = pathlib.Path(f"{cgroup2()}/devtrust-{self.work.name}")
        self.keeper = None
        self.first = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self):
        for name in ("root", "upper", "overlay", "tmp"):
            (self.work / name).mkdir(exist_ok=True)
        (self.work / "tmp").chmod(0o1777)
        archive = RELEASES / self.release / "archives"
        (archive / "partial").mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={':'.join(map(str, self.lower))},upperdir={self.upper}," \
                  f"workdir={self.work}/overlay"
        self.group.mkdir()
        script = f'echo $$ >{self.group}/cgroup.procs; exec unshare --cgroup --mount --pid ' \
                 '--fork --uts --ipc --net --kill-child bash -c "$MOUNTS" root "$@"'
        self.log = open(self.work / "log", "w")
        self.keeper = subprocess.Popen(
            ["setpriv", "--pdeathsig", "SIGKILL", "bash", "-c", script, "keeper",
             self.work / "root", options, self.work / "tmp", archive, f"devtrust-{self.release}"],
            env={**os.environ, "MOUNTS": MOUNTS},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self._wait_for_systemd()

    def _wait_for_systemd(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.keeper.poll() is not None:
                raise RuntimeError("the root ended: " + (self.work / "log").read_text())
            children = output("sh", "-c", f"cat /proc/{self.keeper.pid}/task/*/children").split()
            if children:
                self.first = int(children[0])
                comm = pathlib.Path(f"/proc/{self.first}/comm").read_text().strip()
                if comm == "systemd":
                    state = self.run("systemctl is-system-running", check=False, quiet=True)
                    if state.stdout.strip() in ("running", "degraded"):
                        return
            time.sleep(0.2)
        raise RuntimeError("systemd did not come up: " + (self.work / "log").read_text())

    def run(self, script, check=True, network=False, environment=None, quiet=False):
        """Runs a shell script inside, as root; stdout has both streams. network: with that of the
        machine, for apt."""
        spaces = ["-m", "-p", "-u", "-i", "-C"] + ([] if network else ["-n"])
        settings = {**ENVIRONMENT, **(environment or {})}
        done = subprocess.run(
            ["nsenter", "-t", str(self.first), *spaces, "env", "-i",
             *(f"{name}={value}" for name, value in settings.items()), "bash", "-c", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=STEP_SECONDS)
        if not quiet:
            print(f"[{self.release}] {script}\n{done.stdout}", flush=True)
        if check and done.returncode != 0:
            raise AssertionError(f"{script!r} ended with {done.returncode}:\n"
                                 f"{done.stdout[-OUTPUT_SHOWN:]}")
        return done

    def apt(self, arguments, check=True):
        """apt-get, which may speak with the archive."""
        command = f"apt-get -y -q --no-install-recommends {arguments}"
        done = self.run(command, check=False, network=True)
        if done.returncode != 0 and "404" in done.stdout:
            self.run("apt-get -q update", network=True, quiet=True)
            done = self.run(command, check=False, network=True)
        if check:
            assert done.returncode == 0, done.stdout[-OUTPUT_SHOWN:]
        return done

    def path(self, inside):
        return pathlib.Path(f"/proc/{self.first}/root{inside}")

    def copy_in(self, source, inside):
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)

    def copy_tree_in(self, inside):
        """The sources of this tree."""
        self.path(inside).mkdir(parents=True)
        tar = subprocess.run(["tar", "-c", "--null", "-T", "-", "--owner=0", "--group=0"],
                             cwd=ROOT, input="\0".join(source_files()).encode(), check=True,
                             stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", self.path(inside)], input=tar, check=True)

    def close(self):
        if self.first is not None:
            try:
                os.kill(self.first, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.keeper is not None:
            if self.first is None:
                self.keeper.kill()
            self.keeper.wait()
            self.log.close()
        for folder in sorted(self.group.rglob("*"), reverse=True):
            if folder.is_dir():
                remove_group(folder)
        if self.group.exists():
            remove_group(self.group)
        shutil.rmtree(self.work, ignore_errors=True)


def cgroup2():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return where
    raise RuntimeError("no cgroup2 hierarchy is mounted here, which systemd in a root needs")


def remove_group(folder):
    """A control group goes once its last process has ended."""
    deadline = time.monotonic() + 20
    while True:
        try:
            folder.rmdir()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
