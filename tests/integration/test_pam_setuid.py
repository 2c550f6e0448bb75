# SPDX-License-Identifier: GPL-2.0-or-later
# The real su, started by somebody who is not root: with resource limits, signals, descriptors and
# timers of their choice. Whatever they bring along, they get the decision that is right, with its
# audit event, or no login; never a login without an event.
"""What the caller of a setuid program brings along."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Sequence

import pytest

from tests.lib.pamworld import PamWorld, is_running, pam_world, wait_until
from tests.lib.site import catch_all, rule

ALICE = "dtalice@example.com"
BOB = "dtbob@example.com"
IN = 7  # what the command that su runs ends with: only it can
# Uids that no other run has: RLIMIT_NPROC counts all processes of a uid on this machine, and above
# it execve(2) fails, so that su would not even be started.
UID = {"dtalice": 1_000_000_000 + 2 * os.getpid(), "dtbob": 1_000_000_001 + 2 * os.getpid()}
CALLER = str(UID["dtalice"])
KERNEL_LOG = Path("/dev/kmsg")
CAP_SYS_RESOURCE = 24
CAPABILITIES = re.findall(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[0]
CAN_LIFT = bool(int(CAPABILITIES, 16) >> CAP_SYS_RESOURCE & 1)

# Limits that su itself can live with: the right decision must come, as without them.
HARMLESS = ["--core=0:", "--core=0:0", "--fsize=0:", "--fsize=1:", "--fsize=4096:", "--locks=0:0",
            "--memlock=0:0", "--msgqueue=0:0", "--nice=0:0", "--nofile=64:64", "--nproc=0:0",
            "--nproc=1:1", "--rss=0:0", "--rss=4096:4096", "--rtprio=0:0", "--sigpending=0:0",
            "--cpu=60:"]
# Hard limits, which only a root with CAP_SYS_RESOURCE can lift. Else a refusal is right, and a
# daemon that runs does not care.
HARD = ["--fsize=0:0", "--fsize=1:1", "--fsize=4096:4096", "--cpu=60:60",
        "--rttime=1000000:1000000", f"--data={1 << 28}:{1 << 28}", f"--as={1 << 30}:{1 << 30}"]
# Those that su may die of, or run out of: a refusal is right as well.
NARROW = [f"--nofile={n}:{n}" for n in range(3, 20)] + [
    f"--as={n}" for n in (1 << 20, 6 << 20, 10 << 20, 16 << 20, 24 << 20, 64 << 20)] + [
    f"--data={n}" for n in (0, 1 << 16, 1 << 18, 1 << 20, 4 << 20, 32 << 20)] + [
    f"--stack={n}" for n in (1 << 14, 1 << 16, 1 << 18, 1 << 20)] + [
    "--cpu=0:1", "--rttime=1:1"]


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"mfa": {"wait_pam": "20s"}, "policy": {"unknown_device_as": "not_trusted"}}
    with pam_world(pki_index, applications=("su",), settings=settings, accounts=UID) as made:
        made.service("su", "timeout=20")
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.sim.reset()
    for login in (ALICE, BOB):
        world.sim.add_user(login, factors=("push",))
        world.sim.set_push(login, "approve")
    world.site.audit_path.unlink(missing_ok=True)
    forget(world)
    world.site.configure({"mfa": {"push_limit": 100}})
    yield
    world.stop_daemon()
    world.set_one()


def forget(world: PamWorld) -> None:
    """What is counted against people, and the pushes that are still pending."""
    for path in world.site.store_path.parent.iterdir():
        path.unlink()


def policy(world: PamWorld, kind: str) -> None:
    """A rule that lets everybody in, nobody, or everybody after MFA."""
    rules = {"allow": [rule("All.", 1, "NOT_TRUSTED")], "deny": [],
             "mfa": [rule("All, by push.", 1, "NOT_TRUSTED", frequency="EVERY_SIGN_ON",
                          factors=["push"])]}[kind]
    world.site.set_policy({"name": "su", "application": "su", "rules": rules + [catch_all()]})


def su(world: PamWorld, *limits: str, prepare: Optional[Callable[[], None]] = None,
       **options: Any) -> "subprocess.CompletedProcess[str]":
    """dtalice calls su to become dtbob, under these limits; Enter at every prompt."""
    options.setdefault("input", "\n\n")
    command = ["setpriv", "--reuid", CALLER, "--regid", CALLER, "--clear-groups"]
    if limits:
        command = ["prlimit", *limits, *command]
    return world.run([*command, "su", "dtbob", "-c", f"exit {IN}"], preexec_fn=prepare, **options)


def lets_in(event: dict[str, Any]) -> bool:
    return event["outcome"]["result"] in ("ALLOW", "SUCCESS")


def check(world: PamWorld, kind: str, limits: Sequence[str], must_decide: bool) -> None:
    """One call of su: nobody is in without an event, nor against the policy.

    The event of an earlier call that a limit killed may come late, beside this one's, where the
    daemon has not been restarted since."""
    before = len(world.site.sign_ons())
    done = su(world, *limits)
    is_in = done.returncode == IN
    where = f"{kind} {limits}: {done.returncode} {done.stdout} {done.stderr}"
    assert not (is_in and kind == "deny"), where
    if is_in:
        events = world.site.sign_ons()[before:]  # it was there before the answer
        let_in = [lets_in(e) for e in events]
        assert let_in == [True] if must_decide else any(let_in), where
    if must_decide:
        assert is_in == (kind != "deny"), where
        wait_until(lambda: len(world.site.sign_ons()) == before + 1, "the event: " + where)


@pytest.mark.parametrize("daemon", [False, True], ids=["alone", "daemon"])
@pytest.mark.parametrize("kind", ["allow", "deny", "mfa"])
def test_limits(world: PamWorld, kind: str, daemon: bool) -> None:
    policy(world, kind)
    if daemon:
        world.start_daemon()
    check(world, kind, [], True)
    for limit in HARMLESS:
        check(world, kind, [limit], True)
    for limit in HARD:
        check(world, kind, [limit], daemon or CAN_LIFT)
    for limit in NARROW if kind != "deny" else NARROW[::5]:  # a refusal takes a second
        check(world, kind, [limit], False)
    if daemon:  # ends what the killed calls left behind: their events come, their pushes are over
        world.stop_daemon()
        forget(world)
        world.start_daemon()
    check(world, kind, ["--fsize=0:", "--nofile=64:64", "--nproc=1:1", "--memlock=0:0"], True)


@pytest.mark.skipif(CAN_LIFT, reason="root can lift every limit here")
def test_limit_that_cannot_be_lifted(world: PamWorld) -> None:
    policy(world, "allow")
    done = su(world, "--cpu=60:60")
    assert done.returncode != IN and "could not be checked" in done.stderr
    event = world.outcome("su")
    assert "\"cpu\"" in event["debugContext"]["debugData"]["detail"]


def test_file_size_between_store_and_audit_file(world: PamWorld) -> None:
    """The store is smaller than the limit, the audit file larger: the event is written."""
    policy(world, "allow")
    check(world, "allow", [], True)
    size = world.site.store_path.stat().st_size + 100_000
    with open(world.site.audit_path, "a") as audit:
        event = json.dumps({"displayMessage": "Reload of nothing"}) + "\n"
        audit.write(event * (2 * size // len(event)))
    check(world, "allow", [f"--fsize={size}:{size}"], CAN_LIFT)
    check(world, "allow", [f"--fsize={size}:"], True)
    world.site.audit_path.unlink()


def ignore_all() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_IGN)


def block_all() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def slow_and_odd() -> None:
    os.nice(19)
    os.umask(0)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    Path("/proc/self/oom_score_adj").write_text("1000")
    Path("/proc/self/timerslack_ns").write_text("4000000000")


def timers() -> None:
    signal.setitimer(signal.ITIMER_REAL, 30)
    signal.setitimer(signal.ITIMER_PROF, 30)
    signal.setitimer(signal.ITIMER_VIRTUAL, 30)


@pytest.mark.parametrize("prepare", [ignore_all, block_all, slow_and_odd, timers])
@pytest.mark.parametrize("daemon", [False, True], ids=["alone", "daemon"])
def test_signals_and_the_like(world: PamWorld, daemon: bool, prepare: Callable[[], None]) -> None:
    for kind in ("allow", "deny"):
        policy(world, kind)
        if daemon:
            world.restart_daemon()
        before = len(world.site.sign_ons())
        assert (su(world, prepare=prepare).returncode == IN) == (kind == "allow")
        wait_until(lambda: len(world.site.sign_ons()) == before + 1, "the event")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2), (0, 2)])
@pytest.mark.parametrize("daemon", [False, True], ids=["alone", "daemon"])
def test_closed_descriptors(world: PamWorld, daemon: bool, closed: tuple[int, ...]) -> None:
    shell = "".join(f" {fd}>&-" for fd in closed)
    place = Path(tempfile.mkdtemp(dir=world.directory))
    os.chmod(place, 0o777)
    for kind in ("allow", "deny"):
        policy(world, kind)
        if daemon:
            world.restart_daemon()
        before = len(world.site.sign_ons())
        done = world.run(["setpriv", "--reuid", CALLER, "--regid", CALLER, "--clear-groups", "sh",
                          "-c", f"exec su dtbob -c 'touch {place}/{kind}' {shell}"])
        assert (place / kind).exists() == (kind == "allow"), done.stderr
        wait_until(lambda: len(world.site.sign_ons()) == before + 1, "the event")


def daemons_of(world: PamWorld) -> list[int]:
    """Its own daemons: two for the moment in which one detaches."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"--one" in words and str(world.site.config_path).encode() in words \
                    and words[0].endswith(b"devtrustd") and is_running(int(entry.name)):
                found.append(int(entry.name))
    return found


