# SPDX-License-Identifier: GPL-2.0-or-later
# The VPN door on a real FreeRADIUS, configured by the shipped samples: trusted devices, passcodes
# by challenge, pushes that are waited for without a thread.
"""FreeRADIUS with rlm_devtrust: password logins."""

from __future__ import annotations

import os
import secrets
import signal
import sqlite3
import subprocess
import threading
import time
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.matrix import cell
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune, certificate+intune"},
            "mfa": {"wait_vpn": "12s", "push_limit": "6", "passcode_attempts": "3"},
            "okta": {"poll_interval": "1s"},  # for five hundred who wait at once
            "message NOT_COMPLIANT": {"android": "Caf\u00e9: {device} is off. " + "x" * 160,
                                      "text": "Call {device} in: {link}"}}
PUSH, TOTP = "push", "token:software:totp"
PAP = "a gateway with PAP"  # the suite's own client


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("vpn")
    with rad.start_world(directory, pki_index, settings=SETTINGS) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def device_pairs(device_id: str) -> list[str]:
    return ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + device_id]


# --- trusted devices ---------------------------------------------------------------------------

@cell("radius", PAP, "trusted")
def test_trusted_device_needs_no_mfa(world: World) -> None:
    user = world.person("trudy", PUSH, TOTP)
    device = world.sim.enrol_device(user="trudy@example.com")["id"]
    okta = world.sim.count("okta.total")
    for count in (1, 2):
        reply = world.client().login(user, Cisco_AVPair=device_pairs(device))
        assert reply.code == ACCEPT, reply
        event = world.outcome(user, "RULE_ALLOW", count)
        assert event["verdict"] == "TRUSTED"
        assert event["evidence"] == "intune+vpn-client" or event["evidence"] == "vpn-client+intune"
        assert event["rule"] == "Device Trust = Trusted. No need to check for MFA."
        assert event["oktaCalls"] == 0
        # Asked once; the second login has the answer in the cache.
        assert event["graphCalls"] == (1 if count == 1 else 0)
    assert world.sim.count("okta.total") == okta


def test_noncompliant_device_is_asked(world: World) -> None:
    user = world.person("nora", TOTP)
    device = world.sim.enrol_device(compliance="noncompliant")["id"]
    reply = world.client().login(user, Cisco_AVPair=device_pairs(device))
    assert reply.code == CHALLENGE, reply
    done = world.client().login(user, world.passcode(user), reply.state)
    assert done.code == ACCEPT, done
    event = world.outcome(user, "MFA_SUCCESS")
    assert event["verdict"] == "NOT_TRUSTED"
    assert event["deviceReason"] == "NOT_COMPLIANT"


def test_what_is_told_of_the_device_goes_by_its_platform(world: World) -> None:
    """In the Reply-Message; its name is nothing for somebody who only claims to be on it."""
    user = world.person("nadia", TOTP)
    phone = world.sim.enrol_device(user="nadia@example.com", operatingSystem="Android",
                                   deviceName="PHONE-1", compliance="noncompliant")["id"]
    reply = world.client().login(user, Cisco_AVPair=["mdm-tlv=device-platform=android",
                                                     "mdm-tlv=device-uid=" + phone])
    assert reply.code == CHALLENGE, reply
    assert reply.message.startswith(
        "Okta Verify passcode. Caf\u00e9: this device is off. xxx"), reply
    laptop = world.sim.enrol_device(user="nadia@example.com", operatingSystem="Windows",
                                    deviceName="LAPTOP-1", compliance="noncompliant")["id"]
    reply = world.client().login(user, Cisco_AVPair=device_pairs(laptop))
    assert reply.code == CHALLENGE, reply
    assert "passcode. Call this device in: https://enrollment.manage." in reply.message, reply


@pytest.mark.parametrize("asserted", ["not-a-guid", "0" * 200, "", "A" * 36])
def test_nonsense_about_the_device_is_no_evidence(world: World, asserted: str) -> None:
    user = world.person("nick" + secrets.token_hex(3), TOTP)
    pairs = ["mdm-tlv=device-uid=" + asserted]
    reply = world.client().login(user, Cisco_AVPair=pairs)
    assert reply.code == CHALLENGE, reply


def test_wrong_password_reaches_nobody(world: World) -> None:
    user = world.person("wally", PUSH, TOTP, push="approve")
    device = world.sim.enrol_device(user="wally@example.com")["id"]
    before = world.sim.count("okta.total") + world.sim.count("graph.device")
    reply = world.client().login(user, "wrong password", Cisco_AVPair=device_pairs(device))
    assert reply.code == REJECT, reply
    assert world.sim.count("okta.total") + world.sim.count("graph.device") == before


