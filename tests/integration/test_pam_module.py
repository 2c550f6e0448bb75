# SPDX-License-Identifier: GPL-2.0-or-later
# pam_devtrust.so by itself: what it exports and needs, its arguments, and what it does when the
# other end of its socket is not a daemon as it should be. A scripted daemon plays the part.
"""The module against broken, hostile and absent daemons."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest

from tests.lib.pamworld import MODULE, PamWorld, pam_world, wait_until
from tests.lib.site import catch_all, rule

REQUEST, PROMPT, ANSWER, CANCEL, RESULT = 1, 2, 3, 4, 5
ALLOW, DENY = 1, 2
HIDDEN, SHOWN, INFO = 1, 2, 3
SYMBOLS = ["pam_sm_" + name for name in ("acct_mgmt", "authenticate", "chauthtok",
                                         "close_session", "open_session", "setcred")]
USER = ("--service", "fake", "--user", "dtalice")


# --- the protocol, once more -------------------------------------------------------------------

def number(tag: int, value: int) -> bytes:
    return struct.pack(">BII", tag, 4, value)


def text(tag: int, value: str) -> bytes:
    raw = value.encode() + b"\0"
    return struct.pack(">BI", tag, len(raw)) + raw if value else b""


def message(kind: int, *fields: bytes) -> bytes:
    body = b"".join(fields)
    return struct.pack(">BBHI", 1, kind, 0, len(body)) + body


def prompt(count: int, words: str, style: int = HIDDEN) -> bytes:
    return message(PROMPT, number(1, count), number(2, style), text(3, words))


def result(what: int, cause: str, words: str = "") -> bytes:
    return message(RESULT, number(1, what), text(2, cause), text(3, words))


def fields_of(packet: bytes) -> dict[int, bytes]:
    found, at = {}, 8
    while at < len(packet):
        tag, size = struct.unpack_from(">BI", packet, at)
        found[tag] = packet[at + 5:at + 5 + size]
        at += 5 + size
    return found


YES = result(ALLOW, "RULE_ALLOW")
NO = result(DENY, "RULE_DENY")


class FakeDaemon:
    """Listens where the module looks, and plays a script to each connection."""

    def __init__(self, path: Path, script: Callable[["FakeDaemon"], None],
                 backlog: int = 8) -> None:
        path.unlink(missing_ok=True)
        self.path = path
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listening.bind(str(path))
        os.chmod(path, 0o666)
        self.listening.listen(backlog)
        self.received: list[bytes] = []
        self.error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._serve, args=(script,), daemon=True)
        self._thread.start()

    def _serve(self, script: Callable[["FakeDaemon"], None]) -> None:
        try:
            self.connection, _ = self.listening.accept()
            self.connection.settimeout(30)
            with self.connection:
                script(self)
        except OSError as error:
            self.error = error

    def receive(self) -> bytes:
        self.received.append(self.connection.recv(100000))
        return self.received[-1]

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.connection.send(packet)

    def wait_for_end(self) -> None:
        """Until the module closes; what it says before is kept."""
        with contextlib.suppress(OSError):
            while self.receive():
                pass

    def __enter__(self) -> "FakeDaemon":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self._thread.join(40)
        self.path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.service("fake", "timeout=3")
        made.service("patient", "timeout=60")
        made.sim.add_user("dtalice@example.com", factors=("push",))
        yield made


@contextlib.contextmanager
def fake(world: PamWorld, *packets: bytes) -> Iterator[FakeDaemon]:
    """Takes the request, says these, and waits for the end."""
    def script(daemon: FakeDaemon) -> None:
        daemon.receive()
        daemon.send(*packets)
        daemon.wait_for_end()

    with FakeDaemon(world.site.socket_path, script) as daemon:
        yield daemon


# --- the file ----------------------------------------------------------------------------------

def test_exports_and_needs() -> None:
    names = subprocess.run(["nm", "-D", "--defined-only", MODULE], check=True, text=True,
                           capture_output=True).stdout.split("\n")
    assert sorted(line.split()[-1] for line in names if line) == SYMBOLS
    needed = subprocess.run(["readelf", "-d", MODULE], check=True, text=True,
                            capture_output=True).stdout
    libraries = set(re.findall(r"\(NEEDED\).*\[(.*)\]", needed))
    if os.environ.get("DEVTRUST_SAN"):  # UBSan's runtime, linked in, brings its own
        libraries -= {"libm.so.6", "libgcc_s.so.1"}
    assert libraries == {"libpam.so.0", "libc.so.6"}


def test_every_symbol_can_be_looked_up() -> None:
    loaded = ctypes.CDLL(str(MODULE))
    for name in SYMBOLS:
        assert getattr(loaded, name)
    for hidden in ("dt_pam_signon", "dt_message_decode", "dt_pam_code"):
        with pytest.raises(AttributeError):
            getattr(loaded, hidden)


# --- arguments ---------------------------------------------------------------------------------

@pytest.mark.parametrize("argument", [
    "nullok", "debug", "timeout", "timeout=", "timeout=0", "timeout=-1", "timeout=121",
    "timeout=5s", "timeout=99999999999999999999", "timeout= 5", "socket=relative", "socket=",
    "socket=/" + "x" * 108, "daemon=devtrustd", "daemon=", "Socket=/run/x", "config=/etc/x"])
def test_argument_that_is_not_understood(world: PamWorld, argument: str) -> None:
    """Refused in every phase, though the daemon would let in."""
    world.service("odd", argument)
    with fake(world, YES):
        assert world.login("odd", "dtalice")["auth"] == "SYSTEM_ERR"
        assert world.login("odd", "dtalice", "--account-only")["account"] == "SYSTEM_ERR"


@pytest.mark.parametrize("seconds", ["1", "120"])
def test_timeout_bounds(world: PamWorld, seconds: str) -> None:
    world.service("bounds", f"timeout={seconds}")
    with fake(world, YES):
        assert world.login("bounds", "dtalice")["auth"] == "SUCCESS"


# --- a daemon as it should be ------------------------------------------------------------------

def test_what_is_asked(world: PamWorld) -> None:
    with fake(world, YES) as daemon:
        report = world.login("fake", "dtalice", "--rhost", "192.0.2.7", "--tty", "pts/3",
                             "--ruser", "root", "--env", "SSH_AUTH_INFO_0=publickey x y")
    assert report["auth"] == "SUCCESS" and report["account"] == "SUCCESS"
    asked = fields_of(daemon.received[0])
    assert daemon.received[0][:2] == bytes([1, REQUEST])
    assert asked[1] == struct.pack(">I", 1)
    assert asked[3] == b"fake\0" and asked[4] == b"dtalice\0"
    assert asked[5] == b"192.0.2.7\0" and asked[6] == b"pts/3\0"
    assert asked[7] == b"root\0" and asked[8] == b"publickey x y\0"


def test_account_repeats_authentication(world: PamWorld) -> None:
    """One connection for both; the fake daemon takes no second one."""
    with fake(world, YES) as daemon:
        assert world.login("fake", "dtalice")["account"] == "SUCCESS"
    assert len([p for p in daemon.received if p[1:2] == bytes([REQUEST])]) == 1


def test_account_alone_asks(world: PamWorld) -> None:
    with fake(world, YES) as daemon:
        assert world.login("fake", "dtalice", "--account-only")["account"] == "SUCCESS"
    assert fields_of(daemon.received[0])[1] == struct.pack(">I", 2)
    with fake(world, NO):
        assert world.login("fake", "dtalice", "--account-only")["account"] == "PERM_DENIED"


def test_account_for_another_user_asks_again(world: PamWorld) -> None:
    """What authentication got for one user is not given to the one put in their place."""
    def script(daemon: FakeDaemon) -> None:
        daemon.receive()
        daemon.send(YES)
        daemon.wait_for_end()
        daemon.connection, _ = daemon.listening.accept()
        daemon.receive()
        daemon.send(NO)
        daemon.wait_for_end()

    with FakeDaemon(world.site.socket_path, script) as daemon:
        report = world.login("fake", "dtalice", "--change-user", "dtbob")
    assert report["auth"] == "SUCCESS" and report["account"] == "PERM_DENIED"
    users = [fields_of(p)[4] for p in daemon.received if p[1:2] == bytes([REQUEST])]
    assert users == [b"dtalice\0", b"dtbob\0"]


def test_refusal_is_repeated_by_account(world: PamWorld) -> None:
    with fake(world, NO):
        report = world.login("fake", "dtalice", "--change-user", "dtalice")
    assert report["auth"] == "PERM_DENIED" and report["account"] == "PERM_DENIED"


def test_other_phases(world: PamWorld) -> None:
    with fake(world, YES):
        report = world.login("fake", "dtalice", "--also", "setcred", "--also", "session",
                             "--also", "chauthtok")
    assert report["setcred"] == "SUCCESS" and report["session"] == "SUCCESS"
    assert report["chauthtok"] == "AUTHTOK_ERR"


@pytest.mark.parametrize("cause,code", [
    ("RULE_DENY", "PERM_DENIED"), ("NO_RULE", "PERM_DENIED"), ("MFA_REJECTED", "AUTH_ERR"),
    ("MFA_TIMEOUT", "AUTH_ERR"), ("MFA_FAILED", "AUTH_ERR"), ("MFA_PUSH_LIMIT", "AUTH_ERR"),
    ("MFA_NO_FACTOR", "CRED_INSUFFICIENT"), ("OKTA_UNAVAILABLE", "AUTHINFO_UNAVAIL"),
    ("MFA_RATE_LIMITED", "AUTH_ERR"), ("OKTA_ANSWER_UNUSABLE", "AUTH_ERR"),
    ("OKTA_UNTRUSTED", "AUTH_ERR"), ("MFA_PROVIDER_FAILED", "AUTH_ERR"),
    ("OVERLOADED", "SYSTEM_ERR"), ("LOCAL_FAULT", "SYSTEM_ERR"),
    ("BUSY", "AUTHINFO_UNAVAIL"), ("CLIENT_GONE", "ABORT"), ("CONFIG", "SYSTEM_ERR"),
    ("INTERNAL", "SYSTEM_ERR"), ("NONE", "AUTH_ERR"), ("SOMETHING_NEW", "AUTH_ERR")])
def test_codes(world: PamWorld, cause: str, code: str) -> None:
    with fake(world, result(DENY, cause, "Words for the person.")):
        report = world.login("fake", "dtalice")
    assert report["auth"] == code
    assert {"message": "Words for the person.", "kind": "error"} in report["lines"]


def test_silent(world: PamWorld) -> None:
    with fake(world, result(DENY, "RULE_DENY", "Words for the person.")):
        report = world.login("fake", "dtalice", "--silent")
    assert report["auth"] == "PERM_DENIED" and len(report["lines"]) == 1


def test_information_comes_with_the_next_prompt(world: PamWorld) -> None:
    def script(daemon: FakeDaemon) -> None:
        daemon.receive()
        daemon.send(prompt(1, "First.", INFO), prompt(2, "Second.", INFO), prompt(3, "Code: "))
        assert fields_of(daemon.receive())[2] == b"abc\0"
        daemon.send(result(ALLOW, "MFA_SUCCESS", "Welcome."))
        daemon.wait_for_end()

    with FakeDaemon(world.site.socket_path, script), world.harness(*USER) as login:
        assert login.next() == {"message": "First.\nSecond.", "kind": "info"}
        assert login.prompt() == "Code: "
        login.answer("abc")
        report = login.finish()
    assert report["auth"] == "SUCCESS"
    assert {"message": "Welcome.", "kind": "info"} in report["lines"]


@pytest.mark.parametrize("style,echo", [(HIDDEN, False), (SHOWN, True)])
def test_echo(world: PamWorld, style: int, echo: bool) -> None:
    def script(daemon: FakeDaemon) -> None:
        daemon.receive()
        daemon.send(prompt(1, "Code: ", style))
        assert 2 not in fields_of(daemon.receive())  # just Enter
        daemon.send(YES)
        daemon.wait_for_end()

    with FakeDaemon(world.site.socket_path, script), world.harness(*USER) as login:
        assert login.next() == {"prompt": "Code: ", "echo": echo}
        login.answer("")
        assert login.finish()["auth"] == "SUCCESS"


def test_result_that_came_during_the_prompt(world: PamWorld) -> None:
    """The daemon has ended and gone; the answer finds nobody, the result is taken all the same."""
    sent = threading.Event()

    def script(daemon: FakeDaemon) -> None:
        daemon.receive()
        daemon.send(prompt(1, "Press Enter: "))
        sent.wait(30)
        daemon.send(result(ALLOW, "MFA_SUCCESS"))

    with FakeDaemon(world.site.socket_path, script) as daemon, world.harness(*USER) as login:
        login.prompt()
        sent.set()
        daemon._thread.join(30)
        login.answer("")
        assert login.finish()["auth"] == "SUCCESS"


def test_prompt_that_is_overtaken_is_not_shown(world: PamWorld) -> None:
    """A prompt and the result behind it are there when the module looks: nobody is asked."""
    stopped = threading.Event()

    def script(daemon: FakeDaemon) -> None:
        daemon.receive()
        stopped.wait(30)
        daemon.send(prompt(1, "Old: "), result(DENY, "MFA_REJECTED"))
        login.process.send_signal(signal.SIGCONT)
        daemon.wait_for_end()

    with FakeDaemon(world.site.socket_path, script) as daemon, \
            world.harness("--service", "patient", "--user", "dtalice") as login:
        wait_until(lambda: daemon.received, "the request")
        login.process.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{login.process.pid}/stat")
        wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")
        stopped.set()
        report = login.finish()
    assert report["auth"] == "AUTH_ERR" and len(report["lines"]) == 1


def test_leaves_nothing_behind(world: PamWorld) -> None:
    with fake(world, YES):
        report = world.login("fake", "dtalice")
    assert report["fds"] == 4  # three, and the directory that is being counted
    assert report["child"] is None


# --- a daemon that says the wrong thing --------------------------------------------------------

WRONG = {
    "nothing at all": (),
    "empty packet": (b"",),
    "one byte": (b"\x01",),
    "text": (b"ALLOW",),
    "another version": (b"\x02" + YES[1:],),
    "version 0": (b"\x00" + YES[1:],),
    "unknown type": (b"\x01\x09" + YES[2:],),
    "allow without a cause": (message(RESULT, number(1, ALLOW)),),
    "allow with a denying cause": (result(ALLOW, "RULE_DENY"),),
    "allow with an unknown cause": (result(ALLOW, "BECAUSE"),),
    "allow with no decision": (result(ALLOW, "NONE"),),
    "allow by lower case": (result(ALLOW, "rule_allow"),),
    "deny with an allowing cause": (result(DENY, "RULE_ALLOW"),),
    "result 0": (result(0, "RULE_ALLOW"),),
    "result 3": (result(3, "RULE_ALLOW"),),
    "result twice in one packet": (YES + YES,),
    "field twice": (message(RESULT, number(1, DENY), number(1, ALLOW), text(2, "RULE_ALLOW")),),
    "byte behind it": (YES + b"\0",),
    "cut": (YES[:-1],),
    "NUL in the cause": (message(RESULT, number(1, ALLOW),
                                 b"\x02\0\0\0\x0cRULE\0_ALLOW\0"),),
    "oversize": (message(RESULT, number(1, ALLOW), text(2, "RULE_ALLOW"), text(3, "x" * 3000)),),
    "huge": (b"\x01" * 60000,),
    "message too long": (message(RESULT, number(1, ALLOW), text(2, "RULE_ALLOW"),
                                 text(3, "x" * 512)),),
    "request of ours": (message(REQUEST, number(1, 1), number(2, 1), text(3, "a"), text(4, "b")),),
    "answer of ours": (message(ANSWER, number(1, 1)),),
    "cancel of ours": (message(CANCEL),),
    "prompt 0": (prompt(0, "x"), YES),
    "prompt again": (prompt(2, "x", INFO), prompt(2, "y", INFO), YES),
    "prompt backwards": (prompt(2, "x", INFO), prompt(1, "y", INFO), YES),
    "prompt without text": (message(PROMPT, number(1, 1), number(2, 1)), YES),
    "prompt of unknown style": (prompt(1, "x", 4), YES),
    "too many prompts": (*[prompt(i, "x", INFO) for i in range(1, 66)], YES),
    "deny, then allow": (NO, YES),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_words(world: PamWorld, what: str) -> None:
    """Refused at once where it is nonsense, at the deadline where nothing came."""
    with fake(world, *WRONG[what]):
        begin = time.monotonic()
        report = world.login("fake", "dtalice", limit=30)
    assert report["auth"] in ("SYSTEM_ERR", "AUTHINFO_UNAVAIL", "AUTH_ERR", "PERM_DENIED")
    assert time.monotonic() - begin < 25


def test_second_result_does_not_count(world: PamWorld) -> None:
    with fake(world, YES, NO):
        assert world.login("fake", "dtalice")["auth"] == "SUCCESS"


def test_slow_drip(world: PamWorld) -> None:
    """Information that keeps coming does not keep the login waiting past its deadline."""
    def script(daemon: FakeDaemon) -> None:
        daemon.receive()
        for i in range(1, 60):
            daemon.send(prompt(i, "wait", INFO))
            time.sleep(0.2)
        daemon.send(YES)

    with FakeDaemon(world.site.socket_path, script):
        report = world.login("fake", "dtalice")
    assert report["auth"] == "AUTHINFO_UNAVAIL" and 2.9 < report["seconds"] < 20


def test_ends_without_an_answer(world: PamWorld) -> None:
    with FakeDaemon(world.site.socket_path, lambda daemon: None):
        assert world.login("fake", "dtalice")["auth"] == "AUTHINFO_UNAVAIL"
    with FakeDaemon(world.site.socket_path, lambda daemon: daemon.receive() and None):
        assert world.login("fake", "dtalice")["auth"] == "AUTHINFO_UNAVAIL"


def test_silent_daemon_meets_the_deadline(world: PamWorld) -> None:
    with fake(world) as daemon:
        report = world.login("fake", "dtalice")
    assert report["auth"] == "AUTHINFO_UNAVAIL" and 2.9 < report["seconds"] < 20
    assert daemon.received[1][:2] == bytes([1, CANCEL])


def test_nobody_accepts(world: PamWorld) -> None:
    """A daemon that is stuck does not even take connections; the kernel's queue is full."""
    path = world.site.socket_path
    path.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        listening.bind(str(path))
        listening.listen(0)
        while True:
            filling = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            filling.setblocking(False)
            try:
                filling.connect(str(path))
            except BlockingIOError:
                break
        report = world.login("fake", "dtalice")
    path.unlink()
    assert report["auth"] == "AUTHINFO_UNAVAIL" and 1.9 < report["seconds"] < 20


