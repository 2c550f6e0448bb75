# SPDX-License-Identifier: GPL-2.0-or-later
# From a device that is no longer compliant to the Disconnect-Request at the NAS: by the recheck, by
# news, and by the administrator. FreeRADIUS with the shipped samples, eapol_test as device, and a
# small NAS here that takes Disconnect-Requests (RFC 5176) and checks them.
"""Open sessions that end: at the NAS, once, and with deny in force."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import json
import os
import secrets
import socket
import statistics
import struct
import threading
import time
from pathlib import Path
from typing import Any, Iterator, Mapping

import pytest

from tests.integration.test_radius_reply import station
from tests.integration.test_sessions import (ctl, look_ups, losses, sessions, until,
                                             wait_for)
from tests.lib import radius as rad
from tests.lib.radius import ACCEPT, World

PUSH = "push"
DISCONNECT, ACK, NAK = 40, 41, 42
SECRET = secrets.token_hex(16).encode()
SLOW = bool(os.environ.get("DEVTRUST_SLOW"))
ROUNDS = int(os.environ.get("DEVTRUST_ROUNDS", "20"))


class Nas:
    """Answers Disconnect-Requests; each that is genuine is kept, with the time at which it came."""

    def __init__(self) -> None:
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.bind(("127.0.0.1", 0))
        self.port = self.link.getsockname()[1]
        self.requests: list[tuple[float, dict[int, bytes]]] = []
        self.answer = ACK
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, source = self.link.recvfrom(4096)
                self.link.sendto(self._reply(data), source)

    def _reply(self, data: bytes) -> bytes:
        code, number, length = struct.unpack("!BBH", data[:4])
        good = hashlib.md5(data[:4] + bytes(16) + data[20:] + SECRET).digest()
        assert code == DISCONNECT and length == len(data) and data[4:20] == good
        attributes, at = {}, 20
        while at < len(data):
            attributes[data[at]] = data[at + 2:at + data[at + 1]]
            at += data[at + 1]
        self.requests.append((time.time(), attributes))
        body = (struct.pack("!BBI", 101, 6, 501) if self.answer == NAK else b"")
        body += bytes([80, 18]) + bytes(16)
        head = struct.pack("!BBH", self.answer, number, 20 + len(body))
        mac = hmac.new(SECRET, head + data[4:20] + body, "md5").digest()
        body = body[:-16] + mac
        return head + hashlib.md5(head + data[4:20] + body + SECRET).digest() + body

    def asked_about(self, mac: str) -> list[tuple[float, dict[int, bytes]]]:
        return [r for r in self.requests if r[1].get(31, b"").decode().lower() == mac.lower()]


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    made = Nas()
    yield made
    made.link.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, pki_index: Mapping[str, Any],
          nas: Nas) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("ends")
    key = directory / "nas.secret"
    key.write_bytes(SECRET)
    key.chmod(0o600)
    one = {"port": str(nas.port), "send_to": "127.0.0.1", "secret_file": str(key)}
    settings = {"sessions": {"recheck": "8s", "on_loss": "disconnect"},
                "mfa": {"push_pause": "0s", "push_limit": "1000"},
                "signals": {"news": str(directory / "news")},
                "nas gateways": {**one, "identifier": "gateway-1"},
                "nas access-points": {**one, "address": "127.0.0.1"},
                "device_trust": {"cache_ttl": "1h", "stale_limit": "2h", "negative_ttl": "0s"}}
    with rad.start_world(directory, pki_index, settings=settings) as made:
        yield made


def news_path(world: World) -> Path:
    return Path(world.site.settings["signals"]["news"])


def say(world: World, about: str, who: str, what: str) -> None:
    """A line of devtrust-signals."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    now = now.replace("+00:00", "Z")
    with open(news_path(world), "a", encoding="ascii") as out:
        out.write(json.dumps({"v": 1, "at": now, "source": "caep",
                              "about": about, "id": who, "what": what, "ref": "jti-1"},
                             separators=(",", ":")) + "\n")


def trusted(world: World, name: str, device: str = "device-rsa") -> tuple[str, str, Any]:
    """Somebody in the Wi-Fi by a compliant device: login, station, certificate."""
    user, where = world.person(name, PUSH, push="deny", after=0.1), station()
    certificate = world.pki["devices"][device]
    world.sim.enrol_device(certificate["device_id"])
    end = rad.eap_tls(world.radius, user, certificate, station=where)
    assert end.success, end.output[-3000:]
    wait_for(world, user, verdict="TRUSTED")
    return user, where, certificate


