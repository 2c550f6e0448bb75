# SPDX-License-Identifier: GPL-2.0-or-later
# devtrust asks NASes to end sessions: a NAS made here that does what real ones do wrong, hostapd
# with its DAS, and FreeRADIUS as the one who is asked. The requests go the product's way
# (driver/dae.h), by tests/lib/end_session.c.
"""RFC 5176: sessions that end at a NAS."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Optional

import pytest

from tests.lib import radius as rad
from tests.lib import roaming
from tests.lib.radius import World

SLOW = bool(os.environ.get("DEVTRUST_SLOW"))
SECRET = b"the secret of a NAS, 32 bytes ok"
DISCONNECT, DISCONNECT_ACK, DISCONNECT_NAK, COA, COA_ACK, COA_NAK = 40, 41, 42, 43, 44, 45
MESSAGE_AUTHENTICATOR, ERROR_CAUSE, EVENT_TIMESTAMP = 80, 101, 55
TOOL = Path(os.environ["DEVTRUST_BUILD"]) / "tests/lib/end_session"


class Result(NamedTuple):
    number: int
    outcome: str
    cause: int
    packets: int
    again: bool
    retry: bool
    text: str


def start(config: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([str(TOOL), str(config), *words], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def results(process: "subprocess.Popen[str]", timeout: float = 60) -> list[Result]:
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, out + err
    made = []
    for line in out.splitlines():
        number, outcome, cause, packets, again, retry, text = line.split(" ", 6)
        made.append(Result(int(number), outcome, int(cause), int(packets), again == "1",
                           retry == "1", text))
    return sorted(made)


def end(config: Path, *words: str) -> Result:
    made = results(start(config, *words))
    assert len(made) == 1
    return made[0]


def reply(request: bytes, code: int, attributes: bytes = b"", secret: bytes = SECRET,
          identifier: Optional[int] = None, mac: bool = True) -> bytes:
    number = request[1] if identifier is None else identifier
    if mac:
        attributes += bytes([MESSAGE_AUTHENTICATOR, 18]) + bytes(16)
    length = 20 + len(attributes)
    head = struct.pack("!BBH", code, number, length) + request[4:20]
    if mac:
        attributes = attributes[:-16] + hmac.new(secret, head + attributes, "md5").digest()
    return head[:4] + hashlib.md5(head + attributes + secret).digest() + attributes


def cause(number: int) -> bytes:
    return bytes([ERROR_CAUSE, 6]) + struct.pack("!I", number)


def attributes(packet: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 20
    while at < len(packet):
        found.append((packet[at], packet[at + 2:at + packet[at + 1]]))
        at += packet[at + 1]
    return found


Answer = Callable[["Nas", bytes, Any], None]


class Nas:
    """A NAS of which a test says how it answers."""

    def __init__(self, answer: Answer, address: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                    socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self.answer = answer
        self.packets: list[tuple[float, bytes, Any]] = []
        self.ended = False
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.ended:
            try:
                packet, sender = self.socket.recvfrom(4096)
            except OSError:
                continue
            self.packets.append((time.monotonic(), packet, sender))
            self.answer(self, packet, sender)

    def send(self, packet: bytes, to: Any) -> None:
        self.socket.sendto(packet, to)

    def __enter__(self) -> "Nas":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = True
        self.thread.join()
        self.socket.close()


def acknowledge(nas: Nas, packet: bytes, sender: Any) -> None:
    nas.send(reply(packet, packet[0] + 1), sender)


def refuse(number: int) -> Answer:
    return lambda nas, packet, sender: nas.send(reply(packet, packet[0] + 2, cause(number)), sender)


def check_request(packet: bytes, secret: bytes = SECRET) -> None:
    """As RFC 5176 section 2.3 and RFC 3579 section 3.2 have it."""
    assert struct.unpack("!H", packet[2:4])[0] == len(packet)
    zeroed = packet[:4] + bytes(16) + packet[20:]
    assert packet[4:20] == hashlib.md5(zeroed + secret).digest()
    assert packet[20] == MESSAGE_AUTHENTICATOR, "it comes first"
    without = zeroed[:22] + bytes(16) + zeroed[38:]
    assert packet[22:38] == hmac.new(secret, without, "md5").digest()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    coa = rad.free_port()
    receiver = f"""
