# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl policy against the simulated org: fetched, saved, imported, compared, tested; and the
# imported rules of the guide in front of real logins over RADIUS and SSH.
"""Tests of devtrustctl policy."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest

from tests.integration.test_ctl import FAULT, HOSTILE, NO, YES, Answer, run
from tests.lib import mmdb
from tests.lib import radius as rad
from tests.lib.pamworld import pam_world
from tests.lib.site import NOT_TRUSTED_RULE, TRUSTED_RULE, Site
from tests.lib.sshd import Sshd, install_device_key, make_key
from tests.sim.client import Sim

MANAGED = {"registered": True, "managed": True}
ANYONE: dict[str, Any] = {"people": {"users": {"include": [], "exclude": []},
                                     "groups": {"include": [], "exclude": []}},
                          "network": {"connection": "ANYWHERE"}, "riskScore": {"level": "ANY"},
                          "userType": {"include": [], "exclude": []}}


def sign_on(mode: str, again: str = "PT0S", constraints: Any = ()) -> dict[str, Any]:
    return {"appSignOn": {"access": "ALLOW", "verificationMethod": {
        "type": "ASSURANCE", "factorMode": mode, "reauthenticateIn": again,
        "constraints": list(constraints)}}}


DENY = {"appSignOn": {"access": "DENY", "verificationMethod": {
    "type": "ASSURANCE", "factorMode": "1FA", "reauthenticateIn": "PT2H"}}}


def org_rule(name: str, priority: int, conditions: Any, actions: dict[str, Any],
             **members: Any) -> dict[str, Any]:
    return {"name": name, "priority": priority, "conditions": conditions, "actions": actions,
            **members}


CATCH_ALL = org_rule("Catch-all Rule", 99, None, DENY, system=True)


def guide_rules() -> list[dict[str, Any]]:
    """The guide's two rules as an Okta org has them. A device that is registered and not managed is
    NOT_TRUSTED here, so it has to get there what one gets that is not registered."""
    return [
        org_rule(NOT_TRUSTED_RULE, 0, {**ANYONE, "device": {"registered": False}},
                 sign_on("2FA", constraints=[{"possession": {
                     "required": True, "types": ["APP"], "userPresence": "REQUIRED"}}])),
        org_rule(TRUSTED_RULE, 1, {**ANYONE, "device": MANAGED}, sign_on("1FA", "PT2H")),
        org_rule("Registered, not managed", 2,
                 {**ANYONE, "device": {"registered": True, "managed": False}},
                 sign_on("2FA", constraints=[{"possession": {
                     "required": True, "types": ["APP"], "userPresence": "REQUIRED"}}])),
        CATCH_ALL]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("policy") / "sim", tenant=pki_index["tenant_id"]) as sim:
        yield sim


@pytest.fixture
def site(tmp_path: Path, world: Sim, pki_index: dict[str, Any]) -> Site:
    """An installation that has no policy yet."""
    world.reset()
    made = Site(tmp_path / "site", world, pki_index, applications=())
    made.configure({"policy": {"zones_file": made.directory / "zones.json"}})
    made.policy_directory.mkdir(mode=0o755)
    return made


def ctl(site: Site, *arguments: Any) -> Answer:
    return run("policy", *arguments, "-c", site.config_path)


def imported(site: Site, application: str = "vpn") -> dict[str, Any]:
    return json.loads((site.policy_directory / (application + ".json")).read_text())


def zones(site: Site) -> dict[str, Any]:
    return {z["name"]: z for z in json.loads((site.directory / "zones.json").read_text())["zones"]}


def written(site: Site) -> list[str]:
    return sorted(p.name for p in site.policy_directory.iterdir())


def named(world: Sim, name: str) -> dict[str, str]:
    """A group as an imported policy names it."""
    return {"id": world.group_id(name), "name": name}


def office(world: Sim, **members: Any) -> str:
    return world.add_zone(**{"name": "Office", "type": "IP", "proxies": None, "gateways": [
        {"type": "CIDR", "value": "192.0.2.77/24"}], **members})


# --- what is refused ----------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [
    (), ("export",), ("fetch",), ("fetch", "--save"), ("import",), ("import", "--policy", "x"),
    ("import", "--application", "vpn"), ("import", "--application", "../vpn", "--policy", "x"),
    ("import", "--application", ".vpn", "--policy", "x"),
    ("import", "--application", "vpn", "--policy", "x", "--app", "y"),
    ("import", "--application", "vpn", "--from", "x", "--save", "y"),
    ("import", "--application", "vpn", "--policy", "x", "--skip-zones", "a,,b"),
    ("import", "vpn", "--application", "vpn", "--policy", "x"),
    ("diff",), ("diff", "--application", "vpn"), ("test",), ("test", "a", "b"),
    ("test", "--replace", "a")])
def test_wrong_usage(site: Site, world: Sim, arguments: tuple[str, ...]) -> None:
    answer = ctl(site, *arguments) if arguments[:1] != ("test",) else run("policy", *arguments)
    assert answer.code == FAULT and answer.err and not answer.out
    assert world.count("okta.total") == 0


def test_what_the_org_does_not_have(site: Site, world: Sim) -> None:
    world.add_policy(type="OKTA_SIGN_ON", name="Global", rules=[])
    for arguments in (("--policy", "Nothing"), ("--policy", "rst000"), ("--app", "Nothing"),
                      ("--app", "0oa000"), ("--policy", "Global")):
        answer = ctl(site, "import", "--application", "vpn", *arguments)
        assert answer.code == FAULT and not answer.out, answer
    assert written(site) == []


def test_two_policies_of_one_name(site: Site, world: Sim) -> None:
    for _ in range(2):
        world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[CATCH_ALL])
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN")
    assert answer.code == FAULT and "more than one" in answer.err


@pytest.mark.parametrize("fault, says", [
    ({"kind": "status", "status": 403, "code": "E0000006"}, "token"),
    ({"kind": "status", "status": 401, "code": "E0000011"}, "api_token_file"),
    ({"kind": "html"}, ""), ({"kind": "not_json"}, ""), ({"kind": "truncate"}, ""),
    ({"kind": "huge", "size": 1 << 20}, "larger than"),
    ({"kind": "json", "body": {"rules": []}}, "not a list"),
    ({"kind": "redirect", "location": "https://elsewhere.test/"}, ""),
    ({"kind": "headers", "headers": {"link": "<https://elsewhere.test/x>; rel=\"next\""}},
     "leads to another host")])
def test_answers_that_are_none(site: Site, world: Sim, fault: dict[str, Any], says: str) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", id="rst1", rules=[CATCH_ALL])
    world.fault(listener="okta", endpoint="rules", **fault)
    answer = ctl(site, "import", "--application", "vpn", "--policy", "rst1")
    assert answer.code == FAULT and says in answer.err, answer
    assert written(site) == [] and not (site.directory / "zones.json").exists()


def test_a_refused_piece_writes_nothing(site: Site, world: Sim) -> None:
    rules = [org_rule("Risky", 0, {"riskScore": {"level": "HIGH"}}, sign_on("2FA")),
             org_rule("Phones", 1, {"platform": {"include": [{"type": "MOBILE"}]}}, sign_on("1FA")),
             CATCH_ALL]
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=rules)
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN")
    assert answer.code == NO
    assert "refused   \"Risky\" /policies/0/rules/0/conditions/riskScore: " in answer.out
    assert answer.line("nothing").startswith("was written")
    assert written(site) == [] and not (site.directory / "zones.json").exists()

    tightened = ctl(site, "import", "--application", "vpn", "--policy", "VPN", "--tighten")
    assert tightened.code == YES and "changed   \"Risky\"" in tightened.out
    assert imported(site)["rules"][0]["actions"]["appSignOn"]["access"] == "DENY"
    assert run("check-config", "-c", site.config_path).code == YES


def test_a_zone_that_blocks_is_missed_by_name_only(site: Site, world: Sim) -> None:
    world.add_zone(name="Anonymizers", type="DYNAMIC_V2", usage="BLOCKLIST", system=True,
                   asns={"include": [], "exclude": []},
                   locations={"include": [], "exclude": []},
                   ipServiceCategories={"include": ["ALL_ANONYMIZERS"], "exclude": []})
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules())
    arguments = ("import", "--application", "vpn", "--policy", "VPN")
    answer = ctl(site, *arguments)
    assert answer.code == NO and "refused   /zones/0: zone \"Anonymizers\"" in answer.out
    assert ctl(site, *arguments, "--tighten").code == NO
    assert ctl(site, *arguments, "--skip-zones", "Others").code == NO
    assert written(site) == []
    answer = ctl(site, *arguments, "--skip-zones", "Others,Anonymizers")
    assert answer.code == YES and "left-out  /zones/0: zone \"Anonymizers\"" in answer.out


def test_nothing_is_overwritten_unasked(site: Site, world: Sim) -> None:
    zone = office(world)
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[
        org_rule("In", 0, {"network": {"connection": "ZONE", "include": [zone]}}, sign_on("1FA")),
        CATCH_ALL])
    policy_path, zones_path = site.policy_directory / "vpn.json", site.directory / "zones.json"
    mine = {"name": "Office", "type": "IP", "status": "ACTIVE",
            "gateways": [{"type": "CIDR", "value": "10.0.0.0/8"}]}
    other = {**mine, "name": "Lab"}
    arguments = ("import", "--application", "vpn", "--policy", "VPN")

    zones_path.write_text(json.dumps({"zones": [mine, other]}))
    answer = ctl(site, *arguments)
    assert answer.code == FAULT and "another zone \"Office\"" in answer.err
    assert written(site) == [] and zones(site) == {"Office": mine, "Lab": other}

    zones_path.write_text(json.dumps({"zones": [other]}))
    policy_path.write_text("mine")
    answer = ctl(site, *arguments)
    assert answer.code == FAULT and "vpn.json already exists; see --replace" in answer.err
    assert policy_path.read_text() == "mine" and zones(site) == {"Lab": other}

    os.chmod(policy_path, 0o640)
    os.chown(policy_path, -1, 54321)
    zones_path.write_text(json.dumps({"zones": [mine, other]}))
    answer = ctl(site, *arguments, "--replace")
    assert answer.code == YES and "1 others kept" in answer.out, answer
    status = policy_path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640 and status.st_gid == 54321
    assert zones(site)["Lab"] == other
    assert zones(site)["Office"]["gateways"] == [{"type": "CIDR", "value": "192.0.2.77/24"}]
    assert written(site) == ["vpn.json"]


def test_a_directory_that_is_not_there(site: Site, world: Sim) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules())
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN",
                 "--directory", site.directory / "none")
    assert answer.code == FAULT and "its directory does not exist" in answer.err
    assert not (site.directory / "zones.json").exists()


def test_a_broken_zones_file_is_left_alone(site: Site, world: Sim) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules())
    path = site.directory / "zones.json"
    path.write_text("{\"zones\": [")
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN", "--replace")
    assert answer.code == FAULT and "zones.json: line 1" in answer.err
    assert path.read_text() == "{\"zones\": [" and written(site) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", "{\"format\": \"devtrust-okta-policies-2\"}",
                                  "{\"format\":\"devtrust-okta-policies-1\",\"policies\":[]}",
                                  "not json"])
def test_saved_files_that_are_none(site: Site, text: str) -> None:
    path = site.directory / "org.json"
    path.write_text(text)
    answer = ctl(site, "import", "--application", "vpn", "--from", path)
    assert answer.code == FAULT and answer.err and written(site) == []


def test_hostile_names(site: Site, world: Sim) -> None:
    world.add_policy(type="ACCESS_POLICY", name=HOSTILE, id="rst1", rules=[
        org_rule(HOSTILE, 0, {"device": MANAGED}, sign_on("1FA")),
        org_rule(HOSTILE + "2", 1, {"elCondition": {"condition": HOSTILE}}, sign_on("2FA")),
        CATCH_ALL])
    answer = ctl(site, "import", "--application", "vpn", "--policy", "rst1")
    assert answer.code == YES, answer
    assert run("check-config", "-c", site.config_path).code == YES
    assert ctl(site, "diff", "--application", "vpn", "--policy", "rst1").code == YES


# --- import -------------------------------------------------------------------------------------

def test_an_org_s_policy(site: Site, world: Sim) -> None:
    """Everything that can be kept, over several pages, by name instead of id."""
    world.org(policies_page_size=2)
    world.add_user("ann@example.com")
    ann = world.user("ann@example.com")["id"]
    staff, zone = world.group_id("Staff"), office(world)
    for number in range(5):
        world.add_zone(name=f"Unused {number}", type="IP", proxies=[],
                       gateways=[{"type": "RANGE", "value": "10.0.0.1-10.0.0.9"}])
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[
        org_rule("No contractors", 0, {"people": {
            "users": {"exclude": [ann]}, "groups": {"include": [world.group_id("Contractors")]}}},
                 DENY),
        org_rule("Office", 1, {"network": {"connection": "ZONE", "include": [zone]},
                               "people": {"groups": {"include": [staff]}}},
                 sign_on("2FA", "PT24H", [{"possession": {"methods": ["push"]}}])),
        org_rule("Phones", 2, {"platform": {"include": [
            {"type": "MOBILE", "os": {"type": "IOS"}}, {"type": "DESKTOP", "os": {"type": "OSX"}}]},
                               "people": {"groups": {"include": [world.group_id("Everyone")]}}},
                 sign_on("2FA", "PT43800H")),
        org_rule("Asleep", 3, None, sign_on("1FA"), status="INACTIVE"),
        CATCH_ALL])
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN")
    assert answer.code == YES, answer
    assert answer.line("summary").startswith("0 refused, 0 changed, 6 left out,")
    rules = imported(site)["rules"]
    assert [r["name"] for r in rules] == ["No contractors", "Office", "Phones", "Catch-all Rule"]
    assert rules[0]["conditions"] == {"people": {
        "users": {"exclude": ["ann@example.com"]},
        "groups": {"include": [named(world, "Contractors")]}}}
    assert rules[1]["conditions"] == {"network": {"connection": "ZONE", "include": ["Office"]},
                                      "people": {"groups": {"include": [named(world, "Staff")]}}}
    assert rules[1]["actions"]["appSignOn"]["promptForFactor"] == {
        "frequency": "ONCE_A_DAY", "factors": ["push"]}
    assert rules[2]["conditions"] == {"platform": {"include": [
        {"type": "DESKTOP", "os": {"type": "MACOS"}}, {"type": "MOBILE", "os": {"type": "IOS"}}]}}
    assert rules[2]["actions"]["appSignOn"]["promptForFactor"]["frequency"] == "P1825D"
    assert list(zones(site)) == ["Office"]
    assert world.count("okta.rules") == 3 and world.count("okta.zones") == 3
    assert run("check-config", "-c", site.config_path).code == YES


def elsewhere(world: Sim) -> str:
    """Zones by place and provider; the id of the one that rules name."""
    world.add_zone(name="BlockedIpZone", type="IP", usage="BLOCKLIST", system=True, gateways=None,
                   proxies=None)
    world.add_zone(name="Never", type="DYNAMIC", usage="BLOCKLIST", asns=["64501"], locations=[],
                   proxyType=None)
    return world.add_zone(name="Home", type="DYNAMIC_V2",
                          asns={"include": ["64500"], "exclude": []},
                          locations={"include": [{"country": "DE", "region": None},
                                                 {"country": "US", "region": "US-CA"}],
                                     "exclude": []},
                          ipServiceCategories={"include": [], "exclude": []})


def test_zones_of_places_and_providers(site: Site, world: Sim, tmp_path: Path) -> None:
    """They want databases before anything is written, then decide as in the org."""
    rules = [org_rule("Home", 0, {"network": {"connection": "ZONE", "include": [elsewhere(world)]}},
                      sign_on("1FA")), CATCH_ALL]
    world.add_policy(type="ACCESS_POLICY", name="VPN", id="rst1", rules=rules)
    arguments = ("import", "--application", "vpn", "--policy", "rst1")
    databases = {"location_database": tmp_path / "city.mmdb", "asn_database": tmp_path / "asn.mmdb"}
    mmdb.write(databases["asn_database"], "GeoLite2-ASN", {
        "192.0.2.0/24": {"autonomous_system_number": 64500},
        "198.51.100.0/24": {"autonomous_system_number": 64501}})
    mmdb.write(databases["location_database"], "GeoLite2-City", {
        "192.0.2.0/25": {"country": {"iso_code": "DE"}},
        "192.0.2.128/25": {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "NY"}]}})
    zones_file = {"zones_file": site.directory / "zones.json"}
    for missing in databases:
        site.configure({"policy": {**zones_file, **databases, missing: None}})
        answer = ctl(site, *arguments)
        assert answer.code == FAULT and missing in answer.err and "/zones/" in answer.err, answer
        assert written(site) == [] and not zones_file["zones_file"].exists()

    site.configure({"policy": {**zones_file, **databases}})
    answer = ctl(site, *arguments)
    assert answer.code == YES and answer.line("summary").startswith("0 refused"), answer
    assert "zone \"BlockedIpZone\" blocks nobody" in answer.out
    assert "zone \"Never\" blocks before any rule" in answer.out
    assert zones(site) == {
        "Never": {"name": "Never", "type": "DYNAMIC", "status": "ACTIVE", "usage": "BLOCKLIST",
                  "asns": ["64501"]},
        "Home": {"name": "Home", "type": "DYNAMIC", "status": "ACTIVE", "asns": ["64500"],
                 "locations": [{"country": "DE"}, {"country": "US", "region": "US-CA"}]}}
    assert run("check-config", "-c", site.config_path).code == YES
    for ip, code, cause in (("192.0.2.7", YES, "RULE"), ("192.0.2.200", NO, "RULE"),
                            ("198.51.100.7", NO, "BLOCKED_ZONE")):
        answer = run("explain", "-c", site.config_path, "--user", "ann", "--application", "vpn",
                     "--device-trust", "TRUSTED", "--ip", ip, "--json")
        assert answer.code == code, (ip, answer)
        assert json.loads(answer.out)["decision"]["cause"] == cause, (ip, answer)

    compare = ("diff", "--application", "vpn", "--policy", "rst1")
    assert ctl(site, *compare).line("summary") == "0 differences"
    held = zones(site)
    held["Home"]["asns"] = [64500]
    held["Home"]["locations"][1]["region"] = "CA"
    held["Mine"] = {**held["Never"], "name": "Mine"}
    del held["Never"]
    zones_file["zones_file"].write_text(json.dumps({"zones": list(held.values())}))
    answer = ctl(site, *compare)
    assert answer.code == NO and answer.line("summary") == "2 differences"
    assert "added     zone \"Never\": only the org has it" in answer.out
    assert "removed   zone \"Mine\": only the zones file has it" in answer.out


@pytest.mark.parametrize("members, why", [
    ({"type": "DYNAMIC", "proxyType": "Tor", "asns": ["64500"]}, "asks for kinds of proxies"),
    ({"type": "DYNAMIC_V2", "asns": {"include": [], "exclude": ["64500"]}}, "excludes"),
    ({"type": "DYNAMIC", "locations": [{"country": "EU"}]}, "not a country")])
def test_zones_that_cannot_be_evaluated_are_named(site: Site, world: Sim, members: dict[str, Any],
                                                  why: str) -> None:
    zone = world.add_zone(name="Elsewhere", **members)
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[
        org_rule("In", 0, {"network": {"connection": "ZONE", "include": [zone]}}, sign_on("2FA")),
        org_rule("Others", 1, {"device": MANAGED}, sign_on("1FA")), CATCH_ALL])
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN")
    assert answer.code == NO and written(site) == []
    assert "refused   \"In\"" in answer.out and why in answer.out, answer
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN", "--tighten")
    assert answer.code == YES
    assert imported(site)["rules"][0]["actions"]["appSignOn"]["access"] == "DENY"


@pytest.mark.parametrize("linked", [True, False])
def test_the_policy_of_an_app(site: Site, world: Sim, linked: bool) -> None:
    world.org(link_access_policy=linked)
    apps = {label: world.add_app(label=label) for label in ("VPN", "VPN test")}
    world.add_policy(type="ACCESS_POLICY", name="One", rules=guide_rules(), apps=[apps["VPN"]])
    world.add_policy(type="ACCESS_POLICY", name="Two", rules=[CATCH_ALL], apps=[apps["VPN test"]])
    for chosen, name in ((apps["VPN"], "One"), ("VPN", "One"), ("VPN test", "Two")):
        answer = ctl(site, "import", "--application", "vpn", "--app", chosen, "--replace")
        assert answer.code == YES and imported(site)["name"] == name, answer


def test_saved_and_read_again(site: Site, world: Sim) -> None:
    apps = [world.add_app(label="VPN")]
    world.add_user("ann@example.com")
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules(), apps=apps)
    world.add_policy(type="ACCESS_POLICY", name="Other", rules=[org_rule("Ann", 0, {
        "people": {"users": {"include": [world.user("ann@example.com")["id"]]}}}, sign_on("1FA")),
                                                                CATCH_ALL])
    world.add_policy(type="OKTA_SIGN_ON", name="Global", rules=[org_rule("R", 1, {
        "network": {"connection": "ANYWHERE"}, "authContext": {"authType": "RADIUS"}},
        {"signon": {"access": "ALLOW", "requireFactor": True}})])
    saved = site.directory / "org.json"
    answer = ctl(site, "fetch", "--save", saved)
    assert answer.code == YES and answer.line("saved").startswith("2 ACCESS_POLICY, 1 OKTA_SIGN_ON")
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    document = json.loads(saved.read_text())
    assert document["users"] == [{"id": world.user("ann@example.com")["id"],
                                  "profile": {"login": "ann@example.com"}}]
    calls = world.count("okta.total")

    answer = ctl(site, "import", "--application", "vpn", "--from", saved)
    assert answer.code == FAULT and "policies: VPN, Other" in answer.err
    for choice in (("--policy", "VPN"), ("--app", apps[0])):
        answer = ctl(site, "import", "--application", "vpn", "--from", saved, *choice, "--replace")
        assert answer.code == YES, answer
    assert f"okta_app = {apps[0]} under [application vpn]" in answer.line("also")
    assert [r["name"] for r in imported(site)["rules"][:2]] == [NOT_TRUSTED_RULE, TRUSTED_RULE]
    assert world.count("okta.total") == calls
    site.configure({"application vpn": {"okta_app": apps[0]}})
    answer = ctl(site, "import", "--application", "vpn", "--from", saved, "--app", apps[0],
                 "--replace")
    assert answer.code == YES and "okta_app" not in answer.out, answer
    site.configure({"application vpn": {"okta_app": None}})

    # Without any configuration, elsewhere.
    elsewhere = site.directory / "elsewhere"
    elsewhere.mkdir()
    answer = run("policy", "import", "--application", "ssh", "--from", saved, "--policy", "Other",
                 "--directory", elsewhere, "--zones", elsewhere / "zones.json")
    assert answer.code == YES, answer
    made = json.loads((elsewhere / "ssh.json").read_text())
    assert made["rules"][0]["conditions"]["people"]["users"] == {"include": ["ann@example.com"]}
    assert not (elsewhere / "zones.json").exists()


def test_dry_run_and_json(site: Site, world: Sim) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules())
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN", "--dry-run", "--json")
    assert answer.code == YES and written(site) == []
    told = json.loads(answer.out)
    assert told["written"] is False and told["refused"] == 0
    assert told["policy"]["application"] == "vpn" and told["zones"] == {"zones": []}
    assert {n["kind"] for n in told["notes"]} == {"changed", "kept"}
    assert all(n["pointer"].endswith("/conditions/device") for n in told["notes"]
               if n["kind"] == "changed")
    assert all(n["pointer"].startswith("/policies/0/rules/") for n in told["notes"])


def test_dry_run_needs_no_leave_to_replace(site: Site, world: Sim) -> None:
    """It writes nothing, so what is there already is nothing to it; but it says so."""
    zone = office(world)
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[
        org_rule("Office", 0, {"network": {"connection": "ZONE", "include": [zone]}},
                 sign_on("1FA")), CATCH_ALL])
    args = ("import", "--application", "vpn", "--policy", "VPN")
    first = ctl(site, *args, "--dry-run")
    assert first.code == YES and "--replace" not in first.out
    assert ctl(site, *args).code == YES
    before = {name: (site.policy_directory / name).read_text() for name in written(site)}
    again = ctl(site, *args, "--dry-run")
    assert again.code == YES, again.err
    assert "nothing   was written: --dry-run; to overwrite existing files use --replace" \
        in again.out
    assert ctl(site, *args).code == FAULT
    assert {name: (site.policy_directory / name).read_text() for name in written(site)} == before


def test_an_id_that_the_token_does_not_see(site: Site, world: Sim) -> None:
    group = world.group_id("Secret")
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[
        org_rule("Deny", 0, {"people": {"groups": {"include": [group]}}}, DENY),
        org_rule("All", 1, {"device": MANAGED}, sign_on("1FA")), CATCH_ALL])
    world.fault("status", listener="okta", endpoint="group", status=404, code="E0000007")
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN")
    assert answer.code == YES
    assert "changed   \"Deny\" /policies/0/rules/0/conditions/people/groups/include/0" in answer.out
    assert len(imported(site)["rules"]) == 1  # denied for everybody: nothing behind is reached


def test_a_person_called_like_somebody_s_id(site: Site, world: Sim) -> None:
    """Okta also finds people by short login: who takes a deleted person's id is not them."""
    world.add_user("00uGone1234@example.com")
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[
        org_rule("Chief", 0, {"people": {"users": {"include": ["00uGone1234"]}}}, sign_on("1FA")),
        CATCH_ALL])
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN")
    assert answer.code == YES and "00uGone1234 is not known to the org" in answer.out
    assert [r["name"] for r in imported(site)["rules"]] == ["Catch-all Rule"]


