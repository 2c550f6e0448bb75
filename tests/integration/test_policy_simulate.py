# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl policy import --simulate: the org's own simulation as an oracle. The simulated org
# answers from a reading of the rules that shares nothing with ours (tests/sim/simulate.py).
"""Tests of policy import --simulate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.integration.test_ctl import FAULT, NO, OPEN, YES, Answer, run
from tests.integration.test_ctl_policy import ANYONE, CATCH_ALL, MANAGED, org_rule, sign_on
from tests.lib.site import Site
from tests.sim.client import Sim


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("simulate") / "sim",
                   tenant=pki_index["tenant_id"]) as sim:
        yield sim


@pytest.fixture
def site(tmp_path: Path, world: Sim, pki_index: dict[str, Any]) -> Site:
    world.reset()
    made = Site(tmp_path / "site", world, pki_index, applications=())
    made.policy_directory.mkdir(mode=0o755)
    return made


def simulated(site: Site, *arguments: Any) -> Answer:
    return run("policy", "import", "--application", "vpn", "--app", "VPN", "--simulate",
               *arguments, "-c", site.config_path)


def summed(site: Site, *arguments: Any) -> dict[str, Any]:
    answer = simulated(site, "--json", *arguments)
    return {**json.loads(answer.out), "code": answer.code}


def put(world: Sim, *rules: dict[str, Any]) -> str:
    return world.add_policy(type="ACCESS_POLICY", name="VPN", apps=[world.add_app(label="VPN")],
                            rules=[*rules, CATCH_ALL])


def rich(world: Sim) -> None:
    """Every kind of condition, with both of its edges."""
    staff, guests = world.group_id("Staff"), world.group_id("Guests")
    world.add_user("ann@example.com", groups=("Staff", "Guests"))
    ann = world.user("ann@example.com")["id"]
    office = world.add_zone(name="Office", type="IP", proxies=None, gateways=[
        {"type": "CIDR", "value": "192.0.2.0/24"},
        {"type": "RANGE", "value": "198.51.100.5-198.51.100.9"},
        {"type": "CIDR", "value": "2001:db8::/64"}])
    put(world,
        org_rule("Guests out", 0, {"people": {"groups": {"include": [guests], "exclude": []},
                                              "users": {"include": [], "exclude": [ann]}}},
                 {"appSignOn": {"access": "DENY", "verificationMethod": {
                     "type": "ASSURANCE", "factorMode": "1FA", "reauthenticateIn": "PT2H"}}}),
        org_rule("Office", 1, {"people": {"groups": {"include": [staff], "exclude": []}},
                               "network": {"connection": "ZONE", "include": [office]},
                               "device": MANAGED}, sign_on("1FA", "PT2H")),
        org_rule("Phones", 2, {"platform": {"include": [
            {"type": "MOBILE", "os": {"type": "ANDROID"}}]},
            "network": {"connection": "ZONE", "exclude": [office]}}, sign_on("2FA")),
        org_rule("Managed", 3, {**ANYONE, "device": MANAGED}, sign_on("2FA")))


@pytest.mark.parametrize("as_in_examples", [False, True])
def test_the_org_agrees_at_every_edge(site: Site, world: Sim, as_in_examples: bool) -> None:
    world.org(simulation_as_in_examples=as_in_examples)
    rich(world)
    got = summed(site)
    assert got["code"] == YES and got["differences"] == 0 and got["undefined"] == 0, got
    assert got["same"] == got["cases"] == world.count("okta.simulate") > 60
    assert list(site.policy_directory.iterdir()) == []  # nothing is written
    text = simulated(site)
    assert text.code == YES
    assert f"simulated {got['cases']} cases: {got['cases']} the same" in text.out


def test_each_difference_is_listed(site: Site, world: Sim) -> None:
    """The org says that no rule matches, whatever it is asked."""
    rich(world)
    world.fault("json", listener="okta", endpoint="simulate", body=[
        {"policyType": ["ACCESS_POLICY"], "status": "NOT_MATCH", "result": {"policies": []}}])
    got = summed(site, "--max-cases", "5")
    assert got["code"] == NO and got["differences"] == got["cases"] == 5 and got["notAsked"] > 50
    assert {one["kind"] for one in got["list"]} == {"differs"}
    assert all(one["org"] == "" and one["here"] for one in got["list"])
    text = simulated(site, "--max-cases", "5")
    assert text.code == NO and text.out.count("differs") == 5
    assert "the org's rule is none" in text.out


def test_what_the_org_cannot_decide_is_no_agreement(site: Site, world: Sim) -> None:
    rich(world)
    world.fault("json", listener="okta", endpoint="simulate", body=[
        {"policyType": ["ACCESS_POLICY"], "status": "UNDEFINED", "result": {"policies": []},
         "undefined": {"policies": [{"id": "x", "status": "UNDEFINED"}]}}])
    got = summed(site, "--max-cases", "5")
    assert got["code"] == OPEN and got["undefined"] == 5 and got["same"] == 0


@pytest.mark.parametrize("fault", [
    {"kind": "status", "status": 403, "code": "E0000006"}, {"kind": "html"}, {"kind": "not_json"},
    {"kind": "truncate"}, {"kind": "huge", "size": 1 << 20}, {"kind": "json", "body": {}},
    {"kind": "json", "body": []}, {"kind": "json", "body": [{}]},
    {"kind": "json", "body": [{"evaluation": 7}]},
    {"kind": "json", "body": [{"policyType": ["OKTA_SIGN_ON"], "result": {"policies": []}}]},
    {"kind": "json", "body": [{"policyType": "ACCESS_POLICY"}]},
    {"kind": "json", "body": [{"policyType": "ACCESS_POLICY", "result": []}]},
    {"kind": "json", "body": [{"policyType": "ACCESS_POLICY", "result": {"policies": 7}}]},
    {"kind": "json", "body": [{"policyType": "ACCESS_POLICY", "result": {"policies": [
        {"id": "rstother", "status": "MATCH", "rules": []}]}}]},
    {"kind": "json", "body": [{"policyType": "ACCESS_POLICY", "result": {"policies": [
        {"id": "POLICY", "status": "PERHAPS", "rules": []}]}}]},
    {"kind": "json", "body": [{"policyType": "ACCESS_POLICY", "result": {"policies": [
        {"id": "POLICY", "status": "MATCH", "rules": [{"id": "rulother", "status": "MATCH"}]}]}}]},
    {"kind": "json", "body": [{"policyType": "ACCESS_POLICY", "result": {"policies": [
        {"id": "POLICY", "status": "MATCH", "rules": [{"status": "MATCH"}]}]}}]},
    {"kind": "json", "body": [{"policyType": "ACCESS_POLICY", "result": {"policies": [
        {"id": "POLICY", "status": "MATCH", "rules": [{"id": "a", "status": "MATCH"},
                                                      {"id": "b", "status": "MATCH"}]}]}}]}])
def test_answers_that_are_none_are_errors(site: Site, world: Sim, fault: dict[str, Any]) -> None:
    policy = put(world, org_rule("Managed", 0, {**ANYONE, "device": MANAGED}, sign_on("2FA")))
    world.fault(listener="okta", endpoint="simulate",
                **json.loads(json.dumps(fault).replace("POLICY\"", policy + "\"")
                             .replace("ACCESS_" + policy, "ACCESS_POLICY")))
    answer = simulated(site)
    assert answer.code == FAULT and answer.err and "simulated" not in answer.out


def test_the_rate_limit_is_kept(site: Site, world: Sim) -> None:
    put(world, org_rule("Managed", 0, {**ANYONE, "device": MANAGED}, sign_on("2FA")))
    world.fault("rate_limit", listener="okta", endpoint="simulate", times=1, reset_after=2)
    answer = simulated(site)
    assert answer.code == YES and "rate limit is exhausted" in answer.err


@pytest.mark.parametrize("arguments", [
    ("--max-cases", "0"), ("--max-cases", "1001"), ("--max-cases", "x"), ("--replace",),
    ("--from", "x")])
def test_wrong_usage(site: Site, world: Sim, arguments: tuple[str, ...]) -> None:
    answer = simulated(site, *arguments)
    assert answer.code == FAULT and answer.err and world.count("okta.total") == 0
