# SPDX-License-Identifier: GPL-2.0-or-later
# Whoever cannot show by TLS to be the service, or sends devtrust elsewhere, is refused: no sign-on
# gains by it, though an outage would let people in here, and the administrator reads what to do.
"""Bad TLS and redirects, of each service that devtrust asks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.pamworld import CTL
from tests.lib.proxy import odd_proxy
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World
from tests.lib.site import BY_COMPLIANCE
from tests.pki import authority as ca, tls

PUSH = "push"
SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune", "cache_ttl": "1h"},
            "policy": {"okta_unavailable": "allow"}, "mfa": {"push_limit": "100"}}
# What a person at the keyboard can do, by what is wrong. KEY and CA stand for the service's own.
ADVICE = {
    "wrong_name": "correct the host in KEY", "expired": "renew the server's certificate",
    "not_yet_valid": "set this host's clock", "self_signed": "add its CA to CA",
    "foreign": "add its CA to CA", "for_clients": "serverAuth", "small_key": "stronger keys",
    "tls_1_1": "no TLS 1.2 or newer", "downgrade": "no TLS 1.2 or newer",
    "no_encryption": "no cipher that this host accepts",
    "anonymous": "no cipher that this host accepts", "plain": "correct the port in KEY",
    "cut_record": "check the port in KEY"}
KEYS = {"okta": ("[okta] org_url", "[okta] ca_file"),
        "login": ("[intune] login_url", "[intune] ca_file"),
        "graph": ("[intune] graph_url", "[intune] ca_file"),
        "compliance": ("[intune] compliance_host", "[intune] ca_file")}
REDIRECTS = (301, 302, 303, 307, 308)


def advice(service: str, kind: str) -> str:
    key, ca_file = KEYS[service]
    return ADVICE[kind].replace("KEY", key).replace("CA to CA", "CA to " + ca_file)


@pytest.fixture(scope="module", name="world")
def a_world(tmp_path_factory: pytest.TempPathFactory,
            pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("tls"), pki_index, settings=SETTINGS) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.fixture(autouse=True)
def mended(world: World) -> Iterator[None]:
    yield
    world.sim.clear_faults()
    for service in KEYS:
        world.sim.listener(service)


def online(world: World) -> dict[str, dict[str, str]]:
    """What check-config --online finds that is a fault, by name."""
    done = subprocess.run([CTL, "check-config", "--online", "--json", "-c",
                           world.site.config_path], text=True, capture_output=True, timeout=120,
                          check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["check"]: one for one in found
            if one["check"] != "config" and one.get("status") == "fault"}


def device_pairs(device: str) -> list[str]:
    return ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + device]


def test_every_kind_has_its_advice() -> None:
    assert set(ADVICE) == set(tls.BAD)


# --- a sign-on -----------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", tls.BAD)
def test_nobody_gets_in_by_a_bad_okta(world: World, kind: str) -> None:
    user = world.person("okta-" + kind.replace("_", "-"), PUSH, push="approve")
    world.sim.listener("okta", "up", kind)
    asked = world.sim.count("okta.total")
    assert world.client().login(user).code == REJECT
    detail = world.outcome(user, "OKTA_UNTRUSTED")["detail"]
    assert world.sim.okta_url in detail and advice("okta", kind) in detail
    assert world.sim.count("okta.total") == asked


@pytest.mark.parametrize("kind", tls.BAD)
def test_no_device_is_trusted_by_a_bad_graph(world: World, kind: str) -> None:
    user = world.person("graph-" + kind.replace("_", "-"), PUSH, push="deny")
    device = world.sim.enrol_device()
    world.sim.listener("graph", "up", kind)
    reply = world.client().login(user, Cisco_AVPair=device_pairs(device["id"]))
    assert reply.code in (REJECT, CHALLENGE), reply
    event = world.outcome(user, "MFA_REJECTED")
    assert event["verdict"] != "TRUSTED" and event["deviceReason"] == "LOOKUP_UNAVAILABLE", event


def test_without_these_faults_the_device_is_trusted(world: World) -> None:
    user = world.person("graph-good", PUSH, push="deny")
    device = world.sim.enrol_device()
    assert world.client().login(user, Cisco_AVPair=device_pairs(device["id"])).code == ACCEPT


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("target", ["other", "http", "same"])
def test_no_redirect_is_followed(world: World, status: int, target: str) -> None:
    """Not even to where the answer would be: the simulation has everybody's at that path."""
    user = world.person(f"redirect-{target}-{status}", PUSH, push="approve")
    at = {"other": "https://localhost:1/elsewhere", "http": "http://127.0.0.1:1/elsewhere",
          "same": f"{world.sim.okta_url}/api/v1/users/{user}@example.com"}[target]
    world.sim.fault("redirect", listener="okta", endpoint="user", times=1, status=status,
                    location=at + "?secret=1")
    assert world.client().login(user).code == REJECT
    detail = world.outcome(user, "OKTA_ANSWER_UNUSABLE")["detail"]
    assert f"HTTP {status} leads to {at}; redirects are not followed; set [okta] org_url" in detail
    assert world.sim.okta_url in detail and "secret" not in detail