def test_radclient_sees_the_same(world: World) -> None:
    user = world.person("rita", TOTP)
    output = rad.radclient(world.radius.vpn_port, {
        "User-Name": user, "User-Password": rad.PASSWORD, "NAS-Identifier": "gateway-1",
        "Message-Authenticator": "0x00"})
    assert "Received Access-Challenge" in output
    assert "Reply-Message" in output and "State" in output


# --- challenges --------------------------------------------------------------------------------

@cell("radius", PAP, "passcode")
def test_passcode_by_challenge(world: World) -> None:
    user = world.person("alice", TOTP)
    first = world.client().login(user)
    assert first.code == CHALLENGE, first
    assert "passcode" in first.message.lower()
    done = world.client().login(user, world.passcode(user), first.state)
    assert done.code == ACCEPT, done
    event = world.outcome(user, "MFA_SUCCESS")
    assert event["factor"] == TOTP
    assert event["rule"] == "Device Trust = Not Trusted. Check for MFA."


def test_wrong_passcodes_are_used_up(world: World) -> None:
    user = world.person("wendy", TOTP)
    reply = world.client().login(user)
    for _ in range(2):
        assert reply.code == CHALLENGE, reply
        reply = world.client().login(user, "000000", reply.state)
    assert reply.code == CHALLENGE, reply
    state = reply.state
    reply = world.client().login(user, "000000", state)
    assert reply.code == REJECT, reply
    assert world.outcome(user, "MFA_FAILED")["factor"] == TOTP
    # And the last State is worth nothing any more, whatever is typed.
    reply = world.client().login(user, world.passcode(user), state)
    assert reply.code == REJECT, reply
    assert "used before" in world.outcome(user, "STATE_INVALID")["detail"]


def test_right_passcode_after_a_wrong_one(world: World) -> None:
    user = world.person("rick", TOTP)
    reply = world.client().login(user)
    reply = world.client().login(user, "000000", reply.state)
    assert reply.code == CHALLENGE, reply
    assert world.client().login(user, world.passcode(user), reply.state).code == ACCEPT


def test_state_is_used_once(world: World) -> None:
    user = world.person("una", TOTP)
    state = world.client().login(user).state
    assert world.client().login(user, world.passcode(user), state).code == ACCEPT
    for _ in range(3):
        reply = world.client().login(user, world.passcode(user), state)
        assert reply.code == REJECT, reply
    assert world.outcome(user, "STATE_INVALID", 3)["detail"] == "State was used before"


def test_state_is_used_once_by_two_at_once(world: World) -> None:
    user = world.person("tom", TOTP)
    state = world.client().login(user).state
    code = world.passcode(user)
    asked = world.sim.count("okta.verify")
    pending = [world.client().start(user, code, state) for _ in range(8)]
    codes = [p.wait().code for p in pending]
    assert codes == [ACCEPT] * 8  # one answer, sent again: one sign-on
    assert world.sim.count("okta.verify") == asked + 1
    assert len(world.outcomes(user, "MFA_SUCCESS")) == 1
    state = world.client().login(user).state
    pending = [world.client().start(user, world.passcode(user) if i == 3 else f"00000{i}", state)
               for i in range(8)]
    assert sorted(p.wait().code for p in pending)[-7:].count(ACCEPT) == 0
    world.outcome(user, "STATE_INVALID", 7)


@pytest.mark.parametrize("who", ["user", "nas", "station", "case"])
def test_state_of_somebody_else(world: World, who: str) -> None:
    owner = world.person("owner-" + who, TOTP)
    other = world.person("other-" + who, TOTP)
    state = world.client().login(owner).state
    code = world.passcode(other if who == "user" else owner)
    user, more = owner, {}
    if who == "user":
        user = other
    elif who == "nas":
        more = {"NAS-Identifier": "gateway-2"}
    elif who == "station":
        more = {"Calling-Station-Id": "198.51.100.8"}
    else:
        user = owner.upper()
    reply = world.client(**more).login(user, code, state)
    assert reply.code == REJECT, reply
    assert "somebody else" in world.outcome(user, "STATE_INVALID")["detail"]
    # Whoever it belongs to can still use it: an attacker does not burn it.
    assert world.client().login(owner, world.passcode(owner), state).code == ACCEPT