def test_a_device_that_is_no_longer_compliant_is_out(world: World, nas: Nas) -> None:
    user, where, certificate = trusted(world, "out")
    began = time.time()
    world.sim.make_noncompliant(certificate["device_id"])
    asked = until(lambda: nas.asked_about(where))
    assert asked[0][0] - began < 20
    # Whoever comes back at once is not let in by what was known.
    assert not rad.eap_tls(world.radius, user, certificate, station=where).success
    event = until(lambda: losses(world, user))[0]
    data = event["debugContext"]["debugData"]
    assert (data["source"], data["onLoss"], data["ended"]) == ("recheck", "disconnect", True)
    wait_for(world, user, state="acted", lostCause="MFA_DUE")
    assert len(nas.asked_about(where)) == 1 and len(losses(world, user)) == 1


def test_news_is_looked_into_at_once(world: World, nas: Nas) -> None:
    """And news about a device with which all is well ends nothing."""
    user, where, certificate = trusted(world, "news", "device-p256")
    say(world, "intune-device", certificate["device_id"], "compliance")
    world.sim.make_noncompliant(certificate["device_id"])
    say(world, "intune-device", certificate["device_id"], "compliance")
    event = until(lambda: losses(world, user))[0]
    data = event["debugContext"]["debugData"]
    assert (data["source"], data["reference"], data["ended"]) == ("caep", "jti-1", True)
    for _ in range(2):  # the second look begins when the first has ended
        before = look_ups(world, certificate["device_id"])
        say(world, "intune-device", certificate["device_id"], "compliance")
        until(lambda seen=before: look_ups(world, certificate["device_id"]) > seen)
    assert len(nas.asked_about(where)) == 1 and len(losses(world, user)) == 1


def test_a_person_who_is_suspended(world: World, nas: Nas) -> None:
    user, where, _ = trusted(world, "suspended", "device-second")
    say(world, "login", user + "@example.com", "lifecycle")
    world.sim.set_user(user + "@example.com", status="SUSPENDED")
    say(world, "login", user + "@example.com", "lifecycle")
    event = until(lambda: losses(world, user))[0]
    assert event["outcome"]["reason"] == "OKTA_USER_SUSPENDED"
    assert event["debugContext"]["debugData"]["source"] == "caep"
    assert len(nas.asked_about(where)) == 1


def test_the_administrator_ends_one(world: World, nas: Nas) -> None:
    user, where = world.person("by-hand", PUSH, push="approve", after=0.1), "198.51.100.9"
    client = world.client(Acct_Session_Id="h-1", Calling_Station_Id=where)
    assert client.login(user).code == ACCEPT
    found = wait_for(world, user, state="pending")
    assert ctl(world, "end", found["id"]).returncode == 0
    event = until(lambda: losses(world, user))[0]
    data = event["debugContext"]["debugData"]
    assert event["outcome"]["reason"] == "OPERATOR" and data["source"] == "operator"
    request = [r for _, r in nas.requests if r.get(44) == b"h-1"]
    assert len(request) == 1 and request[0][1] == user.encode()
    assert world.accounting(Acct_Session_Id="h-1", Calling_Station_Id=where).account(2, user)
    until(lambda: not sessions(world, user))


def test_a_nas_that_says_no_is_asked_once(world: World, nas: Nas) -> None:
    user = world.person("kept", PUSH, push="approve", after=0.1)
    client = world.client(Acct_Session_Id="k-1", Calling_Station_Id="198.51.100.10")
    assert client.login(user).code == ACCEPT
    found = wait_for(world, user, state="pending")
    nas.answer = NAK
    try:
        assert ctl(world, "end", found["id"]).returncode == 0
        event = until(lambda: losses(world, user))[0]
    finally:
        nas.answer = ACK
    assert not event["debugContext"]["debugData"]["ended"]
    assert len([r for _, r in nas.requests if r.get(44) == b"k-1"]) == 1


@pytest.mark.skipif(not SLOW, reason="minutes; DEVTRUST_SLOW=1")
@pytest.mark.parametrize("source", ["recheck", "news"])
def test_how_long_it_takes(world: World, nas: Nas, source: str) -> None:
    """From the simulation's change to the Disconnect-Request."""
    taken = []
    for i in range(ROUNDS):
        user, where, certificate = trusted(world, f"{source}-{i}")
        time.sleep(secrets.randbelow(8000) / 1000 if source == "recheck" else 0)
        began = time.time()
        world.sim.make_noncompliant(certificate["device_id"])
        if source == "news":
            say(world, "intune-device", certificate["device_id"], "compliance")
        taken.append(until(lambda at=where: nas.asked_about(at))[0][0] - began)
    taken.sort()
    print(f"\n{source}: {ROUNDS} rounds, median {statistics.median(taken):.2f} s, "
          f"p99 {taken[int(len(taken) * 0.99)]:.2f} s, longest {taken[-1]:.2f} s")
    assert taken[-1] < (10 if source == "recheck" else 2)