def test_the_rate_limit_is_waited_for(site: Site, world: Sim) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules())
    world.fault("rate_limit", listener="okta", endpoint="rules", times=2, reset_after=2)
    world.fault("rate_limit", listener="okta", endpoint="zones", times=1, concurrency=True)
    world.fault("status", listener="okta", endpoint="policies", status=503, code="E0000010",
                times=1)
    answer = ctl(site, "import", "--application", "vpn", "--policy", "VPN")
    assert answer.code == YES, answer
    assert answer.err.count("rate limit is exhausted; continuing in") == 3
    assert world.count("okta.rules") == 3 and world.count("okta.zones") == 2


def test_a_rate_limit_without_end(site: Site, world: Sim) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", id="rst1", rules=guide_rules())
    world.fault("rate_limit", listener="okta", endpoint="policy", reset_after=1)
    answer = ctl(site, "import", "--application", "vpn", "--policy", "rst1")
    assert answer.code == FAULT and "rate limit" in answer.err
    assert world.count("okta.policy") == 6


def test_the_org_s_own_sign_on_rules(site: Site, world: Sim) -> None:
    org_file = site.directory / "okta-sign-on.json"
    site.configure({"policy": {"org_file": org_file}})
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules())
    assert ctl(site, "import", "--application", "vpn", "--policy", "VPN").code == YES
    assert ctl(site, "import", "--org-sign-on").code == FAULT  # there are none
    staff = {"people": {"groups": {"include": [world.group_id("Staff")]}}}
    everyone = {"people": {"groups": {"include": [world.group_id("Everyone")]}}}
    zone = office(world)
    world.add_policy(type="OKTA_SIGN_ON", name="Default", system=True, priority=2,
                     conditions=everyone, rules=[org_rule(
                         "Default Rule", 1, {"authContext": {"authType": "ANY"}},
                         {"signon": {"access": "ALLOW", "requireFactor": False}}, system=True)])
    world.add_policy(type="OKTA_SIGN_ON", name="Staff", priority=1, conditions=staff, rules=[
        org_rule("Office", 1, {"network": {"connection": "ZONE", "include": [zone]}},
                 {"signon": {"access": "ALLOW", "requireFactor": False}}),
        org_rule("VPN", 2, {"network": {"connection": "ANYWHERE"},
                            "authContext": {"authType": "RADIUS"}},
                 {"signon": {"access": "ALLOW", "requireFactor": True,
                             "factorPromptMode": "SESSION", "factorLifetime": 15}})])
    calls = world.count("okta.policies")
    answer = ctl(site, "import", "--org-sign-on")
    assert answer.code == YES, answer
    assert world.count("okta.policies") == calls + 1
    rules = json.loads(org_file.read_text())["rules"]
    assert [(r["name"], r["priority"]) for r in rules] == [
        ("Office", 1), ("VPN", 2), ("Default Rule", 3)]
    assert rules[0]["conditions"]["people"] == \
        {"groups": {"include": [named(world, "Staff")]}}
    assert rules[1]["actions"]["signon"] == {"access": "ALLOW", "requireFactor": True,
                                             "factorPromptMode": "SESSION", "factorLifetime": 15}
    assert rules[2]["conditions"] is None
    assert list(zones(site)) == ["Office"]
    assert run("check-config", "-c", site.config_path).code == YES
    assert ctl(site, "import", "--org-sign-on").code == FAULT
    assert ctl(site, "import", "--org-sign-on", "--replace").code == YES


