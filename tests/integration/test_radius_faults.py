# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong around the RADIUS doors: services down, slow or talking nonsense, configurations
# that leave a step out, servers that stop in the middle. Nothing of it lets anybody in.
"""FreeRADIUS with rlm_devtrust: failures."""

from __future__ import annotations

import copy
import os
import re
import shutil
import socket
import struct
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.matrix import cell
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

PUSH, TOTP = "push", "token:software:totp"
SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune", "cache_ttl": "1s",
                             "negative_ttl": "1s", "stale_limit": "2s"},
            "policy": {"unknown_device_as": "deny"},
            "okta": {"timeout": "1s", "user_ttl": "1s"}, "intune": {"timeout": "1s"},
            "mfa": {"wait_vpn": "6s", "wait_wifi": "6s", "challenge_lifetime": "30s"}}

# A second way in, on a port of its own, for what the samples do not do.
SERVER = """
server %(name)s {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = %(port)d
    }
    authorize {
        %(authorize)s
    }
    authenticate {
        Auth-Type PAP {
            pap
            %(authenticate)s
        }
    }
    post-auth {
        devtrust
        Post-Auth-Type REJECT {
            devtrust
        }
    }
}
"""
VERIFIED = 'update control {\n &DevTrust-Primary := "Verified"\n }\n'


