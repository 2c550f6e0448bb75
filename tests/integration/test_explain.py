# SPDX-License-Identifier: GPL-2.0-or-later
# The same words about a real sign-on, in its audit event, and about an imagined one.
"""Explanations of decisions."""

from __future__ import annotations

import json
from typing import Any, Iterator

import pytest

from tests.integration.test_reload import data
from tests.lib import site as sites
from tests.lib.pamworld import PamWorld, pam_world

ALICE = "dtalice@example.com"
TRUSTED = "requires a TRUSTED device; this one is NOT_TRUSTED"


@pytest.fixture(name="world", scope="module")
def _world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd",)) as world:
        world.sim.add_user(ALICE, factors=["push"])
        world.site.set_policy({"name": "sshd", "application": "sshd", "rules": [
            sites.rule("Trusted", 1, "TRUSTED"),
            sites.rule("Bob", 2, people={"users": {"include": ["bob"]}}),
            {**sites.catch_all(), "name": "Nobody else"}]})
        world.service("sshd")
        world.start_daemon()
        yield world
        assert world.stop_daemon() == 0, world.log_path.read_text()


def ctl(world: PamWorld, *arguments: str) -> Any:
    return world.run([world.ctl, arguments[0], "-c", world.site.config_path, *arguments[1:]])


def test_a_real_sign_on(world: PamWorld) -> None:
    assert world.login("sshd", "dtalice")["auth"] == "PERM_DENIED"
    event = world.outcome("sshd")
    trusted, bob, last = data(event)["explanation"]
    assert trusted == {"rule": "Trusted", "matches": False, "failed": "device",
                       "compared": TRUSTED + ", NO_CERTIFICATE"}
    assert bob["failed"] == "people"
    assert bob["compared"] == f"requires users bob; the person is dtalice, at Okta {ALICE}"
    assert last == {"rule": "Nobody else", "matches": True}
    shown = ctl(world, "log", "--explain", "--id", event["transaction"]["id"])
    assert shown.returncode == 0, shown
    assert "does not match: device: " + TRUSTED in shown.stdout
    assert '"Nobody else" matches' in shown.stdout
    assert ctl(world, "log", "--id", "0" * 32).returncode == 1


def test_the_same_imagined(world: PamWorld) -> None:
    arguments = ["explain", "--user", "dtalice", "--application", "sshd"]
    denied = ctl(world, *arguments, "--device-trust", "NOT_TRUSTED", "--reason", "NOT_COMPLIANT",
                 "--json")
    assert denied.returncode == 1, denied
    explained = json.loads(denied.stdout)
    assert explained["rules"][0]["compared"] == TRUSTED + ", NOT_COMPLIANT (by the question)"
    assert explained["verdict"]["reason"] == "NOT_COMPLIANT"
    allowed = ctl(world, *arguments, "--device-trust", "trusted")
    assert allowed.returncode == 0 and "ASSUMED" in allowed.stdout, allowed
    assert '* "Trusted": matches' in allowed.stdout


def test_the_same_text_in_both(world: PamWorld) -> None:
    """What `explain` says of the person as the login had him is what the login's event says."""
    assert world.login("sshd", "dtalice")["auth"] == "PERM_DENIED"
    said = data(world.outcome("sshd"))["explanation"]
    answer = ctl(world, "explain", "--user", "dtalice", "--application", "sshd", "--json")
    rules = json.loads(answer.stdout)["rules"]
    assert len(said) == len(rules) == 3
    for real, asked in zip(said, rules):
        assert real["rule"] == asked["name"] and real["matches"] == asked["matches"]
        assert real.get("failed") == asked["failed"] and real.get("compared") == asked["compared"]
    lines = ctl(world, "explain", "--user", "dtalice", "--application", "sshd").stdout
    assert f"does not match: device: {said[0]['compared']}" in lines