def facts(pid: int) -> dict[str, Any]:
    """What a process has that it may have inherited."""
    status = dict(line.split(":\t", 1) for line in
                  Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    made: dict[str, Any] = {name: status[name].split() for name in (
        "Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigPnd", "ShdPnd") if name in status}
    made["limits"] = Path(f"/proc/{pid}/limits").read_text()
    made["oom"] = Path(f"/proc/{pid}/oom_score_adj").read_text()
    made["nice"] = os.getpriority(os.PRIO_PROCESS, pid)
    made["scheduler"] = os.sched_getscheduler(pid)
    made["slack"] = Path(f"/proc/{pid}/timerslack_ns").read_text()
    made["personality"] = Path(f"/proc/{pid}/personality").read_text()
    made["cwd"] = os.readlink(f"/proc/{pid}/cwd")
    made["environment"] = Path(f"/proc/{pid}/environ").read_bytes()
    return made


def hostile() -> None:
    slow_and_odd()
    timers()
    ignore_all()
    block_all()
    for name, value in (("FSIZE", 5000), ("NOFILE", 64), ("NPROC", 1), ("MEMLOCK", 0), ("CPU", 50),
                        ("RSS", 0), ("MSGQUEUE", 0), ("SIGPENDING", 0), ("CORE", 0)):
        limit = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (value, value if CAN_LIFT else hard))
    os.chdir("/tmp")