# --- diff ---------------------------------------------------------------------------------------

def test_diff_with_the_org(site: Site, world: Sim) -> None:
    zone = office(world)
    inside = {"network": {"connection": "ZONE", "include": [zone]}}
    rules = [org_rule("In", 0, inside, sign_on("1FA")),
             org_rule("Managed", 1, {"device": MANAGED}, sign_on("2FA", "PT24H")), CATCH_ALL]
    world.add_policy(type="ACCESS_POLICY", name="VPN", id="rst1", rules=rules)
    arguments = ("diff", "--application", "vpn", "--policy", "rst1")
    assert ctl(site, *arguments).code == FAULT  # nothing is here
    assert ctl(site, "import", "--application", "vpn", "--policy", "rst1").code == YES
    same = ctl(site, *arguments)
    assert same.code == YES and same.line("summary") == "0 differences"

    office(world, id=zone, gateways=[{"type": "CIDR", "value": "192.0.2.0/25"}])
    world.add_policy(type="ACCESS_POLICY", name="VPN", id="rst1", rules=[
        org_rule("Managed", 0, {"device": MANAGED}, sign_on("2FA", "PT8H")),
        org_rule("In", 1, inside, sign_on("1FA")),
        org_rule("New", 2, {"platform": {"include": [{"type": "MOBILE"}]}}, DENY), CATCH_ALL])
    answer = ctl(site, *arguments)
    assert answer.code == NO and answer.line("summary") == "4 differences"
    assert "changed   rule \"Managed\" actions/appSignOn/promptForFactor/frequency: here " \
           "\"ONCE_A_DAY\", in the org \"PT8H\"" in answer.out
    assert "added     rule \"New\": only the org has it" in answer.out
    assert answer.out.count("order     rule") == 1
    assert "changed   zone \"Office\" gateways" in answer.out
    told = json.loads(ctl(site, *arguments, "--json").out)
    assert told["count"] == len(told["differences"]) == 4
    assert {d["kind"] for d in told["differences"]} == {"changed", "added", "order"}