@pytest.mark.parametrize("status", REDIRECTS)
def test_no_redirect_makes_a_device_trusted(world: World, status: int) -> None:
    user = world.person(f"redirected-{status}", PUSH, push="deny")
    device, other = world.sim.enrol_device(compliance="noncompliant"), world.sim.enrol_device()
    world.sim.fault("redirect", listener="graph", status=status,
                    location=f"{world.sim.graph_url}/v1.0/deviceManagement/managedDevices/"
                             + other["id"])
    reply = world.client().login(user, Cisco_AVPair=device_pairs(device["id"]))
    assert reply.code in (REJECT, CHALLENGE), reply
    assert world.outcome(user, "MFA_REJECTED")["verdict"] != "TRUSTED"


# --- check-config --online ------------------------------------------------------------------------

@pytest.mark.parametrize("kind", tls.BAD)
def test_online_says_what_to_do(world: World, kind: str) -> None:
    for service in ("okta", "login"):
        world.sim.listener(service, "up", kind)
    found = online(world)
    assert set(found) == {"okta.org", "microsoft.login"}, found
    for service, name, url in (("okta", "okta.org", world.sim.okta_url),
                               ("login", "microsoft.login", world.sim.login_url)):
        assert url in found[name]["what"] and advice(service, kind) in found[name]["what"], found
    for service in ("okta", "login"):
        world.sim.listener(service)
    world.sim.listener("graph", "up", kind)
    (one,) = online(world).values()
    assert world.sim.graph_url in one["what"] and advice("graph", kind) in one["what"], one


@pytest.mark.parametrize("kind", ["foreign", "tls_1_1", "plain"])
def test_online_at_the_compliance_service(world: World, kind: str) -> None:
    usual = {name: dict(values) for name, values in world.site.settings.items()}
    world.site.configure(BY_COMPLIANCE)
    try:
        assert not online(world)
        world.sim.listener("compliance", "up", kind)
        (one,) = online(world).values()
        assert advice("compliance", kind) in one["what"], one
    finally:
        world.site.configure({"intune": {**dict.fromkeys(BY_COMPLIANCE["intune"]),
                                         **usual["intune"]}})


@pytest.mark.parametrize("kind", tls.BAD_CERTIFICATES)
def test_online_by_a_bad_proxy(world: World, tmp_path: Path, kind: str) -> None:
    root, foreign = ca.Authority.root("Proxy CA"), ca.Authority.root("Other CA")
    ca_file = ca.write_file(tmp_path / "ca.pem", root.certificate_pem())
    tls.Servers(tmp_path, root, foreign, ("127.0.0.1",))
    with odd_proxy(certificate=(tmp_path / f"tls-{kind}.pem",
                                tmp_path / f"tls-{kind}.key")) as proxy:
        world.site.configure({"okta": {"proxy": proxy.url}, "http": {"proxy_ca_file": ca_file}})
        try:
            one = online(world)["okta.org"]
        finally:
            world.site.configure({"okta": {"proxy": None}, "http": {"proxy_ca_file": None}})
        wanted = ADVICE[kind].replace("KEY", "[okta] proxy").replace(
            "CA to CA", "CA to [http] proxy_ca_file")
        assert f"the proxy {proxy.url}" in one["what"] and wanted in one["what"], one
        assert not proxy.heads  # and nothing was said to it