# --- who listens -------------------------------------------------------------------------------

def listen_as(world: PamWorld, uid: int) -> "subprocess.Popen[str]":
    script = ("import os,socket,sys\n"
              f"os.setgid({uid}); os.setuid({uid})\n"
              "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1])\n"
              "os.chmod(sys.argv[1], 0o666); s.listen(5); print('ready', flush=True)\n"
              "while True:\n"
              "    c, _ = s.accept(); c.recv(100000); c.send(bytes.fromhex(sys.argv[2]))\n"
              "    c.recv(100000)\n")
    path = world.directory / "theirs" / "sock"
    path.unlink(missing_ok=True)
    process = subprocess.Popen(["/usr/bin/python3", "-c", script, str(path), YES.hex()],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("uid,owner,mode,code", [
    (0, 0, 0o755, "SUCCESS"),
    (61010, 61010, 0o755, "SUCCESS"),  # the user devtrust
    (61002, 61002, 0o755, "AUTHINFO_UNAVAIL"),
    (61002, 0, 0o1777, "AUTHINFO_UNAVAIL"),
    (0, 0, 0o777, "AUTHINFO_UNAVAIL"),
    (0, 0, 0o775, "AUTHINFO_UNAVAIL"),
    (0, 61002, 0o755, "AUTHINFO_UNAVAIL"),
])
def test_whose_socket(world: PamWorld, uid: int, owner: int, mode: int, code: str) -> None:
    directory = world.directory / "theirs"
    directory.mkdir(exist_ok=True)
    os.chown(directory, owner, owner)
    os.chmod(directory, mode)
    world.service("theirs", f"socket={directory}/sock", "timeout=3")
    process = listen_as(world, uid)
    try:
        assert world.login("theirs", "dtalice")["auth"] == code
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_socket_of_another_kind(world: PamWorld) -> None:
    path = world.site.socket_path
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.bind(str(path))
        stream.listen()
        assert world.login("fake", "dtalice")["auth"] == "AUTHINFO_UNAVAIL"
    path.unlink()


# --- people ------------------------------------------------------------------------------------

@pytest.mark.parametrize("user", ["nosuchuser", "x" * 300, "new\nline", "\x1b[31mred"])
def test_account_that_does_not_exist(world: PamWorld, user: str) -> None:
    with fake(world, YES) as daemon:
        assert world.login("fake", user)["auth"] == "USER_UNKNOWN"
    assert not daemon.received


def test_conversation_fails(world: PamWorld) -> None:
    with fake(world, prompt(1, "Code: ")) as daemon:
        report = world.login("fake", "dtalice", "--no-conversation")
        wait_until(lambda: len(daemon.received) >= 2, "CANCEL")
    assert report["auth"] == "CONV_ERR"
    assert daemon.received[1][:2] == bytes([1, CANCEL])


def test_answer_too_long(world: PamWorld) -> None:
    with fake(world, prompt(1, "Code: ")), world.harness(*USER) as login:
        login.prompt()
        login.answer("9" * 600)
        assert login.finish()["auth"] == "CONV_ERR"


def test_allow_while_the_conversation_fails(world: PamWorld) -> None:
    """Whoever cannot be talked to any more is not let in by what was said meanwhile."""
    asked, allowed = threading.Event(), threading.Event()

    def script(daemon: FakeDaemon) -> None:
        daemon.receive()
        daemon.send(prompt(1, "Code: "))
        asked.wait(30)
        daemon.send(YES)
        allowed.set()
        daemon.wait_for_end()

    with FakeDaemon(world.site.socket_path, script), world.harness(*USER) as login:
        login.prompt()
        asked.set()
        allowed.wait(30)
        assert login.process.stdin is not None
        login.process.stdin.close()
        login.process.stdin = None
        assert login.finish()["auth"] == "CONV_ERR"


def test_long_environment_and_names(world: PamWorld) -> None:
    """What does not fit is not sent cut; keys that do not fit refuse."""
    with fake(world, YES) as daemon:
        report = world.login("fake", "dtalice", "--rhost", "h" * 300, "--tty", "t" * 300)
    assert report["auth"] == "SUCCESS"
    assert 5 not in fields_of(daemon.received[0]) and 6 not in fields_of(daemon.received[0])
    with fake(world, YES):
        report = world.login("fake", "dtalice", "--env", "SSH_AUTH_INFO_0=" + "k" * 65537)
    assert report["auth"] == "SYSTEM_ERR"


# --- signals -----------------------------------------------------------------------------------

@pytest.mark.parametrize("number_of", [signal.SIGINT])
def test_pending_signal_ends_the_wait(world: PamWorld, number_of: int) -> None:
    """sudo blocks ^C while it authenticates."""
    with fake(world) as daemon, world.harness("--service", "patient", "--user", "dtalice",
                                              "--block-sigint") as login:
        wait_until(lambda: daemon.received, "the request")
        login.process.send_signal(number_of)
        report = login.finish(20)
        assert report["auth"] == "ABORT" and report["seconds"] < 15
    assert daemon.received[1][:2] == bytes([1, CANCEL])


# --- nobody listens ----------------------------------------------------------------------------

def test_other_users_cannot_start_a_daemon(world: PamWorld) -> None:
    world.site.socket_path.unlink(missing_ok=True)
    report = world.login("fake", "dtalice", "--uid", 61001)
    assert report["auth"] == "AUTHINFO_UNAVAIL"


@pytest.mark.parametrize("what", ["absent", "writable", "foreign", "directory", "not executable",
                                  "ends at once", "says nothing", "exits 0"])
def test_daemon_that_cannot_be_started(world: PamWorld, what: str) -> None:
    path = world.directory / "odd-daemon"
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        path.unlink()
    if what == "directory":
        path.mkdir()
    elif what != "absent":
        body = {"says nothing": "exec sleep 5", "ends at once": "exit 1", "exits 0": "exit 0"}
        path.write_text("#!/bin/sh\n" + body.get(what, "exit 0") + "\n")
        os.chmod(path, {"writable": 0o777, "not executable": 0o644}.get(what, 0o755))
        if what == "foreign":
            os.chown(path, 61002, 61002)
    world.site.socket_path.unlink(missing_ok=True)
    world.service("odd", f"daemon={path}", "timeout=2")
    report = world.login("odd", "dtalice")
    assert report["auth"] == "AUTHINFO_UNAVAIL" and report["seconds"] < 15
    if path.is_dir():
        path.rmdir()


@pytest.mark.parametrize("sigchld", [(), ("--ignore-sigchld",)])
def test_daemon_of_its_own(world: PamWorld, sigchld: tuple[str, ...]) -> None:
    """No child is left to the caller, whatever it does about SIGCHLD; only the socket counts."""
    world.site.socket_path.unlink(missing_ok=True)
    world.site.set_policy({"name": "fake", "application": "fake",
                           "rules": [rule("Unknown devices, too.", 1, "NOT_TRUSTED"), catch_all()]})
    world.service("fake", "timeout=30")
    report = world.login("fake", "dtalice", *sigchld)
    assert report["auth"] == "SUCCESS" and report["account"] == "SUCCESS"
    assert report["fds"] == 4 and report["child"] is None
    world.service("fake", "timeout=3")
