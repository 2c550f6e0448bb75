# SPDX-License-Identifier: GPL-2.0-or-later
# The Wi-Fi door on a real FreeRADIUS with a real supplicant (eapol_test), configured by the shipped
# samples: EAP-TLS with device certificates good and bad, resumption, EAP-TTLS with a push, and with
# a device certificate outside.
"""FreeRADIUS with rlm_devtrust: 802.1X."""

from __future__ import annotations

import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import World

SETTINGS = {"mfa": {"wait_wifi": "8s"}, "device_trust": {"cache_ttl": "2s"}}
PUSH, TOTP = "push", "token:software:totp"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("wifi")
    with rad.start_world(directory, pki_index, settings=SETTINGS) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def station() -> str:
    """A MAC address of its own, so that no session is shared."""
    return "02-" + "-".join(f"{b:02X}" for b in secrets.token_bytes(5))


def test_the_samples_start_without_a_warning(world: World) -> None:
    start = world.radius.log_text().split("Ready to process requests")[0]
    assert [x for x in start.splitlines() if "Warning" in x or "Error" in x] == []


# --- trusted -----------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["device-p256", "device-rsa", "company-rsa", "san-comma-list",
                                  "device-extensions-only"])
def test_trusted_certificate_is_let_in(world: World, name: str) -> None:
    user = "tls-" + name
    world.person(user, PUSH)
    certificate = world.pki["devices"][name]
    world.sim.enrol_device(certificate["device_id"])
    okta = world.sim.count("okta.total")
    end = rad.eap_tls(world.radius, user, certificate, station=station())
    assert end.success, end.output[-3000:]
    assert "MPPE keys OK: 1" in end.output
    event = world.outcome(user, "RULE_ALLOW")
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+intune"
    assert event["oktaCalls"] == 0 and world.sim.count("okta.total") == okta


def test_no_reply_message_beside_eap(world: World) -> None:
    certificate = world.pki["devices"]["device-p256"]
    world.sim.enrol_device(certificate["device_id"])
    end = rad.eap_tls(world.radius, world.person("silent"), certificate, station=station())
    assert end.success and "Reply-Message" not in end.output


def test_resumed_session_is_decided_again(world: World) -> None:
    user = world.person("resumer")
    certificate = world.pki["devices"]["device-rsa"]
    world.sim.enrol_device(certificate["device_id"])
    end = rad.eap_tls(world.radius, user, certificate, times=3, station=station())
    assert end.success, end.output[-3000:]
    assert end.accepts == 3
    assert end.resumed, "the session was not resumed: nothing is shown"
    event = world.outcome(user, "RULE_ALLOW", 3)
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+intune"


def test_resumed_session_of_a_device_that_is_no_longer_compliant(world: World) -> None:
    """In by certificate; made non-compliant; the resumed session asks, and nobody answers."""
    user = world.person("lapsed", PUSH, push="deny", after=0.2)
    certificate = world.pki["devices"]["device-second"]
    device = certificate["device_id"]
    world.sim.enrol_device(device)
    network = rad.tls_network(world.radius, user, certificate)
    with rad.Supplicant(world.radius, network, times=5000, station=station()) as supplicant:
        world.outcome(user, "RULE_ALLOW", 2)
        world.sim.make_noncompliant(device)
        event = world.outcome(user, "MFA_REJECTED")
        end = supplicant.finish()  # eapol_test goes on until it is refused
    assert event["deviceReason"] == "NOT_COMPLIANT"
    assert end.resumed and not end.success and end.rejects == 1
    causes = [e["debugContext"]["debugData"]["cause"] for e in world.outcomes(user)]
    assert causes[-1] == "MFA_REJECTED" and causes.count("RULE_ALLOW") == end.accepts


# --- not trusted: MFA by policy ----------------------------------------------------------------

def test_noncompliant_device_gets_in_by_push(world: World) -> None:
    user = world.person("pushy", PUSH, push="approve", after=1.0)
    certificate = world.pki["devices"]["san-two-uris"]
    world.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
    end = rad.eap_tls(world.radius, user, certificate, station=station())
    assert end.success, end.output[-3000:]
    event = world.outcome(user, "MFA_SUCCESS")
    assert event["deviceReason"] == "NOT_COMPLIANT" and event["factor"] == PUSH


@pytest.mark.parametrize("mode,cause", [("deny", "MFA_REJECTED"), ("timeout", "MFA_TIMEOUT"),
                                        ("ignore", "MFA_TIMEOUT")])
def test_push_without_an_approval(world: World, mode: str, cause: str) -> None:
    user = world.person("unapproved-" + mode, PUSH, push=mode, after=0.5)
    certificate = world.pki["devices"]["san-upper-case"]
    world.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
    end = rad.eap_tls(world.radius, user, certificate, station=station())
    assert not end.success and end.accepts == 0
    assert world.outcome(user, cause)["factor"] == PUSH