server coa {{
    listen {{
        type = coa
        ipaddr = 127.0.0.1
        port = {coa}
    }}
    recv-coa {{
        if (&Acct-Session-Id == "gone") {{
            update reply {{
                Error-Cause := Session-Context-Not-Found
            }}
            reject
        }}
        if (&Acct-Session-Id == "no-coa" && "%{{Packet-Type}}" == "CoA-Request") {{
            update reply {{
                Error-Cause := Unsupported-Service
            }}
            reject
        }}
        if (&Acct-Session-Id == "kept") {{
            update reply {{
                Error-Cause := Session-Context-Not-Removable
            }}
            reject
        }}
        ok
    }}
    send-coa {{
        ok
    }}
}}
"""
    with rad.start_world(tmp_path_factory.mktemp("nas"), pki_index, extra=receiver) as made:
        made.coa_port = coa  # type: ignore[attr-defined]
        secret = made.site.directory / "nas.secret"
        secret.write_bytes(SECRET + b"\n")
        secret.chmod(0o600)
        server = made.site.directory / "server.secret"
        server.write_bytes(rad.SECRET)
        server.chmod(0o600)
        yield made
        assert made.radius.is_running(), made.radius.log_text()


def configure(world: World, port: int, name: str = "test", **keys: Any) -> Path:
    """devtrust.conf with this section; each test has its own port."""
    site = world.site
    site.settings = {k: v for k, v in site.settings.items() if not k.startswith("nas ")}
    site.configure({f"nas {name}": {"address": "127.0.0.1", "port": port,
                                    "secret_file": site.directory / "nas.secret", **keys}})
    copy = site.directory / f"nas-{port}.conf"
    copy.write_text(site.config_path.read_text())
    return copy


SESSION = ("ip_address=127.0.0.1", "session_id=S1", "user_name=alice", "station=02-00-5E-10-00-07")


def test_a_session_ends(world: World) -> None:
    with Nas(acknowledge) as nas:
        made = end(configure(world, nas.port), "disconnect", *SESSION)
    assert (made.outcome, made.packets, made.again) == ("done", 1, False)
    assert "ended the session" in made.text and f"port {nas.port}" in made.text
    (_, packet, _), = nas.packets
    check_request(packet)
    assert packet[0] == DISCONNECT
    kinds = [kind for kind, _ in attributes(packet)]
    assert kinds == [MESSAGE_AUTHENTICATOR, 1, 4, 44, EVENT_TIMESTAMP]
    stamp = struct.unpack("!I", dict(attributes(packet))[EVENT_TIMESTAMP])[0]
    assert abs(stamp - time.time()) < 60


def test_a_packet_that_is_lost_is_sent_again_as_it_was(world: World) -> None:
    """A reply with another identifier, with another secret, and of a stranger do not count
    meanwhile, and do not lengthen the wait."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))

        def second(nas: Nas, packet: bytes, sender: Any) -> None:
            if len(nas.packets) == 2:
                acknowledge(nas, packet, sender)
                return
            nas.send(reply(packet, DISCONNECT_ACK, secret=b"another secret"), sender)
            nas.send(reply(packet, DISCONNECT_ACK, identifier=packet[1] ^ 1), sender)
            nas.send(reply(packet, COA_ACK), sender)
            nas.send(reply(packet, DISCONNECT_ACK)[:-1], sender)
            nas.send(b"", sender)
            stranger.sendto(reply(packet, DISCONNECT_ACK), sender)

        with Nas(second) as nas:
            made = end(configure(world, nas.port), "disconnect", *SESSION)
    assert (made.outcome, made.packets) == ("done", 2)
    (first, one, from_one), (then, other, from_other) = nas.packets
    assert one == other and from_one == from_other
    assert 1.5 < then - first < 8


@pytest.mark.parametrize("number,outcome", [(503, "gone"), (401, "refused"), (504, "refused"),
                                            (508, "refused"), (0, "refused"), (4711, "refused")])
def test_a_nas_that_says_no(world: World, number: int, outcome: str) -> None:
    def no(nas: Nas, packet: bytes, sender: Any) -> None:
        nas.send(reply(packet, DISCONNECT_NAK, cause(number) if number else b""), sender)

    with Nas(no) as nas:
        made = end(configure(world, nas.port), "disconnect", *SESSION)
    assert (made.outcome, made.cause, made.packets) == (outcome, number, 1)
    assert "kind in devtrust.conf" in made.text or number != 401


@pytest.mark.parametrize("kind,pair", [("cisco", (9, 1, b"subscriber:command=reauthenticate")),
                                       ("fortinet", (12356, 42, b"action=reauth-port"))])