class Extra:
    """Virtual servers of the tests and the ports they listen on."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.sites: dict[str, str] = {}
        usual = "files\n pap"
        self.add("no-primary", usual, "devtrust")
        self.add("wrong-primary", usual,
                 'update control {\n &DevTrust-Primary := "verified"\n }\n devtrust')
        self.add("forgotten", usual, "")
        self.add("accept", "update control {\n &Auth-Type := Accept\n }", "")
        self.add("early", "devtrust\n " + usual, "")
        self.add("authorize", usual + "\n pap.authenticate\n if (ok) {\n" + VERIFIED
                 + "devtrust\n }", "")
        self.add("twice", usual, VERIFIED + "devtrust\n devtrust")
        self.add("too-late", usual, "devtrust\n" + VERIFIED)

    def add(self, name: str, authorize: str, authenticate: str) -> None:
        self.ports[name] = rad.free_port()
        self.sites[name] = SERVER % {"name": name, "port": self.ports[name],
                                     "authorize": authorize, "authenticate": authenticate}


EXTRA = Extra()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("faults")
    with rad.start_world(directory, pki_index, settings=SETTINGS, sites=EXTRA.sites) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


@pytest.fixture(autouse=True)
def faultless(world: World) -> Iterator[None]:
    yield
    world.sim.clear_faults()
    for which in ("okta", "graph", "login"):
        world.sim.listener(which, "up")


def device_pairs(device_id: str) -> list[str]:
    return ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + device_id]


# --- Okta ----------------------------------------------------------------------------------------

OKTA_FAULTS = [("status", {"status": 500}), ("status", {"status": 503}),
               ("status", {"status": 403}), ("hang", {}), ("reset", {}), ("truncate", {}),
               ("huge", {"size": 4 << 20}),
               ("huge", {"size": 4 << 20, "chunked": True}), ("html", {}), ("not_json", {}),
               ("json", {"body": []}), ("json", {"body": {}}), ("json", {"body": None}),
               ("json", {"body": {"status": "ACTIVE", "id": 7}}), ("redirect", {
                   "location": "https://127.0.0.1:1/"}), ("drip", {"seconds": 1.0})]


def causes_of(kind: str, values: dict[str, Any]) -> set[str]:
    """What a sign-on is refused with when Okta answers everything so."""
    if kind == "status" and values["status"] == 403:
        return {"OKTA_REFUSED", "CONFIG"}
    return {"OKTA_UNAVAILABLE" if kind in ("status", "hang", "reset", "drip")
            else "OKTA_ANSWER_UNUSABLE"}


def name_of(fault: Any) -> str:
    return fault if isinstance(fault, str) else "-".join(str(v) for v in fault.values())[:20]


@pytest.mark.parametrize("kind,values", OKTA_FAULTS, ids=name_of)
@pytest.mark.parametrize("factor", [PUSH, TOTP])
def test_okta_fails_at_every_call(world: World, kind: str, values: dict[str, Any],
                                  factor: str) -> None:
    user = world.person(f"okta{len(world.site.events())}", factor, push="approve")
    world.sim.fault(kind, listener="okta", **values)
    reply = world.client().login(user)
    assert reply.code == REJECT, reply
    world.site.wait_for(lambda e: user in str(e["actor"])
                        and e["debugContext"]["debugData"].get("cause"))
    causes = [e["debugContext"]["debugData"]["cause"] for e in world.outcomes(user)]
    assert causes and set(causes) <= causes_of(kind, values), causes
    assert world.outcomes(user)[0]["debugContext"]["debugData"]["detail"]


@pytest.mark.parametrize("kind,values", OKTA_FAULTS + [
    ("json", {"body": {"factorResult": "CHALLENGE"}}),
    ("json", {"body": {"factorResult": "success"}}),
    ("json", {"body": {"factorResult": True}}), ("json", {"body": {"factorResult": "SUCCESS2"}}),
    ("merge", {"body": {"factorResult": None}})], ids=name_of)
def test_okta_fails_when_the_passcode_is_checked(world: World, kind: str,
                                                 values: dict[str, Any]) -> None:
    user = world.person(f"check{len(world.site.events())}-{time.monotonic_ns()}", TOTP)
    state = world.client().login(user).state
    code = world.passcode(user)
    world.sim.fault(kind, listener="okta", endpoint="*verify*", **values)
    reply = world.client().login(user, code, state)
    assert reply.code in (REJECT, CHALLENGE), reply
    assert not world.outcomes(user, "MFA_SUCCESS")


@pytest.mark.parametrize("kind,values", [
    ("json", {"body": {"factorResult": "CHALLENGE"}}),
    ("json", {"body": {"factorResult": "Success"}}),
    ("json", {"body": {"factorResult": "SUCCESS "}}), ("json", {"body": ["SUCCESS"]}),
    ("merge", {"body": {"_links": {"poll": {"href": "https://evil.example.com/"}}}}),
    ("html", {}), ("truncate", {}), ("status", {"status": 500})], ids=name_of)
def test_okta_answers_a_poll_with_nonsense(world: World, kind: str,
                                           values: dict[str, Any]) -> None:
    user = world.person(f"poll{len(world.site.events())}-{time.monotonic_ns()}", PUSH,
                        push="manual")
    pending = world.client().start(user)
    world.sim.wait_push(user + "@example.com")
    world.sim.fault(kind, listener="okta", **values)
    reply = pending.wait()
    assert reply.code == REJECT, reply
    assert not world.outcomes(user, "MFA_SUCCESS")


@pytest.mark.parametrize("state", [pytest.param("down", marks=cell(
    "radius", "a gateway with PAP", "okta down")), "silent"])
def test_okta_is_not_there(world: World, state: str) -> None:
    user = world.person("gone-" + state, PUSH, TOTP, push="approve")
    world.sim.listener("okta", state)
    reply = world.client().login(user)
    assert reply.code == REJECT, reply
    assert world.outcome(user, "OKTA_UNAVAILABLE")["detail"]


@pytest.mark.parametrize("certificate", ["expired", "foreign", "wrong_name"])
def test_somebody_else_plays_okta(world: World, certificate: str) -> None:
    user = world.person("fake-" + certificate.replace("_", "-"), PUSH, push="approve")
    world.sim.listener("okta", "up", certificate)
    calls = world.sim.count("okta.total")
    reply = world.client().login(user)
    assert reply.code == REJECT, reply
    world.outcome(user, "OKTA_UNTRUSTED")
    assert world.sim.count("okta.total") == calls


def test_okta_rate_limit(world: World) -> None:
    user = world.person("limited", PUSH, push="approve")
    world.sim.fault("rate_limit", listener="okta", reset_after=60)
    reply = world.client().login(user)
    assert reply.code == REJECT, reply
    causes = [e["debugContext"]["debugData"]["cause"] for e in world.outcomes(user)] or [
        world.outcome(user, "MFA_RATE_LIMITED")["cause"]]
    assert set(causes) <= {"MFA_RATE_LIMITED", "MFA_TIMEOUT"}


def test_bad_api_token(world: World) -> None:
    user = world.person("token", PUSH, push="approve")
    world.sim.org(okta_token_valid=False)
    try:
        assert world.client().login(user).code == REJECT
        event = world.outcome(user, "CONFIG")
    finally:
        world.sim.org(okta_token_valid=True)
    assert "E0000011" in event["detail"] and "api_token_file" in event["detail"]


# --- Graph and Entra -----------------------------------------------------------------------------

@pytest.mark.parametrize("kind,values", [
    ("status", {"status": 500}), ("status", {"status": 401}), ("status", {"status": 403}),
    ("hang", {}), ("reset", {}), ("truncate", {}), ("huge", {"size": 4 << 20}), ("html", {}),
    ("not_json", {}), ("json", {"body": []}), ("json", {"body": {"complianceState": "compliant"}}),
    ("merge", {"body": {"id": "00000000-1111-2222-3333-444444444444"}}),
    ("merge", {"body": {"complianceState": None}}), ("rate_limit", {"retry_after": 60}),
    ("redirect", {"location": "https://127.0.0.1:1/"})], ids=name_of)
def test_graph_fails(world: World, kind: str, values: dict[str, Any]) -> None:
    """UNKNOWN is not TRUSTED, and here it is denied."""
    user = world.person(f"graph{time.monotonic_ns()}", PUSH, push="approve")
    device = world.sim.enrol_device()["id"]
    world.sim.fault(kind, listener="graph", **values)
    reply = world.client().login(user, Cisco_AVPair=device_pairs(device))
    if (kind, values) == ("merge", {"body": {"complianceState": None}}):
        # Looked, and not found compliant: not trusted, so asked.
        world.site.wait_for(lambda e: user in str(e["actor"]))
        assert not world.outcomes(user, "RULE_ALLOW")
        return
    assert reply.code == REJECT, reply
    event = world.outcome(user, "DEVICE_UNKNOWN")
    assert event["verdict"] == "UNKNOWN" and event["deviceReason"] == "LOOKUP_UNAVAILABLE"


@pytest.mark.parametrize("which", ["graph", "login"])
@pytest.mark.parametrize("state", ["down", "silent"])
def test_graph_is_not_there(world: World, which: str, state: str) -> None:
    user = world.person(f"away-{which}-{state}", PUSH, push="approve")
    device = world.sim.enrol_device()["id"]
    world.sim.revoke_tokens()
    world.sim.listener(which, state)
    reply = world.client().login(user, Cisco_AVPair=device_pairs(device))
    if which == "graph" or reply.code == REJECT:
        assert reply.code == REJECT, reply
        assert world.outcome(user, "DEVICE_UNKNOWN")["deviceReason"] == "LOOKUP_UNAVAILABLE"


def test_stale_answer_is_used_within_its_limit(world: World) -> None:
    user = world.person("stale", PUSH, push="deny")
    device = world.sim.enrol_device()["id"]
    deadline = time.monotonic() + 60
    while world.client().login(user, Cisco_AVPair=device_pairs(device)).code != ACCEPT:
        assert time.monotonic() < deadline, "Entra's outage is not forgotten"
        time.sleep(0.2)
    world.sim.listener("graph", "down")
    deadline = time.monotonic() + 20
    codes = []
    while time.monotonic() < deadline:
        codes.append(world.client().login(user, Cisco_AVPair=device_pairs(device)).code)
        if codes[-1] != ACCEPT:
            break
    assert codes[-1] == REJECT and codes[0] == ACCEPT
    assert world.outcome(user, "DEVICE_UNKNOWN")


# --- configurations that leave a step out --------------------------------------------------------

@pytest.mark.parametrize("name", ["no-primary", "wrong-primary", "too-late", "early", "forgotten",
                                  "accept"])
def test_configuration_that_skips_a_step(world: World, name: str) -> None:
    user = world.person("skip-" + name, PUSH, push="approve")
    client = world.radius.client(EXTRA.ports[name])
    reply = client.login(user)
    assert reply.code == REJECT, reply
    event = world.outcome(user, "PRIMARY_MISSING")
    forgotten = name in ("forgotten", "accept")
    assert ("no sign-on of this request" if forgotten else "DevTrust-Primary") in event["detail"]
    assert not world.sim.pushes(user + "@example.com")


@pytest.mark.parametrize("name", ["authorize", "twice"])
@pytest.mark.parametrize("mode,code", [("approve", ACCEPT), ("deny", REJECT)])
def test_other_configurations_that_work(world: World, name: str, mode: str, code: int) -> None:
    user = world.person(f"{name}-{mode}", PUSH, push=mode, after=0.2)
    client = world.radius.client(EXTRA.ports[name])
    assert client.login(user).code == code
    assert client.login(user, "wrong password").code == REJECT
    assert len(world.sim.pushes(user + "@example.com")) == 1


# --- the waiting room ---------------------------------------------------------------------------

def room_port(world: World) -> int:
    """Where the server's own proxied packets go."""
    user = world.person(f"room{time.monotonic_ns()}", TOTP)
    assert world.client().login(user).code == CHALLENGE
    text = world.radius.log_text()
    return int(text.rsplit("home_server (127.0.0.1, ", 1)[1].split(")")[0])