def test_diff_with_what_cannot_be_kept(site: Site, world: Sim) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", id="rst1", rules=guide_rules())
    assert ctl(site, "import", "--application", "vpn", "--policy", "rst1").code == YES
    world.add_policy(type="ACCESS_POLICY", name="VPN", id="rst1", rules=[
        org_rule("Strong", 0, None, sign_on("2FA", constraints=[
            {"possession": {"phishingResistant": "REQUIRED"}}]))])
    answer = ctl(site, "diff", "--application", "vpn", "--policy", "rst1")
    assert answer.code == FAULT and "refused \"Strong\"" in answer.err


# --- test ---------------------------------------------------------------------------------------

def cases(site: Site, *listed: dict[str, Any], policy: Optional[str] = None) -> Path:
    path = site.directory / "vpn.cases.json"
    path.write_text(json.dumps({"policy": policy or "policies/vpn.json", "cases": [
        {"name": f"case {i}", "user": "ann", "device": "TRUSTED", **c}
        for i, c in enumerate(listed)]}))
    return path


def test_cases(site: Site, world: Sim) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules())
    assert ctl(site, "import", "--application", "vpn", "--policy", "VPN").code == YES
    good = cases(site, {"expect": {"access": "ALLOW", "rule": TRUSTED_RULE}},
                 {"device": "NOT_TRUSTED", "expect": {"access": "ALLOW_AFTER_MFA"}})
    calls = world.count("okta.total")
    answer = run("policy", "test", good)
    assert answer.code == YES and answer.line("passed").startswith("2 of 2 cases passed")
    bad = cases(site, {"expect": {"access": "DENY", "rule": TRUSTED_RULE}},
                {"name": HOSTILE.replace("\r\n", "").replace("\x1b", "").replace("\x07", ""),
                 "device": "UNKNOWN", "expect": {"access": "ALLOW"}},
                {"expect": {"access": "ALLOW"}})
    answer = run("policy", "test", bad)
    assert answer.code == NO and answer.line("failed").startswith("1 of 3 cases passed")
    assert "FAILED      \"case 0\" (/cases/0)" in answer.out
    assert "  access    expected DENY, got ALLOW" in answer.out
    assert f"  rule      \"{NOT_TRUSTED_RULE}\": does not match: device" in answer.out
    assert f"  rule      \"{TRUSTED_RULE}\": matches" in answer.out
    assert "  because   the device is UNKNOWN" in answer.out
    told = json.loads(run("policy", "test", "--json", bad).out)
    assert told["failed"] == 2 and [c["passed"] for c in told["cases"]] == [False, False, True]
    assert world.count("okta.total") == calls


