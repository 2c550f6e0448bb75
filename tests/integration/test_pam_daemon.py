# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustd with real sign-ons: who may ask for whom, what it believes, what it does when Okta,
# Intune or its own configuration fail, and how it starts and ends.
"""The daemon behind pam_devtrust.so."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

import pytest

from tests.integration.test_pam_module import (CANCEL, REQUEST, RESULT, fields_of, message,
                                               number, text)
from tests.lib.pamworld import ACCOUNTS, DAEMON, ROOT, PamWorld, is_running, pam_world, \
    wait_until
from tests.lib.site import catch_all, guide_policy, rule
from tests.pki import authority as ca

BOTH = ("push", "token:software:totp")
ALICE = "dtalice@example.com"
APPLICATIONS = ("sshd", "sudo", "login", "locker", "staff")
DEFAULTS = {"mfa": {"wait_pam": "20s", "push_limit": None},
            "okta": {"timeout": "5s"}, "intune": {"timeout": "5s"},
            "policy": {"okta_unavailable": None, "unknown_device_as": "not_trusted",
                       "groups_from": None},
            "daemon": {"lock_screen_services": "locker", "local_services": "sudo, login",
                       "max_sign_ons": None},
            "device_trust": {"host_certificate_file": None, "host_key_file": None}}


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=APPLICATIONS) as made:
        for name in APPLICATIONS:
            made.service(name)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    """An org with dtalice in it, empty logs and store, the usual settings; a daemon runs."""
    world.sim.reset()
    world.sim.add_user(ALICE, factors=BOTH)
    world.site.audit_path.unlink(missing_ok=True)
    world.log_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    for name in APPLICATIONS:
        world.site.set_policy(guide_policy(name))
    world.site.configure(DEFAULTS)
    world.start_daemon()
    yield
    world.stop_daemon()
    # What a killed login leaves to cancel must not be counted by the next test.
    wait_until(lambda: not daemons_of(world), "devtrustd --one ends")


def ssh_key(world: PamWorld, device: str, **fields: Any) -> str:
    """SSH_AUTH_INFO_0 of an enrolled device."""
    made = world.pki["devices"][device]
    world.sim.enrol_device(made["device_id"], user=ALICE, **fields)
    world.add_device(made["files"]["certificate"])
    kind, blob = Path(made["files"]["ssh_public_key"]).read_text().split()[:2]
    return f"SSH_AUTH_INFO_0=publickey {kind} {blob}\n"


def cause(event: dict[str, Any]) -> str:
    return event["debugContext"]["debugData"]["cause"]


def debug(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


def prompts(report: dict[str, Any]) -> list[str]:
    return [line["prompt"] for line in report["lines"] if "prompt" in line]


# --- what is believed --------------------------------------------------------------------------

def test_key_of_an_enrolled_device(world: PamWorld) -> None:
    key = ssh_key(world, "device-p256")
    report = world.login("sshd", "dtalice", "--env", key)
    assert report["auth"] == "SUCCESS" and report["account"] == "SUCCESS" and not prompts(report)
    assert debug(world.outcome("sshd"))["evidence"] == "ssh-key+intune"
    assert world.sim.count("okta.total") == 0


@pytest.mark.parametrize("service", ["sudo", "login", "staff"])
def test_key_counts_in_sshd_only(world: PamWorld, service: str) -> None:
    """Elsewhere anything that sets a PAM environment variable could have written it."""
    key = ssh_key(world, "device-p256")
    report = world.login(service, "dtalice", "--env", key, "--no-conversation", "--ruser",
                         "dtalice")
    assert report["auth"] == "CONV_ERR" and prompts(report)
    event = world.outcome(service)
    assert debug(event)["verdict"] == "NOT_TRUSTED" and "ssh-key" not in debug(event)["evidence"]


@pytest.mark.parametrize("key", [
    "publickey", "publickey ssh-ed25519", "publickey ssh-ed25519 !!!!\n", "nonsense\n",
    "publickey ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGJsYWJsYWJsYWJsYWJsYWJsYWJsYWJsYWJsYWJsYWJs\n",
    "password\n", "keyboard-interactive/pam\n", "x" * 60000])
def test_odd_keys(world: PamWorld, key: str) -> None:
    report = world.login("sshd", "dtalice", "--env", "SSH_AUTH_INFO_0=" + key,
                         "--no-conversation")
    assert report["auth"] != "SUCCESS"
    assert debug(world.outcome("sshd"))["verdict"] != "TRUSTED"


def test_somebody_elses_enrolled_device(world: PamWorld) -> None:
    """Whose device it is does not matter to the verdict; the event tells it."""
    key = ssh_key(world, "device-rsa")
    assert world.login("sshd", "dtbob", "--env", key)["auth"] == "SUCCESS"
    assert world.outcome("sshd")["actor"]["displayName"] == "dtbob"


def host_certificate(world: PamWorld, device: str) -> None:
    files = world.pki["devices"][device]["files"]
    world.restart_daemon({"device_trust": {"host_certificate_file": files["certificate"],
                                           "host_key_file": files["key"]}})


def test_host_certificate(world: PamWorld) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    report = world.login("login", "dtalice", "--tty", "tty1")
    assert report["auth"] == "SUCCESS" and not prompts(report)
    assert debug(world.outcome("login"))["evidence"] == "certificate+intune"


def test_host_certificate_with_ciscos_uri(world: PamWorld) -> None:
    world.sim.enrol_device(world.pki["devices"]["ise-intune"]["device_id"])
    host_certificate(world, "ise-intune")
    assert world.login("login", "dtalice", "--tty", "tty1")["auth"] == "SUCCESS"
    assert debug(world.outcome("login"))["evidence"] == "certificate+intune"


def test_host_certificate_with_entras_id_in_the_name(world: PamWorld) -> None:
    """Only as Entra's id: a device that has the same GUID for Intune's is another."""
    entra = world.pki["devices"]["joined-host"]["guid"]
    world.site.configure({"ca joined": {
        "certificate_file": world.pki["authorities"]["joined_ca"],
        "device_id": "entra-common-name"}})
    try:
        world.sim.enrol_device(entra, azureADDeviceId=str(uuid.uuid4()))
        host_certificate(world, "joined-host")
        assert world.login("login", "dtalice", "--no-conversation")["auth"] == "CONV_ERR"
        assert debug(world.outcome("login"))["deviceReason"] == "NOT_ENROLLED"
        world.sim.enrol_device(str(uuid.uuid4()), azureADDeviceId=entra)
        wait_until(lambda: world.login("login", "dtalice", "--no-conversation")["auth"]
                   == "SUCCESS", "the device of Entra's id")
    finally:
        del world.site.settings["ca joined"]
        world.restart_daemon({})


def test_host_certificate_says_nothing_of_ssh_clients(world: PamWorld) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    for service in ("sshd", "staff"):
        report = world.login(service, "dtalice", "--no-conversation")
        assert report["auth"] == "CONV_ERR"
        assert debug(world.outcome(service))["verdict"] == "NOT_TRUSTED"


def test_host_certificate_not_compliant(world: PamWorld) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"], compliance="noncompliant")
    host_certificate(world, "host")
    assert world.login("login", "dtalice", "--no-conversation")["auth"] == "CONV_ERR"
    assert debug(world.outcome("login"))["deviceReason"] == "NOT_COMPLIANT"


# --- who asks ----------------------------------------------------------------------------------

def test_lock_screen_for_oneself(world: PamWorld) -> None:
    world.sim.set_push(ALICE, "approve")
    with world.harness("--service", "locker", "--user", "dtalice", "--uid", 61001) as locker:
        assert "in Okta Verify" in locker.prompt()
        locker.answer("")
        assert locker.finish()["auth"] == "SUCCESS"
    assert cause(world.outcome("locker")) == "MFA_SUCCESS"


def test_lock_screen_by_the_host(world: PamWorld) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    report = world.login("locker", "dtalice", "--uid", 61001)
    assert report["auth"] == "SUCCESS" and not prompts(report)


def lock_screen_path(world: PamWorld) -> Path:
    """Where others than root ask: beside the daemon's socket."""
    return world.site.socket_path.parent / "lock-screen.sock"