def test_strangers_get_nothing_from_the_waiting_room(world: World) -> None:
    port = room_port(world)
    request = rad.Client(1, b"guessed-secret").request([("User-Name", "eve"),
                                                        ("State", os.urandom(16))])
    request.close()
    packet = request.packet
    for data in (packet, packet[:19], b"\0" * 4096, b"\x01\x00\xff\xff", b"\x01\x00\x00\x00" * 9,
                 struct.pack("!BBH", 1, 0, 20) + bytes(16), b"GET / HTTP/1.0\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as stranger:
            stranger.sendall(data)
            stranger.shutdown(socket.SHUT_WR)
            try:
                assert stranger.recv(4096) == b""
            except ConnectionResetError:
                pass
    user = world.person("after-strangers", PUSH, push="approve", after=0.2)
    assert world.client().login(user).code == ACCEPT


def test_idle_strangers_do_not_fill_the_waiting_room(world: World) -> None:
    port = room_port(world)
    strangers = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(400)]
    try:
        pending = []
        for i in range(300):
            user = world.person(f"full{i}-{time.monotonic_ns()}", PUSH, push="approve", after=0.5)
            pending.append(world.client().start(user))
        assert [p.wait().code for p in pending] == [ACCEPT] * 300
        # All are closed within seconds, having said nothing.
        for stranger in strangers:
            assert stranger.recv(1) == b""
    except ConnectionResetError:
        pass
    finally:
        for stranger in strangers:
            stranger.close()