def test_tampered_state(world: World) -> None:
    user = world.person("tamara", TOTP)
    state = world.client().login(user).state
    code = world.passcode(user)
    changed = [state[:i] + bytes([state[i] ^ 1]) + state[i + 1:] for i in range(len(state))]
    changed += [state[:-1], state + b"\0", state[:20], b"\0" * len(state), state * 2,
                secrets.token_bytes(16), b"x"]
    for bad in changed:
        reply = world.client().login(user, code, bad)
        assert reply.code == REJECT, (bad, reply)
    causes = {e["debugContext"]["debugData"]["cause"] for e in world.outcomes(user)}
    assert causes <= {"STATE_INVALID", "PRIMARY_MISSING", "MFA_SUCCESS"}
    assert "MFA_SUCCESS" not in causes
    assert world.client().login(user, code, state).code == ACCEPT


def test_two_states_in_one_request(world: World) -> None:
    user = world.person("twain", TOTP)
    state = world.client().login(user).state
    code = world.passcode(user)
    for others in ([state], [secrets.token_bytes(16)]):
        attributes = [("User-Name", user), ("User-Password", code), ("State", state),
                      ("NAS-Identifier", "gateway-1"), ("Calling-Station-Id", "198.51.100.7")]
        attributes += [("State", s) for s in others]
        reply = world.client().request(attributes).send().wait()
        assert reply.code == REJECT, reply
    assert "more than one State" in world.outcome(user, "STATE_INVALID", 2)["detail"]


def test_state_without_a_password(world: World) -> None:
    user = world.person("pete", TOTP)
    state = world.client().login(user).state
    attributes = [("User-Name", user), ("State", state), ("NAS-Identifier", "gateway-1"),
                  ("Calling-Station-Id", "198.51.100.7")]
    reply = world.client().request(attributes).send().wait()
    assert reply.code == REJECT, reply
    assert "User-Password" in world.outcome(user, "STATE_INVALID")["detail"]
    # It was not used up by that.
    assert world.client().login(user, world.passcode(user), state).code == ACCEPT


def test_answers_of_every_length(world: World) -> None:
    user = world.person("lena", TOTP)
    for answer in ("", " ", "1", "1" * 128, "12 34 5", "\N{SNOWMAN}" * 40, "123456\0"):
        reply = world.client().login(user)
        assert reply.code == CHALLENGE, reply
        reply = world.client().login(user, answer.encode()[:128], reply.state)
        assert reply.code in (CHALLENGE, REJECT), (answer, reply)


# --- pushes ------------------------------------------------------------------------------------

@cell("radius", PAP, "push")
def test_push_approved(world: World) -> None:
    user = world.person("paula", PUSH, push="approve", after=1.0)
    reply = world.client().login(user)
    assert reply.code == ACCEPT, reply
    assert reply.elapsed >= 1.0
    event = world.outcome(user, "MFA_SUCCESS")
    assert event["factor"] == PUSH and event["oktaCalls"] >= 2 and event["polls"] >= 1
    # Newer servers complain about a home server that is not told to require it.
    assert "BlastRADIUS" not in world.radius.log_text()


@cell("radius", PAP, "denied")
def test_push_denied(world: World) -> None:
    user = world.person("dora", PUSH, push="deny", after=0.5)
    reply = world.client().login(user)
    assert reply.code == REJECT, reply
    assert world.outcome(user, "MFA_REJECTED")["factor"] == PUSH


def test_push_times_out_at_okta(world: World) -> None:
    user = world.person("tim", PUSH, push="timeout", after=1.0)
    reply = world.client().login(user)
    assert reply.code == REJECT, reply
    world.outcome(user, "MFA_TIMEOUT")


def test_push_ignored_ends_in_time_and_is_cancelled(world: World) -> None:
    user = world.person("igor", PUSH, push="ignore")
    cancels = world.sim.count("okta.cancel")
    reply = world.client().login(user)
    assert reply.code == REJECT, reply
    assert 10.0 < reply.elapsed < 20.0
    world.outcome(user, "MFA_TIMEOUT")
    assert world.sim.count("okta.cancel") == cancels + 1


def test_push_answered_for_another_factor(world: World) -> None:
    user = world.person("olga", PUSH, push="other_factor", after=0.5)
    reply = world.client().login(user)
    assert reply.code == REJECT, reply
    assert not world.outcomes(user, "MFA_SUCCESS")


