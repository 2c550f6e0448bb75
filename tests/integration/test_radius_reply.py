# SPDX-License-Identifier: GPL-2.0-or-later
# What a rule does to a RADIUS reply, and MFA once per session or day, on a real FreeRADIUS: over
# PAP, parked and not, EAP-TLS and EAP-TTLS by eapol_test.
"""FreeRADIUS with rlm_devtrust: reply attributes, remembered MFA."""

from __future__ import annotations

import secrets
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import World
from tests.sim.client import Sim

PUSH, TOTP = "push", "token:software:totp"
VLAN, QUARANTINE = 10, 99
TUNNEL_TYPE, TUNNEL_MEDIUM, TUNNEL_ID, CLASS, TIMEOUT, FILTER = 64, 65, 81, 25, 27, 11


def station() -> str:
    return "02-" + "-".join(f"{b:02X}" for b in secrets.token_bytes(5))


def policy(application: str, frequency: str = "EVERY_SIGN_ON", by: str = "") -> dict[str, Any]:
    """Trusted devices into their VLAN, others after MFA into quarantine, a banned person out."""
    banned = sites.rule("Banned", 1, access="DENY", people={"users": {"include": ["banned"]}})
    banned["actions"]["appSignOn"]["message"] = "Ask the front desk."
    trusted = sites.rule("Trusted", 2, "TRUSTED")
    trusted["actions"]["reply"] = {"vlan": VLAN, "attributes": [
        {"name": "Session-Timeout", "value": 3600}, {"name": "Filter-Id", "value": "staff \\n"}]}
    other = sites.rule("Quarantine", 3, "NOT_TRUSTED", frequency=frequency, factors=(PUSH, TOTP))
    other["actions"]["reply"] = {"vlan": QUARANTINE, "attributes": [
        {"name": "Class", "value": "quarantine"}, {"name": "Session-Timeout", "value": 60}]}
    if by:
        other["actions"]["appSignOn"]["promptForFactor"]["remember"] = {"by": [by]}
    return {"name": application, "application": application,
            "rules": [banned, trusted, other, sites.catch_all()]}


# What the server gives everybody: the rule's takes its place.
SERVER_SAYS = {"\t\t\tfiles\n\t\t\tpap\n": "\t\t\tfiles\n\t\t\tpap\n\t\t\tupdate reply {\n"
               "\t\t\t\t&Session-Timeout := 86400\n\t\t\t\t&Filter-Id := \"everybody\"\n\t\t\t}\n"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("reply"), pki_index, replace=SERVER_SAYS,
                         settings={"mfa": {"wait_wifi": "8s"}},
                         policies=[policy("vpn"), policy("wifi")]) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def values(reply: rad.Reply, kind: int) -> list[bytes]:
    return [value for number, value in reply.attributes if number == kind]


def vlan(reply: rad.Reply) -> list[bytes]:
    assert values(reply, TUNNEL_TYPE) == [b"\0\0\0\x0d"]
    assert values(reply, TUNNEL_MEDIUM) == [b"\0\0\0\x06"]
    return [v.lstrip(b"\0") for v in values(reply, TUNNEL_ID)]


def eap_vlan(output: str) -> str:
    """Of the last Access-Accept that eapol_test shows."""
    accept = output[output.rindex("code=2 (Access-Accept)"):]
    lines = accept.splitlines()
    at = next(i for i, line in enumerate(lines) if "Attribute 81 " in line)
    return bytes.fromhex(lines[at + 1].split("Value:")[1]).lstrip(b"\0").decode()


def test_passcode_into_the_quarantine(world: World) -> None:
    user = world.person("reply-totp", TOTP)
    client = world.client()
    first = client.login(user)
    assert first.code == rad.CHALLENGE
    assert not values(first, TUNNEL_ID) and not values(first, CLASS)
    reply = client.login(user, world.passcode(user), first.state)
    assert reply.code == rad.ACCEPT, str(reply)
    assert vlan(reply) == [str(QUARANTINE).encode()]
    assert values(reply, CLASS) == [b"quarantine"]
    assert values(reply, TIMEOUT) == [b"\0\0\0\x3c"]


