# SPDX-License-Identifier: GPL-2.0-or-later
# What gateways do after a sign-on, and what their clients send in place of an answer: accounting,
# the person's name in the Accept, re-authentication in the same session, passcodes in the password.
# With a small client here; with OpenVPN and strongSwan in files of their own.
"""FreeRADIUS with rlm_devtrust: accounting, sessions of a gateway, passcodes that came along."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import time
from typing import Any, Iterator

import pytest

from tests.integration.test_radius_reply import station
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

PUSH, TOTP = "push", "token:software:totp"
POLICIES = [sites.guide_policy("vpn"), sites.guide_policy("wifi")]
SLOW = bool(os.environ.get("DEVTRUST_SLOW"))
START, STOP, INTERIM = 1, 2, 3
SESSION = {"Acct-Session-Id": "s-1"}
SETTINGS = {"mfa": {"wait_vpn": "12s", "wait_wifi": "8s", "push_limit": "1000",
                    "passcode_limit": "20", "push_pause": "0s"},
            "okta": {"user_ttl": "1s"}}
# An entry of its own in clients.conf that says which virtual server it is for, as access points
# and gateways get that can only use the usual ports.
ENTRIES = "".join(f"""
client entry-{i} {{
    ipaddr = 127.0.0.{4 + i}
    secret = {rad.SECRET.decode()}
    virtual_server = {server}
}}
""" for i, server in enumerate(("devtrust-wifi", "devtrust-ikev2")))


def name_policy(application: str) -> dict[str, Any]:
    made = sites.guide_policy(application)
    made["rules"].insert(0, sites.rule("Named", 0, "NOT_TRUSTED", frequency="EVERY_SIGN_ON",
                                       people={"users": {"include": ["named", "named-peap"]}}))
    made["rules"][0]["actions"]["reply"] = {
        "attributes": [{"name": "User-Name", "value": "the-rule"}]}
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("gateway"), pki_index, settings=SETTINGS,
                         extra=ENTRIES,
                         replace={"#append_passcode = yes": "append_passcode = yes"},
                         users={"same": "123456"},
                         policies=[name_policy("vpn"), name_policy("wifi")]) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def pushes(world: World, user: str) -> int:
    return len(world.sim.pushes(user + "@example.com"))


# --- accounting ----------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [START, INTERIM, STOP])
def test_accounting_is_answered(world: World, status: int) -> None:
    """Nothing is recorded, nobody signed on: the answer comes all the same."""
    for port in (world.radius.vpn_accounting_port, world.radius.wifi_accounting_port):
        client = world.radius.client(port, **{"NAS-Identifier": "gateway-1"})
        assert client.account(status, "ann", **SESSION)
        assert client.account(status, "ann")


@pytest.mark.parametrize("number", [0, 1])
def test_accounting_of_an_entry(world: World, number: int) -> None:
    """Where the entry in clients.conf names the virtual server, by the usual port."""
    done = subprocess.run(
        ["radclient", "-r", "1", "-t", "20", f"127.0.0.1:{world.radius.vpn_accounting_port}",
         "acct", rad.SECRET.decode()],
        input='Acct-Status-Type = Start, User-Name = "ann", Acct-Session-Id = "x", '
              f'Packet-Src-IP-Address = 127.0.0.{4 + number}\n',
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
    assert "Received Accounting-Response" in done.stdout, done.stdout + world.radius.log_text()


# --- who is inside -------------------------------------------------------------------------------

def network(world: World, method: str, user: str, outside: str = "anonymous") -> str:
    if method == "peap":
        made = rad.peap_network(world.radius, user, rad.PASSWORD)
    else:
        made = rad.ttls_network(world.radius, user, rad.PASSWORD)
        if method == "ttls-mschapv2":
            made = made.replace("auth=PAP", "auth=MSCHAPV2")
    return made.replace('anonymous_identity="anonymous"', f'anonymous_identity="{outside}"')


def names(end: rad.Eap) -> list[list[bytes]]:
    """The User-Names of each Access-Accept; eapol_test shows them in quotes."""
    return [[v.strip(b"'") for k, v in given if k == rad.ATTRIBUTES["User-Name"]]
            for code, given in end.packets if code == rad.ACCEPT]


@pytest.mark.parametrize("method", ["ttls", "ttls-mschapv2", "peap"])
def test_the_accept_names_the_person(world: World, method: str) -> None:
    """After a push and in resumed sessions, once each, and no other packet does."""
    user = world.person("inside-" + method, PUSH, push="approve", after=0.3)
    end = rad.eapol_test(world.radius, network(world, method, user), times=3, station=station())
    assert end.resumed and names(end) == [[user.encode()]] * 3, end.output[-3000:]
    assert all(rad.ATTRIBUTES["User-Name"] not in [k for k, _ in given]
               for code, given in end.packets if code in (rad.CHALLENGE, rad.REJECT))


@pytest.mark.parametrize("method", ["ttls", "peap"])
def test_the_same_name_outside(world: World, method: str) -> None:
    user = world.person("outside-" + method, PUSH, push="approve")
    end = rad.eapol_test(world.radius, network(world, method, user, user), station=station())
    assert names(end) == [[user.encode()]]


@pytest.mark.parametrize("method,user", [("ttls", "named"), ("peap", "named-peap")])
def test_the_name_of_a_rule_stays(world: World, method: str, user: str) -> None:
    world.person(user, PUSH, push="approve")
    end = rad.eapol_test(world.radius, network(world, method, user), station=station())
    assert names(end) == [[b"the-rule"]], end.output[-3000:]


PRIMARY = "\tprimary = certificate\n"
AFTER_PAP = ("\t\t\tpap\n\t\t\tif (ok) {\n\t\t\t\tupdate control {\n"
             "\t\t\t\t\t&DevTrust-Primary := \"Verified\"\n\t\t\t\t}\n\t\t\t\tdevtrust\n\t\t\t}\n")
ASKS_NOBODY = "wait = park\n\tprimary = control"


@pytest.mark.parametrize("copied", ["no", "yes"] if SLOW else ["no"])
def test_privacy(tmp_path: Any, pki_index: dict[str, Any], copied: str) -> None:
    """accept_user_name = no leaves the name to the server and to use_tunneled_reply."""
    inner = ('\tpost-auth {\n\t\tdevtrust_tunnel\n',
             '\tpost-auth {\n\t\tdevtrust_tunnel\n\t\tupdate reply {\n'
             '\t\t\t&User-Name := "of-the-tunnel"\n\t\t}\n')
    for setting, wanted in (("no", b"anonymous"), *([("yes", None)] if SLOW else [])):
        with rad.start_world(tmp_path / setting, pki_index, replace={
                "use_tunneled_reply = no": f"use_tunneled_reply = {copied}",
                PRIMARY: PRIMARY + f"\taccept_user_name = {setting}\n",
                inner[0]: inner[1]},
                policies=POLICIES) as world:
            user = world.person("private", PUSH, push="approve")
            end = rad.eapol_test(world.radius, network(world, "ttls", user), station=station())
            expected = b"of-the-tunnel" if copied == "yes" else (wanted or user.encode())
            assert names(end) == [[expected]], end.output[-3000:]


def test_eap_tls_has_one_name(world: World) -> None:
    user = world.person("device-name", PUSH, push="approve", after=0.2)
    end = rad.eap_tls(world.radius, user, world.pki["devices"]["device-p384"], times=2,
                      station=station())
    assert names(end) == [[user.encode()]] * 2


def test_a_refusal_names_nobody(world: World) -> None:
    user = world.person("not-named", PUSH, push="deny")
    end = rad.eapol_test(world.radius, network(world, "ttls", user), station=station())
    assert not end.success and user.encode() not in [
        v.strip(b"'") for code, given in end.packets if code != 1 for _, v in given]


# --- a session asks once -------------------------------------------------------------------------

def put_policy(world: World, policy: dict[str, Any]) -> None:
    """In force when it returns."""
    count = len(world.site.reloads("SUCCESS"))
    world.site.set_policy(policy)
    world.site.wait_reload("SUCCESS", count + 1)


@contextlib.contextmanager
def other_policy(world: World, policy: dict[str, Any]) -> Iterator[None]:
    """Another policy for a while."""
    put_policy(world, policy)
    try:
        yield
    finally:
        put_policy(world, name_policy("vpn"))


def signs_on(world: World, user: str, **place: Any) -> rad.Reply:
    return world.client(**{**SESSION, **place}).login(user)


def asks_once(world: World, user: str) -> None:
    world.person(user, PUSH, push="approve", after=0.3)
    for _ in range(4):
        assert signs_on(world, user).code == ACCEPT
    assert pushes(world, user) == 1
    event = world.outcome(user, "MFA_REMEMBERED", 3)
    assert "session of the NAS" in event["detail"] and event["factor"] == PUSH


def test_a_session_asks_once(world: World) -> None:
    asks_once(world, "once-each-time")


def test_a_session_asks_once_per_session(world: World) -> None:
    with other_policy(world, sites.guide_policy("vpn", "ONCE_PER_SESSION")):
        asks_once(world, "once-per-session")


def test_after_a_passcode_by_challenge(world: World) -> None:
    user = world.person("once-passcode", TOTP)
    client = world.client(**SESSION)
    asked = client.login(user)
    assert asked.code == CHALLENGE
    assert client.login(user, world.passcode(user), state=asked.state).code == ACCEPT
    before = world.sim.count("okta.verify")
    assert client.login(user).code == ACCEPT and world.sim.count("okta.verify") == before
    world.outcome(user, "MFA_REMEMBERED")


def test_in_full_handshakes(world: World) -> None:
    """Of 802.1X, where the TLS session is not resumed and the access point goes on with its own."""
    user = world.person("once-ttls", PUSH, push="approve", after=0.2)
    place = station()
    for _ in range(2):
        with rad.Supplicant(world.radius, network(world, "ttls", user), times=1,
                            station=place, more=["-N", "44:s:wifi-session"]) as one:
            assert one.finish().success
    assert pushes(world, user) == 1
    world.outcome(user, "MFA_REMEMBERED")


def test_another_device_in_the_session(world: World) -> None:
    """By EAP-TLS a person is who the device says: one with another key is asked."""
    user = world.person("once-tls", PUSH, push="approve", after=0.2)
    place = station()
    for device, asked in (("device-p384", 1), ("device-p384", 1), ("device-ed25519", 2)):
        made = rad.tls_network(world.radius, user, world.pki["devices"][device])
        with rad.Supplicant(world.radius, made, times=1, station=place,
                            more=["-N", "44:s:tls-session"]) as one:
            assert one.finish().success
        assert pushes(world, user) == asked, device


ELSEWHERE = {
    "another session": {"Acct-Session-Id": "s-2"},
    "no session": {"Acct-Session-Id": []},
    "another gateway": {"NAS-Identifier": "gateway-2"},
    "another station": {"Calling-Station-Id": "198.51.100.8"},
    "no station": {"Calling-Station-Id": []},
    "a longer name": {"Acct-Session-Id": "s-11"},
}


@pytest.mark.parametrize("place", ELSEWHERE)
def test_another_session_is_asked(world: World, place: str) -> None:
    user = world.person("else-" + place.replace(" ", "-"), PUSH, push="approve", after=0.1)
    assert signs_on(world, user).code == ACCEPT
    assert signs_on(world, user, **ELSEWHERE[place]).code == ACCEPT
    assert pushes(world, user) == 2


def test_without_a_name_there_is_no_session(world: World) -> None:
    user = world.person("else-empty", PUSH, push="approve", after=0.1)
    for empty in ([], [], ""):
        assert world.client(**{"Acct-Session-Id": empty}).login(user).code == ACCEPT
    assert pushes(world, user) == 3


def test_another_person_in_the_session(world: World) -> None:
    """Also one whose name begins alike; the owner goes on after it."""
    owner = world.person("owner", PUSH, push="approve", after=0.1)
    other = world.person("owner2", PUSH, push="approve", after=0.1)
    assert signs_on(world, owner).code == ACCEPT
    assert signs_on(world, other).code == ACCEPT and pushes(world, other) == 1
    assert signs_on(world, owner).code == ACCEPT


def test_the_same_person_under_another_name(world: World) -> None:
    user = world.person("names", PUSH, push="approve", after=0.1)
    assert signs_on(world, user).code == ACCEPT
    assert signs_on(world, user.upper() + "@EXAMPLE.com").code == ACCEPT
    assert pushes(world, user) == 1


def test_the_password_is_checked(world: World) -> None:
    user = world.person("checked", PUSH, push="approve", after=0.1)
    assert signs_on(world, user).code == ACCEPT
    assert world.client(**SESSION).login(user, "wrong").code == REJECT
    assert len(world.outcomes(user)) == 1


def test_after_its_stop_it_is_asked(world: World) -> None:
    user = world.person("stopped", PUSH, push="approve", after=0.1)
    assert signs_on(world, user).code == ACCEPT
    account = world.accounting(**SESSION)
    assert account.account(START, user) and account.account(INTERIM, user)
    assert signs_on(world, user).code == ACCEPT and pushes(world, user) == 1
    # The Stop of another session, and of the same name at another gateway, is none of this one.
    assert account.account(STOP, user, Acct_Session_Id="s-9")
    assert account.account(STOP, user, NAS_Identifier="gateway-2")
    assert signs_on(world, user).code == ACCEPT and pushes(world, user) == 1
    # Whatever name the gateway accounts under.
    assert account.account(STOP, "anonymous")
    assert signs_on(world, user).code == ACCEPT and pushes(world, user) == 2


def test_a_denied_push_is_nothing_to_go_on_with(world: World) -> None:
    user = world.person("denied-first", PUSH, push="deny")
    assert signs_on(world, user).code == REJECT
    world.sim.set_push(user + "@example.com", "approve")
    signs_on(world, user)
    assert not world.outcomes(user, "MFA_REMEMBERED")


def test_a_factor_that_was_reset(world: World) -> None:
    user = world.person("reset", PUSH, push="approve", after=0.1)
    login = user + "@example.com"
    assert signs_on(world, user).code == ACCEPT
    world.sim.remove_factor(login, world.sim.user(login)["factors"][0]["id"])
    world.sim.add_factor(login, PUSH)
    world.sim.set_push(login, "deny")
    time.sleep(1.1)  # user_ttl: what is known of a person's factors is asked for again
    assert signs_on(world, user).code == REJECT
    world.outcome(user, "MFA_REJECTED")


def test_another_rule_decides(world: World) -> None:
    user = world.person("rules", PUSH, push="approve", after=0.1)
    assert signs_on(world, user).code == ACCEPT
    changed = sites.guide_policy("vpn")
    changed["rules"][1]["name"] = "Stricter now"
    with other_policy(world, changed):
        assert signs_on(world, user).code == ACCEPT and pushes(world, user) == 2


def test_forgotten(world: World) -> None:
    user = world.person("forgotten", PUSH, push="approve", after=0.1)
    assert signs_on(world, user).code == ACCEPT
    done = subprocess.run([str(rad.BUILD / "devtrustctl"), "forget", "-c",
                           str(world.site.config_path), "--user", user], text=True,
                          stdout=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 0 and "1 forgotten" in done.stdout, done.stdout
    deadline = time.monotonic() + 30  # what another process changes is seen within a second or so
    while pushes(world, user) < 2:
        assert signs_on(world, user).code == ACCEPT and time.monotonic() < deadline


def test_session_for(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    """It counts from the MFA: going on does not move it."""
    settings = {**SETTINGS, "mfa": {**SETTINGS["mfa"], "session_lifetime": "4s"}}
    with rad.start_world(tmp_path, pki_index, settings=settings, policies=POLICIES) as world:
        user = world.person("for", PUSH, push="approve")
        began = time.monotonic()
        while pushes(world, user) < 2:
            assert signs_on(world, user).code == ACCEPT and time.monotonic() < began + 30
            time.sleep(0.5)
        assert time.monotonic() > began + 3 and world.outcomes(user, "MFA_REMEMBERED")


def test_session_for_may_be_nothing(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    settings = {**SETTINGS, "mfa": {**SETTINGS["mfa"], "session_lifetime": "0s"}}
    with rad.start_world(tmp_path, pki_index, settings=settings, policies=POLICIES) as world:
        user = world.person("never", PUSH, push="approve")
        assert [signs_on(world, user).code for _ in range(2)] == [ACCEPT] * 2
        assert pushes(world, user) == 2


# --- gateways that give up -----------------------------------------------------------------------

def repeats(world: World, user: str, gaps: list[float], more: int = 0) -> rad.Reply:
    """A request that is sent again after each of the gaps, and then `more` times every second."""
    pending = world.client(**{"Acct-Session-Id": user}).start(user)
    for gap in [*gaps, *[1.0] * more]:
        if pending.poll(gap) is None:
            pending.send()
    return pending.wait()


def test_a_gateway_that_gave_up(world: World) -> None:
    """It repeated its request twice, and then no more: the approval may have let nobody in."""
    user = world.person("gave-up", PUSH, push="approve", after=10.0)
    repeats(world, user, [0.5, 0.5])
    detail = world.outcome(user, "MFA_SUCCESS")["detail"]
    assert detail is not None and "stopped repeating" in detail
    assert pushes(world, user) == 1


def test_a_gateway_that_waits(world: World) -> None:
    """One that goes on repeating, and one that never did, of which nothing can be known."""
    user = world.person("goes-on", PUSH, push="approve", after=8.0)
    repeats(world, user, [1.0, 1.0], more=12)
    assert world.outcome(user, "MFA_SUCCESS")["detail"] is None
    user = world.person("never-did", PUSH, push="approve", after=6.0)
    repeats(world, user, [])
    assert world.outcome(user, "MFA_SUCCESS")["detail"] is None


@pytest.mark.parametrize("mode", ["hybrid", "challenge"] if SLOW else ["challenge"])
def test_a_challenge_that_nobody_answers(tmp_path: Any, pki_index: dict[str, Any],
                                         mode: str) -> None:
    """Its sign-on gets an event when the State has expired, whatever was done on the phone. One
    that was answered has its own, and no second."""
    settings = {"mfa": {**SETTINGS["mfa"], "challenge_lifetime": "10s"}}
    with rad.start_world(tmp_path, pki_index, settings=settings, policies=POLICIES,
                         replace={"wait = hybrid": f"wait = {mode}"}) as world:
        factors = (PUSH, TOTP) if mode == "challenge" else (TOTP,)
        gone = world.person("gone", *factors, push="approve")
        there = world.person("there", *factors, push="approve")
        asked = [world.client().login(user) for user in (gone, there)]
        assert [a.code for a in asked] == [CHALLENGE] * 2
        assert world.client().login(there, world.passcode(there),
                                    state=asked[1].state).code == ACCEPT
        event = world.outcome(gone, "CLIENT_GONE", timeout=60.0)
        assert "nobody answered the challenge" in event["detail"]
        assert [e["debugContext"]["debugData"]["cause"] for e in world.outcomes(gone)] == [
            "CLIENT_GONE"]
        assert world.client().login(gone, "", state=asked[0].state).code == REJECT
        assert len(world.outcomes(there)) == 1


# --- passcodes that came along -------------------------------------------------------------------

def scrv1(password: str, answer: str) -> str:
    return ":".join(["SCRV1", *(base64.b64encode(t.encode()).decode() for t in (password, answer))])


@pytest.mark.parametrize("form", ["scrv1", "comma", "comma-blank"])
def test_a_passcode_came_along(world: World, form: str) -> None:
    user = world.person("along-" + form, TOTP, PUSH, push="deny")
    code = world.passcode(user)
    password = {"scrv1": scrv1(rad.PASSWORD, code), "comma": f"{rad.PASSWORD},{code}",
                "comma-blank": f"{rad.PASSWORD},{code[:3]} {code[3:]}"}[form]
    assert world.client().login(user, password).code == ACCEPT
    event = world.outcome(user, "MFA_SUCCESS")
    assert event["factor"] == TOTP and not pushes(world, user)


def test_static_challenge_left_empty(world: World) -> None:
    user = world.person("along-nothing", TOTP, PUSH, push="approve", after=0.1)
    assert world.client().login(user, scrv1(rad.PASSWORD, "")).code == ACCEPT
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == PUSH


def test_a_wrong_passcode_came_along(world: World) -> None:
    user = world.person("along-wrong", TOTP)
    assert world.client().login(user, scrv1(rad.PASSWORD, "000000")).code in (REJECT, CHALLENGE)
    assert not world.outcomes(user, "MFA_SUCCESS")


BROKEN = {
    "no answer": scrv1(rad.PASSWORD, "").rstrip(":"),
    "not base64": "SCRV1:correct horse:123456",
    "no padding": scrv1("a password", "123456").replace("=", ""),
    "a third part": scrv1(rad.PASSWORD, "123456") + ":MTIz",
    "a NUL": scrv1(rad.PASSWORD + "\0", "123456"),
    "a NUL in the answer": scrv1(rad.PASSWORD, "123456\0"),
    "empty": "SCRV1::",
    "no password": scrv1("", "123456"),
    "nothing": "SCRV1:",
    "huge": "SCRV1:" + "A" * 122,
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_static_challenge(world: World, what: str) -> None:
    """Refused before the password is looked at, and nobody's phone rings."""
    user = world.person("broken-" + what.replace(" ", "-").lower(), PUSH, TOTP, push="approve")
    before = world.sim.count("okta.verify")
    reply = world.client().login(user, BROKEN[what])
    assert reply.code == REJECT and not pushes(world, user)
    assert world.sim.count("okta.verify") == before
    assert "SCRV1" in world.outcome(user, "PRIMARY_FAILED")["detail"]


