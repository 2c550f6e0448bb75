# SPDX-License-Identifier: GPL-2.0-or-later
# Open sessions of a NAS: what the Access-Accept and accounting make of them, and what is noticed
# when a device or person no longer meets the rule that let them in. With the shipped samples of
# FreeRADIUS, a small client as NAS, and eapol_test for devices.
"""Open sessions: known, ended, looked at again, reported."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any, Callable, Iterator

import pytest

from tests.integration.test_radius_reply import station
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import ACCEPT, BUILD, REJECT, World

PUSH = "push"
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8
LIMIT = 60.0
SLOW = bool(os.environ.get("DEVTRUST_SLOW"))
slow = pytest.mark.skipif(not SLOW, reason="takes several rechecks; DEVTRUST_SLOW=1")
LOSS = "policy.auth_reevaluate.fail"
SETTINGS = {"sessions": {"recheck": "5s"},
            "mfa": {"push_pause": "0s", "push_limit": "1000"},
            "device_trust": {"cache_ttl": "1h", "stale_limit": "2h", "negative_ttl": "1h"}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("sessions"), pki_index,
                         settings=SETTINGS) as made:
        yield made


def ctl(world: World, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(BUILD / "devtrustctl"), "sessions", *arguments,
                           "--config", str(world.site.config_path)],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=LIMIT, env={**os.environ, "NO_COLOR": "1"})


def sessions(world: World, user: str, *arguments: str) -> list[dict[str, Any]]:
    done = ctl(world, "list", "--json", "--user", user, *arguments)
    assert done.returncode in (0, 1), done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]


def until(what: Callable[[], Any], limit: float = LIMIT) -> Any:
    deadline = time.monotonic() + limit
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def wait_for(world: World, user: str, **members: Any) -> dict[str, Any]:
    """The one session of the user, once it has these members."""
    def fits() -> Any:
        found = sessions(world, user)
        return found[0] if len(found) == 1 and members.items() <= found[0].items() else None
    return until(fits)


def losses(world: World, user: str) -> list[dict[str, Any]]:
    return [e for e in world.site.events()
            if e["eventType"] == LOSS and e["actor"]["displayName"] == user]


def let_in(world: World, user: str, session: str, **more: Any) -> None:
    world.person(user, PUSH, push="approve", after=0.1)
    assert world.client(Acct_Session_Id=session, **more).login(user).code == ACCEPT


# --- what is known of a session ------------------------------------------------------------------

def test_from_the_accept_to_the_stop(world: World) -> None:
    """Known by the Accept, confirmed by Start, its address changed by Interim, ended by Stop."""
    let_in(world, "whole-life", "w-1")
    found = wait_for(world, "whole-life", state="pending")
    assert (found["door"], found["nas"], found["acctSessionId"]) == ("radius", "gateway-1", "w-1")
    assert found["cause"] == "MFA_SUCCESS" and found["rule"] == sites.NOT_TRUSTED_RULE
    account = world.accounting(Acct_Session_Id="w-1")
    for _ in range(2):  # a retransmission
        assert account.account(START, "whole-life")
        wait_for(world, "whole-life", state="open", started=found["started"])
    assert account.account(INTERIM, "whole-life", Framed_IP_Address=bytes([10, 0, 0, 9]))
    wait_for(world, "whole-life", state="open", framedIp="10.0.0.9", started=found["started"])
    for _ in range(2):
        assert account.account(STOP, "whole-life")
        until(lambda: not sessions(world, "whole-life"))
    assert account.account(INTERIM, "whole-life")  # late, of a session that is over
    assert not sessions(world, "whole-life") and not losses(world, "whole-life")


def test_the_stop_of_another_session_ends_nothing(world: World) -> None:
    let_in(world, "stays", "s-1")
    wait_for(world, "stays", state="pending")
    account = world.accounting()
    assert account.account(STOP, "stays", Acct_Session_Id="s-2")
    assert account.account(STOP, "stays", Acct_Session_Id="s-1", NAS_Identifier="gateway-2")
    assert account.account(START, "stays", Acct_Session_Id="s-1")
    wait_for(world, "stays", state="open", acctSessionId="s-1")


def test_signing_on_again_in_it_is_the_same_session(world: World) -> None:
    let_in(world, "again", "a-1")
    first = wait_for(world, "again", state="pending")
    assert world.accounting(Acct_Session_Id="a-1").account(START, "again")
    wait_for(world, "again", state="open")
    assert world.client(Acct_Session_Id="a-1").login("again").code == ACCEPT
    world.outcome("again", "MFA_REMEMBERED")
    wait_for(world, "again", state="open", started=first["started"], cause="MFA_REMEMBERED")


def test_a_nas_that_names_none_when_it_asks(world: World) -> None:
    """The first accounting packet names the session."""
    user = world.person("late-name", PUSH, push="approve", after=0.1)
    where = {"Calling-Station-Id": station()}
    assert world.client(**where).login(user).code == ACCEPT
    pending = wait_for(world, user, state="pending", acctSessionId="")
    assert world.accounting(**where).account(START, user, Acct_Session_Id="l-1")
    wait_for(world, user, state="open", acctSessionId="l-1", started=pending["started"])
    assert world.accounting(**where).account(STOP, user, Acct_Session_Id="l-1")
    until(lambda: not sessions(world, user))


def test_a_nas_that_begins_anew_has_no_session(world: World) -> None:
    let_in(world, "rebooted", "r-1", NAS_Identifier="gateway-on")
    let_in(world, "elsewhere", "r-1")
    wait_for(world, "rebooted", state="pending")
    wait_for(world, "elsewhere", state="pending")
    assert world.accounting(NAS_Identifier="gateway-on").account(ON, "")
    until(lambda: not sessions(world, "rebooted"))
    assert len(sessions(world, "elsewhere")) == 1


def test_who_is_refused_has_none(world: World) -> None:
    user = world.person("refused", PUSH, push="deny", after=0.1)
    assert world.client(Acct_Session_Id="x-1").login(user).code == REJECT
    assert world.accounting(Acct_Session_Id="x-1").account(START, user)
    assert world.accounting(Acct_Session_Id="nobody").account(START, "nobody")
    world.outcome(user, "MFA_REJECTED")
    assert not sessions(world, user) and not sessions(world, "nobody@example.com")


# --- looking again -------------------------------------------------------------------------------

def test_a_device_that_is_no_longer_compliant(world: World) -> None:
    """Noticed within the time, reported once however often it is looked at, then forgiven."""
    user = world.person("lost-device")
    certificate = world.pki["devices"]["device-rsa"]
    world.sim.enrol_device(certificate["device_id"])
    end = rad.eap_tls(world.radius, user, certificate, station=station())
    assert end.success, end.output[-3000:]
    found = wait_for(world, user, verdict="TRUSTED", deviceId=certificate["device_id"])
    assert ctl(world, "explain", found["id"]).returncode == 0
    world.sim.make_noncompliant(certificate["device_id"])
    began = time.monotonic()
    event = until(lambda: losses(world, user))[0]
    assert time.monotonic() - began < 30
    data = event["debugContext"]["debugData"]
    assert event["outcome"]["reason"] == "MFA_DUE" and data["deviceReason"] == "NOT_COMPLIANT"
    assert (data["source"], data["onLoss"], data["ended"]) == ("recheck", "report", False)
    assert data["letInBy"] == sites.TRUSTED_RULE and data["session"] == found["id"]
    assert data["signOn"] == found["signOn"]
    wait_for(world, user, state="lost", lostCause="MFA_DUE")
    done = ctl(world, "explain", found["id"][:8], "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["nowReason"] == "NOT_COMPLIANT"
    if SLOW:
        look_again(world, certificate["device_id"], 2)
    assert len(losses(world, user)) == 1
    world.sim.make_compliant(certificate["device_id"])
    if SLOW:
        wait_for(world, user, state="open", lostCause="")


def look_ups(world: World, device: str) -> int:
    return sum(device in r["path"] for r in world.sim.requests())


def look_again(world: World, device: str, times: int) -> None:
    """Waits until the device was looked up so often from now on."""
    before = look_ups(world, device)
    until(lambda: look_ups(world, device) >= before + times)


@slow
def test_a_service_that_does_not_answer_ends_nothing(world: World) -> None:
    user = world.person("graph-down")
    certificate = world.pki["devices"]["device-p256"]
    world.sim.enrol_device(certificate["device_id"])
    assert rad.eap_tls(world.radius, user, certificate, station=station()).success
    found = wait_for(world, user, verdict="TRUSTED")
    fault = world.sim.fault("status", listener="graph", status=503)
    try:
        began = time.monotonic()
        look_again(world, certificate["device_id"], 3)
        assert time.monotonic() - began > 9  # once for each recheck, however it is answered
        done = ctl(world, "explain", found["id"])
        assert done.returncode == 0 and "(STALE)" in done.stdout
    finally:
        world.sim.clear_fault(fault)
    assert not losses(world, user)


@slow
def test_one_look_up_for_each_device(world: World) -> None:
    certificate = world.pki["devices"]["device-second"]
    world.sim.enrol_device(certificate["device_id"])
    for i in range(3):
        user = world.person(f"shared-{i}")
        assert rad.eap_tls(world.radius, user, certificate, station=station()).success
        wait_for(world, user, verdict="TRUSTED")
    device = certificate["device_id"]
    before, began = look_ups(world, device), time.monotonic()
    until(lambda: time.monotonic() - began > 11)
    # Three sessions, two or three rounds: not six or nine.
    assert 1 <= look_ups(world, device) - before <= 4


def test_the_command_line(world: World) -> None:
    assert ctl(world, "explain", "00000000").returncode == 5
    assert ctl(world, "explain", "zz").returncode == 2
    assert ctl(world, "end").returncode == 2
    assert ctl(world, "list", "--user", "nobody@example.com").returncode == 1
    let_in(world, "listed", "c-1")
    found = wait_for(world, "listed", state="pending")
    done = ctl(world, "--application", "vpn")
    assert done.returncode == 0 and found["id"] in done.stdout
    assert not sessions(world, "listed", "--application", "wifi")
    assert not sessions(world, "listed", "--device", "0" * 36)


@slow
def test_a_policy_that_no_longer_lets_them_in(world: World) -> None:
    let_in(world, "outlawed", "p-1")
    found = wait_for(world, "outlawed", state="pending")
    world.site.set_policy({"name": "vpn", "application": "vpn", "rules": [sites.catch_all()]})
    try:
        event = until(lambda: losses(world, "outlawed"))[0]
    finally:
        world.site.set_policy(sites.guide_policy("vpn"))
    assert event["outcome"]["reason"] == "RULE_DENY"
    data = event["debugContext"]["debugData"]
    assert data["session"] == found["id"] and data["rule"] == sites.CATCH_ALL_RULE
    assert data["letInBy"] == sites.NOT_TRUSTED_RULE
    wait_for(world, "outlawed", state="open", lostCause="")