def test_parked_push_into_the_quarantine(world: World) -> None:
    user = world.person("reply-push", PUSH, push="approve", after=1.0)
    reply = world.client().login(user)
    assert reply.code == rad.ACCEPT, str(reply)
    assert vlan(reply) == [str(QUARANTINE).encode()]
    assert values(reply, CLASS) == [b"quarantine"]
    assert values(reply, TIMEOUT) == [b"\0\0\0\x3c"]


@pytest.mark.parametrize("push", ["deny", "timeout"])
def test_refusals_carry_nothing(world: World, push: str) -> None:
    reply = world.client().login(world.person("reply-" + push, PUSH, push=push, after=0.3))
    assert reply.code == rad.REJECT
    for kind in (TUNNEL_ID, CLASS, TIMEOUT, FILTER):
        assert not values(reply, kind)


def test_a_rule_tells_why_it_denies(world: World) -> None:
    reply = world.client().login(world.person("banned", TOTP))
    assert reply.code == rad.REJECT and reply.message.startswith("Ask the front desk.")


def test_eap_tls_into_the_vlan(world: World) -> None:
    certificate = world.pki["devices"]["device-p256"]
    world.sim.enrol_device(certificate["device_id"])
    end = rad.eap_tls(world.radius, world.person("reply-tls"), certificate, station=station())
    assert end.success, end.output[-3000:]
    assert "MPPE keys OK: 1" in end.output
    assert eap_vlan(end.output) == str(VLAN)


def test_eap_tls_not_compliant_into_the_quarantine(world: World) -> None:
    certificate = world.pki["devices"]["san-two-uris"]
    world.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
    user = world.person("reply-bad", PUSH, push="approve", after=0.5)
    end = rad.eap_tls(world.radius, user, certificate, station=station())
    assert end.success, end.output[-3000:]
    assert eap_vlan(end.output) == str(QUARANTINE)


def test_parked_eap_ttls_into_the_quarantine(world: World) -> None:
    user = world.person("reply-ttls", PUSH, push="approve", after=1.0)
    end = rad.eap_ttls(world.radius, user, rad.PASSWORD, station=station())
    assert end.success, end.output[-3000:]
    assert eap_vlan(end.output) == str(QUARANTINE)


# --- what the dictionary does not know ---------------------------------------------------------

@pytest.mark.parametrize("name,value,why", [
    ("Not-In-Any-Dictionary", "x", "dictionary does not contain it"),
    ("Tmp-String-0", "x", "cannot be sent in a packet"),
    ("Session-Timeout", "soon", "Session-Timeout"),
    ("Framed-IP-Address", "everywhere.invalid", "Framed-IP-Address"),
    ("Filter-Id:3", "x", "accepts no tag"),
    ("Tunnel-Private-Group-Id:32", "x", "tags are 1 to 31"),
])
def test_refused_when_loaded(tmp_path: Path, pki_index: dict[str, Any], name: str, value: str,
                             why: str) -> None:
    wrong = policy("vpn")
    wrong["rules"][1]["actions"]["reply"]["attributes"].append({"name": name, "value": value})
    with Sim.start(tmp_path / "sim") as sim:
        site = sites.Site(tmp_path / "site", sim, pki_index, policies=[wrong])
        checked = rad.Radius(tmp_path / "raddb", site).check()
    assert checked.returncode != 0
    line = next(x for x in checked.stdout.splitlines() if "reply attribute" in x)
    assert 'rule "Trusted"' in line and name in line and why in line


# --- remembered MFA ----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory,
             pki_index: dict[str, Any]) -> Iterator[World]:
    policies = [policy("vpn", "ONCE_PER_SESSION", "STATION"),
                policy("wifi", "ONCE_A_DAY")]
    with rad.start_world(tmp_path_factory.mktemp("sessions"), pki_index, policies=policies,
                         replace=SERVER_SAYS,
                         settings={"mfa": {"wait_wifi": "8s", "push_limit": "100"}}) as made:
        yield made


