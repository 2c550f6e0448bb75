# SPDX-License-Identifier: GPL-2.0-or-later
# Staged roll-out: everything is evaluated and written down, nothing is enforced, and nobody gets in
# by it who would not have got in without.
"""report_only, on a real devtrustd and a real FreeRADIUS."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Iterator, Mapping

import pytest

from tests.integration.test_reload import allow_all, data, deny_all, put_policy
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.radius import ACCEPT, REJECT, World

ALICE = "dtalice@example.com"
PUSH, TOTP = "push", "token:software:totp"
PERMIT = "auth required pam_permit.so\n"
ON = {"policy": {"report_only": "yes"}}


def would(event: Mapping[str, Any]) -> tuple[str, Any]:
    debug = data(event)
    assert debug["reportOnly"] is True and debug["cause"] == "REPORT_ONLY"
    assert event["outcome"] == {"result": "SKIPPED", "reason": "REPORT_ONLY"}
    return debug["would"], debug["wouldCause"]


@pytest.fixture(name="pam", scope="module")
def _pam(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd", "sudo"), settings=ON) as world:
        world.sim.add_user(ALICE, factors=[PUSH, TOTP])
        world.start_daemon()
        yield world
        assert world.stop_daemon() == 0, world.log_path.read_text()


def behind_permit(world: PamWorld, service: str = "sshd") -> None:
    """The documented stack: what succeeds stands behind devtrust's line."""
    line = world.module_line()
    (world.pam_directory / service).write_text(
        f"auth required {line}\n{PERMIT}account required pam_permit.so\n"
        f"account required {line}\nsession required pam_permit.so\n")


def pushes(world: PamWorld) -> int:
    return world.sim.count("okta.total")


def test_whom_a_rule_denies(pam: PamWorld) -> None:
    put_policy(pam.site, deny_all("sshd"))
    assert pam.stop_daemon() == 0
    pam.start_daemon()
    behind_permit(pam)
    before = pushes(pam)
    count = len(pam.site.sign_ons())
    report = pam.login("sshd", "dtalice")
    assert report["auth"] == "SUCCESS", report
    assert not any("prompt" in line or "message" in line for line in report["lines"]), report
    event = pam.outcome("sshd", count + 1)
    assert would(event) == ("DENY", "RULE_DENY") and data(event)["rule"] == "Nobody"
    assert pushes(pam) == before


def test_who_would_be_asked(pam: PamWorld) -> None:
    put_policy(pam.site, sites.guide_policy("sudo"))
    assert pam.stop_daemon() == 0
    pam.start_daemon()
    behind_permit(pam, "sudo")
    before = pushes(pam)
    assert pam.login("sudo", "dtalice")["auth"] == "SUCCESS"
    assert would(pam.outcome("sudo")) == ("MFA", None)
    assert pushes(pam) == before


@pytest.mark.parametrize("policy", [allow_all("sshd"), deny_all("sshd")])
def test_alone_it_lets_nobody_in(pam: PamWorld, policy: dict[str, Any]) -> None:
    """Not even whom the policy would allow: libpam refuses where every module is to be ignored."""
    put_policy(pam.site, policy)
    assert pam.stop_daemon() == 0
    pam.start_daemon()
    pam.service("sshd")
    assert pam.login("sshd", "dtalice")["auth"] not in ("SUCCESS", "IGNORE")


def test_a_wrong_password_stays_wrong(pam: PamWorld) -> None:
    put_policy(pam.site, allow_all("sshd"))
    line = pam.module_line()
    (pam.pam_directory / "sshd").write_text(
        f"auth required pam_deny.so\nauth required {line}\n{PERMIT}account required {line}\n")
    assert pam.login("sshd", "dtalice")["auth"] != "SUCCESS"


def test_faults_refuse(pam: PamWorld) -> None:
    """There is no policy for it: nobody knows what the administrator wants."""
    behind_permit(pam, "nowhere")
    assert pam.login("nowhere", "dtalice")["auth"] == "SYSTEM_ERR"
    assert data(pam.outcome("nowhere"))["cause"] == "CONFIG"


def test_a_policy_has_the_last_word(pam: PamWorld) -> None:
    put_policy(pam.site, {**deny_all("sshd"), "reportOnly": False})
    assert pam.stop_daemon() == 0
    pam.start_daemon()
    behind_permit(pam)
    assert pam.login("sshd", "dtalice")["auth"] == "PERM_DENIED"


def test_the_administrator_is_told(pam: PamWorld) -> None:
    put_policy(pam.site, deny_all("sshd"))
    done = pam.run([pam.ctl, "check-config", "--user", "root", "-c", pam.site.config_path])
    assert "REPORT ONLY: nothing of policy sshd is enforced" in done.stdout + done.stderr
    done = pam.run([pam.ctl, "log", "-c", pam.site.config_path, "--report-only"])
    assert done.returncode == 0 and "REPORT ONLY, would be DENY" in done.stdout, done.stdout
    assert all("REPORT ONLY" in line for line in done.stdout.splitlines())


# --- FreeRADIUS --------------------------------------------------------------------------------

SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune, certificate+intune"},
            "mfa": {"wait_vpn": "20s"}, **ON}


@pytest.fixture(name="radius", scope="module")
def _radius(tmp_path_factory: pytest.TempPathFactory,
            pki_index: dict[str, Any]) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("report")
    with rad.start_world(directory, pki_index, settings=SETTINGS) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def pairs(device_id: str) -> list[str]:
    return ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + device_id]