def test_who_can_connect(world: PamWorld) -> None:
    """Others than root have a socket of their own, and only where there are lock screens: what they
    send costs something."""
    assert world.site.socket_path.stat().st_mode & 0o777 == 0o600
    assert lock_screen_path(world).stat().st_mode & 0o777 == 0o666
    world.stop_daemon()
    assert not lock_screen_path(world).exists()
    world.site.configure({"daemon": {"lock_screen_services": None}})
    world.start_daemon()
    assert world.site.socket_path.stat().st_mode & 0o777 == 0o600
    assert not lock_screen_path(world).exists()
    report = world.login("locker", "dtalice", "--uid", 61001)
    assert report["auth"] != "SUCCESS" and not prompts(report)
    assert not world.site.sign_ons()
    assert world.login("sshd", "dtalice", "--env",
                       ssh_key(world, "device-p256"))["auth"] == "SUCCESS"


@pytest.mark.parametrize("service,user", [("locker", "dtbob"), ("locker", "root"),
                                          ("sshd", "dtalice"), ("sudo", "dtalice"),
                                          ("sudo", "root")])
def test_other_callers_are_refused(world: PamWorld, service: str, user: str) -> None:
    key = ssh_key(world, "device-p256")
    report = world.login(service, user, "--uid", 61001, "--env", key)
    assert report["auth"] == "PERM_DENIED" and not prompts(report)
    event = world.outcome(service)
    assert cause(event) == "RULE_DENY" and "uid 61001" in debug(event)["detail"]
    assert world.sim.count("okta.total") == 0


