# SPDX-License-Identifier: GPL-2.0-or-later
# A re-authentication is no new sign-on: a resumed TLS session continues the one that it began with,
# while rule, device and account are the same, for session_lifetime at most. TTLS with MS-CHAPv2
# inside. With eapol_test here; with an access point in test_radius_roaming.
"""FreeRADIUS with rlm_devtrust: resumed sessions."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.integration.test_radius_reply import eap_vlan, station
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import World
from tests.pki import pki as pkis

PUSH, TOTP = "push", "token:software:totp"
METHODS = ["tls", "ttls", "ttls-mschapv2", "peap"]
SLOW = bool(os.environ.get("DEVTRUST_SLOW"))


def tunnels(*methods: str) -> list[str]:
    """Each rule with TTLS and PEAP, some with either method inside TTLS; all with all with
    DEVTRUST_SLOW=1."""
    return METHODS[1:] if SLOW else list(methods)


GIVEN = f"""
DEFAULT Cleartext-Password := "{rad.PASSWORD}"
    Tunnel-Type = VLAN,
    Tunnel-Medium-Type = IEEE-802,
    Tunnel-Private-Group-Id = "42",
    Filter-Id = "from-the-server",
    Session-Timeout = 3600

"""
OUTER = {"use_tunneled_reply = no": "use_tunneled_reply = yes"}
SETTINGS = {"mfa": {"wait_wifi": "8s", "push_limit": "1000"},
            "okta": {"user_ttl": "1s"}, "device_trust": {"cache_ttl": "1s", "negative_ttl": "1s"}}


def policy(application: str) -> dict[str, Any]:
    trusted = sites.rule("Trusted", 1, "TRUSTED")
    asked = sites.rule("Asked", 2, "NOT_TRUSTED", frequency="EVERY_SIGN_ON", factors=(PUSH, TOTP))
    asked["actions"]["reply"] = {"attributes": [{"name": "Session-Timeout", "value": 60}]}
    return {"name": application, "application": application,
            "rules": [trusted, asked, sites.catch_all()]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("session"), pki_index, replace=OUTER,
                         users_text=GIVEN, settings=SETTINGS,
                         policies=[policy("vpn"), policy("wifi")]) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def network(world: World, method: str, user: str) -> str:
    if method == "tls":  # which nobody enrolled
        return rad.tls_network(world.radius, user, world.pki["devices"]["device-p384"])
    if method == "peap":
        return rad.peap_network(world.radius, user, rad.PASSWORD)
    made = rad.ttls_network(world.radius, user, rad.PASSWORD)
    return made.replace("auth=PAP", "auth=MSCHAPV2") if method == "ttls-mschapv2" else made


def pushes(world: World, user: str) -> int:
    return len(world.sim.pushes(user + "@example.com"))


# --- TTLS with MS-CHAPv2 inside ------------------------------------------------------------------

def test_ttls_mschapv2_after_a_push(world: World) -> None:
    user = world.person("inner-yes", PUSH, push="approve", after=1.0)
    end = rad.eapol_test(world.radius, network(world, "ttls-mschapv2", user), station=station())
    assert end.success and end.accepts == 1, end.output[-3000:]
    assert "MPPE keys OK: 1" in end.output and eap_vlan(end.output) == "42"
    world.outcome(user, "MFA_SUCCESS")
    assert len(world.outcomes(user)) == 1
    timeouts = [v for k, v in end.packets[-1][1] if k == rad.ATTRIBUTES["Session-Timeout"]]
    assert timeouts == [b"60"]
    assert all(rad.ATTRIBUTES["Session-Timeout"] not in [k for k, _ in given]
               for code, given in end.packets if code == rad.CHALLENGE)


@pytest.mark.parametrize("mode,cause", [("deny", "MFA_REJECTED")]
                         + ([("ignore", "MFA_TIMEOUT")] if SLOW else []))
def test_ttls_mschapv2_without_an_approval(world: World, mode: str, cause: str) -> None:
    user = world.person("inner-" + mode, PUSH, push=mode, after=0.3)
    end = rad.eapol_test(world.radius, network(world, "ttls-mschapv2", user), station=station())
    assert not end.success and end.accepts == 0
    assert end.identifiers is not None and len(set(end.identifiers)) == 1
    world.outcome(user, cause)


def test_ttls_mschapv2_with_a_wrong_password(world: World) -> None:
    user = world.person("inner-wrong", PUSH, push="approve")
    wrong = network(world, "ttls-mschapv2", user).replace(rad.PASSWORD, "wrong")
    end = rad.eapol_test(world.radius, wrong, station=station(), timeout=10)
    assert not end.success and end.accepts == 0 and not pushes(world, user)


def test_ttls_mschapv2_counts_where_it_was_decided(world: World) -> None:
    """The round after the decision, coming from elsewhere, is not the one decided about."""
    def signs_on(name: str, place: str, **meddling: Any) -> tuple[rad.Eap, int]:
        user = world.person(name, PUSH, push="approve", after=0.3)
        with rad.Meddler(world.radius, **meddling) as between:
            end = rad.eapol_test(world.radius, network(world, "ttls-mschapv2", user),
                                 station=place, port=between.port)
        world.outcome(user, "MFA_SUCCESS")
        return end, between.count

    end, rounds = signs_on("inner-here", station())
    assert end.success, end.output[-3000:]
    elsewhere = station().encode()
    end, _ = signs_on("inner-there", station(), number=rounds,
                      change=lambda packet: rad.with_attribute(packet, 31, elsewhere))
    assert not end.success and end.accepts == 0 and end.rejects == 1


# --- going on ------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", METHODS)
def test_one_push_for_many_authentications(world: World, method: str) -> None:
    user = world.person("many-" + method, PUSH, push="approve", after=0.3)
    end = rad.eapol_test(world.radius, network(world, method, user), times=6, station=station())
    assert end.success and end.accepts == 6 and end.rejects == 0, end.output[-3000:]
    assert end.resumed, "the session was not resumed: nothing is shown"
    assert pushes(world, user) == 1
    first = world.outcome(user, "MFA_SUCCESS")
    event = world.outcome(user, "MFA_REMEMBERED", 5)
    assert "continues the sign-on" in event["detail"] and event["rule"] == first["rule"]
    assert len(world.outcomes(user)) == 6


@pytest.mark.parametrize("method", METHODS[1:])
def test_the_reply_is_that_of_the_first_accept(world: World, method: str) -> None:
    """The VLAN of the tunnel, which is not made again, and what the rule gives, each once."""
    user = world.person("vlan-" + method, PUSH, push="approve", after=0.3)
    end = rad.eapol_test(world.radius, network(world, method, user), times=3, station=station())
    accepts = [given for code, given in end.packets if code == rad.ACCEPT]
    assert len(accepts) == 3 and end.resumed
    names = ("Tunnel-Private-Group-Id", "Tunnel-Type", "Filter-Id", "Session-Timeout")
    for given in accepts:
        found = {name: [v for k, v in given if k == rad.ATTRIBUTES[name]] for name in names}
        assert [len(v) for v in found.values()] == [1, 1, 1, 1], found
        assert found["Session-Timeout"] == [b"60"]
    assert eap_vlan(end.output) == "42"


# --- not going on --------------------------------------------------------------------------------

def between(world: World, method: str, user: str, change: Any, **more: Any) -> rad.Eap:
    """Authenticates until it is refused, and lets `change` happen after the second time."""
    with rad.Supplicant(world.radius, network(world, method, user), times=3000,
                        station=station(), **more) as supplicant:
        world.outcome(user, "MFA_REMEMBERED", 1)
        change()
        return supplicant.finish()


def factor(world: World, user: str) -> str:
    return world.sim.user(user + "@example.com")["factors"][0]["id"]


def assert_ended(world: World, user: str, end: rad.Eap, words: str) -> None:
    """Refused with EAP-Failure, so that the supplicant starts afresh; nobody's phone rang."""
    assert end.resumed and end.rejects == 1 and not end.success, end.output[-2000:]
    assert end.identifiers is not None and len(set(end.identifiers)) == 1
    assert pushes(world, user) == 1
    assert words in world.outcome(user, "PRIMARY_MISSING")["detail"]