def test_cases_of_another_file(site: Site, world: Sim) -> None:
    table = cases(site, {"expect": {"access": "DENY"}}, policy="missing.json")
    assert run("policy", "test", table).code == FAULT
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[CATCH_ALL])
    assert ctl(site, "import", "--application", "vpn", "--policy", "VPN").code == YES
    answer = run("policy", "test", "--policy", site.policy_directory / "vpn.json", table)
    assert answer.code == YES, answer


@pytest.mark.parametrize("broken", ["{", "[]", "{\"policy\":\"policies/vpn.json\",\"cases\":[]}",
                                    "{\"policy\":\"policies/vpn.json\",\"cases\":[{}]}"])
def test_cases_that_are_none(site: Site, world: Sim, broken: str) -> None:
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=[CATCH_ALL])
    assert ctl(site, "import", "--application", "vpn", "--policy", "VPN").code == YES
    path = site.directory / "vpn.cases.json"
    path.write_text(broken)
    answer = run("policy", "test", path)
    assert answer.code == FAULT and "vpn.cases.json" in answer.err


ORG_RULES = {"name": "org", "rules": [
    {"name": "Out", "priority": 1, "status": "ACTIVE",
     "conditions": {"people": {"users": {"include": ["bob"]}}},
     "actions": {"signon": {"access": "DENY"}}},
    {"name": "MFA", "priority": 2, "status": "ACTIVE", "conditions": None,
     "actions": {"signon": {"access": "ALLOW", "requireFactor": True}}}]}


