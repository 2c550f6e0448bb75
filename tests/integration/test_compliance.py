# SPDX-License-Identifier: GPL-2.0-or-later
# Intune's Compliance Retrieval service instead of Graph: the real command, a real FreeRADIUS with a
# real supplicant and a real sshd, against the simulated service. What no answer of it may do is
# trust a device by accident, and what nobody may do is lead its token elsewhere.
"""The Compliance Retrieval service."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.radius import World
from tests.lib.site import BY_COMPLIANCE, Site
from tests.lib.sshd import Sshd, install_device_key
from tests.sim.client import Sim
from tests.sim.compliance import answer, entry

ROOT = Path(__file__).resolve().parents[2]
CTL = Path(os.environ.get("DEVTRUST_BUILD", ROOT / "build")) / "devtrustctl"
YES, FAULT = 0, 2
LIMIT = 120
OTHER = "0bbbbbbb-1111-4222-8333-444444444444"
PUSH = "push"


# --- the command -------------------------------------------------------------------------------

@pytest.fixture(scope="module", name="shared")
def shared_world(tmp_path_factory: pytest.TempPathFactory,
                 pki_index: dict[str, Any]) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("compliance") / "sim",
                   tenant=pki_index["tenant_id"]) as sim:
        yield sim


@pytest.fixture(name="sim")
def fresh_sim(shared: Sim) -> Sim:
    shared.reset()
    return shared


@pytest.fixture(name="site")
def fresh_site(tmp_path: Path, sim: Sim, pki_index: dict[str, Any]) -> Site:
    return Site(tmp_path / "site", sim, pki_index, applications=("vpn",), settings=BY_COMPLIANCE)


def ctl(site: Site, *arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [str(CTL), *map(str, arguments), "--config", str(site.config_path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)


def test_a_device_is_asked_about(site: Site, sim: Sim) -> None:
    device = sim.enrol_device(str(uuid.uuid4()))["id"]
    done = ctl(site, "device", "refresh", device)
    assert done.returncode == YES, done
    assert "TRUSTED  FRESH" in done.stdout
    assert (sim.count("graph.endpoints"), sim.count("compliance.device")) == (1, 1)
    assert (sim.count("graph.device"), sim.count("login.token")) == (0, 2)
    sim.make_noncompliant(device)
    done = ctl(site, "device", "refresh", device, "--json")
    told = json.loads(done.stdout)
    assert (told["trusted"], told["reason"]) == (False, "NOT_COMPLIANT")
    assert "NOT_COMPLIANT" in ctl(site, "device", "show", device).stdout
    sim.set_device(device, managementState="retireIssued", complianceState="compliant")
    assert "NOT_ENROLLED" in ctl(site, "device", "refresh", device).stdout
    sim.remove_device(device)
    assert "NOT_ENROLLED" in ctl(site, "device", "refresh", device).stdout


def test_the_service_is_looked_for_once_for_all(site: Site, sim: Sim) -> None:
    devices = [sim.enrol_device(str(uuid.uuid4()))["id"] for _ in range(5)]
    assert ctl(site, "device", "refresh", *devices).returncode == YES
    assert (sim.count("graph.endpoints"), sim.count("compliance.device")) == (1, 5)
    assert sim.count("login.token") == 2


def test_a_token_that_is_no_longer_taken_is_renewed_once(site: Site, sim: Sim) -> None:
    device = sim.enrol_device(str(uuid.uuid4()))["id"]
    sim.fault("status", listener="compliance", status=401, times=1)
    assert ctl(site, "device", "refresh", device).returncode == YES
    assert sim.count("login.token") == 3
    sim.fault("status", listener="compliance", status=401)
    done = ctl(site, "device", "refresh", device)
    assert done.returncode == FAULT and "get_device_compliance" in done.stderr
    assert sim.count("compliance.device") == 4


def test_there_is_no_list_to_sync(site: Site, sim: Sim) -> None:
    done = ctl(site, "device", "sync")
    assert done.returncode == FAULT and "compliance-retrieval" in done.stderr
    assert sim.count("login.token") == 0


@pytest.mark.parametrize("key, value", [("require_owner", "yes"), ("max_sync_age", "7d"),
                                        ("trust_in_grace_period", "yes"),
                                        ("platforms", "windows")])
def test_what_it_does_not_tell_cannot_be_demanded(site: Site, key: str, value: str) -> None:
    assert "Compliance" in ctl(site, "check-config").stdout
    site.configure({"device_trust": {key: value}})
    done = ctl(site, "check-config")
    assert done.returncode != YES and key in done.stderr + done.stdout
    site.configure({"device_trust": {key: None}})


ELSEWHERE = ["https://127.0.0.1.evil.example/crs", "https://evil.example/127.0.0.1/crs",
             "http://127.0.0.1/crs", "https://127.0.0.1@evil.example/crs", "https://localhost/crs",
             "https://[::1]/crs", "", "https://127.0.0.1/crs?x=", "https://127.0.0.1/a/../crs"]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_the_token_goes_nowhere_else(site: Site, sim: Sim, place: str) -> None:
    device = sim.enrol_device(str(uuid.uuid4()))["id"]
    sim.fault("json", listener="graph", endpoint="endpoints", body={
        "value": [{"providerName": "ComplianceRetrievalService", "uri": place}]})
    done = ctl(site, "device", "refresh", device)
    assert done.returncode == FAULT, done
    assert sim.count("login.token") == 1  # Graph's: none was made for whoever that is
    assert sim.count("compliance.total") == 0


GOOD = entry("ID", "true", "true")
UNUSABLE = {
    "another device": answer(entry(OTHER, "true", "true")),
    "another device inside": answer(entry("ID", "true", "true", OTHER)),
    "two devices": answer(GOOD + entry(OTHER, "true", "false")),
    "twice the device": answer(GOOD + GOOD),
    "an unknown word": answer(entry("ID", "true", "unknown")),
    "no word": answer(entry("ID", "true", "")),
    "an unknown registration": answer(entry("ID", "maybe", "true")),
    "another version": answer(GOOD).replace(">3<", ">2<"),
    "a document type": "<!DOCTYPE ise_api>" + answer(GOOD),
    "an entity": '<!DOCTYPE ise_api [<!ENTITY t "true">]>' + answer(entry("ID", "true", "&t;")),
    "a file": '<!DOCTYPE ise_api [<!ENTITY t SYSTEM "file:///etc/hostname">]>'
              + answer(entry("ID", "true", "&t;")),
    "no end": answer(GOOD)[:-5],
    "something behind": answer(GOOD) + "<x/>",
    "HTML": "<html><body>Sign in</body></html>",
    "JSON": '{"compliant": true}',
    "nothing": "",
    "deep": "<a>" * 5000,
    "large": answer(GOOD + "<x/>" * 20000),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_answer_that_cannot_be_used_is_none(site: Site, sim: Sim, name: str) -> None:
    device = sim.enrol_device(str(uuid.uuid4()))["id"]
    fault = sim.fault("not_json", listener="compliance", text=answer(GOOD).replace("ID", device))
    assert ctl(site, "device", "refresh", device).returncode == YES  # else nothing is shown
    assert ctl(site, "device", "forget", device).returncode == YES
    sim.clear_fault(fault)
    sim.fault("not_json", listener="compliance", text=UNUSABLE[name].replace("ID", device))
    done = ctl(site, "device", "refresh", device)
    assert done.returncode == FAULT, done
    assert "not in the cache" in ctl(site, "device", "show", device).stdout


# --- Wi-Fi -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    settings = {**BY_COMPLIANCE, "mfa": {"wait_wifi": "8s"}}
    settings["intune"] = {**BY_COMPLIANCE["intune"], "timeout": "2s"}
    with rad.start_world(tmp_path_factory.mktemp("wifi"), pki_index, settings=settings) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


@pytest.fixture(autouse=True)
def without_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "world" in request.fixturenames:
        made: World = request.getfixturevalue("world")
        made.sim.clear_faults()
        made.sim.listener("compliance")


def station() -> str:
    return "02-" + "-".join(f"{b:02X}" for b in secrets.token_bytes(5))


def eap(world: World, user: str, name: str) -> rad.Eap:
    return rad.eap_tls(world.radius, user, world.pki["devices"][name], station=station())


def test_a_trusted_device_is_let_in(world: World) -> None:
    user = world.person("crs-trusted", PUSH)
    world.sim.enrol_device(world.pki["devices"]["device-p256"]["device_id"])
    end = eap(world, user, "device-p256")
    assert end.success, end.output[-3000:]
    event = world.outcome(user, "RULE_ALLOW")
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+intune"
    assert world.sim.count("compliance.device") >= 1 and world.sim.count("graph.device") == 0


def test_many_at_once_ask_once(world: World) -> None:
    users = [world.person(f"crs-many-{i}", PUSH) for i in range(4)]
    world.sim.enrol_device(world.pki["devices"]["device-extensions-only"]["device_id"])
    world.sim.fault("delay", listener="compliance", seconds=1.0)
    asked = world.sim.count("compliance.device")
    with ThreadPoolExecutor(len(users)) as pool:
        ends = list(pool.map(lambda user: eap(world, user, "device-extensions-only"), users))
    assert all(end.success for end in ends)
    assert world.sim.count("compliance.device") == asked + 1


@pytest.mark.parametrize("name, fields, reason", [
    ("device-rsa", {"compliance": "noncompliant"}, "NOT_COMPLIANT"),
    ("device-second", None, "NOT_ENROLLED")])
def test_a_device_that_is_not_compliant_or_not_there(world: World, name: str, fields: Any,
                                                     reason: str) -> None:
    user = world.person("crs-" + name, PUSH, push="deny", after=0.2)
    if fields is not None:
        world.sim.enrol_device(world.pki["devices"][name]["device_id"], **fields)
    assert not eap(world, user, name).success
    event = world.outcome(user, "MFA_REJECTED")
    assert event["verdict"] == "NOT_TRUSTED" and event["deviceReason"] == reason


FAULTS: dict[str, dict[str, Any]] = {
    "error": {"kind": "status", "status": 500},
    "refused": {"kind": "status", "status": 403},
    "gone": {"kind": "status", "status": 404},
    "limit": {"kind": "rate_limit", "retry_after": 60},
    "slow": {"kind": "hang"},
    "cut off": {"kind": "truncate"},
    "reset": {"kind": "reset"},
    "huge": {"kind": "huge"},
    "elsewhere": {"kind": "redirect"},
    "another device": {"kind": "not_json", "text": answer(entry(OTHER, "true", "true"))},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_service_that_fails_is_no_trust(world: World, name: str) -> None:
    user = world.person("crs-" + name.replace(" ", "-"), PUSH, push="deny", after=0.2)
    device = world.pki["devices"]["company-rsa"]["device_id"]
    world.sim.enrol_device(device)
    world.sim.fault(listener="compliance", **FAULTS[name])
    assert not eap(world, user, "company-rsa").success
    event = world.outcome(user, "MFA_REJECTED")
    assert event["verdict"] == "UNKNOWN" and event["deviceReason"] == "LOOKUP_UNAVAILABLE"


@pytest.mark.parametrize("state, certificate", [("down", "good"), ("silent", "good"),
                                                ("up", "foreign"), ("up", "wrong_name"),
                                                ("up", "expired")])
def test_a_service_that_is_not_itself(world: World, state: str, certificate: str) -> None:
    user = world.person(f"crs-{state}-{certificate}".replace("_", "-"), PUSH, push="deny",
                        after=0.2)
    world.sim.enrol_device(world.pki["devices"]["san-comma-list"]["device_id"])
    world.sim.listener("compliance", state, certificate)
    asked = world.sim.count("compliance.device")
    assert not eap(world, user, "san-comma-list").success
    event = world.outcome(user, "MFA_REJECTED")
    assert event["verdict"] == "UNKNOWN" and event["deviceReason"] == "LOOKUP_UNAVAILABLE"
    assert world.sim.count("compliance.device") == asked


# --- SSH ---------------------------------------------------------------------------------------

def test_ssh_from_a_device_that_the_service_knows(pki_index: dict[str, Any]) -> None:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        made.sim.add_user("dtalice@example.com", factors=(PUSH,))
        made.site.configure(BY_COMPLIANCE)
        made.start_daemon()
        try:
            with Sshd(made) as sshd:
                sign_on_by_ssh(made, sshd)
        finally:
            made.stop_daemon()


def sign_on_by_ssh(made: PamWorld, sshd: Sshd) -> None:
    device = made.pki["devices"]["device-p256"]
    made.sim.enrol_device(device["device_id"])
    made.add_device(device["files"]["certificate"])
    key = install_device_key(made, "device-p256")
    sshd.allow("dtalice", key)
    ssh = sshd.connect("dtalice", key)
    ssh.expect("I-am-in")
    ssh.close()
    made.outcome("sshd")
    event, = made.site.sign_ons()
    assert event["debugContext"]["debugData"]["cause"] == "RULE_ALLOW"
    assert event["debugContext"]["debugData"]["evidence"] == "ssh-key+intune"
    assert made.sim.count("compliance.device") == 1 and made.sim.count("graph.device") == 0