def test_once_per_session(sessions: World) -> None:
    user = sessions.person("per-session", PUSH, push="approve")
    session = {"Acct-Session-Id": "0000A1"}

    def asked(**more: Any) -> bool:
        before = len(sessions.sim.pushes(user + "@example.com"))
        assert sessions.client(**{**session, **more}).login(user).code == rad.ACCEPT
        return len(sessions.sim.pushes(user + "@example.com")) > before

    assert asked()
    assert not asked() and not asked()
    assert asked(**{"Acct-Session-Id": "0000A2"})
    assert not asked()
    assert asked(**{"NAS-Identifier": "gateway-2"}), "the same number at another gateway"
    assert asked(**{"Calling-Station-Id": "198.51.100.8"}), "another station in the session"
    assert asked(**{"Acct-Session-Id": []}), "no session: every sign-on"
    assert asked(**{"Acct-Session-Id": []})
    sessions.outcome(user, "MFA_REMEMBERED", 3)


def test_the_rule_takes_the_place_of_the_server(sessions: World) -> None:
    """Of what the rule names; the rest stays."""
    user = sessions.person("replaced", PUSH, push="approve")
    client = sessions.client(**{"Acct-Session-Id": "0000C1"})
    assert client.login(user).code == rad.ACCEPT
    reply = client.login(user)
    sessions.outcome(user, "MFA_REMEMBERED")
    assert values(reply, TIMEOUT) == [b"\0\0\0\x3c"]
    assert values(reply, FILTER) == [b"everybody"]


def test_a_session_of_another_person(sessions: World) -> None:
    first, second = (sessions.person(name, PUSH, push="approve") for name in ("ses-a", "ses-b"))
    for user in (first, second):
        assert sessions.client(**{"Acct-Session-Id": "0000B1"}).login(user).code == rad.ACCEPT
        sessions.outcome(user, "MFA_SUCCESS")


def test_once_a_day_with_the_device_key(sessions: World) -> None:
    """Not compliant, so asked once; the second time the same key is enough, another is not."""
    user = sessions.person("daily", PUSH, push="approve", after=0.2)
    for device, cause, count in (("san-two-uris", "MFA_SUCCESS", 1),
                                 ("san-two-uris", "MFA_REMEMBERED", 1),
                                 ("san-upper-case", "MFA_SUCCESS", 2)):
        certificate = sessions.pki["devices"][device]
        sessions.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
        end = rad.eap_tls(sessions.radius, user, certificate, station=station())
        assert end.success, end.output[-3000:]
        sessions.outcome(user, cause, count)
        assert eap_vlan(end.output) == str(QUARANTINE)


# --- forgetting --------------------------------------------------------------------------------

def forget(world: World, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(rad.BUILD / "devtrustctl"), "forget", "-c",
                           str(world.site.config_path), *options], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)


def test_forget_while_the_server_runs(sessions: World) -> None:
    user = sessions.person("forgotten", PUSH, push="approve")
    client = sessions.client(**{"Acct-Session-Id": "0000F1"})
    assert client.login(user).code == rad.ACCEPT
    assert client.login(user).code == rad.ACCEPT
    sessions.outcome(user, "MFA_REMEMBERED", 1)
    for others in (("--user", "somebody"), ("--user", user, "--application", "wifi"),
                   ("--device", "8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f")):
        done = forget(sessions, *others)
        assert done.returncode == 1 and "0 forgotten" in done.stdout, done.stdout
    done = forget(sessions, "--user", user, "--application", "vpn")
    assert done.returncode == 0 and "1 forgotten" in done.stdout, done.stdout
    deadline = time.monotonic() + 30
    while len(sessions.outcomes(user, "MFA_SUCCESS")) < 2:
        assert time.monotonic() < deadline, "the server still remembers"
        assert client.login(user).code == rad.ACCEPT


@pytest.mark.parametrize("options", [(), ("--all", "--user", "ann"), ("--user", ""), ("ann",),
                                     ("--all", "--all"), ("--user",)])
def test_forget_wants_to_know_whose(sessions: World, options: tuple[str, ...]) -> None:
    assert forget(sessions, *options).returncode == 2
