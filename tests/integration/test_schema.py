# SPDX-License-Identifier: GPL-2.0-or-later
"""The published schemas: every sample is valid by them, and every policy and zones file that the
parser refuses (unit tests walk the same tables) is refused by them as well, save
where the table says that a schema cannot see it."""

import copy
import json
import pathlib

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
POLICIES = ROOT / "conf" / "policies"
DATA = ROOT / "tests" / "data" / "policies"
CASES = sorted(POLICIES.glob("*.cases.json"))
PROPERTIES = sorted(POLICIES.glob("*.properties.json"))
SAMPLES = sorted(p for p in POLICIES.glob("*.json")
                 if not p.name.endswith(".schema.json") and p not in CASES + PROPERTIES)
GUIDE_RULES = [
    ("Device Trust = Not Trusted. Check for MFA.", "NOT_TRUSTED", True),
    ("Device Trust = Trusted. No need to check for MFA.", "TRUSTED", False),
]


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def validator(name):
    schema = load(POLICIES / f"{name}.schema.json")
    cls = jsonschema.validators.validator_for(schema)
    assert cls is jsonschema.Draft202012Validator
    cls.check_schema(schema)
    # The schemas refer to each other by file name.
    base = (POLICIES / f"{name}.schema.json").as_uri()
    return cls(schema, resolver=jsonschema.RefResolver(base, schema))


def items(case):
    """`items` copies of the value; texts are told apart by a number."""
    value = case["value"]
    if isinstance(value, str):
        return [f"{value}{i}" for i in range(case["items"])]
    return [value] * case["items"]


def changed(base, case):
    """A copy of the base with the case's change made at its JSON pointer."""
    value = items(case) if "items" in case else case.get("value")
    if case["at"] == "":
        return value
    root = copy.deepcopy(base)
    *parents, last = case["at"].split("/")[1:]
    at = root
    for step in parents:
        at = at[int(step)] if isinstance(at, list) else at[step]
    key = int(last) if isinstance(at, list) else last
    if case.get("remove"):
        del at[key]
    else:
        at[key] = value
    assert json.dumps(root) != json.dumps(base), "the case changes nothing"
    return root


def cases(name):
    table = load(DATA / f"bad_{name}.json")
    return [pytest.param(case, id=case["why"].replace(" ", "-")) for case in table]


@pytest.mark.parametrize("path", PROPERTIES, ids=lambda p: p.name)
def test_sample_properties_are_valid(path):
    validator("properties").validate(load(path))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_sample_policy_is_valid(path):
    validator("policy").validate(load(path))


def test_there_are_samples_for_the_doors_we_know():
    assert [p.stem for p in SAMPLES] == ["sshd", "sudo", "vpn", "wifi"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_sample_policy_has_the_two_rules_and_a_catch_all_that_denies(path):
    policy = load(path)
    assert policy["application"] == path.stem
    *rules, last = policy["rules"]
    assert len(rules) == len(GUIDE_RULES)
    for rule, (name, trust, prompts) in zip(rules, GUIDE_RULES):
        sign_on = rule["actions"]["appSignOn"]
        assert rule["name"] == name
        assert rule["conditions"]["device"] == {"trust": trust}
        assert sign_on["access"] == "ALLOW"
        assert ("promptForFactor" in sign_on) == prompts
    assert last["conditions"] is None
    assert last["actions"] == {"appSignOn": {"access": "DENY"}}


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.name)
def test_sample_cases_are_valid(path):
    validator("cases").validate(load(path))


def test_sample_zones_are_valid():
    validator("zones").validate(load(ROOT / "conf" / "zones.json"))


def test_sample_rules_of_the_org_are_valid():
    validator("okta-sign-on").validate(load(ROOT / "conf" / "okta-sign-on.json"))


@pytest.mark.parametrize("name, file", [
    ("policy", "base_policy"), ("zones", "base_zones"), ("okta-sign-on", "base_org")])
def test_what_the_bad_cases_start_from_is_valid(name, file):
    validator(name).validate(load(DATA / f"{file}.json"))


@pytest.mark.parametrize("case", cases("policies"))
def test_bad_policy(case):
    bad = changed(load(DATA / "base_policy.json"), case)
    assert validator("policy").is_valid(bad) == (case.get("schema") == "accepts")


@pytest.mark.parametrize("case", cases("zones"))
def test_bad_zones(case):
    bad = changed(load(DATA / "base_zones.json"), case)
    assert validator("zones").is_valid(bad) == (case.get("schema") == "accepts")


@pytest.mark.parametrize("case", cases("org"))
def test_bad_rules_of_the_org(case):
    bad = changed(load(DATA / "base_org.json"), case)
    assert validator("okta-sign-on").is_valid(bad) == (case.get("schema") == "accepts")