def test_a_person_signs_on_again(world: World, kind: str, pair: tuple[int, int, bytes]) -> None:
    with Nas(acknowledge) as nas:
        made = end(configure(world, nas.port, kind=kind), "reauthenticate", *SESSION)
    assert (made.outcome, made.again) == ("done", True)
    packet = nas.packets[0][1]
    check_request(packet)
    assert packet[0] == COA
    vendor = dict(attributes(packet))[26]
    assert vendor == struct.pack("!IBB", pair[0], pair[1], len(pair[2]) + 2) + pair[2]


@pytest.mark.parametrize("number", [401, 405, 501])
def test_a_nas_that_cannot_do_that_ends_the_session(world: World, number: int) -> None:
    def only_disconnect(nas: Nas, packet: bytes, sender: Any) -> None:
        (acknowledge if packet[0] == DISCONNECT else refuse(number))(nas, packet, sender)

    with Nas(only_disconnect) as nas:
        made = end(configure(world, nas.port, kind="meraki"), "reauthenticate", *SESSION)
    assert (made.outcome, made.again, made.packets) == ("done", False, 2)
    assert f"Error-Cause {number}" in made.text
    assert [packet[0] for _, packet, _ in nas.packets] == [COA, DISCONNECT]
    (_, one, from_one), (_, other, from_other) = nas.packets
    assert (one[1], from_one[1]) != (other[1], from_other[1]), "no reply of before may count"


def test_request_initiated(world: World) -> None:
    with Nas(refuse(507)) as nas:
        made = end(configure(world, nas.port, kind="cisco"), "reauthenticate", *SESSION)
    assert (made.outcome, made.again, made.packets) == ("done", True, 1)


def test_ipv6(world: World) -> None:
    with Nas(acknowledge, "::1") as nas:
        made = end(configure(world, nas.port, address="2001:db8::/64", send_to="::1"),
                   "disconnect", "ipv6_address=2001:db8::7", *SESSION[1:])
    assert made.outcome == "done" and "(::1 port" in made.text
    assert dict(attributes(nas.packets[0][1]))[95] == socket.inet_pton(socket.AF_INET6,
                                                                       "2001:db8::7")


def test_many_at_once_are_bounded_and_all_end(world: World) -> None:
    """No two come from one port with one identifier; one NAS gets at most 16 at a time."""
    waiting: list[tuple[bytes, Any]] = []
    most = 0

    def late(nas: Nas, packet: bytes, sender: Any) -> None:
        nonlocal most
        waiting.append((packet, sender))
        most = max(most, len(waiting))
        if len(waiting) == 16 or len(nas.packets) > 180:
            for one in waiting:
                acknowledge(nas, *one)
            waiting.clear()

    with Nas(late) as nas:
        words = []
        for number in range(200):
            words += ["disconnect", "ip_address=127.0.0.1", f"session_id=S{number}"]
        made = results(start(configure(world, nas.port), *words))
    assert len(made) == 200 and {one.outcome for one in made} == {"done"}
    assert most == 16
    pairs = {(packet[1], sender[1]) for _, packet, sender in nas.packets}
    assert len(pairs) == len({packet for _, packet, _ in nas.packets}) == 200


def test_what_is_not_sent(world: World) -> None:
    config = configure(world, 9, kind="strongswan")
    made = results(start(config, "disconnect", "ip_address=192.0.2.1", "session_id=S1",
                         "disconnect", "ip_address=127.0.0.1", "session_id=S1"))
    assert [one.outcome for one in made] == ["failed", "failed"]
    assert [(one.packets, one.retry) for one in made] == [(0, False), (0, False)]
    assert "no section [nas NAME]" in made[0].text and "192.0.2.1" in made[0].text
    assert "User-Name" in made[1].text


def test_freeradius_is_asked(world: World) -> None:
    """FreeRADIUS checks authenticator and Message-Authenticator."""
    port = world.coa_port  # type: ignore[attr-defined]
    config = configure(world, port, kind="cisco",
                       secret_file=world.site.directory / "server.secret")
    words = []
    for what, session in (("disconnect", "here"), ("reauthenticate", "here"),
                          ("disconnect", "gone"), ("reauthenticate", "gone"),
                          ("reauthenticate", "no-coa"), ("disconnect", "kept")):
        words += [what, "ip_address=127.0.0.1", f"session_id={session}"]
    made = results(start(config, *words))
    assert [(one.outcome, one.again, one.cause) for one in made] == [
        ("done", False, 0), ("done", True, 0), ("gone", False, 503), ("gone", False, 503),
        ("done", False, 0), ("refused", False, 504)], made


# --- hostapd --------------------------------------------------------------------------------------

