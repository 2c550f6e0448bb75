# SPDX-License-Identifier: GPL-2.0-or-later
# What devtrustctl check-config --online finds out from a simulated org and tenant, good and bad.
"""check-config --online."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.pamworld import CTL
from tests.lib.site import Site
from tests.sim.client import Sim

APP = "0oavpn"


@pytest.fixture(scope="module", name="sim")
def a_sim(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("sim"), tenant=pki_index["tenant_id"]) as made:
        yield made


@pytest.fixture(name="site")
def a_site(tmp_path: Path, sim: Sim, pki_index: dict[str, Any]) -> Iterator[Site]:
    sim.clear_faults()
    sim.listener("okta", "up")
    sim.listener("login", "up")
    sim.reset()
    made = Site(tmp_path / "site", sim, pki_index, applications=("vpn",))
    sim.add_user("ann@example.com")
    yield made
    sim.clear_faults()


def use_app(site: Site, sim: Sim, **settings: Any) -> None:
    key = site.directory / "rsa.key"
    shutil.copy(sim.okta_keys["rsa"], key)
    site.configure({"okta": {"api_token_file": None, "client_id": sim.okta_client_id,
                             "key_file": key, **settings}})


def ask(site: Site, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([CTL, "check-config", "--online", *arguments, "-c", site.config_path],
                          text=True, capture_output=True, timeout=120, check=False)


def findings(site: Site, code: int) -> dict[str, dict[str, str]]:
    """By name; each is whole, and says what to do where something is to be done."""
    answer = ask(site, "--json")
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    found = [one for one in lines if one["check"].startswith(("okta.", "microsoft."))]
    assert lines[-1]["check"] == "config" and lines[-1]["faults"] == sum(
        one["status"] == "fault" for one in lines[:-1])
    for one in found:
        assert set(one) == {"check", "status", "what", "why", "do"} and one["what"], one
        assert (one["status"] == "ok") != bool(one["why"] and one["do"]), one
    assert answer.returncode == code, answer
    assert (code == 2) == any(one["status"] == "fault" for one in found), found
    return {one["check"]: one for one in found}


def fault(site: Site, name: str, what: str, todo: str) -> dict[str, dict[str, str]]:
    found = findings(site, 2)
    assert [n for n, one in found.items() if one["status"] == "fault"] == [name], found
    assert what in found[name]["what"] and todo in found[name]["do"], found[name]
    return found


def test_all_is_well_with_a_token(site: Site) -> None:
    found = findings(site, 0)
    assert set(found) == {"okta.org", "okta.clock", "okta.ways", "okta.credential", "okta.token",
                          "microsoft.permission"}, found
    assert "Device Authorization Grant" in found["okta.ways"]["what"]
    assert "Direct" not in found["okta.ways"]["what"]


def test_all_is_well_with_an_app(site: Site, sim: Sim) -> None:
    sim.org(grant_types="urn:okta:params:oauth:grant-type:oob")
    use_app(site, sim)
    found = findings(site, 0)
    assert "okta.token" not in found and found["okta.credential"]["status"] == "ok"
    assert "Direct Authentication" in found["okta.ways"]["what"]


def test_in_words(site: Site, sim: Sim) -> None:
    answer = ask(site)
    assert answer.returncode == 0 and "online        okta.org: " in answer.stdout
    assert "policy        vpn" in answer.stdout  # beside all else
    sim.org(okta_token_valid=False)
    answer = ask(site)
    assert answer.returncode == 2 and "devtrustctl: okta.credential: " in answer.stderr
    assert "api_token_file" in answer.stderr


def test_nothing_is_changed_and_nobody_is_asked(site: Site, sim: Sim) -> None:
    sim.add_user("bob@example.com", factors=("push",))
    ask(site)
    assert not sim.pushes() and sim.count("okta.verify") == 0
    assert not site.audit_path.exists()


# --- the org -------------------------------------------------------------------------------------

def test_org_that_nobody_answers_for(site: Site, sim: Sim) -> None:
    sim.listener("okta", "down")
    found = fault(site, "okta.org", site.world.okta_url, "check org_url")
    assert "okta.credential" not in found and found["microsoft.permission"]["status"] == "ok"


@pytest.mark.parametrize("kind, values, todo", [
    ("redirect", {"location": "https://example.okta.com/"}, "without -admin"),
    ("html", {}, "without -admin"), ("status", {"status": 404}, "without -admin"),
    ("json", {"body": []}, "without -admin"), ("status", {"status": 503}, "check org_url")])
def test_address_of_something_else(site: Site, sim: Sim, kind: str, values: dict[str, Any],
                                   todo: str) -> None:
    sim.fault(kind, listener="okta", endpoint="metadata", times=100, **values)
    fault(site, "okta.org", "", todo)


def test_org_that_calls_itself_otherwise(site: Site, sim: Sim) -> None:
    sim.org(issuer="https://other.example.com")
    fault(site, "okta.org", "https://other.example.com", "org_url")


@pytest.mark.parametrize("certificate", ["expired", "foreign", "wrong_name"])
def test_certificate_that_is_not_accepted(site: Site, sim: Sim, certificate: str) -> None:
    sim.listener("okta", certificate=certificate)
    try:
        fault(site, "okta.org", "", "ca_file")
    finally:
        sim.listener("okta", certificate="good")


# --- credential and rights -----------------------------------------------------------------------

def test_token_that_is_not_taken(site: Site, sim: Sim) -> None:
    sim.org(okta_token_valid=False)
    fault(site, "okta.credential", "E0000011", "api_token_file")


def test_token_without_a_role(site: Site, sim: Sim) -> None:
    sim.fault("status", listener="okta", endpoint="users", times=100, status=403)
    fault(site, "okta.role", "403", "role")


def test_app_with_another_id(site: Site, sim: Sim) -> None:
    use_app(site, sim, client_id="0oanobody")
    fault(site, "okta.credential", "invalid_client", "client_id")


def test_scopes_that_are_missing_are_named(site: Site, sim: Sim) -> None:
    use_app(site, sim)
    sim.org(oauth_scopes="okta.users.read")
    found = fault(site, "okta.scopes", "okta.users.manage", "okta.users.manage")
    assert found["okta.scopes"]["what"] == "okta.users.manage"
    site.configure({"policy": {"okta_app": APP}})
    found = fault(site, "okta.scopes", "okta.users.manage", "Okta API Scopes")
    assert found["okta.scopes"]["what"] == "okta.users.manage okta.apps.read"


def test_app_without_a_role(site: Site, sim: Sim) -> None:
    use_app(site, sim)
    sim.org(oauth_admin_role=False)
    fault(site, "okta.role", "E0000006", "role")


def test_okta_app(site: Site, sim: Sim) -> None:
    sim.add_app(id=APP, label="The VPN")
    site.configure({"application vpn": {"okta_app": APP}})
    found = findings(site, 0)
    assert "The VPN" in found["okta.app [application vpn]"]["what"]
    site.configure({"application vpn": {"okta_app": "0oagone"}})
    fault(site, "okta.app [application vpn]", "0oagone", "okta_app")
    sim.add_app(id="0oaoff", label="Old", status="INACTIVE")
    site.configure({"application vpn": {"okta_app": "0oaoff"}})
    fault(site, "okta.app [application vpn]", "not active", "okta_app")


# --- Microsoft -----------------------------------------------------------------------------------

def test_direct_authentication(site: Site, sim: Sim) -> None:
    site.configure({"okta": {"native_client_id": sim.okta_native_client_id},
                    "application vpn": {"okta_way": "direct"}})
    assert findings(site, 0)["okta.direct"]["status"] == "ok"
    for grants in ("password otp oob mfa-oob", "password otp oob mfa-otp"):
        sim.org(direct_grants=grants)
        fault(site, "okta.direct", "unauthorized_client", "Direct auth API grants")
    sim.org(direct_grants="password otp oob mfa-otp mfa-oob")
    site.configure({"okta": {"native_client_id": "0oaother"}})
    fault(site, "okta.direct", "invalid_client", "native_client_id")


def test_signing_in_with_a_browser(site: Site, sim: Sim) -> None:
    """Okta says whether the app may; not asked where nobody signs in so."""
    assert "okta.browser" not in findings(site, 0)
    site.configure({"okta": {"native_client_id": sim.okta_native_client_id},
                    "mfa": {"factors": "push, browser"}, "application vpn": {
                        "okta_way": "browser"}})
    assert findings(site, 0)["okta.browser"]["status"] == "ok"
    sim.org(native_device_grant=False)
    fault(site, "okta.browser", "unauthorized_client", "Device Authorization")
    sim.org(native_device_grant=True)
    site.configure({"okta": {"native_client_id": "0oaother"}})
    fault(site, "okta.browser", "invalid_client", "native_client_id")


def test_login_that_nobody_answers_for(site: Site, sim: Sim) -> None:
    sim.listener("login", "down")
    fault(site, "microsoft.login", "", "login_url")


@pytest.mark.parametrize("listener, endpoint, status", [("login", "token", 401),
                                                        ("graph", "device", 403)])
def test_microsoft_says_no(site: Site, sim: Sim, listener: str, endpoint: str,
                           status: int) -> None:
    sim.fault("status", listener=listener, endpoint=endpoint, times=100, status=status)
    fault(site, "microsoft.permission", "", "DeviceManagementManagedDevices.Read.All")


def test_nobody_is_asked_without_online(site: Site) -> None:
    done = subprocess.run([CTL, "check-config", "--json", "-c", site.config_path], text=True,
                          capture_output=True, timeout=60, check=False)
    found = [json.loads(line)["check"] for line in done.stdout.splitlines()]
    assert done.returncode == 0 and not [name for name in found if not name.startswith("config")]