def test_look_up_and_person_share_one_wait(world: World) -> None:
    """The supplicant's patience is one, however it is divided."""
    user = world.person("slow-graph", PUSH, push="ignore")
    certificate = world.pki["devices"]["san-two-uris"]
    world.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
    world.sim.fault("delay", listener="graph", seconds=2.5)
    started = time.monotonic()
    try:
        end = rad.eap_tls(world.radius, user, certificate, station=station())
    finally:
        world.sim.clear_faults()
    assert not end.success and end.accepts == 0
    assert world.outcome(user, "MFA_TIMEOUT")["deviceReason"] == "NOT_COMPLIANT"
    assert time.monotonic() - started < 10.0, "8 s for both, and some for the handshake"


def test_device_that_nobody_enrolled(world: World) -> None:
    user = world.person("unenrolled")
    end = rad.eap_tls(world.radius, user, world.pki["devices"]["device-p384"], station=station())
    assert not end.success and end.accepts == 0
    event = world.outcome(user, "MFA_NO_FACTOR")
    assert event["verdict"] == "NOT_TRUSTED" and event["deviceReason"] == "NOT_ENROLLED"


@pytest.mark.parametrize("name,reason", [
    ("wrong-tenant", "WRONG_TENANT"), ("missing-tenant", "WRONG_TENANT"),
    ("garbage-tenant", "WRONG_TENANT"), ("company-wrong-tenant", "WRONG_TENANT"),
    ("no-device-id", "CERTIFICATE_INVALID"), ("san-nul", "CERTIFICATE_INVALID"),
    ("cn-san-disagree", "CERTIFICATE_INVALID"), ("san-two-ids", "CERTIFICATE_INVALID")])
def test_certificate_the_server_takes_and_devtrust_does_not(world: World, name: str,
                                                            reason: str) -> None:
    """The chain is right, so the handshake succeeds: only what the certificate says is wrong."""
    user = world.person("bad-" + name)
    end = rad.eap_tls(world.radius, user, world.pki["devices"][name], station=station())
    assert not end.success and end.accepts == 0
    event = world.outcome(user, "MFA_NO_FACTOR")
    assert event["verdict"] == "NOT_TRUSTED" and event["deviceReason"] == reason


@pytest.mark.parametrize("name", ["expired", "not-yet-valid", "self-signed", "foreign-ca",
                                  "foreign-ca-same-name", "signed-by-leaf", "broken-signature",
                                  "wrong-eku"])
def test_failed_handshake(world: World, name: str) -> None:
    """FreeRADIUS leaves the certificate's attributes in the request all the same."""
    user = world.person("failed-" + name, PUSH, push="approve")
    end = rad.eap_tls(world.radius, user, world.pki["devices"][name], station=station())
    assert not end.success and end.accepts == 0
    assert not world.outcomes(user, "RULE_ALLOW") and not world.outcomes(user, "MFA_SUCCESS")
    event = world.outcome(user, "PRIMARY_MISSING")
    assert event["verdict"] == "UNKNOWN" and "EAP failed" in event["detail"]


def test_certificate_without_its_key(world: World) -> None:
    """Somebody else's certificate, which is public, with one's own key."""
    user = world.person("thief", PUSH, push="approve")
    mine, theirs = (world.pki["devices"][n]["files"] for n in ("company-rsa", "device-rsa"))
    world.sim.enrol_device(world.pki["devices"]["device-rsa"]["device_id"])
    end = rad.eap_tls(world.radius, user, {"files": {**theirs, "key": mine["key"]}},
                      station=station(), timeout=10)
    assert not end.success and end.accepts == 0
    assert not world.outcomes(user, "RULE_ALLOW") and not world.outcomes(user, "MFA_SUCCESS")


def test_no_certificate_at_all(world: World) -> None:
    user = world.person("bare", PUSH, push="approve")
    network = re.sub(r"^ *(client_cert|private_key).*\n", "", rad.tls_network(
        world.radius, user, world.pki["devices"]["device-rsa"]), flags=re.M)
    end = rad.eapol_test(world.radius, network, timeout=10, station=station())
    assert not end.success and end.accepts == 0
    # Nothing was decided. Where the client acknowledged the server's alert before it went, the
    # server refuses it, and that handshake's end is told; else there is nothing to tell.
    assert all(event["debugContext"]["debugData"]["detail"].startswith("EAP failed")
               for event in world.outcomes(user))
    assert world.outcomes(user) == world.outcomes(user, "PRIMARY_MISSING")
    assert all(event["outcome"]["result"] != "SUCCESS" and
               event["debugContext"]["debugData"]["access"] == "DENY"
               for event in world.outcomes(user))


