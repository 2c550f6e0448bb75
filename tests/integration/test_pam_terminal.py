# SPDX-License-Identifier: GPL-2.0-or-later
# What a person sees at a terminal: QR codes, by the real sudo, su, login and ssh in pseudo
# terminals of several sizes; and a module and a daemon of which one does not know of terminals.
"""QR codes at terminals."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import termios
from typing import Any, Iterator

import pexpect
import pytest

from tests.integration.test_pam_module import (ALLOW, INFO, REQUEST, FakeDaemon, fields_of, message,
                                               number, result, text)
from tests.lib import qr
from tests.lib import site as sites
from tests.lib.matrix import cell
from tests.lib.pamworld import LIMIT, PamWorld, pam_world, wait_until
from tests.lib.sshd import Sshd

ALICE = "dtalice@example.com"
AS_ALICE = ("setpriv", "--reuid", "61001", "--regid", "61001", "--clear-groups")
DOORS = ("sudo", "su", "login", "sshd")
COMMANDS = {"sudo": (*AS_ALICE, "sudo", "echo", "I-am-in"),
            "su": (*AS_ALICE, "su", "root", "-c", "echo I-am-in"),
            "login": ("login", "dtalice")}
CODE = re.compile(r"Enter\s+the\s+code\s+([A-Z]{8})\s+at\s+(https://\S+/activate)")
SIZES = ((80, 24), (40, 24), (132, 50))
SMALL = ((80, 20), (32, 50))  # not high, not wide enough
IUTF8 = 0o40000  # of termios(3)
UTF8 = {"LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=DOORS) as made:
        for name in ("sudo", "su", "login"):
            made.service(name, "timeout=30")
        made.sample("sshd", "sshd-devtrust")
        made.site.configure({
            "okta": {"native_client_id": made.sim.okta_native_client_id, "poll_interval": "250ms"},
            "policy": {"unknown_device_as": "not_trusted"},
            "mfa": {"factors": "push, browser", "okta_way": "browser", "wait_pam": "30s",
                    "push_pause": "0s", "push_limit": "1000"}})
        put_policies(made, "browser")
        made.start_daemon()
        yield made


def put_policies(world: PamWorld, *factors: str) -> None:
    for door in DOORS:
        world.site.set_policy(sites.guide_policy(door, factors=factors))


@contextlib.contextmanager
def other(world: PamWorld, factor: str = "browser", **settings: str) -> Iterator[None]:
    """A daemon with other settings of [mfa] for a while."""
    before = dict(world.site.settings["mfa"])
    put_policies(world, factor)
    world.restart_daemon({"mfa": settings})
    try:
        yield
    finally:
        put_policies(world, "browser")
        world.restart_daemon({"mfa": {**dict.fromkeys(settings), **before}})


@pytest.fixture(scope="module")
def server(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world) as made:
        yield made


@pytest.fixture(scope="module")
def key(server: Sshd) -> Any:
    return server.stranger("dtalice")


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> None:
    world.sim.reset()
    world.sim.org(device_interval=1.0)
    world.sim.add_user(ALICE)
    world.site.audit_path.unlink(missing_ok=True)


def start(world: PamWorld, door: str, size: tuple[int, int], environment: dict[str, str],
          iutf8: bool = False) -> "pexpect.spawn[str]":
    """A program at a terminal of so many columns and rows."""
    def set_up() -> None:
        flags = termios.tcgetattr(0)
        flags[0] = flags[0] | IUTF8 if iutf8 else flags[0] & ~IUTF8
        termios.tcsetattr(0, termios.TCSANOW, flags)

    command = world.inside(COMMANDS[door])
    return pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=LIMIT,
                         dimensions=(size[1], size[0]), preexec_fn=set_up,
                         env={"PATH": os.environ["PATH"], "TERM": "linux", **environment})


def shown_before_code(child: "pexpect.spawn[str]") -> tuple[str, str, str]:
    """All that is on the terminal once the code is; the code, and where it is entered."""
    child.expect(CODE)
    assert child.match is not None
    return child.before + child.after, child.match.group(1), child.match.group(2)


def finish(world: PamWorld, child: "pexpect.spawn[str]", code: str) -> None:
    world.sim.sign_in(ALICE, code=code)
    child.sendline("")
    child.expect([r"I-am-in", r"\$ "])
    child.close(force=True)


def leave(world: PamWorld, child: "pexpect.spawn[str]", door: str) -> None:
    """The person goes, and the sign-on ends: the next one may have a code of its own."""
    child.close(force=True)
    world.outcome(door)


def check_drawing(screen: str, code: str, url: str, size: tuple[int, int]) -> None:
    """It is the link, on lines that the terminal does not break, with room for the text below."""
    assert qr.read(screen) == [f"{url}?user_code={code}"]
    lines = qr.drawing(screen)
    assert max(map(len, lines)) <= size[0] and len(lines) + 3 <= size[1]


def sized(door: str, sizes: Any, case: str, short: Any = ()) -> list[Any]:
    return [pytest.param(door, size, marks=cell("pam", f"{door}, {size[0]} columns", case,
                                                whole=(door, size) not in short))
            for size in sizes]


@pytest.mark.parametrize("door,size", [
    *sized("sudo", SIZES, "QR code", (("sudo", (80, 24)),)),
    *sized("su", SIZES, "QR code", (("su", (40, 24)),)),
    *sized("login", SIZES, "QR code", (("login", (132, 50)),))])
def test_the_link_is_drawn(world: PamWorld, door: str, size: tuple[int, int]) -> None:
    child = start(world, door, size, UTF8)
    screen, code, url = shown_before_code(child)
    check_drawing(screen, code, url, size)
    finish(world, child, code)


@pytest.mark.parametrize("door,size", [
    *sized("sudo", SMALL, "no room", (("sudo", (80, 20)),)), *sized("su", SMALL, "no room"),
    *sized("login", SMALL, "no room")])
def test_without_room_the_text_alone_is_shown(world: PamWorld, door: str,
                                              size: tuple[int, int]) -> None:
    child = start(world, door, size, UTF8)
    screen, code, _ = shown_before_code(child)
    assert not qr.drawing(screen)
    finish(world, child, code)


# What says that a terminal shows UTF-8: the first of these variables, else the terminal.
@pytest.mark.parametrize("environment,iutf8,drawn", [
    ({"LANG": "de_DE.utf8"}, False, True), ({}, True, True), ({"LANG": ""}, True, True),
    ({}, False, False), ({"LANG": "C"}, True, False),
    ({"LC_ALL": "C", "LANG": "C.UTF-8"}, True, False),
    ({"LC_CTYPE": "de_DE.ISO-8859-1", "LANG": "C.UTF-8"}, True, False),
    ({"LANG": "C.UTF-8", "TERM": "dumb"}, True, False)])
def test_only_where_utf8_is_shown(world: PamWorld, environment: dict[str, str], iutf8: bool,
                                  drawn: bool) -> None:
    child = start(world, "su", (80, 24), environment, iutf8)
    screen, _, _ = shown_before_code(child)
    assert bool(qr.drawing(screen)) == drawn
    leave(world, child, "su")


@pytest.mark.parametrize("arguments", [("-S",), ("-A",)])
def test_sudo_that_asks_elsewhere(world: PamWorld, arguments: tuple[str, ...]) -> None:
    """Standard input and a program that asks are not the terminal."""
    place = world.directory / "asks"
    place.mkdir(mode=0o777, exist_ok=True)
    place.chmod(0o777)
    program, asked = place / "askpass", place / "asked"
    asked.unlink(missing_ok=True)
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" >'{asked}'\nsleep 1\n")
    program.chmod(0o755)
    command = world.inside([*AS_ALICE, "env", f"SUDO_ASKPASS={program}", "sudo", *arguments, "id"])
    child = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=LIMIT,
                          dimensions=(50, 132), env={"PATH": os.environ["PATH"], **UTF8})
    screen = ""
    if arguments == ("-S",):
        screen, _, _ = shown_before_code(child)
    else:
        wait_until(lambda: asked.exists() and asked.read_text().endswith("\n"), "it asks")
        screen = asked.read_text()
        assert "Okta" in screen
    leave(world, child, "sudo")
    assert not qr.drawing(screen)


def test_output_that_goes_elsewhere(world: PamWorld) -> None:
    """What the command writes goes into a file: no drawing may."""
    path = world.directory / "output"
    path.write_text("")
    command = world.inside(["sh", "-c", f"exec {' '.join(AS_ALICE)} su root -c true >'{path}'"])
    child = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=LIMIT,
                          env={"PATH": os.environ["PATH"], "TERM": "linux", **UTF8})
    screen, _, _ = shown_before_code(child)
    leave(world, child, "su")
    assert not qr.drawing(screen + path.read_text())


def test_never(world: PamWorld) -> None:
    with other(world, qr_code="never"):
        child = start(world, "sudo", (132, 50), UTF8)
        screen, _, _ = shown_before_code(child)
        assert not qr.drawing(screen)
        leave(world, child, "sudo")


# --- enrolment ----------------------------------------------------------------------------------

@pytest.mark.parametrize("door", [
    pytest.param("su", marks=cell("pam", "su", "enrolment")),
    pytest.param("login", marks=cell("pam", "login", "enrolment", whole=True))])
def test_where_to_enrol(world: PamWorld, door: str) -> None:
    """Who has set up no factor is shown where that is done."""
    with other(world, "push", okta_way="factors"):
        world.sim.reset()
        world.sim.add_user(ALICE, factors=())
        child = start(world, door, (80, 24), UTF8)
        child.expect(r"\(Set\s+one\s+up\s+at\s+(https://[^\s)]+)\)")
        assert child.match.group(1) == world.sim.okta_url
        assert qr.read(child.before) == [world.sim.okta_url]
        child.close(force=True)


def test_who_is_refused_for_another_reason_is_shown_none(world: PamWorld) -> None:
    with other(world, "push", okta_way="factors"):
        world.sim.listener("okta", "down")
        child = start(world, "su", (80, 24), UTF8)
        child.expect(r"Code:")
        assert "cannot be reached" in child.before and not qr.drawing(child.before)
        child.close(force=True)
        world.sim.listener("okta", "up")


# --- ssh ----------------------------------------------------------------------------------------

def connect(server: Sshd, key: Any, size: tuple[int, int], locale: str) -> "pexpect.spawn[str]":
    command = server.command("dtalice", key)
    return pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=LIMIT,
                         dimensions=(size[1], size[0]),
                         env={"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": locale,
                              "HOME": str(server.directory)})


@cell("pam", "ssh", "QR code by default")
def test_ssh_shows_text_alone(world: PamWorld, server: Sshd, key: Any) -> None:
    """sshd cannot know what the client shows."""
    child = connect(server, key, (132, 50), "C.UTF-8")
    screen, code, _ = shown_before_code(child)
    assert "█" not in screen and "\\342" not in screen
    finish(world, child, code)


@cell("pam", "ssh", "qr_code = always")
def test_ssh_draws_where_the_administrator_says_so(world: PamWorld, server: Sshd,
                                                   key: Any) -> None:
    with other(world, qr_code="always"):
        child = connect(server, key, (80, 24), "C.UTF-8")
        screen, code, url = shown_before_code(child)
        check_drawing(screen, code, url, (80, 24))
        finish(world, child, code)
        # The client escapes what its locale cannot show; code and address are below it.
        child = connect(server, key, (80, 24), "C")
        screen, code, _ = shown_before_code(child)
        assert "\\342\\226\\210" in screen and "█" not in screen
        finish(world, child, code)


# --- a module or a daemon of before an upgrade --------------------------------------------------

@pytest.mark.parametrize("size,env,asked", [
    ((80, 24), UTF8, [{17, 18, 19}, set()]), ((80, 24), {}, [{17, 18}, set()])])
def test_a_daemon_that_knows_no_terminals(world: PamWorld, size: tuple[int, int],
                                          env: dict[str, str], asked: list[set[int]]) -> None:
    """It ends the connection at the first request, and is asked once more without the fields."""
    (world.directory / "older").mkdir(mode=0o755, exist_ok=True)
    path = world.directory / "older" / "sock"

    def script(daemon: FakeDaemon) -> None:
        if 17 in fields_of(daemon.receive()):
            daemon.connection.close()
            daemon.connection, _ = daemon.listening.accept()
            daemon.receive()
        daemon.send(result(ALLOW, "RULE_ALLOW"))
        daemon.wait_for_end()

    world.service("su", "timeout=20", f"socket={path}")
    try:
        with FakeDaemon(path, script) as daemon:
            child = start(world, "su", size, env)
            child.expect("I-am-in")
            child.close(force=True)
    finally:
        world.service("su", "timeout=30")
    requests = [set(fields_of(p)) for p in daemon.received if p[1:2] == bytes([REQUEST])]
    assert [found & {17, 18, 19} for found in requests] == asked


def test_a_daemon_that_never_answers_is_asked_twice_and_no_more(world: PamWorld) -> None:
    (world.directory / "older").mkdir(mode=0o755, exist_ok=True)
    path = world.directory / "older" / "sock"

    def script(daemon: FakeDaemon) -> None:
        for _ in range(2):
            daemon.receive()
            daemon.connection.close()
            daemon.connection, _ = daemon.listening.accept()
        daemon.receive()

    world.service("su", "timeout=20", f"socket={path}")
    try:
        with FakeDaemon(path, script) as daemon:
            child = start(world, "su", (80, 24), UTF8)
            child.expect(r"devtrust\s+cannot\s+be\s+reached")
            child.close(force=True)
            assert len(daemon.received) == 2
    finally:
        world.service("su", "timeout=30")


def test_a_module_that_knows_no_terminals(world: PamWorld) -> None:
    """Its request names none, and it understands what it gets."""
    with connect_to(world) as client:
        client.send(message(REQUEST, number(1, 1), number(2, 4242), text(3, "sudo"),
                            text(4, "dtalice"), text(10, "dtalice"), text(11, "dtalice"),
                            text(12, "dtalice")))
        told = [fields_of(client.recv(100_000)) for _ in range(2)]
    assert all(set(fields) == {1, 2, 3} for fields in told)
    assert all(len(fields[3]) <= 512 and "█".encode() not in fields[3] for fields in told)
    assert b"Enter the code" in told[1][3]


# Sizes that no terminal has, and text where a number belongs.
@pytest.mark.parametrize("fields", [
    (number(17, 0), number(18, 24)), (number(17, 1001), number(18, 24)), (number(18, 0),),
    (number(17, 80), number(18, 1 << 31)), (number(19, 0),), (number(19, 2),), (text(17, "80"),),
    (number(17, 80), number(17, 80)), (number(20, 1),)])
def test_sizes_that_are_none(world: PamWorld, fields: tuple[bytes, ...]) -> None:
    with connect_to(world) as client:
        client.send(message(REQUEST, number(1, 1), number(2, 4242), text(3, "sudo"),
                            text(4, "dtalice"), text(10, "dtalice"), text(12, "dtalice"), *fields))
        assert ended(client)


def test_a_drawing_in_packets(world: PamWorld) -> None:
    """No packet has more than a message of libpam has room for, and each has whole lines."""
    with connect_to(world) as client:
        client.send(message(REQUEST, number(1, 1), number(2, 4242), text(3, "sudo"),
                            text(4, "dtalice"), text(10, "dtalice"), text(12, "dtalice"),
                            number(17, 80), number(18, 24), number(19, 1)))
        told = []
        while not told or told[-1][2] == number_bytes(INFO):
            told.append(fields_of(client.recv(100_000)))
    pieces = [fields[3].rstrip(b"\0").decode() for fields in told]
    assert all(len(piece.encode()) <= 511 for piece in pieces)
    assert [int.from_bytes(fields[1], "big") for fields in told] == list(range(1, len(told) + 1))
    assert "The code signs on to" in pieces[0] and "Enter the code" in pieces[-1]
    found = CODE.search(pieces[-1])
    assert found is not None
    assert qr.read("\n".join(pieces[1:-1])) == [f"{found[2]}?user_code={found[1]}"]
    assert len({len(line) for piece in pieces[1:-1] for line in piece.splitlines()}) == 1


def connect_to(world: PamWorld) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.settimeout(LIMIT)
    made.connect(str(world.site.socket_path))
    return made


def number_bytes(value: int) -> bytes:
    return value.to_bytes(4, "big")


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(10_000) == b""
    except ConnectionResetError:
        return True
