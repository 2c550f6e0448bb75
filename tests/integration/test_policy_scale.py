# SPDX-License-Identifier: GPL-2.0-or-later
# Policies and zones as large and as broken as they come, read by devtrustctl check-config: each is
# used, warned of, or refused with file, line and JSON pointer. The kernel ends a reading that takes
# more memory or processor time than it may.
"""Large and bad policy and zone files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator, Union

import pytest

from tests.lib.site import Site
from tests.sim.client import Sim

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("DEVTRUST_BUILD", ROOT / "build"))
CTL = BUILD / "devtrustctl"
LIMIT = 300.0  # seconds, of a busy machine
CPU_SECONDS = 60
MEGABYTE = 1_000_000
SMALL = 300 * MEGABYTE  # address space: libraries, twice the text, what is made of it
SANITIZED = bool(os.environ.get("DEVTRUST_SAN"))  # their shadow is larger than any limit
YES, FAULT = 0, 2

RULES_MAX = 100_000
ZONES_MAX = 1_024
NETWORKS_MAX = 2_000_000
TEXT_MAX = 128 * 1024 * 1024

Text = Union[str, bytes]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("scale")
    with Sim.start(directory / "sim", tenant=pki_index["tenant_id"]) as sim:
        made = Site(directory / "site", sim, pki_index, applications=("vpn",))
        made.configure({"policy": {"zones_file": made.directory / "zones.json"}})
        yield made


def check(site: Site, zones: Text, policy: Text,
          memory: int = SMALL) -> subprocess.CompletedProcess[str]:
    for path, text in ((site.directory / "zones.json", zones),
                       (site.policy_directory / "vpn.json", policy)):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    bounds = [] if SANITIZED else ["prlimit", f"--as={memory}", f"--cpu={CPU_SECONDS}"]
    done = subprocess.run([*bounds, str(CTL), "check-config", "-c", str(site.config_path)],
                          capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode in (YES, FAULT), done
    assert "out of memory" not in done.stderr, done
    return done


def short(value: Text) -> str:
    """Of a parameter in the name of its test."""
    return repr(value[-40:])


def good(site: Site, zones: Text, policy: Text, memory: int = SMALL) -> str:
    done = check(site, zones, policy, memory)
    assert done.returncode == YES and done.stderr == "", done.stderr
    return done.stdout


def refused(site: Site, zones: Text, policy: Text, error: str, memory: int = SMALL) -> None:
    """With an error that has this text behind the name of one of the two files."""
    done = check(site, zones, policy, memory)
    assert done.returncode == FAULT, done
    told = done.stderr.replace(str(site.directory) + "/", "").replace("policies/", "")
    assert len(told) < 1000 and error in told, told


# --- what is large ------------------------------------------------------------------------------

def rule(number: int, conditions: str, name: str = "", priority: Any = None) -> str:
    return (f'{{"name": "{name or f"Rule {number}"}", "priority": '
            f'{number if priority is None else priority}, "status": "ACTIVE", '
            f'"conditions": {conditions}, "actions": {{"appSignOn": {{"access": "DENY"}}}}}}')


def user(number: int) -> str:
    return f'{{"people": {{"users": {{"include": ["user{number}"]}}}}}}'


def policy(*rules: str, last: bool = True) -> str:
    """One rule on each line; the first on line 2."""
    more = [rule(1_000_000, "null", "Catch-all")] if last else []
    return ('{"name": "Scale", "application": "vpn", "rules": [\n' + ",\n".join([*rules, *more]) +
            "\n]}\n")


def many_rules(count: int, change: Callable[[int], str] = lambda n: "") -> str:
    """So many rules with the catch-all; `change` may give another for a number."""
    return policy(*(change(n) or rule(n, user(n)) for n in range(count - 1)))


def zones(*networks: str, name: str = "Office") -> str:
    """One network on each line; the first on line 2."""
    head = f'{{"zones": [{{"name": "{name}", "type": "IP", "status": "ACTIVE", "gateways": [\n'
    return head + ",\n".join(networks) + "\n]}]}\n"


def network(number: int) -> str:
    if number % 4 == 3:
        return f'"2001:db8:{number >> 16:x}:{number & 65535:x}::/64"'
    return f'"10.{number >> 15 & 255}.{number >> 7 & 255}.{number << 1 & 255}"'


EMPTY = '{"zones": []}'
CATCH_ALL = policy()
OFFICE = zones('"192.0.2.0/24"')
RULES_MEMORY = 600 * MEGABYTE  # a tree of the text, and what it is compiled to
NETWORKS_MEMORY = 300 * MEGABYTE  # no tree: the text, and what it is compiled to


def test_a_hundred_thousand_rules_are_used(site: Site) -> None:
    out = good(site, EMPTY, many_rules(RULES_MAX), RULES_MEMORY)
    assert f"vpn: {RULES_MAX} rules" in out and "never reached" not in out, out


def test_one_rule_more_is_not(site: Site) -> None:
    refused(site, EMPTY, many_rules(RULES_MAX + 1),
            "vpn.json:1#/rules: has 100001 elements, at most 100000 are allowed", RULES_MEMORY)


LAST = RULES_MAX - 2  # the one before the catch-all, on line RULES_MAX


@pytest.mark.parametrize("bad, error", [
    (rule(LAST, user(1), "Rule 0"), "has the same name"),
    (rule(LAST, user(1), priority=7), "has the same priority"),
    (rule(LAST, user(1), priority="1e999"), "line 100000, column"),
    (rule(LAST, user(1), priority=1_000_001),
     "vpn.json:100000#/rules/99998/priority: must be an integer from 0"),
    (rule(LAST, '{"riskScore": {}}'),
     'vpn.json:100000#/rules/99998/conditions: unknown member "riskScore"'),
    (rule(LAST, '{"network": {"connection": "ZONE", "include": ["Nowhere"]}}'),
     'vpn.json:100000#/rules/99998/conditions/network/include/0: no zone "Nowhere" is defined'),
    (rule(LAST, "null"), "vpn.json:100000#/rules/99998/conditions: these always match"),
    ("7", "vpn.json:100000#/rules/99998: must be an object, not an integer"),
], ids=short)
def test_what_is_wrong_with_the_last_of_them_is_told(site: Site, bad: str, error: str) -> None:
    refused(site, EMPTY, many_rules(RULES_MAX, lambda n: bad if n == LAST else ""), error,
            RULES_MEMORY)


def test_a_hundred_thousand_rules_without_a_catch_all(site: Site) -> None:
    text = policy(*(rule(n, user(n)) for n in range(RULES_MAX)), last=False)
    refused(site, EMPTY, text, "vpn.json:100001#/rules/99999: the last rule by priority must be "
            "the catch-all", RULES_MEMORY)


def test_a_hundred_thousand_unreachable_rules_are_warned_of_once(site: Site) -> None:
    out = good(site, EMPTY, many_rules(RULES_MAX, lambda n: rule(n, user(1))), RULES_MEMORY)
    assert 'vpn.json:3#/rules/1: rule "Rule 1" is never reached: the earlier rule "Rule 0"' in out
    assert f"and {RULES_MAX - 2 - 64} more" in out
    assert len(out) < 60_000


def test_a_million_networks_are_used(site: Site) -> None:
    office = '{"network": {"connection": "ZONE", "include": ["Office"]}}'
    good(site, zones(*map(network, range(1_000_000))), policy(rule(1, office)), NETWORKS_MEMORY)


def test_as_many_networks_as_fit_are_used(site: Site) -> None:
    good(site, zones(*map(network, range(NETWORKS_MAX))), CATCH_ALL, NETWORKS_MEMORY)


def test_a_network_more_is_not(site: Site) -> None:
    text = zones(*('"::1"' for n in range(NETWORKS_MAX - 1)), '"192.0.2.1-192.0.2.2"')
    refused(site, text, CATCH_ALL, f"zones.json:{NETWORKS_MAX + 1}#/zones/0/gateways/"
            f"{NETWORKS_MAX - 1}: more than {NETWORKS_MAX} networks", 1_600 * MEGABYTE)


@pytest.mark.parametrize("bad, error", [
    ('"10.0.0.0/33"',
     'zones.json:1000001#/zones/0/gateways/999999: "10.0.0.0/33" is not a network'),
    ('"10.0.0.0/8\\u0000"', "zones.json: line 1000001, column"),
    (b'"10.0.0.0/8\xff"', "zones.json: line 1000001, column"),
    ('{"type": "CIDR", "value": "10.0.0.0/8", "type": "CIDR"}', "zones.json: line 1000001, column"),
    ("", "zones.json: line 1000002, column"),
], ids=short)
def test_what_is_wrong_with_the_last_of_a_million_is_told(site: Site, bad: Text,
                                                          error: str) -> None:
    text = zones(*map(network, range(999_999)), "THE LAST").encode()
    text = text.replace(b"THE LAST", bad if isinstance(bad, bytes) else bad.encode())
    refused(site, text, CATCH_ALL, error, 1_600 * MEGABYTE)


def test_as_many_zones_as_fit(site: Site) -> None:
    one = '{{"name": "z{0}", "type": "IP", "status": "ACTIVE", "gateways": ["0.0.0.0/0", "::/0"]}}'
    many = [one.format(n) for n in range(ZONES_MAX + 1)]
    good(site, '{"zones": [' + ",".join(many[:-1]) + "]}", policy(
        rule(1, '{"network": {"connection": "ZONE", "include": ["z1023"]}}')))
    refused(site, '{"zones": [' + ",".join(many) + "]}", CATCH_ALL,
            "zones.json:1#/zones: has 1025 elements, at most 1024 are allowed")


def test_a_file_that_is_too_large_is_not_read(site: Site) -> None:
    for name, texts in (("zones.json", (EMPTY + " " * TEXT_MAX, CATCH_ALL)),
                        ("vpn.json", (EMPTY, CATCH_ALL + " " * TEXT_MAX))):
        refused(site, *texts, f"{name} is larger than {TEXT_MAX} bytes")


# --- what is broken -----------------------------------------------------------------------------

HUGE = "x" * (20 * MEGABYTE)
NO_FIELD = '{"' + HUGE + '": 1}'


@pytest.mark.parametrize("text, error", [
    ("", "vpn.json: line 1, column 1: not JSON: the text is empty"),
    ("\0", "vpn.json: line 1, column"),
    (b"\xef\xbb\xbf" + CATCH_ALL.encode(), "vpn.json: line 1, column"),
    (CATCH_ALL.encode("utf-16"), "vpn.json: line 1, column"),
    ("[" * 65 + "]" * 65, "vpn.json: JSON nested deeper than 64"),
    ("[" * 10_000_000, "vpn.json: JSON nested deeper than 64"),
    ('{"a":' * 10_000_000, "vpn.json: JSON nested deeper than 64"),
    ("[" + "{}," * 1_000_000 + "{}]", "vpn.json: JSON with more than "),
    (policy(rule(1, "[" * 60 + "]" * 60)), "vpn.json:2#/rules/0/conditions: must be an object, "
     "not an array"),
    (policy(rule(1, user(1), HUGE)), "vpn.json:2#/rules/0/name: must have 1 to 255 bytes, has "
     "20000000"),
    (policy(rule(1, NO_FIELD)), 'vpn.json:2#/rules/0/conditions: unknown member "xxxx'),
    (policy(rule(1, user(1), "a\\u0000b")), "vpn.json: line 2, column"),
    (policy(rule(1, user(1), "THIS")).encode().replace(b"THIS", b"a\xc3(b"),
     "vpn.json: line 2, column"),
    (policy(rule(1, user(1), "THIS")).encode().replace(b"THIS", b"\xed\xa0\x80"),
     "vpn.json: line 2, column"),
    (policy(rule(1, user(1), "\\ud800")), "vpn.json: line 2, column"),
    (policy(rule(1, '{"device": {"trust": "TRUSTED"}, "device": {"trust": "TRUSTED"}}')),
     "vpn.json: line 2, column"),
    (policy(rule(1, user(1), priority="9" * 400)), "vpn.json: line 2, column"),
    (policy(rule(1, user(1), priority="1.0")), "vpn.json:2#/rules/0/priority: must be an integer"),
    (policy(rule(1, user(1), priority="-1")), "vpn.json:2#/rules/0/priority: must be an integer"),
    (policy(rule(1, user(1), priority="NaN")), "vpn.json: line 2, column"),
    (policy(rule(1, '{"people": {"groups": {"include": []}}}')),
     "vpn.json:2#/rules/0/conditions/people/groups/include: is empty"),
    (policy(rule(1, user(1)), rule(2, user(2), "Rule 1")), "vpn.json:3#/rules/1: rule 0 has the "
     "same name"),
    (policy(rule(1, user(1)), rule(2, user(2), priority=1)), "has the same priority"),
    (policy(rule(1, user(1)), last=False), "vpn.json:2#/rules/0: the last rule by priority must be "
     "the catch-all"),
    (policy(last=False), "vpn.json:1#/rules: must have at least 1 element"),
    (policy() + "{}", "vpn.json: line 4, column"),
], ids=short)
def test_a_broken_policy_is_refused(site: Site, text: Text, error: str) -> None:
    refused(site, OFFICE, text, error)


@pytest.mark.parametrize("text, error", [
    ("", "zones.json: line 1, column 1: not JSON: the text is empty"),
    ("[" * 10_000_000, "zones.json: JSON nested deeper than 64"),
    (zones("[" * 61 + "]" * 61), "zones.json: JSON nested deeper than 64"),
    (zones("[[]]"), "zones.json:2#/zones/0/gateways/0: must be an object, not an array"),
    (zones(f'"{HUGE}"'), "zones.json:2#/zones/0/gateways/0: must have 1 to 255 bytes, has "
     "20000000"),
    (zones(NO_FIELD), 'zones.json:2#/zones/0/gateways/0: unknown member "xxxx'),
    (zones('"192.0.2.0/24"', name=HUGE), "zones.json:1#/zones/0/name: must have 1 to 255 bytes"),
    (zones(), "zones.json:1#/zones/0/gateways: must have at least 1 element"),
    (zones("4294967296"), "zones.json:2#/zones/0/gateways/0: must be an object, not an integer"),
    (zones('"192.0.2.0/24"') + "]", "zones.json: line 4, column"),
], ids=short)
def test_broken_zones_are_refused(site: Site, text: str, error: str) -> None:
    refused(site, text, CATCH_ALL, error)


def test_it_all_was_the_files(site: Site) -> None:
    """The site that the others broke is a good one."""
    office = '{"network": {"connection": "ZONE", "include": ["Office"]}}'
    assert "vpn: 2 rules" in good(site, OFFICE, policy(rule(1, office)))
    assert json.loads(OFFICE)["zones"][0]["name"] == "Office"
