# SPDX-License-Identifier: GPL-2.0-or-later
# The Okta password as first factor, over real FreeRADIUS (PAP and EAP-TTLS/PAP), login and sshd's
# PAM conversation: no push and no MFA before it is right, and it is left nowhere.
"""Primary authentication by Okta, through both doors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World
from tests.lib.site import Site
from tests.sim.client import Sim

PUSH, TOTP = "push", "token:software:totp"
PASSWORD = "Kr0ne & \"Säule\"\\42"
REFUSED = "The sign-on was refused. Check your user name and your Okta password."

SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune, certificate+intune"},
            "primary": {"okta_password": "vpn, wifi", "password_limit": 3},
            "mfa": {"wait_vpn": "12s"}}

# The samples as their comments say.
OKTA = {
    "primary = control\n\t#append_passcode = yes": "primary = okta\n\tappend_passcode = yes",
    "wait = park\n\tprimary = control": "wait = park\n\tprimary = okta",
    "\t\t\tfiles\n\t\t\tpap\n": "\t\t\tupdate control {\n\t\t\t\t&Auth-Type := PAP\n\t\t\t}\n",
    "\t\tfiles\n\t\tpap\n": "\t\tupdate control {\n\t\t\t&Auth-Type := PAP\n\t\t}\n",
    "\t\t\tpap\n\t\t\tif (ok) {\n\t\t\t\tupdate control {\n"
    "\t\t\t\t\t&DevTrust-Primary := \"Verified\"\n\t\t\t\t}\n\t\t\t\tdevtrust\n\t\t\t}\n":
        "\t\t\tdevtrust\n",
    "\t\t\tpap\n\t\t\tif (ok) {\n\t\t\t\tupdate control {\n"
    "\t\t\t\t\t&DevTrust-Primary := \"Verified\"\n\t\t\t\t}\n\t\t\t\tdevtrust_tunnel\n\t\t\t}\n":
        "\t\t\tdevtrust_tunnel\n",
}


def leaves(site: Site, *more: Path) -> bytes:
    """Everything that was written where a password could have been left."""
    files = [p for p in site.directory.rglob("*") if p.is_file()]
    return b"".join(p.read_bytes() for p in [*files, *more] if p.exists())


def assert_not_left(site: Site, *more: Path) -> None:
    text = leaves(site, *more)
    for form in (PASSWORD, json.dumps(PASSWORD)[1:-1],
                 json.dumps(PASSWORD, ensure_ascii=False)[1:-1]):
        assert form.encode() not in text
    assert "Säule".encode() not in text and b"Kr0ne" not in text


def device_pairs(device_id: str) -> list[str]:
    return ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + device_id]


# --- RADIUS ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("primary")
    with rad.start_world(directory, pki_index, settings=SETTINGS, replace=OKTA) as made:
        made.sim.org(authn_per_second=0)
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()
        assert_not_left(made.site, made.radius.log, made.radius.output)


def person(world: World, name: str, *factors: str, password: Any = PASSWORD, **more: Any) -> str:
    world.person(name, *factors, **{k: v for k, v in more.items() if k != "authn_status"})
    world.sim.set_user(name + "@example.com", password=password,
                       authn_status=more.get("authn_status", "SUCCESS"))
    return name


def test_trusted_device_and_right_password(world: World) -> None:
    user = person(world, "trudy", PUSH)
    device = world.sim.enrol_device(user="trudy@example.com")["id"]
    reply = world.client().login(user, PASSWORD, Cisco_AVPair=device_pairs(device))
    assert reply.code == ACCEPT, reply
    event = world.outcome(user, "RULE_ALLOW")
    assert event["primary"] == "okta-password" and event["verdict"] == "TRUSTED"
    assert event["oktaCalls"] == 1
    assert world.sim.authn()["forwarded_for"][-1] == "198.51.100.7"
    assert not world.sim.pushes("trudy@example.com")


def test_unknown_device_and_right_password_meet_mfa(world: World) -> None:
    user = person(world, "una", PUSH, push="approve", after=0.5)
    reply = world.client().login(user, PASSWORD)
    assert reply.code == ACCEPT, reply
    assert world.outcome(user, "MFA_SUCCESS")["primary"] == "okta-password"


def test_wrong_password_sends_no_push_and_sounds_like_an_unknown_user(world: World) -> None:
    user = person(world, "wally", PUSH, push="approve")
    device = world.sim.enrol_device(user="wally@example.com")["id"]
    messages = []
    for name, pairs in ((user, []), (user, device_pairs(device)), ("nobody-there", [])):
        reply = world.client().login(name, "wrong", Cisco_AVPair=pairs)
        assert reply.code == REJECT, reply
        messages.append(reply.words)
    assert set(messages) == {REFUSED}
    assert not world.sim.pushes("wally@example.com")
    event = world.outcome(user, "PRIMARY_FAILED", 2)
    assert event["primary"] == "okta-password-pending" and "E0000004" in event["detail"]
    assert world.site.sign_ons(user)[-1]["eventType"] == "user.session.start"


def test_wrong_passwords_are_stopped_before_okta_locks(world: World) -> None:
    user = person(world, "lockme", PUSH)
    world.sim.org(password_lock_after=5)
    try:
        for _ in range(8):
            assert world.client().login(user, "wrong").code == REJECT
    finally:
        world.sim.org(password_lock_after=0)
    assert world.sim.user("lockme@example.com")["status"] == "ACTIVE"
    world.outcome(user, "PRIMARY_LIMIT", 5)
    assert len(world.outcomes(user, "PRIMARY_FAILED")) == 3
    assert len(world.outcomes(user, "PRIMARY_LIMIT")) == 5
    reply = world.client().login(user, PASSWORD)
    assert reply.code == REJECT and reply.words == REFUSED


def test_appended_passcode(world: World) -> None:
    user = person(world, "appendix", TOTP)
    reply = world.client().login(user, PASSWORD + "," + world.passcode(user))
    assert reply.code == ACCEPT, reply
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == TOTP
    reply = world.client().login(user, "wrong," + world.passcode(user))
    assert reply.code == REJECT, reply
    assert world.outcome(user, "PRIMARY_FAILED")["oktaCalls"] == 1


@pytest.mark.parametrize("separator", [" ", "-", "\N{NO-BREAK SPACE}"])
def test_appended_passcode_as_people_type_it(world: World, separator: str) -> None:
    user = person(world, f"append{ord(separator)}", TOTP)
    code = world.passcode(user)
    reply = world.client().login(user, f"{PASSWORD},{code[:3]}{separator}{code[3:]}")
    assert reply.code == ACCEPT, reply


def test_passcode_by_challenge_needs_the_password_once(world: World) -> None:
    user = person(world, "chally", TOTP)
    first = world.client().login(user, PASSWORD)
    assert first.code == CHALLENGE, first
    before = world.sim.count("okta.authn")
    done = world.client().login(user, world.passcode(user), first.state)
    assert done.code == ACCEPT, done
    assert world.sim.count("okta.authn") == before
    assert_not_left(world.site)


@pytest.mark.parametrize("status,cause", [
    ("PASSWORD_EXPIRED", "PRIMARY_EXPIRED"), ("PASSWORD_RESET", "PRIMARY_EXPIRED"),
    ("MFA_ENROLL", "PRIMARY_ENROLL"), ("MFA_ENROLL_ACTIVATE", "PRIMARY_ENROLL"),
    ("RECOVERY", "PRIMARY_REFUSED"), ("UNAUTHENTICATED", "PRIMARY_REFUSED")])
def test_states_that_are_no_sign_on(world: World, status: str, cause: str) -> None:
    user = person(world, "state-" + status.lower(), PUSH, push="approve", authn_status=status)
    device = world.sim.enrol_device(user=user + "@example.com")["id"]
    reply = world.client().login(user, PASSWORD, Cisco_AVPair=device_pairs(device))
    assert reply.code == REJECT, reply
    assert status in world.outcome(user, cause)["detail"]
    assert not world.sim.pushes(user + "@example.com")


@pytest.mark.parametrize("shown", [False, True])
def test_locked_out(world: World, shown: bool) -> None:
    user = person(world, f"locked{shown}", PUSH, status="LOCKED_OUT")
    world.sim.org(show_lockouts=shown)
    reply = world.client().login(user, PASSWORD)
    world.sim.org(show_lockouts=False)
    assert reply.code == REJECT
    assert (reply.words == REFUSED) is not shown
    world.outcome(user, "PRIMARY_LOCKED" if shown else "PRIMARY_FAILED")


def test_mfa_required_by_okta_is_due_on_a_trusted_device_too(world: World) -> None:
    user = person(world, "required", PUSH, push="approve", after=0.3,
                  authn_status="MFA_REQUIRED")
    device = world.sim.enrol_device(user="required@example.com")["id"]
    reply = world.client().login(user, PASSWORD, Cisco_AVPair=device_pairs(device))
    assert reply.code == ACCEPT, reply
    event = world.outcome(user, "MFA_SUCCESS")
    assert event["verdict"] == "TRUSTED" and event["orgMfa"] is True
    assert "required@example.com" not in world.sim.authn()["open"]


def test_rate_limit_of_one_user_name_is_waited_out(world: World) -> None:
    user = person(world, "hasty", PUSH)
    device = world.sim.enrol_device(user="hasty@example.com")["id"]
    world.sim.fault("rate_limit", endpoint="authn", times=1, reset_after=1)
    reply = world.client().login(user, PASSWORD, Cisco_AVPair=device_pairs(device))
    assert reply.code == ACCEPT, reply


@pytest.mark.parametrize("kind,more", [
    ("status", {"status": 500}), ("truncate", {}), ("html", {}), ("reset", {}),
    ("json", {"body": {"status": "SUCCESS"}}),
    ("merge", {"body": {"_embedded": {"user": {"profile": {"login": "bob@example.com"}}}}})])
def test_broken_answers_let_nobody_in(world: World, kind: str, more: dict[str, Any]) -> None:
    user = person(world, "broken-" + kind, PUSH, push="approve")
    device = world.sim.enrol_device(user=user + "@example.com")["id"]
    world.sim.fault(kind, endpoint="authn", **more)
    try:
        reply = world.client().login(user, PASSWORD, Cisco_AVPair=device_pairs(device))
    finally:
        world.sim.clear_faults()
    assert reply.code == REJECT, reply
    world.outcome(user, "OKTA_UNAVAILABLE" if kind in ("status", "reset")
                  else "OKTA_ANSWER_UNUSABLE")
    assert not world.sim.pushes(user + "@example.com")


def test_ttls_pap(world: World) -> None:
    user = person(world, "ttls-okta", PUSH, push="approve", after=1.0)
    end = rad.eap_ttls(world.radius, user, PASSWORD.replace('"', "").replace("\\", ""))
    assert not end.success
    world.outcome(user, "PRIMARY_FAILED")
    world.sim.set_user(user + "@example.com", password="Kr0ne-Turm")
    end = rad.eap_ttls(world.radius, user, "Kr0ne-Turm")
    assert end.success, end
    assert world.outcome(user, "MFA_SUCCESS")["primary"] == "okta-password"


def test_eap_tls_of_the_same_application_needs_no_password(world: World) -> None:
    certificate = world.pki["devices"]["device-rsa"]
    world.sim.enrol_device(certificate["device_id"])
    user = world.person("tls-okta")
    assert rad.eap_tls(world.radius, user, certificate).success
    assert world.outcome(user, "RULE_ALLOW")["primary"] == "handshake"


@pytest.mark.parametrize("okta_password,replace", [("", OKTA), ("vpn", {})])
def test_both_files_have_to_agree(tmp_path: Path, pki_index: dict[str, Any], okta_password: str,
                                  replace: dict[str, str]) -> None:
    with Sim.start(tmp_path / "sim") as sim:
        site = Site(tmp_path / "site", sim, pki_index,
                    settings={"primary": {"okta_password": okta_password}})
        done = rad.Radius(tmp_path / "raddb", site, replace=replace).check()
    assert done.returncode != 0
    assert "okta_password" in done.stdout


# --- the org's rules ---------------------------------------------------------------------------

def org_rule(name: str, priority: int, conditions: Any, **signon: Any) -> dict[str, Any]:
    return {"name": name, "priority": priority, "status": "ACTIVE", "conditions": conditions,
            "actions": {"signon": signon}}


def test_the_orgs_rules_come_first(tmp_path: Path, pki_index: dict[str, Any]) -> None:
    rules = [org_rule("not mallory", 1, {"people": {"users": {"include": ["mallory@example.com"]}}},
                      access="DENY"),
             org_rule("radius", 2, {"authContext": {"authType": "RADIUS"}}, access="ALLOW",
                      requireFactor=True),
             org_rule("default", 3, None, access="ALLOW")]
    path = tmp_path / "org.json"
    path.write_text(json.dumps({"name": "org", "rules": rules}))
    settings = {**SETTINGS, "policy": {"org_file": path}}
    with rad.start_world(tmp_path / "world", pki_index, settings=settings,
                         replace=OKTA) as world:
        user = person(world, "mallory", PUSH)
        device = world.sim.enrol_device(user="mallory@example.com")["id"]
        reply = world.client().login(user, PASSWORD, Cisco_AVPair=device_pairs(device))
        assert reply.code == REJECT and reply.words == REFUSED
        event = world.outcome(user, "ORG_RULE_DENY")
        assert event["orgRule"] == "not mallory" and event["oktaCalls"] == 0
        user = person(world, "trent", PUSH, push="approve", after=0.3)
        reply = world.client().login(user, PASSWORD, Cisco_AVPair=device_pairs(device))
        assert reply.code == ACCEPT, reply
        event = world.outcome(user, "MFA_SUCCESS")
        assert event["orgRule"] == "radius" and event["orgMfa"] is True
        assert event["rule"] == "Device Trust = Trusted. No need to check for MFA."


# --- PAM ---------------------------------------------------------------------------------------

PAM_SETTINGS = {"primary": {"okta_password": "login, both", "password_limit": 50},
                "device_trust": {"trusted_when": "certificate+intune"}}


@pytest.fixture(scope="module")
def host(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("login", "both", "sshd", "sudo"),
                   settings=PAM_SETTINGS) as made:
        made.sim.org(authn_per_second=0)
        made.sim.add_user("dtalice@example.com", factors=(TOTP,))
        made.sim.set_user("dtalice@example.com", password=PASSWORD)
        made.start_daemon()
        yield made
        assert_not_left(made.site, made.log_path)


def sign_on(host: PamWorld, service: str, *answers: str, user: str = "dtalice",
            arguments: tuple[str, ...] = ()) -> tuple[dict[str, Any], list[str]]:
    asked = []
    with host.harness("--service", service, "--user", user, *arguments) as login:
        for answer in answers:
            asked.append(login.prompt())
            login.answer(answer)
        return login.finish(), asked


def test_pam_login_with_the_okta_password(host: PamWorld) -> None:
    host.sample("login", "login-devtrust-okta")
    report, asked = sign_on(host, "login", PASSWORD, host.sim.passcode("dtalice@example.com"))
    assert asked[0] == "Okta password: " and "passcode" in asked[1]
    assert report["auth"] == "SUCCESS" and report["account"] == "SUCCESS"
    event = host.outcome("login")["debugContext"]["debugData"]
    assert event["cause"] == "MFA_SUCCESS" and event["primary"] == "okta-password"


def test_pam_refusals_are_alike(host: PamWorld) -> None:
    host.service("login", "password")
    before = host.sim.count("okta.total")
    wrong, _ = sign_on(host, "login", "wrong")
    assert host.sim.count("okta.total") == before + 1
    unknown, asked = sign_on(host, "login", PASSWORD, user="nobody-here")
    assert asked == ["Okta password: "]
    stranger, _ = sign_on(host, "login", PASSWORD, user="dtbob")
    for report in (wrong, unknown, stranger):
        assert report["auth"] == "AUTH_ERR"
        shown = " ".join(line.get("message", "") for line in report["lines"])
        assert REFUSED in " ".join(shown.split())


def test_pam_password_that_nobody_would_check(host: PamWorld) -> None:
    host.service("sshd", "password")
    try:
        report, _ = sign_on(host, "sshd", PASSWORD)
    finally:
        host.service("sshd")
    assert report["auth"] == "SYSTEM_ERR"
    assert host.outcome("sshd")["debugContext"]["debugData"]["cause"] == "CONFIG"


def test_pam_without_the_password(host: PamWorld) -> None:
    host.service("both")
    report, _ = sign_on(host, "both")
    assert report["auth"] in ("PERM_DENIED", "AUTH_ERR")
    assert host.outcome("both")["debugContext"]["debugData"]["cause"] == "PRIMARY_MISSING"


@pytest.mark.parametrize("argument", ["password try_first_pass", "password password",
                                      "use_first_pass=1", "PASSWORD"])
def test_pam_arguments_that_contradict(host: PamWorld, argument: str) -> None:
    host.service("both", *argument.split())
    report, _ = sign_on(host, "both")
    assert report["auth"] == "SYSTEM_ERR"


def test_pam_use_first_pass(host: PamWorld) -> None:
    """The module before took it; and left to one behind, it is the same."""
    host.set_password("dtalice", "local-one")
    host.service("both", "use_first_pass", auth="auth optional pam_unix.so nodelay\n")
    host.sim.set_user("dtalice@example.com", password="local-one")
    try:
        report, asked = sign_on(host, "both", "local-one",
                                host.sim.passcode("dtalice@example.com"))
    finally:
        host.sim.set_user("dtalice@example.com", password=PASSWORD)
    assert report["auth"] == "SUCCESS", report
    assert re.match("Password", asked[0])
    host.service("both", "use_first_pass")
    report, _ = sign_on(host, "both")
    assert report["auth"] == "AUTH_ERR"
