# SPDX-License-Identifier: GPL-2.0-or-later
# PEAP on a real FreeRADIUS with a real supplicant (eapol_test), configured by the shipped samples:
# EAP-MSCHAPv2 and EAP-GTC inside, with and without a device certificate outside, resumed and not.
"""FreeRADIUS with rlm_devtrust: PEAP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator

import pytest

from tests.integration import test_primary as primary
from tests.integration.test_radius_wifi import PUSH, SETTINGS, TOTP, station
from tests.lib import radius as rad
from tests.lib.radius import World

INNER = ["MSCHAPV2", "GTC"]


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("peap"), pki_index, settings=SETTINGS) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


@pytest.mark.parametrize("inner", INNER)
def test_push_is_waited_for(world: World, inner: str) -> None:
    user = world.person("yes-" + inner, PUSH, push="approve", after=2.0)
    end = rad.eap_peap(world.radius, user, rad.PASSWORD, inner, station=station())
    assert end.success, end.output[-3000:]
    assert end.accepts == 1 and "MPPE keys OK: 1" in end.output
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == PUSH
    assert len(world.outcomes(user)) == 1


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("mode,cause", [("deny", "MFA_REJECTED"), ("ignore", "MFA_TIMEOUT")])
def test_push_without_an_approval(world: World, inner: str, mode: str, cause: str) -> None:
    user = world.person(f"{mode}-{inner}", PUSH, push=mode, after=0.5)
    end = rad.eap_peap(world.radius, user, rad.PASSWORD, inner, station=station())
    assert not end.success and end.accepts == 0
    world.outcome(user, cause)
    assert len(world.outcomes(user)) == 1


@pytest.mark.parametrize("inner", INNER)
def test_wrong_password(world: World, inner: str) -> None:
    user = world.person("wrong-" + inner, PUSH, push="approve")
    end = rad.eap_peap(world.radius, user, "wrong", inner, station=station(), timeout=15)
    assert not end.success and end.accepts == 0
    assert not world.outcomes(user) and not world.sim.pushes(user + "@example.com")


@pytest.mark.parametrize("inner", INNER)
def test_empty_password(world: World, inner: str) -> None:
    user = world.person("empty-" + inner, PUSH, push="approve")
    end = rad.eap_peap(world.radius, user, "", inner, station=station(), timeout=10)
    assert not end.success and end.accepts == 0
    assert not world.outcomes(user) and not world.sim.pushes(user + "@example.com")


@pytest.mark.parametrize("inner", INNER)
def test_no_password(world: World, inner: str) -> None:
    """The supplicant has none to give, and never gets beyond the tunnel."""
    user = world.person("none-" + inner, PUSH, push="approve")
    end = rad.eap_peap(world.radius, user, None, inner, station=station(), timeout=5)
    assert not end.success and end.accepts == 0
    assert not world.outcomes(user) and not world.sim.pushes(user + "@example.com")


def test_who_signs_on_is_who_is_inside(world: World) -> None:
    """The name outside is anybody's choice: it neither asks nor lets in the one whose it is."""
    inside = world.person("inside", PUSH, push="approve", after=0.3)
    outside = world.person("outside", PUSH, push="approve", after=0.3)
    network = rad.peap_network(world.radius, inside, rad.PASSWORD).replace(
        'anonymous_identity="anonymous"', f'anonymous_identity="{outside}"')
    end = rad.eapol_test(world.radius, network, station=station())
    assert end.success, end.output[-3000:]
    world.outcome(inside, "MFA_SUCCESS")
    assert not world.outcomes(outside) and not world.sim.pushes(outside + "@example.com")


def test_appended_passcode(world: World) -> None:
    """The one prompt takes "password,123456" where EAP-GTC is inside."""
    user = world.person("totp-gtc", TOTP)
    end = rad.eap_peap(world.radius, user, f"{rad.PASSWORD},{world.passcode(user)}", "GTC",
                       station=station())
    assert end.success, end.output[-3000:]
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == TOTP