def test_cases_get_what_the_person_would(site: Site, world: Sim) -> None:
    """The org's own rules first, as a sign-on has it; by the table, by --org, or not at all."""
    world.add_policy(type="ACCESS_POLICY", name="VPN", rules=guide_rules())
    assert ctl(site, "import", "--application", "vpn", "--policy", "VPN").code == YES
    org = site.directory / "org.json"
    org.write_text(json.dumps(ORG_RULES))
    table = cases(site, {"expect": {"access": "ALLOW"}},
                  {"applicationOnly": True, "expect": {"access": "ALLOW"}},
                  {"user": "bob", "expect": {"access": "ALLOW"}})
    answer = run("policy", "test", table)
    assert answer.code == YES and "alone: the table names no org's own rules" in answer.out
    answer = run("policy", "test", "--org", org, table)
    assert answer.code == NO and answer.line("failed").startswith("1 of 3 cases passed"), answer
    assert "\"vpn\", the org's own rules before it" in answer.out
    assert "  org rule  \"Out\": does not match: people: requires users bob; the person is ann" \
        in answer.out
    for name in ("MFA", "Out"):
        assert f"  org rule  \"{name}\": matches" in answer.out
    assert run("policy", "test", "--org", org, "--application-only", table).code == FAULT
    assert run("policy", "test", "--org", site.directory / "none.json", table).code == FAULT

    written_in = json.loads(table.read_text())
    written_in["org"] = "org.json"
    written_in["cases"] = [
        {**written_in["cases"][0], "expect": {"access": "ALLOW_AFTER_MFA", "rule": TRUSTED_RULE,
                                              "orgRule": "MFA"}},
        {**written_in["cases"][0], "orgMfa": "unless_trusted", "expect": {"access": "ALLOW"}},
        {**written_in["cases"][2], "expect": {"access": "DENY", "orgRule": "Out"}}]
    table.write_text(json.dumps(written_in))
    answer = run("policy", "test", "--json", table)
    assert answer.code == YES, answer
    told = json.loads(answer.out)
    assert told["org"] is True and told["cases"][0]["orgRule"] == "MFA"
    answer = run("policy", "test", "--application-only", table)
    assert answer.code == NO and "alone, without the org's own rules" in answer.out