def test_retransmits_send_one_push(world: World) -> None:
    user = world.person("ross", PUSH, push="manual")
    pending = world.client().start(user)
    world.sim.wait_push(user + "@example.com")
    for _ in range(5):
        assert pending.send().poll(0.3) is None
    assert len(world.sim.pushes(user + "@example.com")) == 1
    world.sim.approve(user + "@example.com")
    assert pending.wait().code == ACCEPT
    assert len(world.sim.pushes(user + "@example.com")) == 1


def test_another_packet_joins_the_push(world: World) -> None:
    user = world.person("nina", PUSH, push="manual")
    pending = [world.client().start(user)]
    world.sim.wait_push(user + "@example.com")
    pending += [world.client().start(user) for _ in range(3)]
    for late in pending[1:]:
        assert late.poll(0.7) is None
    assert len(world.sim.pushes(user + "@example.com")) == 1
    world.sim.approve(user + "@example.com")
    assert [p.wait().code for p in pending] == [ACCEPT] * 4
    assert len(world.sim.pushes(user + "@example.com")) == 1


def test_another_place_gets_no_push_meanwhile(world: World) -> None:
    """Whoever knows the password must not ride on the owner's approval, nor make the phone ring."""
    user = world.person("mallory", PUSH, push="manual")
    here = world.client().start(user)
    world.sim.wait_push(user + "@example.com")
    for there in ({"Calling-Station-Id": "203.0.113.9"}, {"Calling-Station-Id": "203.0.113.10"},
                  {"Calling-Station-Id": "203.0.113.9", "NAS-Identifier": "gateway-2"}):
        assert world.client(**there).login(user).code == REJECT
    world.outcome(user, "MFA_PUSH_PENDING", 3)
    world.sim.approve(user + "@example.com")
    assert here.wait().code == ACCEPT
    assert len(world.sim.pushes(user + "@example.com")) == 1


def test_the_same_place_joins_by_another_gateway(world: World) -> None:
    """A fail-over: the same sign-on comes by another NAS."""
    user = world.person("failan", PUSH, push="manual")
    first = world.client().start(user)
    world.sim.wait_push(user + "@example.com")
    second = world.client(**{"NAS-Identifier": "gateway-2"}).start(user)
    assert second.poll(0.7) is None
    world.sim.approve(user + "@example.com")
    assert [first.wait().code, second.wait().code] == [ACCEPT] * 2
    assert len(world.sim.pushes(user + "@example.com")) == 1


def test_without_a_place_nobody_joins(world: World) -> None:
    user = world.person("noel", PUSH, push="manual")
    nowhere = world.radius.client(NAS_Identifier="gateway-1")
    first = nowhere.start(user)
    world.sim.wait_push(user + "@example.com")
    assert nowhere.login(user).code == REJECT
    world.outcome(user, "MFA_PUSH_PENDING")
    world.sim.approve(user + "@example.com")
    assert first.wait().code == ACCEPT


def test_a_denied_push_is_the_last_for_a_while(world: World) -> None:
    user = world.person("dena", PUSH, push="deny")
    login = user + "@example.com"
    assert world.client().login(user).code == REJECT
    world.outcome(user, "MFA_REJECTED")
    for i in range(4):
        place = {"Calling-Station-Id": f"203.0.113.{i}"}
        assert world.client(**place).login(user).code == REJECT
    world.outcome(user, "MFA_PUSH_PAUSED", 4)
    assert len(world.sim.pushes(login)) == 1
    # A passcode lets in all the same, and ends no pause; an administrator does.
    world.sim.add_factor(login, TOTP)
    asked = world.client(**{"Calling-Station-Id": "203.0.113.7"}).login(user)
    assert asked.code == CHALLENGE and "denied" in asked.message
    reply = world.client(**{"Calling-Station-Id": "203.0.113.7"}).login(
        user, world.passcode(user), state=asked.state)
    assert reply.code == ACCEPT, reply
    assert world.client(**{"Calling-Station-Id": "203.0.113.8"}).login(user).code == CHALLENGE
    assert len(world.sim.pushes(login)) == 1
    forget(world, user)
    world.sim.set_push(login, "approve")
    assert world.client().login(user).code == ACCEPT
    assert len(world.sim.pushes(login)) == 2


def forget(world: World, user: str) -> None:
    ctl = subprocess.run([os.environ["DEVTRUST_BUILD"] + "/devtrustctl", "forget", "--limits",
                          "--user", user, "-c", str(world.site.config_path)],
                         capture_output=True, text=True, timeout=60)
    assert ctl.returncode == 0, ctl.stderr


