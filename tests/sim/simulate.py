# SPDX-License-Identifier: GPL-2.0-or-later
# The access simulation of the Okta org: which rule of an ACCESS_POLICY holds for what a request
# supposes. Written from the API's description alone (Policy, AccessPolicyRuleConditions,
# SimulatePolicyBody), and shares nothing with devtrust's own reading of rules.
"""Okta's policy simulation."""

from __future__ import annotations

import ipaddress
from typing import Any, Optional

MATCH, NOT_MATCH, UNDEFINED = "MATCH", "NOT_MATCH", "UNDEFINED"
DESKTOP = {"WINDOWS", "MACOS", "CHROMEOS", "LINUX"}
MOBILE = {"IOS", "ANDROID"}


def worst(statuses: list[str]) -> str:
    """All have to hold."""
    if NOT_MATCH in statuses:
        return NOT_MATCH
    return UNDEFINED if UNDEFINED in statuses else MATCH


class Context:
    """What a request supposes of a sign-on."""

    def __init__(self, supposed: dict[str, Any], zones: list[dict[str, Any]],
                 groups_of: Any) -> None:
        self.user: Optional[str] = supposed.get("user", {}).get("id")
        if self.user is not None:
            self.groups: Optional[set[str]] = groups_of(self.user)
        else:
            self.groups = set(supposed["groups"]["ids"]) if "groups" in supposed else None
        self.ip = ipaddress.ip_address(supposed["ip"]) if "ip" in supposed else None
        self.zones = zones
        self.device: dict[str, Any] = supposed.get("device", {})

    def in_zone(self, zone: dict[str, Any]) -> bool:
        assert self.ip is not None
        for gateway in zone.get("gateways") or []:
            if gateway["type"] == "RANGE":
                first, last = (ipaddress.ip_address(p) for p in gateway["value"].split("-"))
                if first.version == self.ip.version and int(first) <= int(self.ip) <= int(last):
                    return True
            elif self.ip in ipaddress.ip_network(gateway["value"], strict=False):
                return True
        return False


def people(condition: dict[str, Any], at: Context) -> str:
    users, groups = condition.get("users") or {}, condition.get("groups") or {}
    wanted = set(users.get("include") or []), set(groups.get("include") or [])
    barred = set(users.get("exclude") or []), set(groups.get("exclude") or [])
    if at.groups is None:
        return UNDEFINED if any(wanted + barred) else MATCH
    if at.user in barred[0] or at.groups & barred[1]:
        return NOT_MATCH
    if not wanted[0] and not wanted[1]:
        return MATCH
    return MATCH if at.user in wanted[0] or at.groups & wanted[1] else NOT_MATCH


def network(condition: dict[str, Any], at: Context) -> str:
    if condition.get("connection", "ANYWHERE") == "ANYWHERE":
        return MATCH
    if at.ip is None:
        return UNDEFINED

    def one_of(ids: list[str]) -> bool:
        return any(at.in_zone(z) for z in at.zones if "ALL_ZONES" in ids or z["id"] in ids)

    include, exclude = condition.get("include") or [], condition.get("exclude") or []
    return MATCH if (not include or one_of(include)) and not one_of(exclude) else NOT_MATCH


def device(condition: dict[str, Any], at: Context) -> str:
    statuses = [MATCH]
    for member in ("registered", "managed"):
        if condition.get(member) is None:
            continue
        if member not in at.device:
            statuses.append(UNDEFINED)
        else:
            statuses.append(MATCH if at.device[member] == condition[member] else NOT_MATCH)
    return worst(statuses)


def platform(condition: dict[str, Any], at: Context) -> str:
    named = at.device.get("platform")
    if named is None:
        return UNDEFINED

    def fits(one: dict[str, Any]) -> bool:
        kind, system = one.get("type", "ANY"), (one.get("os") or {}).get("type", "ANY")
        of_kind = kind == "ANY" or named in (DESKTOP if kind == "DESKTOP" else MOBILE)
        return of_kind and system in ("ANY", "OSX" if named == "MACOS" else named, named)

    include, exclude = condition.get("include") or [], condition.get("exclude") or []
    if include and not any(map(fits, include)):
        return NOT_MATCH
    return NOT_MATCH if any(map(fits, exclude)) else MATCH


TESTS = {"people": people, "network": network, "device": device, "platform": platform}


def rule_result(rule: dict[str, Any], at: Context) -> dict[str, Any]:
    conditions = [{"type": name, "status": test(rule["conditions"][name], at)}
                  for name, test in TESTS.items()
                  if (rule.get("conditions") or {}).get(name)]
    return {"id": rule["id"], "name": rule["name"], "conditions": conditions,
            "status": worst([c["status"] for c in conditions])}


def simulate(policy: dict[str, Any], rules: list[dict[str, Any]], at: Context) -> dict[str, Any]:
    """One evaluation: the first rule by priority that holds; those before it that cannot be decided
    are told apart."""
    passed: list[dict[str, Any]] = []
    unsure: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    for rule in sorted(rules, key=lambda r: (bool(r.get("system")), r["priority"])):
        if rule.get("status", "ACTIVE") != "ACTIVE":
            continue
        result = rule_result(rule, at)
        if result["status"] == MATCH:
            held = [result]
            break
        (unsure if result["status"] == UNDEFINED else passed).append(result)

    def listed(some: list[dict[str, Any]], status: str) -> dict[str, Any]:
        return {"policies": [{"id": policy["id"], "name": policy["name"], "status": status,
                              "conditions": [], "rules": some}] if some else []}

    return {"policyType": ["ACCESS_POLICY"], "status": MATCH if held else NOT_MATCH,
            "result": listed(held, MATCH), "undefined": listed(unsure, UNDEFINED),
            "evaluated": listed(passed, NOT_MATCH)}