def test_too_many_block_at_once(world: World) -> None:
    """Past max_blocking_waits people are refused at once, and the server goes on."""
    certificate = world.pki["devices"]["san-lower-case"]
    world.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
    users = [world.person(f"blocked{i}", PUSH, push="ignore") for i in range(12)]
    trusted = world.pki["devices"]["device-p256"]
    world.sim.enrol_device(trusted["device_id"])
    with ThreadPoolExecutor(len(users)) as pool:
        ends = [pool.submit(rad.eap_tls, world.radius, user, certificate, station=station())
                for user in users]
        world.sim.wait_push(count=8)
        end = rad.eap_tls(world.radius, world.person("unblocked"), trusted, station=station())
        assert end.success, end.output[-2000:]
        assert not any(e.result().success for e in ends)
    for name in users:
        world.site.wait_for(lambda e, name=name: name == e["actor"]["displayName"]
                            and e["debugContext"]["debugData"].get("cause"))
    causes = [e["debugContext"]["debugData"]["cause"] for u in users for e in world.outcomes(u)]
    assert causes.count("BUSY") == 4 and causes.count("MFA_TIMEOUT") == 8, causes


# --- EAP-TTLS with PAP -------------------------------------------------------------------------

def test_ttls_push_is_waited_for(world: World) -> None:
    user = world.person("ttls-yes", PUSH, push="approve", after=2.0)
    end = rad.eap_ttls(world.radius, user, rad.PASSWORD, station=station())
    assert end.success, end.output[-3000:]
    assert "MPPE keys OK: 1" in end.output
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == PUSH


@pytest.mark.parametrize("mode,cause", [("deny", "MFA_REJECTED"), ("ignore", "MFA_TIMEOUT")])
def test_ttls_push_without_an_approval(world: World, mode: str, cause: str) -> None:
    user = world.person("ttls-" + mode, PUSH, push=mode, after=0.5)
    end = rad.eap_ttls(world.radius, user, rad.PASSWORD, station=station())
    assert not end.success and end.accepts == 0
    world.outcome(user, cause)


def test_ttls_wrong_password(world: World) -> None:
    user = world.person("ttls-wrong", PUSH, push="approve")
    end = rad.eap_ttls(world.radius, user, "wrong", station=station())
    assert not end.success and end.accepts == 0
    assert not world.sim.pushes(user + "@example.com")


def test_ttls_passcode_only_cannot_be_asked(world: World) -> None:
    """A supplicant shows no challenge inside the tunnel."""
    user = world.person("ttls-totp", TOTP)
    end = rad.eap_ttls(world.radius, user, rad.PASSWORD, station=station())
    assert not end.success and end.accepts == 0
    world.outcome(user, "MFA_NO_FACTOR")


def test_ttls_resumption_goes_on_with_its_sign_on(world: World) -> None:
    """A resumed TTLS session skips the inner tunnel; the outer post-auth asks nobody."""
    user = world.person("ttls-resumed", PUSH, push="manual")
    network = rad.ttls_network(world.radius, user, rad.PASSWORD)
    with rad.Supplicant(world.radius, network, times=2, station=station()) as supplicant:
        world.sim.approve(user + "@example.com")
        end = supplicant.finish()
    assert end.accepts == 2 and end.rejects == 0
    assert end.resumed, "the session was not resumed: nothing is shown"
    world.outcome(user, "MFA_REMEMBERED")
    assert len(world.outcomes(user, "MFA_SUCCESS")) == 1
    assert len(world.sim.pushes(user + "@example.com")) == 1


# --- EAP-TTLS with a device certificate in the outer handshake -----------------------------------

OUTER = {"virtual_server = inner-devtrust\n":
         "virtual_server = inner-devtrust\n\t\trequire_client_cert = yes\n"}


@pytest.fixture(name="outer", scope="module")
def _outer(tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("outer"), pki_index, settings=SETTINGS,
                         replace=OUTER) as made:
        yield made


@pytest.mark.parametrize("name", ["device-p256", "san-comma-list"])
def test_ttls_with_a_trusted_outer_certificate(outer: World, name: str) -> None:
    """The certificate is that of the outer handshake, SAN and all; the password comes inside."""
    user = outer.person("outer-" + name, PUSH)
    certificate = outer.pki["devices"][name]
    outer.sim.enrol_device(certificate["device_id"])
    okta = outer.sim.count("okta.total")
    end = rad.eap_ttls(outer.radius, user, rad.PASSWORD, station=station(), certificate=certificate)
    assert end.success, end.output[-3000:]
    assert "MPPE keys OK: 1" in end.output
    event = outer.outcome(user, "RULE_ALLOW")
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+intune"
    assert outer.sim.count("okta.total") == okta