@pytest.mark.parametrize("separator", [" ", "-", "\N{NO-BREAK SPACE}"])
def test_appended_passcode_as_people_type_it(world: World, separator: str) -> None:
    user = world.person(f"totp-gtc-{ord(separator)}", TOTP)
    code = world.passcode(user)
    end = rad.eap_peap(world.radius, user, f"{rad.PASSWORD},{code[:3]}{separator}{code[3:]}",
                       "GTC", station=station())
    assert end.success, end.output[-3000:]


def test_wrong_appended_passcode(world: World) -> None:
    user = world.person("totp-gtc-wrong", TOTP)
    right = world.passcode(user)
    wrong = f"{(int(right) + 1) % 1000000:06d}"
    end = rad.eap_peap(world.radius, user, f"{rad.PASSWORD},{wrong}", "GTC", station=station())
    assert not end.success and end.accepts == 0
    world.site.wait_for(lambda e: e["actor"]["displayName"] == user)
    assert world.outcomes(user) and not world.outcomes(user, "MFA_SUCCESS")


@pytest.mark.parametrize("inner", INNER)
def test_passcode_cannot_be_asked(world: World, inner: str) -> None:
    user = world.person("totp-" + inner, TOTP)
    end = rad.eap_peap(world.radius, user, rad.PASSWORD, inner, station=station())
    assert not end.success and end.accepts == 0
    world.outcome(user, "MFA_NO_FACTOR")


def test_certificate_that_nobody_asked_for_counts_nowhere(world: World) -> None:
    """Without require_client_cert the server asks for none: the device is unknown."""
    user = world.person("unasked", PUSH, push="approve", after=0.3)
    certificate = world.pki["devices"]["device-p256"]
    world.sim.enrol_device(certificate["device_id"])
    end = rad.eap_peap(world.radius, user, rad.PASSWORD, station=station(),
                       certificate=certificate)
    assert end.success, end.output[-3000:]
    assert world.outcome(user, "MFA_SUCCESS")["verdict"] == "NOT_TRUSTED"


@pytest.mark.parametrize("inner", INNER)
def test_resumption_goes_on_with_its_sign_on(world: World, inner: str) -> None:
    user = world.person("resumed-" + inner.lower(), PUSH, push="approve", after=0.3)
    end = rad.eap_peap(world.radius, user, rad.PASSWORD, inner, times=2, station=station())
    assert end.accepts == 2 and end.rejects == 0, end.output[-3000:]
    assert end.resumed, "the session was not resumed: nothing is shown"
    world.outcome(user, "MFA_REMEMBERED")
    assert len(world.outcomes(user, "MFA_SUCCESS")) == 1
    assert len(world.sim.pushes(user + "@example.com")) == 1


@pytest.mark.parametrize("inner", INNER)
def test_decision_counts_where_it_was_made(world: World, inner: str) -> None:
    """The server lets in one round after the decision. Coming from elsewhere, that round is not
    the one that was decided about."""
    def signs_on(place: str, **meddling: Any) -> tuple[rad.Eap, int, str]:
        user = world.person(f"place-{inner}-{len(meddling)}", PUSH, push="approve", after=0.3)
        with rad.Meddler(world.radius, **meddling) as between:
            end = rad.eapol_test(world.radius,
                                 rad.peap_network(world.radius, user, rad.PASSWORD, inner),
                                 station=place, port=between.port)
        world.outcome(user, "MFA_SUCCESS")
        return end, between.count, user

    end, rounds, _ = signs_on(station())
    assert end.success and end.accepts == 1, end.output[-3000:]
    elsewhere = station().encode()
    place = station()
    end, again, _ = signs_on(place, number=rounds,
                             change=lambda packet: rad.with_attribute(packet, 31, elsewhere))
    assert again == rounds and not end.success and end.accepts == 0 and end.rejects == 1
    event = world.site.wait_for(
        lambda e: e["debugContext"]["debugData"]["station"] == elsewhere.decode())
    assert event["outcome"]["reason"] == "PRIMARY_MISSING"