def test_cases_say_when_why_and_where(site: Site) -> None:
    """Rules with time, reasons and places; what a case leaves out is asked for by name."""
    home = {"name": "Home", "type": "DYNAMIC", "status": "ACTIVE", "locations": [{"country": "DE"}]}
    site.directory.joinpath("zones.json").write_text(json.dumps({"zones": [home]}))
    mfa = {"appSignOn": {"access": "ALLOW", "promptForFactor": {"frequency": "EVERY_SIGN_ON"}}}
    site.set_policy({"name": "vpn", "application": "vpn", "rules": [
        {"name": name, "priority": priority, "status": "ACTIVE", "conditions": conditions,
         "actions": mfa} for priority, (name, conditions) in enumerate([
             ("Office hours", {"time": {"zone": "LOCAL", "include": [
                 {"days": ["MONDAY"], "from": "08:00", "to": "18:00"}]}}),
             ("Ill", {"device": {"trust": "NOT_TRUSTED", "reasons": ["NOT_COMPLIANT"]}}),
             ("At home", {"network": {"connection": "ZONE", "include": ["Home"]}}),
             ("Last", None)], 1)]})
    night = {"time": "2026-03-02T23:00+01:00"}
    there = {"ip": "192.0.2.1", "country": "DE"}

    def run_cases(*listed: dict[str, Any]) -> Answer:
        table = cases(site, *[{"device": "NOT_TRUSTED", **c} for c in listed])
        return run("policy", "test", "--zones", site.directory / "zones.json", table)

    def by(rule: str) -> dict[str, Any]:
        return {"expect": {"access": "ALLOW_AFTER_MFA", "rule": rule}}

    answer = run_cases({"time": "2026-03-02T08:00+01:00", **by("Office hours")},
                       {**night, "reason": "NOT_COMPLIANT", **by("Ill")},
                       {**night, "reason": "NOT_ENROLLED", **there, **by("At home")},
                       {**night, "reason": "NOT_ENROLLED", **there, "country": "FR", **by("Last")},
                       {**night, "device": "TRUSTED", **by("Last")})
    assert answer.code == YES, answer
    denied = {"expect": {"access": "DENY"}}
    answer = run_cases(denied, {**night, **denied},
                       {**night, "reason": "NOT_ENROLLED", "ip": "192.0.2.1", **denied})
    assert answer.code == NO and answer.line("failed").startswith("0 of 3"), answer
    for member in ("time", "reason", "country"):
        assert f"  {member:9} expected one" in answer.out, (member, answer)
    answer = run_cases({"time": None, **denied}, {**night, "reason": None, **denied},
                       {**night, "reason": "NOT_ENROLLED", **there, "country": None, **denied})
    assert answer.code == YES, answer


def test_the_sample_cases() -> None:
    root = Path(__file__).resolve().parents[2]
    found = sorted((root / "conf" / "policies").glob("*.cases.json"))
    assert len(found) >= 2
    for path in found:
        answer = run("policy", "test", path)
        assert answer.code == YES, answer


# --- the guide's two rules, imported and as the samples have them, in front of real logins --------

def guide_import(site: Site, application: str) -> None:
    """The site's hand-written policy goes; the org's takes its place."""
    app = site.world.add_app(label=application)
    site.world.add_policy(type="ACCESS_POLICY", name=application, rules=guide_rules(), apps=[app])
    answer = ctl(site, "import", "--application", application, "--app", app, "--replace")
    assert answer.code == YES and "0 refused" in answer.line("summary"), answer
    made = imported(site, application)
    assert [r["name"] for r in made["rules"]] == [NOT_TRUSTED_RULE, TRUSTED_RULE, "Catch-all Rule"]


def guide_sample(site: Site, application: str) -> None:
    sample = Path(__file__).resolve().parents[2] / "conf" / "policies" / (application + ".json")
    made = json.loads(sample.read_text())
    assert [r["name"] for r in made["rules"]][:2] == [NOT_TRUSTED_RULE, TRUSTED_RULE]
    site.set_policy(made)


guide = pytest.mark.parametrize("put", [guide_import, guide_sample],
                                ids=["imported", "hand-written"])


@guide
def test_the_guide_over_radius(tmp_path: Path, pki_index: dict[str, Any],
                               put: Callable[[Site, str], None]) -> None:
    settings = {"device_trust": {"trusted_when": "vpn-client+intune, certificate+intune"},
                "mfa": {"wait_vpn": "12s"}}
    with rad.start_world(tmp_path, pki_index, settings=settings,
                         prepare=lambda site: put(site, "vpn")) as world:
        phone = world.person("paul", "push", "token:software:totp")
        device = world.sim.enrol_device(user="paul@example.com", operatingSystem="Android")["id"]
        reply = world.client().login(phone, Cisco_AVPair=["mdm-tlv=device-uid=" + device])
        assert reply.code == rad.ACCEPT, reply
        event = world.outcome(phone, "RULE_ALLOW")
        assert event["rule"] == TRUSTED_RULE and event["oktaCalls"] == 0
        passed, decided = event["explanation"]
        assert passed["rule"] == NOT_TRUSTED_RULE and passed["compared"].startswith(
            "requires a NOT_TRUSTED device; this one is TRUSTED (by vpn-client+intune, "), event
        assert decided == {"rule": TRUSTED_RULE, "matches": True}

        computer = world.person("cora", "token:software:totp")
        reply = world.client().login(computer)
        assert reply.code == rad.CHALLENGE, reply
        done = world.client().login(computer, world.passcode(computer), reply.state)
        assert done.code == rad.ACCEPT, done
        event = world.outcome(computer, "MFA_SUCCESS")
        assert event["rule"] == NOT_TRUSTED_RULE and event["verdict"] == "NOT_TRUSTED"


