# SPDX-License-Identifier: GPL-2.0-or-later
"""devtrustctl policy prove: every sample is proved, planted holes are found with the sign-on, and
each sign-on that refutes a property is decided so by policy test as well."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from tests.integration.test_ctl import FAULT, NO, OPEN, YES, Answer, run
from tests.lib.policies import (ALLOW, DENY, MFA, PUSH, ZONES, groups, in_zone, large_policy,
                                policy_of, rule)
from tests.lib.site import NOT_TRUSTED_RULE, TRUSTED_RULE, Site
from tests.sim.client import Sim

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "conf" / "policies"


def put(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, indent=1))
    return path


class Proof:
    """What prove says of a policy, as JSON."""

    def __init__(self, answer: Answer) -> None:
        self.code = answer.code
        self.all = json.loads(answer.out)

    def result(self, name: str) -> str:
        return str(self.of(name)["result"])

    def of(self, name: str) -> dict[str, Any]:
        return next(p for p in self.all["properties"] if p["name"] == name)

    def finding(self, name: str) -> Optional[dict[str, Any]]:
        return next((f for f in self.all["findings"] if f.get("rule") == name), None)


@pytest.fixture(name="prove")
def fixture_prove(tmp_path: Path) -> Any:
    def prove(policy: dict[str, Any], *options: Any, zones: Any = None,
              properties: Any = None) -> Proof:
        more: list[Any] = [*options, "--json"]
        if zones is not None:
            more += ["--zones", put(tmp_path / "zones.json", {"zones": zones})]
        if properties is not None:
            more += ["--properties", put(tmp_path / "p.json", {"properties": properties})]
        answer = run("policy", "prove", put(tmp_path / "x.json", policy), *more)
        assert answer.code in (YES, NO, OPEN), answer.out + answer.err
        return Proof(answer)

    return prove


def decided_by_test(tmp_path: Path, policy: dict[str, Any], proof: dict[str, Any],
                    zones: Any = None) -> None:
    """The sign-on as a case of a table comes out as prove has said."""
    sign_on = {k: v for k, v in proof["signOn"].items()
               if k not in ("address", "shortLogin", "offsetKnown")}
    assert "machine" not in sign_on
    case = {"name": "counterexample", "expect": {"access": proof["access"], "rule": proof["rule"]},
            **sign_on}
    table = {"policy": "x.json", "cases": [case]}
    put(tmp_path / "x.json", policy)
    if zones is not None:
        put(tmp_path / "zones.json", {"zones": zones})
        table["zones"] = "zones.json"
    answer = run("policy", "test", put(tmp_path / "table.json", table))
    assert answer.code == YES, answer.out + answer.err


# --- the samples ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sshd", "sudo", "vpn", "wifi"])
def test_each_sample_is_proved(name: str) -> None:
    proof = Proof(run("policy", "prove", POLICIES / f"{name}.json", "--json"))
    assert proof.code == YES
    assert proof.result("mfa") == proof.result("decided") == "proved"
    assert proof.result("outsiders") == "not asked"  # they are for everybody
    hidden = proof.finding("Catch-all")
    assert hidden is not None and set(hidden["hiddenBy"]) == {NOT_TRUSTED_RULE, TRUSTED_RULE}
    assert len(proof.all["findings"]) == 1


@pytest.mark.parametrize("name", ["sshd", "sudo", "vpn", "wifi"])
def test_the_guides_rules_mean_what_their_names_say(name: str) -> None:
    proof = Proof(run("policy", "prove", POLICIES / f"{name}.json", "--json", "--properties",
                      POLICIES / "sshd.properties.json"))
    assert proof.code == YES
    assert proof.result(NOT_TRUSTED_RULE) == proof.result(TRUSTED_RULE) == "proved"


def test_text_and_help_say_the_same() -> None:
    answer = run("policy", "prove", POLICIES / "sshd.json")
    assert answer.code == YES
    assert "proved      mfa: no device that is not TRUSTED gets in without MFA" in answer.out
    assert 'finding     rule "Catch-all" never matches: hidden by' in answer.out
    assert "--against OLD" in run("policy", "--help").out


# --- built-in properties ------------------------------------------------------------------------


def test_a_device_that_needs_no_mfa_is_found(prove: Any, tmp_path: Path) -> None:
    hole = rule("hole", {**groups("night"), "platform": {"include": [{"type": "MOBILE"}]}}, ALLOW)
    policy = policy_of(rule("a", {"device": {"trust": "TRUSTED"}}, ALLOW), hole)
    found = prove(policy)
    assert (found.code, found.result("mfa")) == (NO, "refuted")
    assert found.of("mfa")["rule"] == "hole"
    assert found.of("mfa")["signOn"]["groups"] == ["night"]
    assert found.of("mfa")["signOn"]["device"] != "TRUSTED"
    decided_by_test(tmp_path, policy, found.of("mfa"))
    del policy["rules"][1]
    assert prove(policy).result("mfa") == "proved"
    hole["conditions"] = {"device": {"trust": "NOT_TRUSTED", "reasons": ["NOT_COMPLIANT"]}}
    assert prove(policy_of(hole)).of("mfa")["signOn"]["reason"] == "NOT_COMPLIANT"


def test_who_is_outside_the_named_groups_is_found(prove: Any, tmp_path: Path) -> None:
    named = rule("a", {**groups("staff"), "device": {"trust": "TRUSTED"}}, ALLOW)
    anybody = rule("b", {"device": {"trust": "TRUSTED", "reasons": ["STALE"]}}, MFA)
    assert prove(policy_of(named)).result("outsiders") == "proved"
    found = prove(policy_of(named, anybody))
    assert (found.code, found.result("outsiders")) == (NO, "refuted")
    assert found.of("outsiders")["signOn"]["reason"] == "STALE"
    assert "staff" not in found.of("outsiders")["signOn"]["groups"]
    decided_by_test(tmp_path, policy_of(named, anybody), found.of("outsiders"))
    assert prove(policy_of(named, anybody), "--skip", "outsiders").code == YES


def test_groups_within_groups_are_within(prove: Any) -> None:
    policy = policy_of(rule("a", {**groups("all"), "device": {"trust": "TRUSTED"}}, ALLOW),
                       groups=[{"name": "all", "contains": ["inner"]},
                               {"name": "inner", "contains": ["lab"]}])
    lab = {"people": {"groups": {"include": ["lab"]}}, "device": "TRUSTED", "known": True}
    out = {"people": {"groups": {"include": ["other"]}}, "device": "TRUSTED", "known": True}
    proof = prove(policy, properties=[{"name": "lab", "always": {**lab, "access": "ALLOW"}},
                                      {"name": "out", "always": {**out, "access": "ALLOW"}},
                                      {"name": "in", "always": {**groups("all"), "known": True,
                                                                "device": "TRUSTED",
                                                                "access": "ALLOW"}}])
    assert [proof.result(n) for n in ("lab", "out", "in")] == ["proved", "refuted", "proved"]


def test_nobody_comes_from_a_blocklist(prove: Any) -> None:
    policy = policy_of(rule("a", {"device": {"trust": "TRUSTED"}}, ALLOW))
    assert prove(policy, zones=ZONES).result("blocklist") == "proved"
    assert prove(policy, zones=ZONES[:2]).result("blocklist") == "not asked"


def test_an_address_is_found_to_the_last_one(prove: Any, tmp_path: Path) -> None:
    policy = policy_of(rule("not here", in_zone("Office", exclude=["Desk"]), DENY),
                       rule("a", {**in_zone("Office"), "device": {"trust": "NOT_TRUSTED"}}, ALLOW))
    found = prove(policy, zones=ZONES)
    assert found.of("mfa")["signOn"]["ip"] == "192.0.2.17"
    decided_by_test(tmp_path, policy, found.of("mfa"), ZONES)


def test_a_place_is_found(prove: Any, tmp_path: Path) -> None:
    policy = policy_of(rule("a", {**in_zone("Abroad"), "device": {"trust": "NOT_TRUSTED"}}, ALLOW))
    found = prove(policy, zones=ZONES)
    assert (found.of("mfa")["signOn"]["country"], found.of("mfa")["signOn"]["asn"]) == ("DE", 64500)
    decided_by_test(tmp_path, policy, found.of("mfa"), ZONES)


def test_times_of_both_clocks_are_one_moment(prove: Any, tmp_path: Path) -> None:
    def hours(zone: str, which: str, first: str, last: str) -> dict[str, Any]:
        return {"time": {"zone": zone, which: [{"days": ["MONDAY"], "from": first, "to": last}]}}

    utc = rule("utc", {**hours("UTC", "include", "00:00", "01:00"),
                       "device": {"trust": "NOT_TRUSTED"}}, ALLOW)
    policy = policy_of(rule("local", hours("LOCAL", "exclude", "13:30", "14:00"), DENY), utc)
    found = prove(policy)  # 00:00 to 01:00 in UTC, and half past one in the afternoon here
    assert found.result("mfa") == "refuted"
    assert found.of("mfa")["signOn"]["time"][10:13] in ("T13",)
    decided_by_test(tmp_path, policy, found.of("mfa"))
    far = policy_of(rule("local", hours("LOCAL", "exclude", "17:00", "18:00"), DENY), utc)
    assert prove(far).result("mfa") == "proved"  # no place is 16 hours ahead


def test_what_is_not_known_is_no_way_around(prove: Any) -> None:
    """A rule that lets in without asking for groups is before the one that bars a group."""
    barred = rule("bar", groups("fired"), DENY)
    lets = rule("in", {"device": {"trust": "TRUSTED"}}, ALLOW)
    never = [{"name": "fired", "never": {**groups("fired"), "access": "ALLOW"}}]
    assert prove(policy_of(barred, lets), properties=never).result("fired") == "proved"
    assert prove(policy_of(lets, barred), properties=never).result("fired") == "refuted"


# --- patterns -----------------------------------------------------------------------------------


def test_names_are_made_for_patterns(prove: Any, tmp_path: Path) -> None:
    like: dict[str, Any] = {
        "people": {"groups": {"include": ["adm*"], "exclude": ["adm-*", "*ins"]}}}
    policy = policy_of(rule("a", {**like, "device": {"trust": "NOT_TRUSTED"}}, ALLOW))
    found = prove(policy)
    name, = found.of("mfa")["signOn"]["groups"]
    assert name.startswith("adm") and not name.startswith("adm-") and not name.endswith("ins")
    decided_by_test(tmp_path, policy, found.of("mfa"))
    like["people"]["groups"] = {"include": ["ad*"], "exclude": ["ad", "ad?"]}
    found = prove(policy)  # the two shortest are excluded
    assert len(found.of("mfa")["signOn"]["groups"][0]) == 4


def test_names_that_cannot_be_are_not_made(prove: Any) -> None:
    like = {"people": {"users": {"include": ["ab*"], "exclude": ["a?*"]}}}
    policy = policy_of(rule("a", {**like, "device": {"trust": "NOT_TRUSTED"}}, ALLOW))
    proof = prove(policy)
    assert proof.result("mfa") == "proved"
    assert proof.finding("a") == {"kind": "never matches", "rule": "a", "hiddenBy": []}


# --- rules ------------------------------------------------------------------------


def test_rules_that_hide_and_rules_that_change_nothing_are_named(prove: Any) -> None:
    proof = prove(policy_of(
        rule("one", {**groups("a", "b"), "device": {"trust": "TRUSTED"}}, ALLOW),
        rule("two", {**groups("a", "b"), "device": {"trust": "NOT_TRUSTED"}}, MFA),
        rule("hidden", groups("a"), MFA),
        rule("same", {**groups("c"), "device": {"trust": "TRUSTED"}}, ALLOW),
        rule("wider", {**groups("c", "d"), "device": {"trust": "TRUSTED"}}, ALLOW),
        rule("off", groups("e"), ALLOW, status="INACTIVE")))
    hidden = proof.finding("hidden")
    assert hidden is not None and hidden["kind"] == "never matches"
    assert set(hidden["hiddenBy"]) == {"one", "two"}
    assert proof.finding("same") == {"kind": "redundant", "rule": "same"}
    assert {f["rule"] for f in proof.all["findings"]} == {"hidden", "same"}


# --- the org's own rules ------------------------------------------------------------------------


def test_the_orgs_rules_are_asked_before(prove: Any, tmp_path: Path) -> None:
    org = {"name": "org", "rules": [
        {"name": "mfa", "priority": 1, "status": "ACTIVE", "conditions": groups("staff"),
         "actions": {"signon": {"access": "ALLOW", "requireFactor": True}}},
        {"name": "in", "priority": 2, "status": "ACTIVE", "conditions": {"people": {}},
         "actions": {"signon": {"access": "ALLOW"}}}]}
    policy = policy_of(rule("a", groups("staff"), ALLOW))
    path = put(tmp_path / "org.json", org)
    assert prove(policy).result("mfa") == "refuted"
    assert prove(policy, "--org", path).result("mfa") == "proved"
    never = [{"name": "all", "never": {"access": "ALLOW_WITHOUT_MFA"}}]
    enforced = prove(policy, "--org", path, "--org-mfa", "enforce", properties=never)
    assert enforced.result("all") == "proved"
    waived = prove(policy, "--org", path, "--org-mfa", "unless_trusted", properties=never)
    assert waived.result("all") == "refuted"
    assert waived.of("all")["signOn"]["device"] == "TRUSTED"


# --- against ------------------------------------------------------------------------------------


@pytest.mark.parametrize("old, new, tightens, less", [
    (ALLOW, ALLOW, "proved", "nobody"),
    (ALLOW, MFA, "proved", "somebody"),
    (MFA, ALLOW, "refuted", "nobody"),
    (MFA, DENY, "proved", "somebody"),
    (DENY, MFA, "refuted", "nobody"),
    (MFA, {"appSignOn": {"access": "ALLOW", "promptForFactor": {"frequency": "ONCE_A_DAY"}}},
     "refuted", "nobody"),
    ({"appSignOn": {"access": "ALLOW", "promptForFactor": {"frequency": "ONCE_A_WEEK"}}},
     {"appSignOn": {"access": "ALLOW", "promptForFactor": {"frequency": "ONCE_A_DAY"}}},
     "proved", "somebody"),
    (PUSH, MFA, "refuted", "nobody"),
    (ALLOW, {**ALLOW, "reply": {"vlan": 7}}, "refuted", "somebody"),
])
def test_a_change_that_only_tightens_is_told(prove: Any, tmp_path: Path, old: Any, new: Any,
                                             tightens: str, less: str) -> None:
    before = put(tmp_path / "old.json", policy_of(rule("r", groups("a"), old)))
    proof = prove(policy_of(rule("s", groups("a"), new)), "--against", before, "--skip", "mfa")
    assert (proof.result("tightens"), proof.result("less")) == (tightens, less)
    assert proof.code == (YES if tightens == "proved" else NO)
    if tightens == "refuted":
        assert proof.of("tightens")["signOn"]["groups"] == ["a"]


def test_the_sign_on_that_now_gets_more_is_shown(prove: Any, tmp_path: Path) -> None:
    before = put(tmp_path / "old.json", policy_of(
        rule("r", {**in_zone("Office"), "device": {"trust": "TRUSTED"}}, ALLOW)))
    zones = copy.deepcopy(ZONES)
    wider = policy_of(rule("r", {**in_zone("Office", "Abroad"), "device": {"trust": "TRUSTED"}},
                           ALLOW))
    old_zones = put(tmp_path / "old-zones.json", {"zones": ZONES})
    proof = prove(wider, "--against", before, "--against-zones", old_zones, zones=zones)
    assert proof.of("tightens")["signOn"]["country"] == "DE"
    assert proof.of("tightens")["before"] == "DENY"
    same = json.loads(before.read_text())
    assert prove(same, "--against", before, "--against-zones", old_zones,
                 zones=zones).result("tightens") == "proved"
    zones[0]["gateways"] = ["192.0.2.0/23"]  # the zones alone have changed
    found = prove(same, "--against", before, "--against-zones", old_zones, zones=zones)
    assert found.of("tightens")["signOn"]["ip"].startswith("192.0.3.")


# --- large policies -----------------------------------------------------------------------------


SLOW = bool(os.environ.get("DEVTRUST_SLOW"))


@pytest.mark.parametrize("count", [10, 200, 1000, *([5000] if SLOW else [])])
def test_a_planted_hole_is_found_in_large_policies(prove: Any, tmp_path: Path,
                                                   count: int) -> None:
    options: list[Any] = ["--seconds", "600", *([] if count <= 200 or SLOW else
                                                ["--skip", "findings"])]
    policy = large_policy(count, True)
    found = prove(policy, *options, zones=ZONES)
    assert found.result("mfa") == "refuted"
    assert found.of("mfa")["rule"] == f"r{count * 2 // 3}"
    decided_by_test(tmp_path, policy, found.of("mfa"), ZONES)
    whole = prove(large_policy(count, False), *options, zones=ZONES)
    assert whole.result("mfa") == "proved"
    assert whole.all["openRules"] == 0


def test_what_takes_too_long_is_undecided(prove: Any) -> None:
    """Many patterns, of which none may fit: the search for a name has a limit, and that is said."""
    words = [f"*{a}*{b}*{c}*" for a in "abc" for b in "abc" for c in "abc"]
    like = {"people": {"users": {"include": words[:14], "exclude": ["?*"]}}}
    proof = prove(policy_of(rule("a", {**like, "device": {"trust": "NOT_TRUSTED"}}, ALLOW)),
                  "--seconds", "1")
    assert (proof.code, proof.result("mfa")) in ((OPEN, "undecided"), (YES, "proved"))


# --- the administrator's properties --------------------------------------------------------------


@pytest.mark.parametrize("claim, result", [
    ({"never": {"device": "NOT_TRUSTED", "access": "ALLOW_WITHOUT_MFA"}}, "proved"),
    ({"never": {"device": "NOT_TRUSTED", "access": "ALLOW_AFTER_MFA"}}, "refuted"),
    ({"never": {"device": "TRUSTED", "access": "ALLOW_WITHOUT_MFA"}}, "refuted"),
    ({"never": {"device": {"trust": "TRUSTED", "reasons": ["STALE"]}, "access": "DENY"}}, "proved"),
    ({"always": {"device": "TRUSTED", "access": "ALLOW"}}, "proved"),
    ({"always": {"device": "TRUSTED", "access": "DENY"}}, "refuted"),
    ({"always": {"device": "NOT_TRUSTED", "access": "ALLOW_AFTER_MFA"}}, "proved"),
    ({"always": {"access": "ALLOW"}}, "refuted"),
    ({"always": {"access": "ALLOW", "known": True}}, "proved"),
    ({"never": {"device": "UNKNOWN", "access": "ALLOW_WITHOUT_MFA"}}, "proved"),
    ({"never": {"device": "UNKNOWN", "access": "ALLOW"}}, "refuted"),
])
def test_properties_of_ones_own(prove: Any, claim: dict[str, Any], result: str) -> None:
    policy = json.loads((POLICIES / "vpn.json").read_text())
    proof = prove(policy, properties=[{"name": "own", **claim}])
    assert (proof.result("own"), proof.code) == (result, YES if result == "proved" else NO)


def test_properties_beside_the_policy_are_found(tmp_path: Path) -> None:
    policy = put(tmp_path / "x.json", policy_of(rule("a", {"device": {"trust": "TRUSTED"}}, ALLOW)))
    put(tmp_path / "x.properties.json", {"properties": [{"never": {"access": "ALLOW"}}]})
    proof = Proof(run("policy", "prove", policy, "--json"))
    assert (proof.code, proof.result("/properties/0")) == (NO, "refuted")


@pytest.mark.parametrize("text, says", [
    ('{"properties": [\n {"never": {"acces": "ALLOW"}}]}',
     ':2#/properties/0/never: unknown member "acces"'),
    ('{"properties": [\n {"never": {"access": "PERMIT"}}]}',
     ":2#/properties/0/never/access: must be one of DENY, ALLOW"),
    ('{"properties": [{"name": "x"}]}', "needs one of never and always"),
    ('{"properties": [{"never": {"access": "DENY"}, "always": {"access": "DENY"}}]}',
     "needs one of never and always"),
    ('{"properties": [{"never": {"device": "HALF", "access": "DENY"}}]}', "must be one of ANY"),
    ('{"properties": [{"never": {"network": {"connection": "ZONE", "include": ["Nowhere"]},'
     ' "access": "DENY"}}]}', 'no zone "Nowhere"'),
    ('{"properties": [{"never": {"device": "ANY"}}]}', 'member "access" is missing'),
    ('{"properties": [{"never": {"access": "DENY", "known": 1}}]}', "must be true or false"),
    ('{"properties": []}', "at least 1 element"),
])
def test_a_wrong_property_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "p.json").write_text(text)
    answer = run("policy", "prove", POLICIES / "vpn.json", "--properties", tmp_path / "p.json")
    assert answer.code == FAULT and says in answer.err, answer.err


def test_a_table_of_cases_asks_for_properties(tmp_path: Path) -> None:
    policy = policy_of(rule("a", {"device": {"trust": "TRUSTED"}}, ALLOW))
    put(tmp_path / "x.json", policy)
    put(tmp_path / "p.json", {"properties": [{"name": "shut", "never": {"access": "ALLOW"}}]})
    case = {"name": "in", "user": "ann", "device": "TRUSTED", "expect": {"access": "ALLOW"}}
    table = {"policy": "x.json", "properties": "p.json", "cases": [case]}
    answer = run("policy", "test", put(tmp_path / "x.cases.json", table))
    assert answer.code == NO
    assert "REFUTED     shut" in answer.out and "0 proved, 1 refuted" in answer.out
    put(tmp_path / "p.json", {"properties": [{"name": "mfa", "never": {
        "device": "NOT_TRUSTED", "access": "ALLOW"}}]})
    answer = run("policy", "test", tmp_path / "x.cases.json", "--json")
    assert answer.code == YES
    assert json.loads(answer.out)["properties"][0]["result"] == "proved"


# --- a site ------------------------------------------------------------------------------------


@pytest.fixture(name="site", scope="module")
def fixture_site(tmp_path_factory: pytest.TempPathFactory,
                 pki_index: dict[str, Any]) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("prove")
    with Sim.start(directory / "sim", tenant=pki_index["tenant_id"]) as sim:
        yield Site(directory / "site", sim, pki_index, applications=("vpn",))


def test_a_sites_policy_is_proved_with_its_settings(site: Site) -> None:
    """What an UNKNOWN device is taken for is configured, and so is not open."""
    (site.directory / "zones.json").write_text(json.dumps({"zones": ZONES[:3]}))
    site.configure({"policy": {"zones_file": str(site.directory / "zones.json"),
                               "unknown_device_as": "deny"}})
    never = {"properties": [{"name": "unknown", "never": {"device": "UNKNOWN",
                                                          "access": "ALLOW"}}]}
    put(site.policy_directory / "vpn.properties.json", never)
    arguments = ["policy", "prove", "--application", "vpn", "-c", site.config_path, "--json"]
    proof = Proof(run(*arguments))
    assert (proof.code, proof.result("unknown"), proof.result("blocklist")) == (
        YES, "proved", "proved")
    site.configure({"policy": {"unknown_device_as": "not_trusted"}})
    proof = Proof(run(*arguments))
    assert (proof.code, proof.result("unknown")) == (NO, "refuted")
    # explain decides about the same sign-on alike.
    sign_on = proof.of("unknown")["signOn"]
    answer = run("explain", "--user", sign_on["user"], "--application", "vpn", "--json", "--ip",
                 sign_on["ip"], "--device-trust", sign_on["device"], "--platform",
                 sign_on["platform"], "-c", site.config_path)
    decision = json.loads(answer.out)["decision"]
    assert decision["access"] == proof.of("unknown")["access"]
    # And the site still loads with the file of properties beside its policy.
    assert run("check-config", "-c", site.config_path).code == YES
    assert run("policy", "prove", "--application", "nothing", "-c", site.config_path).code == FAULT


# --- the command line ---------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [
    [], ["a.json", "b.json"], ["--application", "x", "a.json"], ["x.json", "-c", "f"],
    ["x.json", "--seconds", "0"], ["x.json", "--seconds", "1x"], ["x.json", "--skip", "nothing"],
    ["x.json", "--unknown-device-as", "maybe"], ["x.json", "--org", "o", "--application-only"],
    ["x.json", "--against-zones", "z"], ["--application", "../x"]])
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    assert run("policy", "prove", *arguments).code == FAULT