def test_radius_asks_nobody(radius: World) -> None:
    user = radius.person("rolf", PUSH, TOTP)
    before = radius.sim.count("okta.total")
    reply = radius.client().login(user)
    assert reply.code == ACCEPT and reply.message == "", reply
    radius.outcome(user, "REPORT_ONLY")
    assert would(radius.outcomes(user)[-1]) == ("MFA", None)
    assert radius.sim.count("okta.total") == before


def test_radius_looks_devices_up(radius: World) -> None:
    """One that waits for Graph is parked like any other, and goes on."""
    user = radius.person("greta", TOTP)
    device = radius.sim.enrol_device(user="greta@example.com")["id"]
    for count in (1, 2):
        assert radius.client().login(user, Cisco_AVPair=pairs(device)).code == ACCEPT
        radius.outcome(user, "REPORT_ONLY", count)
        assert would(radius.outcomes(user)[-1]) == ("ALLOW", "RULE_ALLOW")


def test_radius_wrong_password(radius: World) -> None:
    user = radius.person("willy", TOTP)
    assert radius.client().login(user, "wrong").code == REJECT
    assert radius.outcomes(user) == []


# --- Wi-Fi -------------------------------------------------------------------------------------

def station() -> str:
    return "02-" + "-".join(f"{b:02X}" for b in secrets.token_bytes(5))


def test_wifi_certificate(radius: World) -> None:
    """A device that would be asked for MFA, by a handshake that the server has verified."""
    user = radius.person("wanda", PUSH)
    certificate = radius.pki["devices"]["device-p256"]
    radius.sim.enrol_device(certificate["device_id"], compliance="noncompliant")
    end = rad.eap_tls(radius.radius, user, certificate, station=station())
    assert end.success and "MPPE keys OK: 1" in end.output, end.output[-3000:]
    radius.outcome(user, "REPORT_ONLY")
    assert would(radius.outcomes(user)[-1]) == ("MFA", None)
    assert not radius.sim.pushes("wanda@example.com")


def test_wifi_handshake_that_fails(radius: World) -> None:
    user = radius.person("wilma")
    end = rad.eap_tls(radius.radius, user, radius.pki["devices"]["expired"], station=station())
    assert not end.success and end.accepts == 0


def test_wifi_tunnel(radius: World) -> None:
    user = radius.person("tara", TOTP)
    end = rad.eap_ttls(radius.radius, user, rad.PASSWORD, station=station())
    assert end.success and "MPPE keys OK: 1" in end.output, end.output[-3000:]
    radius.outcome(user, "REPORT_ONLY")
    wrong = rad.eap_ttls(radius.radius, user, "wrong", station=station())
    assert not wrong.success and wrong.accepts == 0


def test_wifi_resumption(radius: World) -> None:
    """A resumed session that devtrust would refuse is reported, and goes on."""
    user = radius.person("rex", TOTP)
    network = rad.ttls_network(radius.radius, user, rad.PASSWORD)
    with rad.Supplicant(radius.radius, network, times=2, station=station()) as supplicant:
        end = supplicant.finish()
    assert end.resumed and end.accepts == 2, end.output[-3000:]
    event = radius.site.wait_for(lambda e: data(e).get("wouldCause") == "STATE_INVALID")
    assert "no sign-on of this request" in data(event)["detail"]


# --- report_only_people: could the person pass the MFA? ------------------------------------------

@pytest.fixture(name="people")
def _people(pam: PamWorld) -> Iterator[PamWorld]:
    put_policy(pam.site, sites.guide_policy("sshd"))
    pam.restart_daemon({"policy": {**ON["policy"], "report_only_people": "yes"},
                        "okta": {"user_ttl": "0"}})
    behind_permit(pam)
    yield pam
    pam.sim.set_user(ALICE, status="ACTIVE")
    pam.restart_daemon({"policy": {**ON["policy"], "report_only_people": None},
                        "okta": {"user_ttl": None}})


def reported(world: PamWorld) -> tuple[str, Any]:
    """A login, which always succeeds, and shows nothing."""
    count = len([e for e in world.site.sign_ons() if data(e)["application"] == "sshd"])
    report = world.login("sshd", "dtalice")
    assert report["auth"] == "SUCCESS", report
    assert not any("prompt" in line or "message" in line for line in report["lines"]), report
    return would(world.outcome("sshd", count + 1))


def test_what_would_become_of_the_person(people: PamWorld) -> None:
    assert reported(people) == ("MFA", None)
    for status, cause in (("SUSPENDED", "OKTA_USER_SUSPENDED"), ("LOCKED_OUT", "MFA_LOCKED"),
                          ("PASSWORD_EXPIRED", "OKTA_PASSWORD_EXPIRED")):
        people.sim.set_user(ALICE, status=status)
        assert reported(people) == ("DENY", cause)
    people.sim.remove_user(ALICE)
    assert reported(people) == ("DENY", "OKTA_USER_UNKNOWN")
    people.sim.add_user(ALICE)
    assert reported(people) == ("DENY", "MFA_NO_FACTOR")
    people.sim.add_factor(ALICE, PUSH)
    assert reported(people) == ("MFA", None)
    assert not people.sim.pushes(ALICE)


def test_a_token_that_okta_refuses_keeps_nobody_out(people: PamWorld) -> None:
    good = people.site.okta_token_path.read_bytes()
    people.site.okta_token_path.write_text("00anotherTokenThatIsNotTheOrgs\n")
    people.restart_daemon()
    try:
        assert reported(people) == ("DENY", "CONFIG")
    finally:
        people.site.okta_token_path.write_bytes(good)
        people.restart_daemon()