def test_ttls_with_an_outer_certificate_and_a_wrong_password(outer: World) -> None:
    user = outer.person("outer-wrong", PUSH)
    certificate = outer.pki["devices"]["device-p256"]
    outer.sim.enrol_device(certificate["device_id"])
    end = rad.eap_ttls(outer.radius, user, "wrong", station=station(), certificate=certificate)
    assert not end.success and end.accepts == 0
    assert not outer.outcomes(user, "RULE_ALLOW")


def test_ttls_with_the_outer_certificate_of_a_device_that_is_not_compliant(outer: World) -> None:
    user = outer.person("outer-noncompliant", PUSH, push="approve", after=0.5)
    certificate = outer.pki["devices"]["device-rsa"]
    outer.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
    end = rad.eap_ttls(outer.radius, user, rad.PASSWORD, station=station(), certificate=certificate)
    assert end.success, end.output[-3000:]
    event = outer.outcome(user, "MFA_SUCCESS")
    assert event["verdict"] == "NOT_TRUSTED" and event["deviceReason"] == "NOT_COMPLIANT"


@pytest.mark.parametrize("name", ["foreign-ca", "expired", "wrong-eku"])
def test_ttls_whose_outer_handshake_fails(outer: World, name: str) -> None:
    """Nobody gets as far as the tunnel, and the attributes that the server copied count nowhere."""
    user = outer.person("outer-" + name, PUSH, push="approve")
    certificate = outer.pki["devices"][name]
    outer.sim.enrol_device(certificate["device_id"])
    end = rad.eap_ttls(outer.radius, user, rad.PASSWORD, station=station(), certificate=certificate)
    assert not end.success and end.accepts == 0
    assert not outer.outcomes(user, "RULE_ALLOW") and not outer.outcomes(user, "MFA_SUCCESS")
    assert not outer.sim.pushes(user + "@example.com")


def test_ttls_resumed_with_an_outer_certificate(outer: World) -> None:
    """The device is judged again each time; while it is trusted, the session goes on."""
    user = outer.person("outer-resumed", PUSH)
    certificate = outer.pki["devices"]["device-p256"]
    outer.sim.enrol_device(certificate["device_id"])
    end = rad.eap_ttls(outer.radius, user, rad.PASSWORD, times=2, station=station(),
                       certificate=certificate)
    assert end.accepts == 2 and end.rejects == 0, end.output[-3000:]
    assert end.resumed, "the session was not resumed: nothing is shown"
    event = outer.outcome(user, "RULE_ALLOW", 2)
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+intune"


def test_ttls_resumed_with_a_device_that_is_no_longer_compliant(outer: World) -> None:
    user = outer.person("outer-lapsed", PUSH, push="approve")
    certificate = outer.pki["devices"]["device-second"]
    outer.sim.enrol_device(certificate["device_id"])
    network = rad.ttls_network(outer.radius, user, rad.PASSWORD, certificate)
    with rad.Supplicant(outer.radius, network, times=5000, station=station()) as supplicant:
        outer.outcome(user, "RULE_ALLOW", 2)
        outer.sim.make_noncompliant(certificate["device_id"])
        event = outer.outcome(user, "PRIMARY_MISSING")
        end = supplicant.finish()
    assert event["deviceReason"] == "NOT_COMPLIANT" and "sign on again" in event["detail"]
    assert end.resumed and end.rejects == 1 and not outer.sim.pushes(user + "@example.com")
    assert end.identifiers is not None and len(set(end.identifiers)) == 1


# --- another policy ----------------------------------------------------------------------------

def test_policy_that_takes_trusted_devices_only(tmp_path_factory: pytest.TempPathFactory,
                                                pki_index: dict[str, Any]) -> None:
    policy = {"name": "wifi", "application": "wifi",
              "rules": [sites.rule("Trusted devices", 1, "TRUSTED"), sites.catch_all()]}
    policies = [policy, sites.guide_policy("vpn")]
    with rad.start_world(tmp_path_factory.mktemp("strict"), pki_index, settings=SETTINGS,
                         policies=policies) as world:
        user = world.person("strict", PUSH, push="approve")
        certificate = world.pki["devices"]["device-rsa"]
        world.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
        end = rad.eap_tls(world.radius, user, certificate, station=station())
        assert not end.success and end.accepts == 0
        event = world.outcome(user, "RULE_DENY")
        assert event["rule"] == sites.CATCH_ALL_RULE
        assert event["deviceReason"] == "NOT_COMPLIANT"
        assert not world.sim.pushes()