def test_other_callers_do_not_say_where_they_are(world: PamWorld) -> None:
    """A locker that claims to be in a trusted network."""
    zone = {"zones": [{"name": "Office", "type": "IP", "status": "ACTIVE",
                       "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]}]}
    network = {"network": {"connection": "ZONE", "include": ["Office"]}}
    import json
    (world.site.directory / "zones.json").write_text(json.dumps(zone))
    for name in ("locker", "staff"):
        world.site.set_policy({"name": name, "application": name, "rules": [
            rule("Office.", 1, **network), catch_all()]})
    world.restart_daemon({"policy": {"zones_file": world.site.directory / "zones.json"}})
    assert world.login("staff", "dtalice", "--rhost", "192.0.2.9")["auth"] == "SUCCESS"
    report = world.login("locker", "dtalice", "--uid", 61001, "--rhost", "192.0.2.9")
    assert report["auth"] == "PERM_DENIED"
    world.site.configure({"policy": {"zones_file": None}})


def test_sshd_without_an_address_is_not_at_this_host(world: PamWorld) -> None:
    """A terminal is in no zone; of whom sshd tells no address nobody knows it."""
    (world.site.directory / "zones.json").write_text(
        '{"zones": [{"name": "Office", "type": "IP", "status": "ACTIVE",'
        ' "gateways": ["192.0.2.0/24"]}]}')
    outside = rule("Not the office.", 1, network={"connection": "ZONE", "exclude": ["Office"]})
    for name in ("sshd", "login"):
        world.site.set_policy({"name": name, "application": name,
                               "rules": [outside, catch_all()]})
    world.restart_daemon({"policy": {"zones_file": world.site.directory / "zones.json"}})
    try:
        assert world.login("login", "dtalice")["auth"] == "SUCCESS"
        assert world.login("sshd", "dtalice", "--rhost", "198.51.100.9")["auth"] == "SUCCESS"
        assert world.login("sshd", "dtalice")["auth"] == "PERM_DENIED"
        assert cause(world.outcome("sshd", 2)) == "NETWORK_UNKNOWN"
    finally:
        world.site.configure({"policy": {"zones_file": None}})


def test_one_caller_cannot_flood(world: PamWorld) -> None:
    """Connections of a caller other than root: so many at a time, so many a minute."""
    uid = ACCOUNTS["dtcarol"]
    script = ("import os,socket,sys\n"
              f"os.setgid({uid}); os.setuid({uid})\n"
              "open_now = 0\n"
              "kept = []\n"
              "for i in range(60):\n"
              "    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
              "    s.connect(sys.argv[1]); s.settimeout(0.3); kept.append(s)\n"
              "    try: open_now += s.recv(10) != b''\n"
              "    except TimeoutError: open_now += 1\n"
              "print(open_now)\n")
    done = world.run(["/usr/bin/python3", "-c", script, lock_screen_path(world)])
    assert done.stdout == "8\n", done.stderr
    report = world.login("locker", "dtcarol", "--uid", uid)
    assert report["auth"] == "AUTHINFO_UNAVAIL"
    assert "asks too often" in world.log_path.read_text()
    # Others are not held up by it.
    assert world.login("sshd", "dtalice", "--env", ssh_key(world, "device-p256"))["auth"] \
        == "SUCCESS"


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_strangers_at_the_socket_of_root(world: PamWorld, mode: int) -> None:
    """Even where somebody has opened it to all."""
    uid = ACCOUNTS["dtcarol"]
    script = ("import os,socket,sys\n"
              f"os.setgid({uid}); os.setuid({uid})\n"
              "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
              "s.settimeout(60)\n"
              "try: s.connect(sys.argv[1])\n"
              "except PermissionError: print('not allowed'); sys.exit()\n"
              "try: print(s.recv(10) or 'closed')\n"
              "except ConnectionResetError: print('closed')\n")
    os.chmod(world.site.socket_path, mode)
    done = world.run(["/usr/bin/python3", "-c", script, world.site.socket_path])
    assert done.stdout == ("not allowed\n" if mode == 0o600 else "closed\n"), done.stderr
    assert ("rejected" in world.log_path.read_text()) == (mode == 0o666)


def test_root_at_the_socket_of_lock_screens(world: PamWorld) -> None:
    """There root would be believed, and whoever carries its packets is not meant for that."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(60)
        client.connect(str(lock_screen_path(world)))
        assert ended(client)


LINGERING = """
import array, os, socket, struct, sys
os.setgid(UID); os.setuid(UID)
HOW_LONG = 600
listening = socket.socket(); listening.bind(("127.0.0.1", 0)); listening.listen(64)
def slow():
    # Whoever closes this waits until what was sent is read, which it never is.
    s = socket.socket(); s.connect(listening.getsockname())
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, HOW_LONG))
    s.setblocking(False)
    try:
        while True: s.send(b"x" * 65536)
    except BlockingIOError: pass
    s.setblocking(True)
    return s
kept = []
for i in range(COUNT):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.connect(sys.argv[1])
    s = slow()
    c.sendmsg([PACKET], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
    s.close()
    kept.append(c)
print("sent", flush=True)
sys.stdin.read()
os._exit(0)
"""


@contextlib.contextmanager
def lingering(world: PamWorld, user: str, count: int, packet: bytes) -> Iterator[None]:
    """A local user passes the daemon descriptors that take ten minutes to close. It sleeps
    meanwhile, so that the user's own are closed first, and waiting is left to it."""
    assert world.daemon is not None
    world.daemon.send_signal(signal.SIGSTOP)
    script = f"UID = {ACCOUNTS[user]}\nCOUNT = {count}\nPACKET = {packet!r}\n" + LINGERING
    process = subprocess.Popen(
        world.inside(["/usr/bin/python3", "-c", script, lock_screen_path(world)]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "sent\n"
            world.daemon.send_signal(signal.SIGCONT)
            yield
        finally:
            process.kill()
            if world.daemon is not None:
                world.daemon.send_signal(signal.SIGCONT)


def test_descriptors_that_take_long_to_close(world: PamWorld) -> None:
    """They hold up who passed them, and nobody else: neither root's logins nor others' screens."""
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    key = ssh_key(world, "device-p256")
    with lingering(world, "dtcarol", 8, request("locker", "dtcarol")):
        for _ in range(3):
            assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
            assert world.login("locker", "dtalice", "--uid", ACCOUNTS["dtalice"])["auth"] \
                == "SUCCESS"
        # All the threads that one caller may have are busy.
        assert world.login("locker", "dtcarol", "--uid", ACCOUNTS["dtcarol"])["auth"] \
            == "AUTHINFO_UNAVAIL"


def test_nonsense_with_descriptors(world: PamWorld) -> None:
    key = ssh_key(world, "device-p256")
    with lingering(world, "dtcarol", 20, b"nonsense"):
        assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"


HOSTILE = """
import os, socket, sys, time
os.setgid(UID); os.setuid(UID)
WHOLE = REQUEST
def link():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    return s
def silence(s): pass
def half(s): s.send(WHOLE[:len(WHOLE) // 2])
def bytewise(s):
    for i in range(len(WHOLE)):
        s.send(WHOLE[i:i + 1]); time.sleep(0.2)
def huge(s): s.send(WHOLE[:4] + b"\\xff\\xff\\xff\\xff" + WHOLE[8:])
def deaf(s):
    s.send(WHOLE)
    while True: s.send(WHOLE); time.sleep(0.01)
kept = []
for _ in range(COUNT):
    s = link()
    kept.append(s)
    try: globals()[HOW](s)
    except OSError: pass
print("sent", flush=True)
began = time.monotonic()
for s in kept:
    s.settimeout(30)
    try:
        while s.recv(100000): pass
    except ConnectionResetError: pass
print(time.monotonic() - began, flush=True)
"""


@pytest.mark.parametrize("how, count", [("half", 8), ("bytewise", 1), ("huge", 8),
                                        ("deaf", 1), ("silence", 3000)])
def test_hostile_lock_screens(world: PamWorld, how: str, count: int) -> None:
    """They are cut off within DT_DAEMON_REQUEST_MS, and others do not notice."""
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    key = ssh_key(world, "device-p256")
    script = (f"UID = {ACCOUNTS['dtcarol']}\nCOUNT = {count}\nHOW = {how!r}\n"
              f"REQUEST = {request('locker', 'dtcarol')!r}\n" + HOSTILE)
    process = subprocess.Popen(
        world.inside(["/usr/bin/python3", "-c", script, lock_screen_path(world)]),
        stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "sent\n"
            for service, options in (("sshd", ("--env", key)),
                                     ("locker", ("--uid", ACCOUNTS["dtalice"]))):
                report = world.login(service, "dtalice", *options)
                assert report["auth"] == "SUCCESS" and report["seconds"] < 4, report
            assert float(process.stdout.readline()) < 5 + 4
        finally:
            process.kill()


def connect(world: PamWorld) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.settimeout(30)
    made.connect(str(world.site.socket_path))
    return made


def request(service: str = "sshd", user: str = "dtalice", *more: bytes) -> bytes:
    return message(REQUEST, number(1, 1), number(2, 4242), text(3, service), text(4, user), *more)


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(10000) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("packets", [
    [b"x"], [b"\0" * 70000], [b"\xff" * 8], [message(RESULT, number(1, 1), text(2, "RULE_ALLOW"))],
    [message(2, number(1, 1), number(2, 1), text(3, "x"))], [message(3, number(1, 1))],
    [message(CANCEL)], [request("sshd", "x" * 256)], [request("s" * 64)], [request("", "x")],
    [request() + b"\0"], [b"\x02" + request()[1:]], [request(), request()],
    [request(), message(RESULT, number(1, 1), text(2, "RULE_ALLOW"))],
    [request("sshd", "dtalice", text(9, "x"))], [request("sshd", "dtalice", text(4, "root"))],
])
def test_broken_requests(world: PamWorld, packets: list[bytes]) -> None:
    """None is answered with a yes, and the daemon goes on serving."""
    with connect(world) as client:
        with contextlib.suppress(OSError):
            for packet in packets:
                client.send(packet)
        with contextlib.suppress(OSError):
            while (answer := client.recv(10000)):
                assert answer[1] != RESULT or fields_of(answer)[1] != b"\0\0\0\1"
    assert world.login("sshd", "dtalice", "--env", ssh_key(world, "device-p256"))["auth"] \
        == "SUCCESS"


@pytest.mark.parametrize("service", ["../sshd", "ssh d", "sshd\n", "s\x1b[31m", "ssh/d", "%s"])
def test_odd_service_names(world: PamWorld, service: str) -> None:
    with connect(world) as client:
        client.send(request(service))
        answer = fields_of(client.recv(10000))
    assert answer[1] == b"\0\0\0\2" and answer[2] == b"INTERNAL\0"
    world.site.wait_for(lambda e: debug(e).get("cause") == "INTERNAL")
    assert b"\x1b" not in world.site.audit_path.read_bytes()


def test_service_without_a_policy(world: PamWorld) -> None:
    world.service("other")
    assert world.login("other", "dtalice")["auth"] == "SYSTEM_ERR"
    event = world.outcome("other")
    assert cause(event) == "CONFIG" and "no policy" in debug(event)["detail"]


def test_connection_that_asks_nothing(world: PamWorld) -> None:
    with connect(world) as client:
        begin = time.monotonic()
        assert ended(client)
        assert 4 < time.monotonic() - begin < 25


# --- limits ------------------------------------------------------------------------------------

def test_more_than_max_sign_ons(world: PamWorld) -> None:
    world.restart_daemon({"daemon": {"max_sign_ons": "2"}})
    with contextlib.ExitStack() as stack:
        world.sim.add_user("dtbob@example.com", factors=BOTH)
        for person in ("dtalice", "dtbob"):  # each has one push at a time
            login = stack.enter_context(world.harness("--service", "sshd", "--user", person))
            login.prompt()
        report = world.login("sshd", "dtalice")
        assert report["auth"] == "AUTHINFO_UNAVAIL"
        event = world.outcome("sshd")
        assert cause(event) == "BUSY" and "max_sign_ons" in debug(event)["detail"]
    wait_until(lambda: world.sim.count("okta.cancel") == 2, "both pushes are cancelled")
    with world.harness("--service", "sshd", "--user", "dtalice") as login:
        assert login.prompt()


def test_many_at_once(world: PamWorld) -> None:
    """Each has a conversation of its own."""
    people = ["dtalice", "dtbob", "dtcarol"]
    for person in people[1:]:
        world.sim.add_user(person + "@example.com", factors=BOTH)
    with contextlib.ExitStack() as stack:
        logins = {p: stack.enter_context(world.harness("--service", "sshd", "--user", p))
                  for p in people}
        numbers = {p: login.prompt() for p, login in logins.items()}
        for person in people:
            push, = world.sim.pushes(person + "@example.com")
            assert f"number {push['number']} in Okta Verify" in numbers[person]
        world.sim.approve("dtbob@example.com")
        world.sim.deny("dtcarol@example.com")
        for login in logins.values():
            login.answer("")
        assert logins["dtbob"].finish()["auth"] == "SUCCESS"
        assert logins["dtcarol"].finish()["auth"] == "AUTH_ERR"
        assert logins["dtalice"].process.poll() is None
        world.sim.approve(ALICE)
        assert logins["dtalice"].finish()["auth"] == "SUCCESS"


# --- groups ------------------------------------------------------------------------------------

def staff_policy(group: str) -> dict[str, Any]:
    people = {"people": {"groups": {"include": [group]}}}
    return {"name": "staff", "application": "staff",
            "rules": [rule("Group.", 1, **people), catch_all()]}


def test_groups_of_the_host(world: PamWorld) -> None:
    world.site.set_policy(staff_policy("dtalice"))
    world.restart_daemon()
    assert world.login("staff", "dtalice")["auth"] == "SUCCESS"
    assert world.login("staff", "dtbob")["auth"] == "PERM_DENIED"
    assert cause(world.outcome("staff", 2)) == "RULE_DENY"


def test_groups_of_the_host_and_of_okta(world: PamWorld) -> None:
    """All that either tells counts; one that does not answer leaves them unknown."""
    world.site.set_policy(staff_policy("everyone-at-okta"))
    world.restart_daemon({"policy": {"groups_from": "request, okta"}, "okta": {"user_ttl": "0"}})
    world.sim.set_user(ALICE, groups=["Everyone", "everyone-at-okta"])
    assert world.login("staff", "dtalice")["auth"] == "SUCCESS"
    world.sim.set_user(ALICE, groups=["Everyone"])
    assert world.login("staff", "dtalice")["auth"] == "PERM_DENIED"
    assert cause(world.outcome("staff", 2)) == "RULE_DENY"
    world.site.set_policy(staff_policy("dtalice"))
    world.restart_daemon()
    assert world.login("staff", "dtalice")["auth"] == "SUCCESS"
    world.sim.listener("okta", "down")
    assert world.login("staff", "dtalice")["auth"] == "PERM_DENIED"
    assert cause(world.outcome("staff", 4)) == "GROUPS_UNKNOWN"
    world.sim.listener("okta", "up")
    world.site.configure({"okta": {"user_ttl": None}})


def test_leaves_while_groups_are_looked_up(world: PamWorld) -> None:
    world.site.set_policy(staff_policy("dtalice"))
    world.restart_daemon()
    for _ in range(20):
        with connect(world) as client:
            client.send(request("staff"))
    assert world.login("staff", "dtalice")["auth"] == "SUCCESS"


# --- Okta and Intune fail ----------------------------------------------------------------------

FAULTS = {
    "down": lambda sim: sim.listener("okta", "down"),
    "silent": lambda sim: sim.listener("okta", "silent"),
    "5xx": lambda sim: sim.fault("status", listener="okta", status=503),
    "truncated": lambda sim: sim.fault("truncate", listener="okta"),
    "huge": lambda sim: sim.fault("huge", listener="okta", size=4 << 20),
    "not JSON": lambda sim: sim.fault("not_json", listener="okta"),
    "a web page": lambda sim: sim.fault("html", listener="okta"),
    "reset": lambda sim: sim.fault("reset", listener="okta"),
    "redirect": lambda sim: sim.fault("redirect", listener="okta",
                                      location="https://127.0.0.1:1/"),
    "expired certificate": lambda sim: sim.listener("okta", "up", "expired"),
    "foreign certificate": lambda sim: sim.listener("okta", "up", "foreign"),
    "token revoked": lambda sim: sim.org(okta_token_valid=False),
    "slow": lambda sim: sim.fault("delay", listener="okta", seconds=10),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_okta_fails(world: PamWorld, fault: str) -> None:
    if fault in ("silent", "slow"):  # elsewhere a busy machine may take its time to answer
        world.restart_daemon({"okta": {"timeout": "1s"}})
    FAULTS[fault](world.sim)
    report = world.login("sshd", "dtalice")
    event = world.outcome("sshd")
    assert event["outcome"]["result"] in ("FAILURE", "DENY")
    # An answer that makes no sense is one, and somebody else's certificate is no outage; an API
    # token that Okta no longer takes is the administrator's to mend.
    expected = ("AUTHINFO_UNAVAIL", "OKTA_UNAVAILABLE")
    if fault in ("truncated", "huge", "not JSON", "a web page", "redirect"):
        expected = ("AUTH_ERR", "OKTA_ANSWER_UNUSABLE")
    elif fault.endswith("certificate"):
        expected = ("AUTH_ERR", "OKTA_UNTRUSTED")
    elif fault == "token revoked":
        expected = ("SYSTEM_ERR", "CONFIG")
    assert (report["auth"], cause(event)) == expected and debug(event)["detail"]


@pytest.mark.parametrize("fault", ["status", "hang", "not_json", "truncate"])
def test_polling_fails(world: PamWorld, fault: str) -> None:
    """It is tried again, and in the end refused; an approval that cannot be read is none."""
    world.restart_daemon({"mfa": {"wait_pam": "6s"},
                          "okta": {"timeout": "1s" if fault == "hang" else "5s"}})
    world.sim.fault(fault, endpoint="poll", **({"status": 500} if fault == "status" else {}))
    with world.harness("--service", "sshd", "--user", "dtalice") as login:
        login.prompt()
        world.sim.approve(ALICE)
        login.answer("")
        assert login.finish()["auth"] in ("AUTHINFO_UNAVAIL", "AUTH_ERR")
    assert cause(world.outcome("sshd")) in ("OKTA_UNAVAILABLE", "OKTA_ANSWER_UNUSABLE",
                                            "MFA_TIMEOUT")


def test_rate_limited(world: PamWorld) -> None:
    world.sim.fault("rate_limit", listener="okta", reset_after=600)
    report = world.login("sshd", "dtalice")
    assert report["auth"] == "AUTH_ERR"
    assert cause(world.outcome("sshd")) == "MFA_RATE_LIMITED"


def test_answered_for_another_factor(world: PamWorld) -> None:
    world.sim.set_push(ALICE, "other_factor")
    with world.harness("--service", "sshd", "--user", "dtalice") as login:
        login.prompt()
        login.answer("")
        assert login.finish()["auth"] != "SUCCESS"


def test_okta_down_does_not_matter_to_a_trusted_device(world: PamWorld) -> None:
    world.sim.listener("okta", "down")
    assert world.login("sshd", "dtalice", "--env", ssh_key(world, "device-p256"))["auth"] \
        == "SUCCESS"


@pytest.mark.parametrize("unknown_as,code", [("deny", "PERM_DENIED"), ("not_trusted", "CONV_ERR")])
@pytest.mark.parametrize("fault", ["down", "silent", "login down"])
def test_intune_fails(world: PamWorld, fault: str, unknown_as: str, code: str) -> None:
    world.restart_daemon({"policy": {"unknown_device_as": unknown_as},
                          "intune": {"timeout": "1s" if fault == "silent" else "5s"}})
    key = ssh_key(world, "device-p256")
    world.sim.listener("login" if fault == "login down" else "graph",
                       "silent" if fault == "silent" else "down")
    report = world.login("sshd", "dtalice", "--env", key, "--no-conversation")
    assert report["auth"] == code
    event = world.outcome("sshd")
    assert debug(event)["verdict"] == "UNKNOWN"
    assert debug(event)["deviceReason"] == "LOOKUP_UNAVAILABLE"


# --- the daemon is wedged ----------------------------------------------------------------------

def test_wedged(world: PamWorld) -> None:
    world.service("sshd", "timeout=2")
    assert world.daemon is not None
    key = ssh_key(world, "device-p256")
    # nsenter has become the daemon: there is no process between.
    world.daemon.send_signal(signal.SIGSTOP)
    try:
        report = world.login("sshd", "dtalice", "--env", key)
    finally:
        world.daemon.send_signal(signal.SIGCONT)
        world.service("sshd")
    assert report["auth"] == "AUTHINFO_UNAVAIL" and 1.9 < report["seconds"] < 20
    assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"


def test_wedged_at_the_prompt(world: PamWorld) -> None:
    """A grace after the prompt, and no longer."""
    world.service("sshd", "timeout=5")  # until the prompt is there, on a busy machine as well
    assert world.daemon is not None
    try:
        with world.harness("--service", "sshd", "--user", "dtalice") as login:
            login.prompt()
            world.daemon.send_signal(signal.SIGSTOP)
            world.sim.approve(ALICE)
            login.answer("")
            report = login.finish(30)
    finally:
        world.daemon.send_signal(signal.SIGCONT)
        world.service("sshd")
    assert report["auth"] == "AUTHINFO_UNAVAIL"


def test_stopping_under_load(world: PamWorld) -> None:
    """At once: test_pam_restart.py has the end that waits."""
    with contextlib.ExitStack() as stack:
        people = ["dtalice", "dtbob", "dtcarol"]
        for person in people[1:]:
            world.sim.add_user(person + "@example.com", factors=BOTH)
        logins = [stack.enter_context(world.harness("--service", "sshd", "--user", person))
                  for person in people]
        for login in logins:
            login.prompt()
        assert world.stop_daemon(signal.SIGINT) == 0
        for login in logins:
            login.answer("")
            assert login.finish()["auth"] == "AUTHINFO_UNAVAIL"
    assert {cause(e) for e in world.site.sign_ons()} == {"BUSY"}
    assert world.sim.count("okta.cancel") == 3


def test_an_upgrade_loses_no_login(world: PamWorld) -> None:
    """Told to retire it answers who waits, takes who comes meanwhile, and ends after the last."""
    daemon = world.daemon
    assert daemon is not None
    world.sim.add_user("dtbob@example.com", factors=BOTH)
    with world.harness("--service", "sshd", "--user", "dtalice") as first:
        first.prompt()
        daemon.send_signal(signal.SIGUSR1)
        with world.harness("--service", "sshd", "--user", "dtbob") as second:
            second.prompt()
            world.sim.approve(ALICE)
            first.answer("")
            assert first.finish()["auth"] == "SUCCESS"
            world.sim.approve("dtbob@example.com")
            second.answer("")
            assert second.finish()["auth"] == "SUCCESS"
    assert daemon.wait(30) == 0
    world.stop_daemon()
    assert {cause(e) for e in world.site.sign_ons()} == {"MFA_SUCCESS"}


def test_an_upgrade_is_at_once_where_nobody_waits(world: PamWorld) -> None:
    daemon = world.daemon
    assert daemon is not None
    daemon.send_signal(signal.SIGUSR1)
    assert daemon.wait(30) == 0
    world.stop_daemon()


def test_hangup_is_survived(world: PamWorld) -> None:
    assert world.daemon is not None
    world.daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: "nothing has changed" in world.log_path.read_text(), "a word about SIGHUP")
    assert world.login("sshd", "dtalice", "--env", ssh_key(world, "device-p256"))["auth"] \
        == "SUCCESS"


# --- configuration -----------------------------------------------------------------------------

def break_syntax(world: PamWorld) -> None:
    world.site.config_path.write_text("[okta\nnonsense")


def break_key(world: PamWorld) -> None:
    world.site.configure({"okta": {"no_such_key": "1"}})


def break_missing(world: PamWorld) -> None:
    world.site.config_path.unlink()


def break_writable(world: PamWorld) -> None:
    os.chmod(world.site.config_path, 0o666)


def break_secret(world: PamWorld) -> None:
    os.chmod(world.site.okta_token_path, 0o644)


def break_policy(world: PamWorld) -> None:
    (world.site.policy_directory / "sshd.json").write_text("{")


def break_store(world: PamWorld) -> None:
    os.chmod(world.site.store_path.parent, 0o777)


def break_owner(world: PamWorld) -> None:
    os.chown(world.site.config_path, 61002, 61002)


BREAKS = [break_syntax, break_key, break_missing, break_writable, break_secret, break_policy,
          break_store, break_owner]


@pytest.mark.parametrize("how", BREAKS)
def test_broken_configuration_refuses(world: PamWorld, how: Any) -> None:
    """Always, with a daemon of the login's own as well, also a trusted device, also root."""
    key = ssh_key(world, "device-p256")
    assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
    world.stop_daemon()
    saved = world.directory / "saved"
    shutil.rmtree(saved, ignore_errors=True)
    subprocess.run(["cp", "-a", world.site.directory, saved], check=True)
    try:
        how(world)
        for user in ("dtalice", "root"):
            report = world.login("sshd", user, "--env", key)
            assert report["auth"] == "SYSTEM_ERR"
            shown = " ".join(line.get("message", "") for line in report["lines"])
            assert "Tell your administrator" in " ".join(shown.split())
        done = world.run([DAEMON, "--config", world.site.config_path, "--user", "root"])
        assert done.returncode == 1 and done.stderr.startswith("devtrustd: ")
        assert not world.site.socket_path.exists()
    finally:
        shutil.rmtree(world.site.directory)
        subprocess.run(["cp", "-a", saved, world.site.directory], check=True)
        world.site.configure({"okta": {"no_such_key": None}})


MAIN_NAME = "devtrustd.socket"
LOCK_SCREEN_NAME = "lock-screen"


def activate(world: PamWorld, command: Sequence[Any], names: Sequence[str] = (MAIN_NAME,),
             fds: Optional[int] = None) -> "subprocess.Popen[bytes]":
    """Starts a command as systemd would, with listening sockets from descriptor 3 on."""
    passed = []
    with contextlib.ExitStack() as stack:
        for name in names:
            path = lock_screen_path(world) if name == LOCK_SCREEN_NAME else world.site.socket_path
            path.unlink(missing_ok=True)
            listening = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            listening.bind(str(path))
            listening.listen(16)
            os.chmod(path, 0o666 if name == LOCK_SCREEN_NAME else 0o600)
            # Above those that they are to be.
            passed.append(os.dup2(listening.fileno(), 50 + len(passed)))
            stack.callback(os.close, passed[-1])
        moves = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(passed))
        count = len(passed) if fds is None else fds
        shell = ["/bin/bash", "-c", f"exec {moves}; LISTEN_FDS={count} LISTEN_PID=$$ "
                 f"LISTEN_FDNAMES={':'.join(names)} " 'exec "$0" "$@"', *map(str, command)]
        with open(world.log_path, "ab") as log:
            return subprocess.Popen(world.inside(shell), pass_fds=passed, stderr=log)


def drop_sockets(world: PamWorld) -> None:
    for path in (world.site.socket_path, lock_screen_path(world)):
        path.unlink(missing_ok=True)


def test_socket_activation(world: PamWorld) -> None:
    world.stop_daemon()
    process = activate(world, [DAEMON, "--config", world.site.config_path, "--user", "root",
                               "--foreground"])
    try:
        assert world.login("sshd", "dtalice", "--env", ssh_key(world, "device-p256"))["auth"] \
            == "SUCCESS"
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert world.site.socket_path.exists()  # it is the service manager's
    assert "no lock screen is served" in world.log_path.read_text()
    drop_sockets(world)


@pytest.mark.parametrize("names", [(MAIN_NAME, LOCK_SCREEN_NAME), (LOCK_SCREEN_NAME, MAIN_NAME)])
def test_socket_activation_with_lock_screens(world: PamWorld, names: Sequence[str]) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    world.stop_daemon()
    process = activate(world, [DAEMON, "--config", world.site.config_path, "--user", "root",
                               "--foreground"], names)
    try:
        assert world.login("sshd", "dtalice", "--env", ssh_key(world, "device-p256"))["auth"] \
            == "SUCCESS"
        assert world.login("locker", "dtalice", "--uid", ACCOUNTS["dtalice"])["auth"] == "SUCCESS"
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert "no lock screen is served" not in world.log_path.read_text()
    drop_sockets(world)


def test_socket_activation_with_a_broken_configuration(world: PamWorld) -> None:
    """People in the queue are told, and are not left to wait."""
    world.stop_daemon()
    saved = world.site.config_path.read_text()
    break_syntax(world)
    process = activate(world, [DAEMON, "--config", world.site.config_path, "--user", "root"],
                       (MAIN_NAME, LOCK_SCREEN_NAME))
    try:
        with world.harness("--service", "sshd", "--user", "dtalice") as one, \
                world.harness("--service", "locker", "--user", "dtalice",
                              "--uid", ACCOUNTS["dtalice"]) as other:
            assert one.finish()["auth"] == other.finish()["auth"] == "SYSTEM_ERR"
        assert process.wait(60) == 1
    finally:
        world.site.config_path.write_text(saved)
    drop_sockets(world)


@pytest.mark.parametrize("names,fds", [((MAIN_NAME,), 2), ((MAIN_NAME, MAIN_NAME), None),
                                       ((LOCK_SCREEN_NAME,), None), ((MAIN_NAME,), 3),
                                       ((LOCK_SCREEN_NAME, LOCK_SCREEN_NAME), None),
                                       ((MAIN_NAME, LOCK_SCREEN_NAME, MAIN_NAME), None)])
def test_sockets_that_nobody_meant(world: PamWorld, names: Sequence[str],
                                   fds: Optional[int]) -> None:
    world.stop_daemon()
    process = activate(world, [DAEMON, "--config", world.site.config_path, "--foreground"],
                       names, fds)
    assert process.wait(60) == 1
    assert "FileDescriptorName=lock-screen" in world.log_path.read_text()
    drop_sockets(world)


def test_readiness_is_told(world: PamWorld) -> None:
    world.stop_daemon()
    path = world.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(60)
        process = subprocess.Popen(
            world.inside([DAEMON, "--config", world.site.config_path, "--user", "root"]),
            env={**os.environ, "NOTIFY_SOCKET": str(path)})
        try:
            assert notify.recv(100) == b"READY=1"
            assert world.site.socket_path.exists()
            process.terminate()
            assert notify.recv(100) == b"STOPPING=1"
        finally:
            process.terminate()
            assert process.wait(60) == 0
    path.unlink()


@contextlib.contextmanager
def notified(world: PamWorld, **variables: str) -> Iterator[tuple[socket.socket, int]]:
    """A daemon that has said that it is ready: what it tells the service manager, and its pid."""
    world.stop_daemon()
    path = world.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(60)
        process = subprocess.Popen(
            world.inside([DAEMON, "--config", world.site.config_path, "--user", "root"]),
            env={**os.environ, "NOTIFY_SOCKET": str(path), **variables})
        try:
            assert notify.recv(100) == b"READY=1"
            yield notify, process.pid
        finally:
            path.unlink()
            process.send_signal(signal.SIGCONT)
            process.terminate()
            assert process.wait(60) == 0


def drain(notify: socket.socket) -> None:
    """Forgets what has been told by now."""
    notify.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while notify.recv(100):
            pass


def test_what_is_in_force_is_told(world: PamWorld) -> None:
    """After a reload the service manager learns which files count, and when they were read."""
    config = world.site.config_path
    kept = config.read_text()
    with notified(world) as (notify, pid):
        def status_since(since: int) -> str:
            """The first that was read after `since`, of those that come."""
            while True:
                text = notify.recv(4096).decode()
                read_at = re.search(r"files read at (\d+) ms$", text)
                if read_at and int(read_at[1]) >= since:
                    return text

        try:
            for changed, wanted in (("", "STATUS=configuration 1 in force; "),
                                    ("[nowhere]\n", "the changed one was NOT applied; "),
                                    ("# changed\n", "STATUS=configuration 2 in force; ")):
                config.write_text(kept + changed)
                since = time.monotonic_ns() // 1_000_000
                os.kill(pid, signal.SIGHUP)
                assert wanted in status_since(since)
        finally:
            config.write_text(kept)


def test_watchdog_hears_a_loop_that_turns(world: PamWorld) -> None:
    with notified(world, WATCHDOG_USEC="200000") as (notify, pid):
        for _ in range(3):
            assert notify.recv(100) == b"WATCHDOG=1"
        assert world.login("sshd", "dtalice", "--no-conversation")["auth"] != "SUCCESS"
        assert notify.recv(100) == b"WATCHDOG=1"
        # A daemon that stands still is not heard.
        os.kill(pid, signal.SIGSTOP)
        stat = Path(f"/proc/{pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it stands still")
        drain(notify)
        notify.settimeout(1)
        with pytest.raises(TimeoutError):
            notify.recv(100)


@pytest.mark.parametrize("variables", [
    {}, {"WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "-200000"},
    {"WATCHDOG_USEC": "200000x"}])
def test_no_watchdog_where_nobody_waits(world: PamWorld, variables: dict[str, str]) -> None:
    with notified(world, **variables) as (notify, _):
        notify.settimeout(0.5)
        with pytest.raises(TimeoutError):
            notify.recv(100)


# --- options, processes ------------------------------------------------------------------------

@pytest.mark.parametrize("options", [["--nonsense"], ["word"], ["--one", "--socket", "/run/x"],
                                     ["--config"], ["--debug"]])
def test_options_that_make_no_sense(world: PamWorld, options: list[str]) -> None:
    done = world.run([DAEMON, *options])
    assert done.returncode == 2 and "usage:" in done.stderr


def test_version_and_help(world: PamWorld) -> None:
    assert world.run([DAEMON, "--version"]).stdout.startswith("devtrustd ")
    shown = world.run([DAEMON, "--help"])
    assert shown.returncode == 0
    for option in ("--config", "--socket", "--user", "--foreground", "--one", "--version"):
        assert option in shown.stdout


def test_one_wants_a_socket(world: PamWorld) -> None:
    done = world.run([DAEMON, "--one", "--config", world.site.config_path],
                     stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "SOCK_SEQPACKET" in done.stderr


def test_unknown_user(world: PamWorld) -> None:
    done = world.run([DAEMON, "--config", world.site.config_path, "--user", "nosuchuser"])
    assert done.returncode == 1 and "unknown user" in done.stderr


def test_second_daemon(world: PamWorld) -> None:
    done = world.run([DAEMON, "--config", world.site.config_path, "--user", "root"])
    assert done.returncode == 1 and "another devtrustd" in done.stderr
    assert world.login("sshd", "dtalice", "--env", ssh_key(world, "device-p256"))["auth"] \
        == "SUCCESS"


def test_second_daemon_beside_the_service_manager(world: PamWorld) -> None:
    """systemd's socket is root's alone, in a directory of the user whom the daemon becomes."""
    directory = world.directory / "run"
    directory.mkdir(exist_ok=True)
    os.chown(directory, 61010, 61010)
    path = directory / "devtrustd.sock"
    config = world.directory / "second.conf"
    config.write_text(world.site.config_path.read_text()
                      .replace(str(world.site.store_path), str(directory / "state.db"))
                      .replace(str(world.site.audit_path), str(directory / "audit.log")))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as systemd:
        systemd.bind(str(path))
        os.chmod(path, 0o600)
        systemd.listen(8)
        before = path.stat().st_ino
        world.site.chown(61010, 61010)
        try:
            for user, file in (("devtrust", config), ("root", world.site.config_path)):
                done = world.run([DAEMON, "--config", file, "--user", user, "--socket", path])
                assert done.returncode == 1, done.stderr
                assert "systemctl stop devtrustd.socket" in done.stderr, done.stderr
                assert path.stat().st_ino == before
        finally:
            world.site.chown(0, 0)
    shutil.rmtree(directory)


def test_daemons_that_start_at_once(world: PamWorld) -> None:
    """One of them listens in the end, and the others say why not, and remove nothing."""
    path = world.directory / "at-once.sock"
    command = world.inside([DAEMON, "--config", world.site.config_path, "--user", "root",
                            "--socket", path])
    started = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                text=True) for _ in range(6)]
    try:
        wait_until(lambda: sum(p.poll() is not None for p in started) == 5, "five have ended")
        for process in started:
            if process.poll() is not None:
                assert process.stderr is not None
                assert "another devtrustd" in process.stderr.read()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            assert probe.connect_ex(str(path)) == 0
    finally:
        for process in started:
            process.terminate()
            process.wait(60)
    assert not path.exists()


def test_nobody_removes_the_socket_of_another(world: PamWorld) -> None:
    path = world.directory / "mine.sock"
    command = world.inside([DAEMON, "--config", world.site.config_path, "--user", "root",
                            "--socket", path])
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(path.exists, "it listens")
        path.unlink()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            other.bind(str(path))
            process.terminate()
            process.wait(60)
            assert path.exists()
    finally:
        process.kill()
        path.unlink(missing_ok=True)


def test_socket_left_by_a_killed_daemon(world: PamWorld) -> None:
    assert world.daemon is not None
    world.daemon.kill()
    world.daemon.wait()
    world.daemon = None
    assert world.site.socket_path.exists()
    key = ssh_key(world, "device-p256")
    # Nobody listens: a root caller gets a daemon of its own.
    assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
    world.start_daemon()
    assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"


def test_file_in_the_place_of_the_socket(world: PamWorld) -> None:
    world.stop_daemon()
    world.site.socket_path.write_text("precious")
    done = world.run([DAEMON, "--config", world.site.config_path, "--user", "root"])
    assert done.returncode == 1 and "not a socket" in done.stderr
    assert world.site.socket_path.read_text() == "precious"
    world.site.socket_path.unlink()


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.partition(":")[0]: line.partition(":")[2].strip() for line in lines}


def as_service_user(world: PamWorld) -> None:
    """The files as an installation has them: secrets are root's, for the group devtrust to read."""
    uid = ACCOUNTS["devtrust"]
    for path in (world.site.okta_token_path, world.site.state_key_path, world.site.graph_key):
        os.chown(path, 0, uid)
        os.chmod(path, 0o640)
    os.chown(world.site.store_path.parent, uid, uid)
    logs = world.site.directory / "log"
    logs.mkdir(exist_ok=True)
    os.chown(logs, uid, uid)
    run = world.site.directory / "run"
    run.mkdir(exist_ok=True)
    os.chown(run, uid, uid)
    world.site.audit_path = logs / "audit.log"
    world.site.socket_path = run / "devtrustd.sock"
    # The directories above must be ones that it may walk through.
    os.chmod(Path(world.sim.ca_file).parent, 0o755)


def test_as_its_own_user(world: PamWorld) -> None:
    """Not as root: with the socket, the store, the log and the secrets of an installation. A login
    without a daemon leaves nothing that the daemon could not use later."""
    world.stop_daemon()
    site = world.site
    before = (site.audit_path, site.socket_path)
    for path in site.store_path.parent.iterdir():
        path.unlink()
    try:
        as_service_user(world)
        site.configure({"audit": {"file": site.audit_path}, "daemon": {"socket":
                                                                       site.socket_path}})
        world.set_one(user="devtrust")
        world.service("sshd")
        made = world.pki["devices"]["device-p256"]
        world.sim.enrol_device(made["device_id"])
        certificate = shutil.copy(made["files"]["certificate"], world.directory / "laptop.pem")
        done = world.run(["setpriv", "--reuid", "devtrust", "--regid", "devtrust",
                          "--init-groups", world.ctl, "device", "add", "-c", site.config_path,
                          certificate])
        assert done.returncode == 0, done.stderr
        kind, blob = Path(made["files"]["ssh_public_key"]).read_text().split()[:2]
        key = f"SSH_AUTH_INFO_0=publickey {kind} {blob}\n"
        assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
        world.start_daemon(user="devtrust")
        assert world.daemon is not None
        status = status_of(world.daemon.pid)
        uid = str(ACCOUNTS["devtrust"])
        assert status["Uid"].split() == [uid] * 4 and status["Gid"].split() == [uid] * 4
        assert int(status["CapEff"], 16) == 0
        assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
        world.outcome("sshd", 2)
        for path in (site.audit_path, site.store_path):
            assert path.stat().st_uid == ACCOUNTS["devtrust"]
            assert path.stat().st_mode & 0o077 == 0
    finally:
        world.stop_daemon()
        site.audit_path, site.socket_path = before
        site.configure({"audit": {"file": site.audit_path}, "daemon": {"socket":
                                                                       site.socket_path}})
        os.chown(site.store_path.parent, 0, 0)
        for path in (site.okta_token_path, site.state_key_path, site.graph_key):
            os.chown(path, 0, 0)
            os.chmod(path, 0o600)
        for path in site.store_path.parent.iterdir():
            path.unlink()
        world.set_one()
        for name in APPLICATIONS:
            world.service(name)


def test_cannot_be_looked_into(world: PamWorld) -> None:
    assert world.daemon is not None
    limits = Path(f"/proc/{world.daemon.pid}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if "core" in line] == [["0", "0"]]
    # prctl(PR_SET_DUMPABLE, 0): what is in /proc belongs to root, whoever it runs as
    assert os.stat(f"/proc/{world.daemon.pid}/environ").st_uid == 0
    status = status_of(world.daemon.pid)
    assert status["Umask"] == "0077"


def test_login_that_dies_takes_its_daemon_along(world: PamWorld) -> None:
    """`devtrustd --one` ends, and cancels the push, when the application is killed."""
    world.stop_daemon()
    with world.harness("--service", "sshd", "--user", "dtalice") as login:
        login.prompt()
        own = daemons_of(world)
        assert len(own) == 1
        # It is nobody's child but init's: the application has nothing to reap.
        assert status_of(own[0])["PPid"] != str(login.process.pid)
        login.process.kill()
    wait_until(lambda: not daemons_of(world), "devtrustd --one ends")
    assert world.sim.count("okta.cancel") == 1
    assert cause(world.outcome("sshd")) == "CLIENT_GONE"


def daemons_of(world: PamWorld) -> list[int]:
    """Processes `devtrustd --one` of this world."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"--one" in words and str(world.site.config_path).encode() in words \
                    and is_running(int(entry.name)):
                found.append(int(entry.name))
    return found


def test_own_daemon_inherits_nothing(world: PamWorld) -> None:
    """Neither descriptors nor environment of the application; a session of its own."""
    world.stop_daemon()
    with open(world.directory / "passwd") as other, \
            world.harness("--service", "sshd", "--user", "dtalice", pass_fds=[other.fileno()],
                          env={"PATH": "/usr/bin:/bin", "SECRET": "x", "LD_PRELOAD": ""}) as login:
        login.prompt()
        pid, = daemons_of(world)
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"SECRET" not in environment and b"LD_PRELOAD" not in environment
        opened = [p.stat() for p in Path(f"/proc/{pid}/fd").iterdir()]
        assert not any(os.path.samestat(s, os.fstat(other.fileno())) for s in opened)
        assert [s.st_rdev for s in opened].count(os.stat("/dev/null").st_rdev) == 3
        assert os.getsid(pid) != os.getsid(login.process.pid)
        assert os.path.samestat(os.stat(f"/proc/{pid}/cwd"), os.stat("/"))


# --- sudo --------------------------------------------------------------------------------------

PASSWORD = "correct horse battery"


@pytest.fixture
def sudo(world: PamWorld) -> Any:
    """Runs the real sudo as dtalice with the shipped sample; gives its result."""
    world.set_password("dtalice", PASSWORD)
    world.sample("sudo", "sudo-devtrust")

    def run(typed: str) -> "subprocess.CompletedProcess[str]":
        return world.run(["setpriv", "--reuid", "61001", "--regid", "61001", "--clear-groups",
                          "sudo", "-S", "id", "-u"], input=typed,
                         env={"PATH": os.environ["PATH"]})

    yield run
    world.service("sudo")


def test_sudo_on_an_enrolled_host(world: PamWorld, sudo: Any) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    done = sudo(PASSWORD + "\n")
    assert done.stdout == "0\n", done.stderr
    event = world.outcome("sudo")
    assert cause(event) == "RULE_ALLOW" and debug(event)["evidence"] == "certificate+intune"
    assert world.sim.count("okta.total") == 0


def test_sudo_on_an_enrolled_host_without_a_daemon(world: PamWorld, sudo: Any) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    world.stop_daemon()
    assert sudo(PASSWORD + "\n").stdout == "0\n"
    assert cause(world.outcome("sudo")) == "RULE_ALLOW"


def test_sudo_on_another_host(world: PamWorld, sudo: Any) -> None:
    world.sim.set_push(ALICE, "approve")
    done = sudo(PASSWORD + "\n\n")
    assert done.stdout == "0\n", done.stderr
    assert "in Okta Verify" in done.stderr
    assert cause(world.outcome("sudo")) == "MFA_SUCCESS"


def test_sudo_denied(world: PamWorld, sudo: Any) -> None:
    world.sim.set_push(ALICE, "deny")
    done = sudo(PASSWORD + "\n\n")
    assert done.returncode == 1 and done.stdout == ""
    assert cause(world.outcome("sudo")) == "MFA_REJECTED"


def test_sudo_with_a_wrong_password_sends_no_push(world: PamWorld, sudo: Any) -> None:
    done = sudo("wrong\n")
    assert done.returncode == 1 and done.stdout == ""
    assert world.sim.count("okta.total") == 0


def test_sudo_with_a_broken_daemon(world: PamWorld, sudo: Any) -> None:
    world.stop_daemon()
    saved = world.site.config_path.read_text()
    break_syntax(world)
    done = sudo(PASSWORD + "\n")
    world.site.config_path.write_text(saved)
    assert done.returncode == 1 and done.stdout == ""


# --- login -------------------------------------------------------------------------------------

def test_login_at_the_console(world: PamWorld) -> None:
    """The shipped sample: the password first, then the host's own certificate."""
    world.set_password("dtalice", PASSWORD)
    world.sample("login", "login-devtrust")
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    host_certificate(world, "host")
    try:
        with world.harness("--service", "login", "--user", "dtalice", "--tty", "tty1") as login:
            assert login.prompt() == "Password: "
            login.answer(PASSWORD)
            report = login.finish()
        assert report["auth"] == "SUCCESS" and report["account"] == "SUCCESS"
        assert len(prompts(report)) == 1
        assert cause(world.outcome("login")) == "RULE_ALLOW"
        with world.harness("--service", "login", "--user", "dtalice", "--tty", "tty1") as login:
            login.prompt()
            login.answer("wrong")
            assert login.finish()["auth"] == "AUTH_ERR"
        assert len(world.site.sign_ons()) == 1
    finally:
        world.service("login")


# --- what is shipped ---------------------------------------------------------------------------

def test_units(tmp_path: Path) -> None:
    """The service manager finds nothing to complain about but what is not installed here."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd here")
    service = (ROOT / "conf/systemd/devtrustd.service").read_text()
    (tmp_path / "devtrustd.service").write_text(service.replace("/usr/sbin/devtrustd",
                                                                str(DAEMON)))
    sockets = ("devtrustd.socket", "devtrustd-lock-screen.socket")
    for name in sockets:
        shutil.copy(ROOT / "conf/systemd" / name, tmp_path)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no",
                           tmp_path / "devtrustd.service", *(tmp_path / s for s in sockets)],
                          text=True, capture_output=True)
    complaints = [line for line in (done.stdout + done.stderr).splitlines()
                  if "devtrust" in line]
    assert not complaints and done.returncode == 0


EXPOSURE_MAX = 16  # tenths: 1.6


def test_sandbox(tmp_path: Path) -> None:
    """systemd's own measure of what the service could reach, were it taken over."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd here")

    def exposure(text: str) -> int:
        unit = tmp_path / "devtrustd.service"
        unit.write_text(text)
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                               f"--threshold={EXPOSURE_MAX}", unit],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert "Overall exposure level" in done.stdout, done.stdout
        return done.returncode

    service = (ROOT / "conf/systemd/devtrustd.service").read_text()
    assert exposure(service) == 0
    for line in ("ProtectSystem=strict", "CapabilityBoundingSet=", "PrivateMounts=yes",
                 "SystemCallFilter=~@privileged @resources"):
        assert f"\n{line}\n" in service
    assert exposure(service.replace("\nCapabilityBoundingSet=\n", "\n")) != 0


# --- one broken thing ---------------------------------------------------------------------------

@pytest.fixture(name="broken")
def a_world_for_broken_things(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    """Where a login of anybody needs a push, whatever the device."""
    with pam_world(pki_index, applications=["broken"]) as made:
        made.site.set_policy({"name": "broken", "application": "broken", "rules": [
            rule("MFA for everybody", 1, frequency="EVERY_SIGN_ON", factors=["push"],
                 people={"users": {"include": ["dtalice"]}}), catch_all()]})
        made.service("broken")
        made.sim.add_user("dtalice@example.com")
        made.sim.add_factor("dtalice@example.com", "push")
        made.sim.set_push("dtalice@example.com", "approve", 0.2)
        yield made


def in_by_push(world: PamWorld, *arguments: str) -> dict[str, Any]:
    with world.harness("--service", "broken", "--user", "dtalice", *arguments) as h:
        h.prompt()
        h.answer("")
        return h.finish()


@pytest.mark.parametrize("how", ["no directory", "read-only"])
def test_audit_file_that_cannot_be_opened_at_the_start(broken: PamWorld, how: str) -> None:
    """The system log has the events, and says what is wrong; the file has those that come later."""
    directory = broken.directory / "log"
    if how != "no directory":
        directory.mkdir()
    if how == "read-only":
        done = broken.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", directory])
        assert done.returncode == 0, done.stderr
    broken.site.configure({"audit": {"file": directory / "audit.log", "syslog": "yes"}})
    broken.start_daemon()
    assert "[audit] file" in broken.log_path.read_text()
    assert in_by_push(broken)["auth"] == "SUCCESS"
    if how == "read-only":
        done = broken.run(["mount", "-o", "remount,rw", directory])
        assert done.returncode == 0, done.stderr
        assert in_by_push(broken)["auth"] == "SUCCESS"
        wait_until(lambda: broken.run(["cat", directory / "audit.log"]).stdout.count(
            "MFA_SUCCESS") >= 2, "the events of before and after")


def test_expired_certificate_for_entra(broken: PamWorld) -> None:
    """Intune cannot be asked, and the event says why; whoever passes MFA gets in."""
    site = broken.site
    own = ca.Authority.root("Expired")
    past = ca.now() - timedelta(days=30)
    key = ca.make_key("rsa2048")
    identity = own.issue(ca.name("devtrust"), key, not_before=past, not_after=past + ca.DAY)
    site.graph_certificate.write_bytes(identity.certificate_pem())
    site.graph_key.write_bytes(identity.key_pem())
    site.configure({"device_trust": {"trusted_when": "ssh-key+intune"},
                    "daemon": {"sshd_services": "broken"}})
    broken.add_device(broken.pki["devices"]["device-p256"]["files"]["certificate"])
    broken.start_daemon()
    report = in_by_push(broken, "--env", ssh_key(broken, "device-p256"), "--rhost", "192.0.2.7")
    assert report["auth"] == "SUCCESS"
    assert "certificate for Entra has expired" in json.dumps(site.events())
    assert "LOOKUP_UNAVAILABLE" in json.dumps(site.events())