def das(world: World, port: int, *more: str) -> str:
    return "\n".join(["own_ip_addr=127.0.0.1", f"radius_das_port={port}",
                      f"radius_das_client=127.0.0.1 {SECRET.decode()}",
                      "radius_das_require_event_timestamp=1",
                      "radius_das_require_message_authenticator=1",
                      "acct_server_addr=127.0.0.1",
                      f"acct_server_port={world.radius.wifi_accounting_port}",
                      f"acct_server_shared_secret={rad.SECRET.decode()}", *more]) + "\n"


def station(port: roaming.Port) -> str:
    """The laptop's address, as hostapd writes Calling-Station-Id."""
    shown = subprocess.run(["ip", "-n", port.space, "link", "show", port.laptop], text=True,
                           stdout=subprocess.PIPE, check=True).stdout
    found = re.search(r"link/ether ([0-9a-f:]{17})", shown)
    assert found
    return found[1].upper().replace(":", "-")


def wait_for(condition: Callable[[], bool], report: Callable[[], str], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, report()
        time.sleep(0.05)


@pytest.mark.skipif(bool(roaming.missing()), reason=roaming.missing())
@pytest.mark.parametrize("known_by", ["session", "station"])
def test_hostapd_ends_a_session(world: World, tmp_path: Path, known_by: str) -> None:
    """By session and by station; not what is gone, and not what names another NAS."""
    port = rad.free_port()
    device = world.pki["devices"]["device-p256"]
    user = world.person(f"wired-{known_by}", "push", push="approve", after=0.5)
    config = configure(world, port, kind="hostapd")
    with roaming.Port(tmp_path, world.radius, rad.tls_network(world.radius, user, device),
                      period=3600, nas="switch-1", more=das(world, port)) as switch:
        switch.wait(1, 60, failures=0)

        def log() -> str:
            return switch.port_log.read_text(errors="replace")

        def session() -> str:
            found = re.findall(r"starting accounting session ([0-9A-F]+)", log())
            return str(found[-1]) if found else ""

        wait_for(lambda: session() != "", lambda: log()[-3000:])
        base = ["ip_address=127.0.0.1", "identifier=switch-1"]
        made = results(start(
            config, "disconnect", *base, "session_id=0123456789ABCDEF",
            "disconnect", "ip_address=127.0.0.1", "identifier=switch-2", f"session_id={session()}",
            "disconnect", *base, "station=02-00-00-00-00-01"))
        assert [(one.outcome, one.cause) for one in made] == [
            ("gone", 503), ("refused", 403), ("gone", 503)], made
        assert "AP-STA-DISCONNECTED" not in log()
        known = {"session": f"session_id={session()}", "station": f"station={station(switch)}"}
        made = results(start(config, "reauthenticate", *base, known[known_by], f"user_name={user}"))
        assert made[0].outcome == "done", made
        wait_for(lambda: "AP-STA-DISCONNECTED" in log(), lambda: log()[-3000:])
        assert log().count("AP-STA-DISCONNECTED") == 1


@pytest.mark.skipif(not SLOW, reason="half a minute of waiting; DEVTRUST_SLOW=1")
def test_silence(world: World) -> None:
    """A NAS that says nothing, one that does not listen, one with another secret: each is asked for
    thirty seconds, and what is reported says what to look at. Whoever waits for their turn at a
    silent NAS does not wait anew."""
    def forged(nas: Nas, packet: bytes, sender: Any) -> None:
        nas.send(reply(packet, DISCONNECT_ACK, secret=b"another secret"), sender)

    with Nas(lambda *_: None) as silent, Nas(forged) as other, Nas(acknowledge) as good:
        closed = rad.free_port()
        began = time.monotonic()
        running = [start(configure(world, silent.port),
                         *[word for number in range(40) for word in
                           ("disconnect", "ip_address=127.0.0.1", f"session_id={number}")]),
                   start(configure(world, other.port), "disconnect", *SESSION),
                   start(configure(world, closed), "disconnect", *SESSION)]
        assert end(configure(world, good.port), "disconnect", *SESSION).outcome == "done"
        made = [results(process, 90) for process in running]
        assert 25 < time.monotonic() - began < 60
    assert len(made[0]) == 40 and {one.outcome for one in made[0]} == {"failed"}
    assert {one.packets for one in made[0]} == {0, 4}
    assert all(one.retry for one in made[0])
    assert "did not answer" in made[0][0].text and "port and the secret" in made[0][0].text
    assert made[1][0].outcome == "failed" and "not with the secret" in made[1][0].text
    assert made[2][0].outcome == "failed" and "Connection refused" in made[2][0].text
    assert len({packet for _, packet, _ in silent.packets}) == 16