def test_homonymous_groups_and_providers_over_radius(tmp_path: Path,
                                                     pki_index: dict[str, Any]) -> None:
    """Members of a second group of the same name get nothing by the rule for the first; Google's
    passcode is not Okta Verify's, and each prompt names its own."""
    okta_totp = {"authenticationMethods": [{"key": "okta_verify", "method": "totp"}]}
    google = {"authenticationMethods": [{"key": "google_otp", "method": "otp"}]}

    def put(site: Site) -> None:
        sim = site.world
        admins = sim.group_id("VPN Admins")
        second = sim.add_group("vpn admins")
        sim.group_id("VPN Admins of Berlin")
        app = sim.add_app(label="VPN")
        sim.add_policy(type="ACCESS_POLICY", name="VPN", apps=[app], rules=[
            org_rule("Admins", 0, {"people": {"groups": {"include": [admins]}}},
                     sign_on("2FA", constraints=[{"possession": okta_totp}])),
            org_rule("Externals", 1, {"people": {"groups": {
                "include": [sim.group_id("Externals")]}}},
                     sign_on("2FA", constraints=[{"possession": google}])), CATCH_ALL])
        answer = ctl(site, "import", "--application", "vpn", "--app", "VPN", "--replace")
        assert answer.code == YES, answer
        assert f'group "VPN Admins" is {admins}; {second}, APP_GROUP has the same name' \
            in answer.out
        assert "of Berlin" not in answer.out
        rules = imported(site)["rules"]
        assert rules[0]["conditions"]["people"]["groups"]["include"] == [
            {"id": admins, "name": "VPN Admins"}]
        assert rules[0]["actions"]["appSignOn"]["promptForFactor"]["factors"] == [
            "token:software:totp/OKTA"]
        assert rules[1]["actions"]["appSignOn"]["promptForFactor"]["factors"] == [
            "token:software:totp/GOOGLE"]
        made["second"] = second

    made: dict[str, str] = {}
    with rad.start_world(tmp_path, pki_index, prepare=put) as world:
        def person(name: str, group: str, provider: str) -> str:
            login = name + "@example.com"
            world.sim.add_user(login, groups=(group,))
            world.sim.add_factor(login, "token:software:totp", provider=provider)
            return name

        def asked(user: str) -> rad.Reply:
            return world.client().login(user)

        reply = asked(person("ada", "VPN Admins", "OKTA"))
        assert reply.code == rad.CHALLENGE and "Okta Verify passcode" in reply.message, reply
        done = world.client().login("ada", world.passcode("ada"), reply.state)
        assert done.code == rad.ACCEPT, done
        assert world.outcome("ada", "MFA_SUCCESS")["factorProvider"] == "OKTA"

        reply = asked(person("eve", made["second"], "OKTA"))
        assert reply.code == rad.REJECT
        assert world.outcome("eve", "RULE_DENY")["rule"] == "Catch-all Rule"
        assert asked(person("gus", "VPN Admins", "GOOGLE")).code == rad.REJECT
        assert world.outcome("gus", "MFA_NO_FACTOR")["rule"] == "Admins"

        reply = asked(person("xenia", "Externals", "GOOGLE"))
        assert reply.code == rad.CHALLENGE, reply
        assert "Google Authenticator passcode" in reply.message
        done = world.client().login("xenia", world.passcode("xenia"), reply.state)
        assert done.code == rad.ACCEPT, done
        assert world.outcome("xenia", "MFA_SUCCESS")["factorProvider"] == "GOOGLE"
        assert asked(person("xaver", "Externals", "OKTA")).code == rad.REJECT

        # 90 Japanese characters are 270 bytes: a group that no rule names refuses nobody.
        world.sim.set_user("ada@example.com", groups=["VPN Admins", "\u8a9e" * 90, "x" * 255])
        assert run("forget", "--groups", "--user", "ada", "-c",
                   world.site.config_path).code in (YES, NO)
        assert asked("ada").code == rad.CHALLENGE


@guide
def test_the_guide_over_ssh(pki_index: dict[str, Any], put: Callable[[Site, str], None]) -> None:
    with pam_world(pki_index) as world, Sshd(world) as sshd:
        world.sample("sshd", "sshd-devtrust")
        world.sim.reset()
        put(world.site, "sshd")
        world.sim.add_user("dtalice@example.com", factors=("push",))
        world.start_daemon()
        try:
            trusted = world.pki["devices"]["device-p256"]
            world.sim.enrol_device(trusted["device_id"], user="dtalice@example.com")
            world.add_device(trusted["files"]["certificate"])
            key = install_device_key(world, "device-p256")
            sshd.allow("dtalice", key)
            ssh = sshd.connect("dtalice", key)
            assert ssh.expect(["I-am-in", ": "]) == 0, ssh.before
            ssh.close()
            assert world.outcome("sshd")["debugContext"]["debugData"]["rule"] == TRUSTED_RULE
            assert world.sim.count("okta.verify") == 0

            world.site.audit_path.unlink()
            stranger = make_key(world.directory / "stranger")
            sshd.allow("dtalice", stranger)
            ssh = sshd.connect("dtalice", stranger)
            ssh.expect(r"number (\d+) in Okta Verify")
            world.sim.approve("dtalice@example.com", number=int(ssh.match.group(1)))
            ssh.sendline("")
            ssh.expect("I-am-in")
            ssh.close()
            event = world.outcome("sshd")["debugContext"]["debugData"]
            assert event["rule"] == NOT_TRUSTED_RULE and event["cause"] == "MFA_SUCCESS"
        finally:
            world.stop_daemon()