def challenges(world: World, user: str, count: int) -> "list[tuple[Any, bytes]]":
    """That many sign-ons, each of which waits for a passcode; from places of their own."""
    asked = []
    for i in range(count):
        client = world.client(**{"Calling-Station-Id": f"203.0.113.{i}"})
        reply = client.login(user)
        assert reply.code == CHALLENGE, reply
        asked.append((client, reply.state))
    return asked


def test_passcodes_are_limited_over_all_sign_ons(world: World) -> None:
    """Guesses at once over many sign-ons: four reach Okta, and then not even the right one does."""
    user = world.person("gus", TOTP)
    login = user + "@example.com"
    before = world.sim.count("okta.verify")
    guesses = [client.start(user, f"{i:06}", state=state)
               for i, (client, state) in enumerate(challenges(world, user, 16))]
    assert {g.wait().code for g in guesses} <= {REJECT, CHALLENGE}
    assert world.sim.count("okta.verify") - before == 4
    world.outcome(user, "MFA_PASSCODE_LIMIT", 12)
    [(client, state)] = challenges(world, user, 1)
    assert client.login(user, world.passcode(user), state=state).code == REJECT
    world.outcome(user, "MFA_PASSCODE_LIMIT", 13)
    assert world.sim.count("okta.verify") - before == 4
    # A push still works, and begins anew.
    world.sim.add_factor(login, PUSH)
    world.sim.set_push(login, "approve")
    assert world.client().login(user).code == ACCEPT
    world.sim.set_push(login, "timeout")
    for factor in world.sim.user(login)["factors"]:
        if factor["type"] == PUSH:
            world.sim.remove_factor(login, factor["id"])
    [(client, state)] = challenges(world, user, 1)
    assert client.login(user, world.passcode(user), state=state).code == ACCEPT
    # So does the administrator.
    for i, (client, state) in enumerate(challenges(world, user, 5)):
        assert client.login(user, f"1{i:05}", state=state).code in (REJECT, CHALLENGE)
    world.outcome(user, "MFA_PASSCODE_LIMIT", 14)
    forget(world, user)
    [(client, state)] = challenges(world, user, 1)
    assert client.login(user, world.passcode(user), state=state).code == ACCEPT


def test_open_challenges_of_one_person_are_bounded(world: World) -> None:
    user = world.person("opal", TOTP)
    asked = challenges(world, user, 20)
    with sqlite3.connect(f"file:{world.site.store_path}?mode=ro", uri=True) as store:
        owners = [key.split(":")[0] for (key,) in
                  store.execute("SELECT key FROM rows WHERE tbl = 6")]
    assert max(owners.count(o) for o in owners) == 16
    client, state = asked[0]
    assert client.login(user, world.passcode(user), state=state).code == REJECT
    world.outcome(user, "STATE_INVALID")
    client, state = asked[-1]
    assert client.login(user, world.passcode(user), state=state).code == ACCEPT


def test_push_limit(world: World) -> None:
    user = world.person("lana", PUSH, push="timeout")
    for i in range(6):
        place = {"Calling-Station-Id": f"203.0.113.{i}"}
        assert world.client(**place).login(user).code == REJECT
    assert world.outcome(user, "MFA_TIMEOUT", 6)
    for i in range(3):
        reply = world.client(**{"Calling-Station-Id": "203.0.113.99"}).login(user)
        assert reply.code == REJECT, reply
    world.outcome(user, "MFA_PUSH_LIMIT", 3)
    assert len(world.sim.pushes(user + "@example.com")) == 6


def test_no_factor(world: World) -> None:
    user = world.person("nobody")
    assert world.client().login(user).code == REJECT
    world.outcome(user, "MFA_NO_FACTOR")


@pytest.mark.parametrize("status, cause", [
    ("SUSPENDED", "OKTA_USER_SUSPENDED"), ("LOCKED_OUT", "MFA_LOCKED"),
    ("DEPROVISIONED", "OKTA_USER_DEACTIVATED"), ("STAGED", "OKTA_USER_NOT_ACTIVATED")])
def test_user_not_active(world: World, status: str, cause: str) -> None:
    user = world.person("was-" + status.lower(), PUSH, TOTP, push="approve", status=status)
    assert world.client().login(user).code == REJECT
    world.outcome(user, cause)


def test_user_unknown_to_okta(world: World) -> None:
    assert world.client().login("stranger").code == REJECT
    world.outcome("stranger", "OKTA_USER_UNKNOWN")


