# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies of a few words, and large ones made at random."""

from __future__ import annotations

import random
from typing import Any

ALLOW = {"appSignOn": {"access": "ALLOW"}}
DENY = {"appSignOn": {"access": "DENY"}}
MFA = {"appSignOn": {"access": "ALLOW", "promptForFactor": {"frequency": "EVERY_SIGN_ON"}}}
PUSH = {"appSignOn": {"access": "ALLOW", "promptForFactor": {"frequency": "EVERY_SIGN_ON",
                                                             "factors": ["push"]}}}


def rule(name: str, conditions: Any, actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "status": "ACTIVE", "conditions": conditions, "actions": actions, **more}


def policy_of(*rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    numbered = [{**r, "priority": i} for i, r in enumerate([*rules, rule("rest", None, DENY)])]
    return {"name": "x", "application": "x", "rules": numbered, **members}


def groups(*names: str) -> dict[str, Any]:
    return {"people": {"groups": {"include": list(names)}}}


ZONES = [{"name": "Office", "type": "IP", "status": "ACTIVE", "gateways": ["192.0.2.0/24"]},
         {"name": "Desk", "type": "IP", "status": "ACTIVE", "gateways": ["192.0.2.17"]},
         {"name": "Bad", "type": "IP", "status": "ACTIVE", "usage": "BLOCKLIST",
          "gateways": ["198.51.100.0/24"]},
         {"name": "Abroad", "type": "DYNAMIC", "status": "ACTIVE",
          "locations": [{"country": "DE"}], "asns": [64500]}]


def in_zone(*names: str, **more: Any) -> dict[str, Any]:
    return {"network": {"connection": "ZONE", "include": list(names), **more}}


def large_policy(count: int, hole: bool) -> dict[str, Any]:
    """So many rules for pairs of groups; one of them, with `hole`, lets in without MFA."""
    pick = random.Random(count)
    rules = []
    for i in range(count - 1):
        trust = pick.choice(["TRUSTED", "NOT_TRUSTED"])
        conditions = {"people": {"groups": {"include": [f"g{g}" for g in pick.sample(
            range(count // 2 + 2), 2)]}}, "device": {"trust": trust}}
        if pick.random() < 0.5:
            conditions |= in_zone(pick.choice(["Office", "Desk", "Abroad"]))
        if pick.random() < 0.3:
            conditions["people"]["users"] = {"exclude": [f"u{pick.randrange(count)}"]}
        actions = ALLOW if trust == "TRUSTED" else MFA
        if hole and i == count * 2 // 3:
            conditions, actions = {**groups(f"g{i}x"), **in_zone("Office")}, ALLOW
        rules.append(rule(f"r{i}", conditions, actions))
    return policy_of(*rules)