@pytest.mark.parametrize("form", ["123456,123456", "123456,123 456", scrv1("123456", "123456"),
                                  scrv1("123456", "123-456")])
def test_the_password_is_no_passcode(world: World, form: str) -> None:
    """A person whose password looks like a passcode gives it twice: Okta never gets it."""
    if not world.outcomes("same"):
        world.person("same", TOTP, PUSH, push="approve")
    before = pushes(world, "same")
    assert world.client().login("same", form).code == ACCEPT
    assert pushes(world, "same") == before + 1
    assert {e["debugContext"]["debugData"]["factor"] for e in world.outcomes("same")} == {PUSH}


def test_passcodes_inside_a_tunnel(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    with rad.start_world(tmp_path, pki_index, settings=SETTINGS, replace={
            ASKS_NOBODY: ASKS_NOBODY + "\n\tappend_passcode = yes"},
            policies=POLICIES) as world:
        user = world.person("tunnel", TOTP, PUSH, push="deny")
        made = rad.ttls_network(world.radius, user, f"{rad.PASSWORD},{world.passcode(user)}")
        end = rad.eapol_test(world.radius, made, station=station())
        assert end.success, end.output[-2000:]
        assert world.outcome(user, "MFA_SUCCESS")["factor"] == TOTP


def test_listed_before_the_password_alone_lets_nobody_in(
        tmp_path: Any, pki_index: dict[str, Any]) -> None:
    """In authorize nothing is decided yet; who is accepted without a decision is refused."""
    with rad.start_world(tmp_path, pki_index, settings=SETTINGS, replace={
            AFTER_PAP: "\t\t\tpap\n"},
            policies=POLICIES) as world:
        user = world.person("past", PUSH, push="approve")
        assert world.client().login(user).code == REJECT
        world.outcome(user, "PRIMARY_MISSING")
        assert not pushes(world, user)