def test_an_imagined_moment(world: PamWorld) -> None:
    """Hours and weekdays by --time: with its offset, in UTC, or in this host's zone."""
    policy = json.loads((world.site.policy_directory / "sshd.json").read_text())

    def hours(zone: str, name: str, priority: int) -> dict[str, Any]:
        return {**sites.rule(name, priority), "conditions": {"time": {"zone": zone, "include": [
            {"days": ["MONDAY"], "from": "08:00", "to": "18:00"}]}}}
    world.site.set_policy({**policy, "rules": [hours("LOCAL", "Office hours", 1),
                                               hours("UTC", "UTC hours", 2), sites.catch_all()]})
    arguments = ["explain", "--user", "dtalice", "--application", "sshd", "--device-trust",
                 "NOT_TRUSTED", "--reason", "NOT_ENROLLED", "--json"]

    def decided(time: str, zone: str = "Europe/Berlin") -> Any:
        done = world.run(["env", "TZ=" + zone, world.ctl, arguments[0], "-c",
                          world.site.config_path, *arguments[1:], "--time", time])
        assert done.returncode in (0, 1), done
        return json.loads(done.stdout)

    try:
        for time, rule, at in (
                ("2026-03-02T08:00+01:00", "Office hours", "2026-03-02T07:00:00.000Z"),
                ("2026-03-02T07:59:59+01:00", sites.CATCH_ALL_RULE, "2026-03-02T06:59:59.000Z"),
                ("2026-03-02T18:00+01:00", "UTC hours", "2026-03-02T17:00:00.000Z"),
                ("2026-03-02T08:00", "Office hours", "2026-03-02T07:00:00.000Z"),
                ("2026-07-06T08:00", "Office hours", "2026-07-06T06:00:00.000Z"),  # summer time
                ("2026-03-02T07:30Z", sites.CATCH_ALL_RULE, "2026-03-02T07:30:00.000Z"),
                ("2026-03-03T09:00Z", sites.CATCH_ALL_RULE, "2026-03-03T09:00:00.000Z")):
            said = decided(time)
            assert (said["decision"]["rule"], said["time"]) == (rule, at), time
            assert any("--time" in text for text in said["assumed"])
        rules = decided("2026-03-03T09:00Z")["rules"]
        assert rules[1]["compared"] == ("requires UTC time from Mon 08:00 to Mon 18:00; it is "
                                        "Tue 09:00 (by the question)")
        for wrong in ("monday", "2026-03-02", "2026-13-02T08:00", "2026-03-29T02:30"):
            done = world.run(["env", "TZ=Europe/Berlin", world.ctl, arguments[0], "-c",
                              world.site.config_path, *arguments[1:], "--time", wrong])
            assert done.returncode == 2 and "--time" in done.stderr, done
    finally:
        world.site.set_policy(policy)


@pytest.mark.parametrize("wrong", [["--reason", "NOT_COMPLIANT"], ["--device-trust", "perhaps"],
                                   ["--device-trust", "TRUSTED", "--reason", "BORED"],
                                   ["--device-trust", "TRUSTED", "--this-host"]])
def test_what_cannot_be_imagined(world: PamWorld, wrong: list[str]) -> None:
    done = ctl(world, "explain", "--user", "dtalice", "--application", "sshd", *wrong)
    assert done.returncode == 2 and "devtrustctl" in done.stderr, done


# --- the org's own rules ------------------------------------------------------------------------

def org_rule(name: str, priority: int, signon: dict[str, Any], user: str = "") -> dict[str, Any]:
    conditions = {"people": {"users": {"include": [user]}}} if user else None
    return {"name": name, "priority": priority, "status": "ACTIVE", "conditions": conditions,
            "actions": {"signon": signon}}


@pytest.fixture(name="org")
def _org(world: PamWorld) -> Iterator[PamWorld]:
    path = world.site.directory / "okta-sign-on.json"
    path.write_text(json.dumps({"name": "The org", "rules": [
        org_rule("Not Bob", 1, {"access": "DENY"}, "bob"),
        org_rule("Factors", 2, {"access": "ALLOW", "requireFactor": True}, "dtalice"),
        org_rule("Others", 3, {"access": "ALLOW"})]}))
    world.site.configure({"policy": {"org_file": path}})
    yield world
    world.site.configure({"policy": {"org_file": None, "org_mfa": None}})
    path.unlink()


def imagined(world: PamWorld, user: str, trust: str = "TRUSTED", *more: str) -> Any:
    return ctl(world, "explain", "--user", user, "--application", "sshd", "--device-trust", trust,
               *more)


def test_an_imagined_device_does_not_get_past_the_org(org: PamWorld) -> None:
    denied = imagined(org, "bob")
    assert denied.returncode == 1, denied
    assert 'org rule     * "Not Bob": matches' in denied.stdout
    assert 'decision     DENY by the org\'s rule "Not Bob"' in denied.stdout
    said = json.loads(imagined(org, "bob", "TRUSTED", "--json").stdout)
    assert said["decision"]["access"] == "DENY" and said["decision"]["orgRule"] == "Not Bob"
    assert said["decision"]["orgAccess"] == "DENY"
    assert [r["matches"] for r in said["orgRules"]] == [True, False, True]
    assert said["orgRules"][1]["failed"] == "people"