def test_five_hundred_wait_and_others_are_quick(world: World) -> None:
    count = 500
    users = [world.person(f"many{i}", PUSH, push="manual") for i in range(count)]
    quick = world.person("quick", PUSH)
    device = world.sim.enrol_device(user="quick@example.com")["id"]
    pairs = device_pairs(device)
    assert world.client().login(quick, Cisco_AVPair=pairs).code == ACCEPT
    before = world.radius.threads()
    pending = [world.client().start(user) for user in users]
    pushes = world.sim.wait_push(count=count, timeout=60.0)
    assert len(pushes) >= count
    times = []
    for _ in range(200):
        reply = world.client().login(quick, Cisco_AVPair=pairs)
        assert reply.code == ACCEPT, reply
        times.append(reply.elapsed)
    times.sort()
    # Generous: what is shown is that nobody waits for a thread that waits for a person.
    assert times[len(times) * 99 // 100] < 1.0, times[-10:]
    assert world.radius.threads() <= before + 27, "the pool grew with the waiting requests"
    for user in users:
        world.sim.set_push(user + "@example.com", "approve")
    answers = []
    for user in users:
        world.sim.approve(user + "@example.com")
    answers = [p.wait(60.0).code for p in pending]
    assert answers.count(ACCEPT) == count, {c: answers.count(c) for c in set(answers)}


# --- hostile and odd requests ------------------------------------------------------------------

@pytest.mark.parametrize("name", [
    b"nul\0name", b"nul\0", b"\0", b"x" * 253, b"%{User-Password}", b"%{control:Foo}",
    b"../../etc/passwd", b"a/b", b"\xff\xfe", b"\x1b[31mred", b"\"quoted\"", b"back\\slash",
    b"new\nline", b"' OR 1=1 --", "\N{RIGHT-TO-LEFT OVERRIDE}eve".encode()])
def test_hostile_names(world: World, name: bytes) -> None:
    attributes = [("User-Name", name), ("User-Password", rad.PASSWORD),
                  ("NAS-Identifier", "gateway-1"), ("Calling-Station-Id", "198.51.100.7")]
    reply = world.client().request(attributes).send().wait()
    assert reply.code == REJECT, reply
    assert rad.PASSWORD not in world.site.audit_path.read_text()


@pytest.mark.parametrize("place", [b"nul\0", b"\xff" * 253, b"x" * 253, b"%{User-Name}"])
def test_hostile_places(world: World, place: bytes) -> None:
    user = world.person("placed" + secrets.token_hex(3), TOTP)
    for attribute in ("Calling-Station-Id", "NAS-Identifier"):
        reply = world.client(**{attribute: place}).login(user)
        assert reply.code in (REJECT, CHALLENGE), reply


@pytest.mark.parametrize("name", ["o\"brien", "o'brien", "\N{LATIN SMALL LETTER E WITH ACUTE}mile",
                                  "50%{off}", "a,b=c"])
def test_odd_names_are_kept_as_they_are(world: World, name: str) -> None:
    world.person(name, TOTP)
    reply = world.client().login(name)
    assert reply.code == CHALLENGE, reply  # Okta knows exactly this name
    assert world.client().login(name, world.passcode(name), reply.state).code == ACCEPT


# --- life --------------------------------------------------------------------------------------

def test_hup_keeps_everything(world: World) -> None:
    user = world.person("hugo", PUSH, push="manual")
    pending = world.client().start(user)
    world.sim.wait_push(user + "@example.com")
    assert world.radius.process is not None
    world.radius.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while "HUP" not in world.radius.log_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    other = world.person("helen", TOTP)
    assert world.client().login(other).code == CHALLENGE
    world.sim.approve(user + "@example.com")
    assert pending.wait().code == ACCEPT


def test_logins_from_many_threads(world: World) -> None:
    user = world.person("crowd", TOTP)
    device = world.sim.enrol_device(user="crowd@example.com")["id"]
    codes: list[int] = []
    lock = threading.Lock()

    def run(number: int) -> None:
        client = world.client(**{"Calling-Station-Id": f"198.51.100.{number}"})
        for i in range(25):
            pairs = device_pairs(device) if i % 2 else []
            code = client.login(user, Cisco_AVPair=pairs).code
            with lock:
                codes.append(code)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count(ACCEPT) == 8 * 12 and codes.count(CHALLENGE) == 8 * 13


def test_no_secret_is_in_the_logs(world: World) -> None:
    token = world.site.okta_token_path.read_text().strip()
    for text in (world.radius.log_text(), world.site.audit_path.read_text()):
        assert rad.PASSWORD not in text
        assert token not in text