@pytest.mark.parametrize("method", tunnels("ttls-mschapv2", "peap"))
def test_forgotten(world: World, method: str) -> None:
    user = world.person("forgotten-" + method, PUSH, push="approve", after=0.3)

    def forget() -> None:
        done = subprocess.run([str(rad.BUILD / "devtrustctl"), "forget", "-c",
                               str(world.site.config_path), "--user", user], text=True,
                              stdout=subprocess.PIPE, check=False, timeout=60)
        assert done.returncode == 0 and "1 forgotten" in done.stdout, done.stdout

    end = between(world, method, user, forget)
    assert end.resumed and end.rejects == 1 and pushes(world, user) == 1
    assert end.identifiers is not None and len(set(end.identifiers)) == 1


@pytest.mark.parametrize("method", tunnels("ttls", "peap"))
def test_factor_reset_at_okta(world: World, method: str) -> None:
    user = world.person("reset-" + method, PUSH, push="approve", after=0.3)
    end = between(world, method, user,
                  lambda: world.sim.remove_factor(user + "@example.com", factor(world, user)))
    assert_ended(world, user, end, "factor was reset")


def test_eap_tls_decides_anew(world: World) -> None:
    """Another rule's MFA is due, and the person is asked in the resumed session."""
    user = world.person("anew", PUSH, push="approve", after=0.3)
    with rad.Supplicant(world.radius, network(world, "tls", user), times=3000,
                        station=station()) as supplicant:
        world.outcome(user, "MFA_REMEMBERED", 1)
        world.sim.set_push(user + "@example.com", "deny")
        subprocess.run([str(rad.BUILD / "devtrustctl"), "forget", "-c",
                        str(world.site.config_path), "--user", user], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)
        end = supplicant.finish()
    assert end.resumed and end.rejects == 1
    assert pushes(world, user) == 2
    world.outcome(user, "MFA_REJECTED")