def test_the_org_asks_for_a_factor(org: PamWorld) -> None:
    asked = json.loads(imagined(org, "dtalice", "TRUSTED", "--json").stdout)["decision"]
    assert asked["access"] == "ALLOW_AFTER_MFA" and asked["orgMfa"] is True
    assert 'as the org\'s rule "Factors" asks' in imagined(org, "dtalice").stdout
    org.site.configure({"policy": {"org_mfa": "unless_trusted"}})
    waived = json.loads(imagined(org, "dtalice", "TRUSTED", "--json").stdout)["decision"]
    assert waived["access"] == "ALLOW" and waived["orgMfa"] is False
    assert waived["orgRule"] == "Factors"


def test_without_rules_of_the_org(world: PamWorld) -> None:
    said = json.loads(imagined(world, "bob", "NOT_TRUSTED", "--json").stdout)
    assert said["orgRules"] == [] and said["decision"]["orgRule"] is None
    assert "org rule" not in imagined(world, "bob", "NOT_TRUSTED").stdout


# --- --online: the person at Okta ---------------------------------------------------------------

@pytest.fixture(name="online_world")
def _online(world: PamWorld) -> Iterator[PamWorld]:
    policy = json.loads((world.site.policy_directory / "sshd.json").read_text())
    world.site.set_policy(sites.guide_policy("sshd"))
    yield world
    world.site.set_policy(policy)
    world.sim.set_user(ALICE, status="ACTIVE")


def online(world: PamWorld, user: str, trust: str = "NOT_TRUSTED") -> tuple[int, Any, str]:
    arguments = ["explain", "--user", user, "--application", "sshd", "--device-trust", trust,
                 "--online"]
    text, done = ctl(world, *arguments), ctl(world, *arguments, "--json")
    assert text.returncode == done.returncode, text
    return done.returncode, json.loads(done.stdout)["okta"], text.stdout


def test_the_person_at_okta(online_world: PamWorld) -> None:
    code, okta, text = online(online_world, "dtalice")
    assert (code, okta) == (0, {"known": True, "cause": None, "enrolled": ["push"],
                                "usable": ["push"]})
    assert "at Okta      found; enrolled: push; of these for this rule: push" in text
    for status, cause in (("SUSPENDED", "OKTA_USER_SUSPENDED"), ("LOCKED_OUT", "MFA_LOCKED"),
                          ("PASSWORD_EXPIRED", "OKTA_PASSWORD_EXPIRED")):
        online_world.sim.set_user(ALICE, status=status)
        code, okta, text = online(online_world, "dtalice")
        assert (code, okta) == (1, {"known": True, "cause": cause}) and cause in text
    assert not online_world.sim.pushes(ALICE)


def test_a_person_whom_okta_does_not_know(online_world: PamWorld) -> None:
    """Also where the rule asks for no MFA: not found is not found."""
    for trust in ("TRUSTED", "NOT_TRUSTED"):
        code, okta, text = online(online_world, "nobody", trust)
        assert (code, okta["cause"]) == (5, "OKTA_USER_UNKNOWN"), text
        assert "at Okta      OKTA_USER_UNKNOWN" in text


def test_a_person_without_a_factor_that_the_rule_takes(online_world: PamWorld) -> None:
    online_world.sim.add_user("dtbob@example.com", factors=("sms",))
    code, okta, text = online(online_world, "dtbob")
    assert (code, okta) == (1, {"known": True, "cause": "MFA_NO_FACTOR", "enrolled": ["sms"],
                                "usable": []})
    assert "found; enrolled: sms; of these for this rule: none" in text
    code, okta, text = online(online_world, "dtbob", "TRUSTED")
    assert (code, okta["cause"]) == (0, None), text


def test_okta_does_not_say(online_world: PamWorld) -> None:
    """Neither yes nor no."""
    url = online_world.sim.okta_url
    online_world.site.configure({"okta": {"org_url": "https://localhost:1"}})
    try:
        code, okta, text = online(online_world, "dtalice")
        assert (code, okta) == (3, {"known": False, "cause": "OKTA_UNAVAILABLE"})
        assert "at Okta      not known: OKTA_UNAVAILABLE" in text
    finally:
        online_world.site.configure({"okta": {"org_url": url}})


# --- nobody -------------------------------------------------------------------------------------

@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_person_whom_the_host_does_not_know(world: PamWorld, more: "tuple[str, ...]") -> None:
    """At PAM nobody has that name; elsewhere the directory of the server knows the person."""
    world.site.set_policy(sites.guide_policy("vpn"))
    try:
        trusted = ("--device-trust", "TRUSTED", *more)
        for user, application, code in (("nobody-here", "sshd", 5), ("dtalice", "sshd", 0),
                                        ("nobody-here", "vpn", 0)):
            done = ctl(world, "explain", "--user", user, "--application", application, *trusted)
            assert done.returncode == code, (user, application, done)
            assert ("knows no such user" in done.stdout) == (code == 5), done.stdout
    finally:
        (world.site.policy_directory / "vpn.json").unlink()