def test_the_waiting_room_listens_on_the_loopback_only(world: World) -> None:
    port = room_port(world)
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    listening = [line.split()[1] for line in table.splitlines() if f":{port:04X} " in line
                 and line.split()[3] == "0A"]
    assert listening == [f"0100007F:{port:04X}"]


# --- starting and stopping ----------------------------------------------------------------------

def test_stops_with_people_waiting(world: World, tmp_path: Path) -> None:
    with rad.Radius(tmp_path / "raddb", world.site) as radius:
        users = [world.person(f"stop{i}", PUSH, push="ignore") for i in range(50)]
        client = radius.client(NAS_Identifier="gateway-1")
        pending = [client.start(user) for user in users]
        world.sim.wait_push(count=50)
        started = time.monotonic()
        assert radius.stop() == 0, radius.log_text()
        assert time.monotonic() - started < 20
        for one in pending:
            reply = one.poll(0.0)
            assert reply is None or reply.code == REJECT
            one.close()
    causes = {e["debugContext"]["debugData"]["cause"] for u in users for e in world.outcomes(u)}
    assert causes <= {"BUSY", "CLIENT_GONE"} and causes


def broken(world: World, tmp_path: Path, **changes: Any) -> str:
    """What the server says about a configuration that it must refuse, by -C and at start."""
    radius = rad.Radius(tmp_path / "raddb", world.site, **changes)
    checked = radius.check()
    assert checked.returncode != 0, checked.stdout[-2000:]
    with pytest.raises(AssertionError):
        radius.start()
    return checked.stdout


@pytest.mark.parametrize("replace,words", [
    ({"application = vpn": "application = nothere"}, "nothere.json"),
    ({"wait = hybrid": "wait = forever"}, "rlm_devtrust(5)"),
    ({"primary = certificate": "primary = nothing"}, "rlm_devtrust(5)"),
    ({"max_parked = 10000": "max_parked = 0"}, "max_parked"),
    ({"max_parked = 10000": "max_parked = 99999999"}, "max_parked"),
    ({"max_blocking_waits = 8": "max_blocking_waits = 5000"}, "max_blocking_waits"),
    ({"groups = &control:DevTrust-Group[*]": "groups = &control:Nowhere-Defined[*]"},
     "groups"),
    ({'user = "%{%{control:DevTrust-User}:-%{User-Name}}"': 'user = "%{%{User-Name}"'}, "user"),
    ({"application = vpn": ""}, "application")])