def test_the_row_tells_nobody_anything(world: World) -> None:
    """What is kept is sealed with what only the cached session holds, and good for no other."""
    users = [world.person("row-" + n, PUSH, push="approve", after=0.2) for n in "ab"]
    for user in users:
        assert rad.eapol_test(world.radius, network(world, "ttls", user), station=station()).success
    with sqlite3.connect(world.site.store_path, timeout=20) as store:
        rows = [value for (value,) in store.execute(
            "SELECT value FROM rows WHERE key LIKE 'session:%' AND value IS NOT NULL")]
    assert rows and all(b"from-the-server" not in row for row in rows)


def test_session_for_ends_it(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    settings = {**SETTINGS, "mfa": {**SETTINGS["mfa"], "session_lifetime": "3s"}}
    with rad.start_world(tmp_path, pki_index, settings=settings,
                         policies=[policy("vpn"), policy("wifi")]) as world:
        for method in tunnels("ttls-mschapv2", "peap"):
            user = world.person("short-" + method, PUSH, push="approve", after=0.2)
            with rad.Supplicant(world.radius, network(world, method, user), times=3000,
                                station=station()) as supplicant:
                end = supplicant.finish()
            assert end.resumed and end.rejects == 1 and end.accepts > 3
            assert pushes(world, user) == 1
            assert end.identifiers is not None and len(set(end.identifiers)) == 1


def test_session_for_may_be_nothing(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    settings = {**SETTINGS, "mfa": {**SETTINGS["mfa"], "session_lifetime": "0s"}}
    with rad.start_world(tmp_path, pki_index, settings=settings,
                         policies=[policy("vpn"), policy("wifi")]) as world:
        user = world.person("never", PUSH, push="approve", after=0.2)
        end = rad.eapol_test(world.radius, network(world, "ttls", user), times=2,
                             station=station())
        assert end.accepts == 1 and end.rejects == 1 and end.resumed


# --- chains ------------------------------------------------------------------------------------

def chain_world(directory: Path, sent: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """A PKI of its own, and a device below two intermediates, which it sends or does not."""
    directory.mkdir()
    made = pkis.Pki(directory)
    first = made.authorities["company"].intermediate("Example Issuing CA", "Example Corp")
    made.authorities["issuing"] = first.intermediate("Example Issuing CA 2", "Example Corp")
    server = made.authorities["radius"].issue_server(["radius.example.com"], "rsa2048")
    device = made.device("chained", authority="issuing", intune_id=None, tenant=None)
    if not sent:
        device["files"]["chain"] = device["files"]["certificate"]
    index = {"tenant_id": made.tenant, "authorities": made.write_authorities(),
             "radius_server": made.write_identity("radius-server", server), "devices": {}}
    device["above"] = b"".join(c.certificate_pem() for c in (first, made.authorities["issuing"]))
    return index, device


@pytest.mark.parametrize("sent", [True, False])
def test_chain_of_a_resumed_session(tmp_path: Path, sent: bool) -> None:
    """Intermediates that were shown count in the resumed session as well; where none were, since
    the server's own file has them, the event tells why."""
    index, device = chain_world(tmp_path / "pki", sent)
    with rad.start_world(tmp_path / "world", index, settings=SETTINGS,
                         policies=[policy("vpn"), policy("wifi")]) as world:
        if not sent:
            world.radius.stop()
            ca = world.radius.directory / "certs" / "eap-ca.pem"
            ca.write_bytes(ca.read_bytes() + device["above"])
            world.radius.start()
        world.sim.enrol_device(device["device_id"])
        user = world.person("chained", PUSH, push="approve", after=0.2)
        end = rad.eapol_test(world.radius, rad.tls_network(world.radius, user, device), times=4,
                             station=station())
        assert end.success and end.accepts == 4 and end.resumed, end.output[-3000:]
        if sent:
            event = world.outcome(user, "RULE_ALLOW", 4)
            assert event["verdict"] == "TRUSTED" and not pushes(world, user)
            return
        event = world.outcome(user, "MFA_REMEMBERED", 3)
        assert event["deviceReason"] == "UNTRUSTED_ISSUER" and pushes(world, user) == 1
        assert any("resumed session: no chain was sent" in e["debugContext"]["debugData"]["detail"]
                   for e in world.outcomes(user)), world.outcomes(user)[-1]