def test_no_thread_waits(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    """More people than the server has threads, and one more is served meanwhile."""
    with rad.start_world(tmp_path, pki_index, settings={"mfa": {"wait_wifi": "25s"}}) as world:
        users = [world.person(f"parked{i}", PUSH, push="manual") for i in range(36)]
        with ThreadPoolExecutor(len(users)) as pool:
            ends = [pool.submit(rad.eap_peap, world.radius, u, rad.PASSWORD, station=station())
                    for u in users]
            world.sim.wait_push(count=len(users))
            assert world.radius.threads() < len(users)
            other = rad.eap_peap(world.radius, world.person("meanwhile", TOTP), rad.PASSWORD,
                                 station=station())
            assert not other.success
            world.outcome("meanwhile", "MFA_NO_FACTOR")
            assert not any(e.done() for e in ends)
            for user in users:
                world.sim.approve(user + "@example.com")
            assert all(e.result().success for e in ends)


# --- with a device certificate in the outer handshake --------------------------------------------

OUTER = {"virtual_server = inner-devtrust-peap":
         "virtual_server = inner-devtrust-peap\n\t\trequire_client_cert = yes"}


@pytest.fixture(name="outer", scope="module")
def _outer(tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("peap-outer"), pki_index, settings=SETTINGS,
                         replace=OUTER) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("name", ["device-p256", "san-comma-list"])
def test_trusted_device_needs_no_mfa(outer: World, name: str, inner: str) -> None:
    user = outer.person(f"outer-{name}-{inner}", PUSH)
    certificate = outer.pki["devices"][name]
    outer.sim.enrol_device(certificate["device_id"])
    okta = outer.sim.count("okta.total")
    end = rad.eap_peap(outer.radius, user, rad.PASSWORD, inner, station=station(),
                       certificate=certificate)
    assert end.success, end.output[-3000:]
    assert "MPPE keys OK: 1" in end.output
    event = outer.outcome(user, "RULE_ALLOW")
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+intune"
    assert outer.sim.count("okta.total") == okta


def test_trusted_device_and_a_wrong_password(outer: World) -> None:
    user = outer.person("outer-wrong", PUSH)
    certificate = outer.pki["devices"]["device-p256"]
    outer.sim.enrol_device(certificate["device_id"])
    end = rad.eap_peap(outer.radius, user, "wrong", station=station(), certificate=certificate,
                       timeout=15)
    assert not end.success and end.accepts == 0
    assert not outer.outcomes(user)


@pytest.mark.parametrize("name,reason", [("device-rsa", "NOT_COMPLIANT"),
                                         ("wrong-tenant", "WRONG_TENANT"),
                                         ("device-p384", "NOT_ENROLLED")])
def test_device_that_is_not_trusted_meets_mfa(outer: World, name: str, reason: str) -> None:
    certificate = outer.pki["devices"][name]
    if reason == "NOT_COMPLIANT":
        outer.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
    for mode, success in (("approve", True), ("deny", False)):
        user = outer.person(f"outer-{name}-{mode}", PUSH, push=mode, after=0.3)
        end = rad.eap_peap(outer.radius, user, rad.PASSWORD, station=station(),
                           certificate=certificate)
        assert end.success == success and end.accepts == int(success), end.output[-3000:]
        event = outer.outcome(user, "MFA_SUCCESS" if success else "MFA_REJECTED")
        assert event["verdict"] == "NOT_TRUSTED" and event["deviceReason"] == reason


@pytest.mark.parametrize("name", ["foreign-ca", "expired", "wrong-eku"])
def test_certificate_of_a_failed_handshake(outer: World, name: str) -> None:
    """Nobody gets as far as the tunnel, and the attributes that the server copied count nowhere."""
    user = outer.person("outer-" + name, PUSH, push="approve")
    certificate = outer.pki["devices"][name]
    outer.sim.enrol_device(certificate["device_id"])
    end = rad.eap_peap(outer.radius, user, rad.PASSWORD, station=station(),
                       certificate=certificate, timeout=15)
    assert not end.success and end.accepts == 0
    assert not outer.outcomes(user) and not outer.sim.pushes(user + "@example.com")


def test_no_certificate_where_one_is_wanted(outer: World) -> None:
    user = outer.person("outer-none", PUSH, push="approve")
    end = rad.eap_peap(outer.radius, user, rad.PASSWORD, station=station(), timeout=10)
    assert not end.success and end.accepts == 0 and not outer.outcomes(user)


def test_resumed_with_a_certificate(outer: World) -> None:
    """The device is judged again each time; while it is trusted, the session goes on."""
    user = outer.person("outer-resumed", PUSH)
    certificate = outer.pki["devices"]["device-p256"]
    outer.sim.enrol_device(certificate["device_id"])
    end = rad.eap_peap(outer.radius, user, rad.PASSWORD, times=2, station=station(),
                       certificate=certificate)
    assert end.accepts == 2 and end.rejects == 0, end.output[-3000:]
    assert end.resumed, "the session was not resumed: nothing is shown"
    assert outer.outcome(user, "RULE_ALLOW", 2)["verdict"] == "TRUSTED"


# --- other configurations ------------------------------------------------------------------------

def replying(access: str) -> dict[str, Any]:
    """Everybody the same, with an attribute in the reply."""
    return {"name": "wifi", "application": "wifi", "rules": [
        {"name": "all", "priority": 1, "status": "ACTIVE", "conditions": {},
         "actions": {"appSignOn": {"access": access},
                     "reply": {"attributes": [{"name": "Class", "value": "peap-class"}]}}}]}


def test_reply_attributes_come_with_the_accept(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    with rad.start_world(tmp_path, pki_index, settings=SETTINGS,
                         policies=[replying("ALLOW"), {**replying("ALLOW"), "name": "vpn",
                                                       "application": "vpn"}]) as world:
        end = rad.eap_peap(world.radius, world.person("replied"), rad.PASSWORD, station=station())
        assert end.success, end.output[-3000:]
        at = end.output.index("code=2 (Access-Accept)")
        assert "Attribute 25 (Class)" in end.output[at:]
        assert "Attribute 25 (Class)" not in end.output[:at]


@pytest.mark.parametrize("replace", [
    {"\tpost-proxy {\n\t\tdevtrust_tunnel\n": "\tpost-proxy {\n"},
    {"\t\t\t\tupdate control {\n\t\t\t\t\t&DevTrust-Primary := \"Verified\"\n\t\t\t\t}\n"
     "\t\t\t\tdevtrust_tunnel\n\t\t\t}\n\t\t}\n\n\t\t# The password of EAP-MSCHAPv2":
     "\t\t\t\tupdate control {\n\t\t\t\t\t&DevTrust-Primary := \"Verified\"\n\t\t\t\t}\n"
     "\t\t\t}\n\t\t}\n\n\t\t# The password of EAP-MSCHAPv2"}])
def test_configured_past_devtrust_lets_nobody_in(tmp_path: Any, pki_index: dict[str, Any],
                                                 replace: dict[str, str]) -> None:
    with rad.start_world(tmp_path, pki_index, settings=SETTINGS, replace=replace) as world:
        user = world.person("past", PUSH, push="approve", after=0.3)
        end = rad.eap_peap(world.radius, user, rad.PASSWORD, station=station())
        assert not end.success and end.accepts == 0


OKTA_SETTINGS = {**SETTINGS, "primary": {"okta_password": "vpn, wifi"}}
OKTA = {
    "primary = control\n\t#append_passcode = yes": "primary = okta\n\tappend_passcode = yes",
    "wait = park\n\tprimary = control": "wait = park\n\tprimary = okta\n\tappend_passcode = yes",
    "\t\t\t\tupdate control {\n\t\t\t\t\t&DevTrust-Primary := \"Verified\"\n\t\t\t\t}\n"
    "\t\t\t\tdevtrust_tunnel\n\t\t\t}\n\t\t}\n\n\t\t# The password of EAP-MSCHAPv2":
    "\t\t\t\tdevtrust_tunnel\n\t\t\t}\n\t\t}\n\n\t\t# The password of EAP-MSCHAPv2",
    "\t\t\tif (&User-Password =~ /^(.+),(([^!-,.-~]*[0-9]){6,8}[^!-,.-~]*"
    "|(push|sms|call|phone|email)[1-9]?)$/) {\n"
    "\t\t\t\tupdate request {\n"
    "\t\t\t\t\t&DevTrust-Passcode := \"%{2}\"\n\t\t\t\t\t&User-Password := \"%{1}\"\n"
    "\t\t\t\t}\n\t\t\t}\n\t\t\tpap\n": "\t\t\tok\n",
}
OKTA_PASSWORD = "the Okta one 1"


@pytest.fixture(name="okta", scope="module")
def _okta(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("peap-okta"), pki_index, settings=OKTA_SETTINGS,
                         replace=OKTA) as made:
        yield made


def test_okta_password_by_gtc(okta: World) -> None:
    user = primary.person(okta, "okta-push", PUSH, push="approve", after=0.5,
                          password=OKTA_PASSWORD)
    end = rad.eap_peap(okta.radius, user, OKTA_PASSWORD, "GTC", station=station())
    assert end.success, end.output[-3000:]
    assert okta.outcome(user, "MFA_SUCCESS")["primary"] == "okta-password"


def test_okta_password_and_passcode_by_gtc(okta: World) -> None:
    user = primary.person(okta, "okta-totp", TOTP, password=OKTA_PASSWORD)
    end = rad.eap_peap(okta.radius, user, f"{OKTA_PASSWORD},{okta.passcode(user)}", "GTC",
                       station=station())
    assert end.success, end.output[-3000:]
    assert okta.outcome(user, "MFA_SUCCESS")["factor"] == TOTP


@pytest.mark.parametrize("password", ["wrong", rad.PASSWORD])
def test_wrong_okta_password_by_gtc(okta: World, password: str) -> None:
    """Nor does that which the server itself knows."""
    user = primary.person(okta, "okta-wrong-" + password[:2], PUSH, push="approve",
                          password=OKTA_PASSWORD)
    end = rad.eap_peap(okta.radius, user, password, "GTC", station=station(), timeout=20)
    assert not end.success and end.accepts == 0
    okta.site.wait_for(lambda e: e["actor"]["displayName"] == user)
    assert not okta.outcomes(user, "MFA_SUCCESS") and not okta.sim.pushes(user + "@example.com")


def test_mschapv2_brings_no_okta_password(okta: World) -> None:
    user = primary.person(okta, "okta-mschap", PUSH, push="approve", password=OKTA_PASSWORD)
    for password in (OKTA_PASSWORD, rad.PASSWORD):
        end = rad.eap_peap(okta.radius, user, password, station=station(), timeout=15)
        assert not end.success and end.accepts == 0
    assert not okta.sim.pushes(user + "@example.com")
    assert not okta.outcomes(user, "MFA_SUCCESS") and not okta.outcomes(user, "RULE_ALLOW")


def test_nt_hash(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    """The server need not know the password itself for EAP-MSCHAPv2."""
    users = 'DEFAULT NT-Password := 0x8846f7eaee8fb117ad06bdd830b7586c\n'  # of "password"
    prepared = {"\t\tfiles\n\t\tmschap\n": "\t\tupdate control {\n\t\t\t&" + users.split(" ", 1)[1]
                + "\t\t}\n\t\tmschap\n"}
    with rad.start_world(tmp_path, pki_index, settings=SETTINGS, replace=prepared) as world:
        user = world.person("nt", PUSH, push="approve", after=0.3)
        assert rad.eap_peap(world.radius, user, "password", station=station()).success
        world.outcome(user, "MFA_SUCCESS")
        end = rad.eap_peap(world.radius, user, rad.PASSWORD, station=station(), timeout=15)
        assert not end.success and len(world.outcomes(user)) == 1