def test_configuration_errors(world: World, tmp_path: Path, replace: dict[str, str],
                              words: str) -> None:
    assert words in broken(world, tmp_path, replace=replace)


def test_too_short_max_request_time(world: World, tmp_path: Path) -> None:
    assert "max_request_time" in broken(world, tmp_path, max_request_time=8)


def drop_line(path: Path, word: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(word)))


@pytest.mark.parametrize("spoil,words", [
    (lambda d: (d / "devtrust.conf").unlink(), "devtrust.conf"),
    (lambda d: (d / "devtrust.conf").write_text("[okta]\nno_such_key = 1\n"), "no_such_key"),
    (lambda d: (d / "devtrust.conf").chmod(0o666), "devtrust.conf"),
    (lambda d: (d / "okta.token").chmod(0o644), "okta.token"),
    (lambda d: (d / "state.key").chmod(0o644), "state.key"),
    (lambda d: (d / "state.key").write_bytes(b"short"), "state.key"),
    (lambda d: drop_line(d / "devtrust.conf", "state_key_file"), "set [store] state_key_file"),
    (lambda d: (d / "policies" / "vpn.json").write_text("{"), "vpn.json"),
    (lambda d: (d / "company_ca.pem").write_text("no certificate"), "company_ca.pem")])
def test_site_errors(world: World, tmp_path: Path, spoil: Any, words: str) -> None:
    directory = tmp_path / "site"
    shutil.copytree(world.site.directory, directory)
    text = (directory / "devtrust.conf").read_text()
    (directory / "devtrust.conf").write_text(
        text.replace(str(world.site.directory), str(directory)))
    os.chmod(directory / "state.key", 0o600)
    spoil(directory)
    site = copy.copy(world.site)
    site.config_path = directory / "devtrust.conf"
    radius = rad.Radius(tmp_path / "raddb", site)
    checked = radius.check()
    assert checked.returncode != 0, checked.stdout[-2000:]
    assert words in checked.stdout


def test_checking_starts_nothing(world: World, tmp_path: Path) -> None:
    radius = rad.Radius(tmp_path / "raddb", world.site)
    before = os.stat(world.site.store_path).st_mtime_ns
    checked = radius.check()
    assert checked.returncode == 0, checked.stdout[-2000:]
    assert "Configuration appears to be OK" in checked.stdout
    assert os.stat(world.site.store_path).st_mtime_ns == before


def test_samples_as_they_are_shipped(world: World, tmp_path: Path) -> None:
    """Every sample is loaded by the tests; this one shows that none was forgotten."""
    radius = rad.Radius(tmp_path / "raddb", world.site)
    names = {p.name for kind in ("mods", "sites")
             for p in (rad.SAMPLES / f"{kind}-available").iterdir()}
    there = {p.name for kind in ("mods", "sites")
             for p in (radius.directory / f"{kind}-enabled").iterdir()}
    assert names and names <= there


def test_the_manual_knows_every_setting_and_attribute() -> None:
    """And the module knows every one that the manual describes."""
    manual = (rad.ROOT / "man" / "rlm_devtrust.5").read_text()
    source = (rad.ROOT / "rlm_devtrust" / "rlm_devtrust.c").read_text()
    table = source[source.index("module_config[] = {"):source.index("CONF_PARSER_TERMINATOR")]
    known = set(re.findall(r'(?:\{|INPUT\()\s*"(\w+)",', table))
    described = set(re.findall(r"^\.It Cm (\w+)$", manual, re.M))
    words = {"park", "hybrid", "challenge", "control", "certificate", "okta"}
    assert len(known) > 10 and known == described - words
    attributes = set(re.findall(r'"(DevTrust-[A-Za-z-]+)"',
                                (rad.ROOT / "rlm_devtrust" / "reply.c").read_text()))
    assert attributes and all(name in manual for name in attributes)