def own_daemon(world: PamWorld, prepare: Optional[Callable[[], None]],
               program: str) -> dict[str, Any]:
    """Looks at `devtrustd --one` while the person is asked."""
    world.sim.set_push(ALICE, "manual")
    world.sim.set_push(BOB, "manual")
    command = ["setpriv", "--reuid", CALLER, "--regid", CALLER, "--groups", CALLER + ",4"]
    command += [program] if program else []
    caller = subprocess.Popen(world.inside([*command, "su", "dtbob", "-c", f"exit {IN}"]),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, preexec_fn=prepare)
    assert caller.stdin
    try:
        caller.stdin.write(b"\n")  # without a terminal a push is offered first
        caller.stdin.flush()
        wait_until(lambda: world.sim.count("okta.verify"), "the push")
        wait_until(lambda: len(daemons_of(world)) == 1, "devtrustd --one without its parent")
        return facts(daemons_of(world)[0])
    finally:
        caller.kill()
        caller.communicate()
        wait_until(lambda: not daemons_of(world), "devtrustd --one ends")


def test_own_daemon_is_the_same_for_everybody(world: PamWorld) -> None:
    policy(world, "mfa")
    wait_until(lambda: not daemons_of(world), "no devtrustd --one is left of the tests before")
    usual = own_daemon(world, None, "")
    world.sim.reset()
    forget(world)
    for login in (ALICE, BOB):
        world.sim.add_user(login, factors=("push",))
    odd = own_daemon(world, hostile, "")
    assert odd == usual
    assert odd["Uid"] == ["0"] * 4 and odd["Gid"] == ["0"] * 4 and odd["Umask"] == ["0077"]
    assert odd["cwd"] == "/" and odd["nice"] == 0 and odd["oom"] == "0\n"
    ignored = int(odd["SigIgn"][0], 16) & ~(3 << 31)  # those two are the C library's own
    assert ignored == 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert int(odd["SigBlk"][0], 16) in (0, 1 << (signal.SIGPIPE - 1))


# --- no event, no entry --------------------------------------------------------------------------

@pytest.fixture
def unwritable(world: PamWorld) -> Iterator[Path]:
    """The audit file can be opened at the start, and is a directory from then on."""
    path = world.site.audit_path
    yield path
    with contextlib.suppress(OSError):
        path.rmdir()


@pytest.fixture
def no_kernel_log(world: PamWorld) -> Iterator[None]:
    other = world.directory / "not-the-kernel-log"
    other.touch()
    assert world.run(["mount", "--bind", other, KERNEL_LOG]).returncode == 0
    yield
    assert world.run(["umount", KERNEL_LOG]).returncode == 0
    assert other.read_text() == ""


@pytest.mark.parametrize("kind", ["allow", "mfa", "deny"])
def test_no_event_no_entry(world: PamWorld, unwritable: Path, no_kernel_log: None,
                           kind: str) -> None:
    policy(world, kind)
    world.start_daemon()
    unwritable.unlink(missing_ok=True)
    unwritable.mkdir()
    done = su(world)
    assert done.returncode != IN
    unwritable.rmdir()
    event = world.outcome("su")
    assert not lets_in(event)
    assert (event["debugContext"]["debugData"]["cause"] == "AUDIT_FAILED") == (kind != "deny")
    assert len(world.site.sign_ons()) == 1  # not the success that was withdrawn


def test_no_event_no_entry_without_a_daemon(world: PamWorld, no_kernel_log: None) -> None:
    """/dev/full can be opened and takes nothing."""
    policy(world, "allow")
    world.site.configure({"audit": {"file": "/dev/full"}})
    try:
        assert su(world).returncode != IN
    finally:
        world.site.configure({"audit": {"file": world.site.audit_path}})
    assert su(world).returncode == IN


def kernel_log_works() -> bool:
    try:
        with open(KERNEL_LOG, "w") as log:
            log.write("<87>devtrust tests\n")
        return Path("/proc/sys/kernel/printk_devkmsg").read_text().strip() != "off"
    except OSError:
        return False


@pytest.mark.skipif(not kernel_log_works(), reason="no kernel log can be written here")
def test_kernel_log_is_the_last_resort(world: PamWorld) -> None:
    policy(world, "allow")
    world.site.configure({"audit": {"file": "/dev/full"}})
    reader = os.open(KERNEL_LOG, os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(reader, 0, os.SEEK_END)
    try:
        assert su(world).returncode == IN
        record = wait_until(lambda: kernel_record(reader, "dtbob"), "the record")
        assert "devtrust[" in record and "RULE_ALLOW" in record and "su" in record
    finally:
        os.close(reader)
        world.site.configure({"audit": {"file": world.site.audit_path}})


def kernel_record(reader: int, name: str) -> str:
    """The next record with the name in it, or nothing."""
    while True:
        try:
            record = os.read(reader, 8192).decode()
        except BlockingIOError:
            return ""
        except BrokenPipeError:
            continue
        if "devtrust[" in record and name in record:
            return record


@pytest.mark.skipif(not kernel_log_works(), reason="no kernel log can be written here")
def test_kernel_log_takes_no_more_than_the_kernel_keeps(world: PamWorld) -> None:
    policy(world, "allow")
    world.start_daemon()
    path = world.site.audit_path
    path.unlink(missing_ok=True)
    path.mkdir()
    started = time.monotonic()
    results = [world.login("su", "dtbob")["auth"] for _ in range(12)]
    path.rmdir()
    if time.monotonic() - started < 5:
        assert results[:6] == ["SUCCESS"] * 6 and "SYSTEM_ERR" in results[8:]
    allowed = results.count("SUCCESS")
    wait_until(lambda: len(world.site.sign_ons()) == 12, "all events are written later")
    assert [lets_in(e) for e in world.site.sign_ons()].count(True) == allowed
