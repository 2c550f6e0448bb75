# SPDX-License-Identifier: GPL-2.0-or-later
# Devices as Okta's Devices API knows them: Wi-Fi by EAP-TLS with a real FreeRADIUS and supplicant,
# in front of the simulated org.
"""trusted_when = certificate+okta-device."""

from __future__ import annotations

import secrets
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.radius import World

SETTINGS = {"mfa": {"wait_wifi": "8s"},
            "okta": {"timeout": "2s", "user_ttl": "1s"},
            "device_trust": {"trusted_when": "certificate+okta-device", "cache_ttl": "2s",
                             "stale_limit": "1h"}}
NAME = "device-p256"


@pytest.fixture(scope="module", name="shared")
def shared_world(tmp_path_factory: pytest.TempPathFactory,
                 pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("okta-device"), pki_index,
                         settings=SETTINGS) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


@pytest.fixture(name="world")
def world_without_faults(shared: World) -> Iterator[World]:
    yield shared
    shared.sim.clear_faults()
    shared.sim.org(okta_token_reads_devices=True, okta_devices_page_size=200)
    shared.sim.listener("okta")


def login(world: World, user: str) -> Any:
    certificate = world.pki["devices"][NAME]
    station = "02-" + "-".join(f"{b:02X}" for b in secrets.token_bytes(5))
    return rad.eap_tls(world.radius, user, certificate, station=station)


def enrol(world: World, user: str, managed: str = "MANAGED", **values: Any) -> str:
    key = "guo" + secrets.token_hex(6)
    values.setdefault("udid", world.pki["devices"][NAME]["device_id"].upper())
    world.sim.set_okta_device(key, users={user + "@example.com": managed}, **values)
    return key


def refused(world: World, user: str, verdict: str, reason: str, count: int = 1) -> None:
    end = login(world, user)
    assert not end.success and end.accepts == 0
    event = world.outcome(user, "MFA_NO_FACTOR", count)
    assert (event["verdict"], event["deviceReason"]) == (verdict, reason), event


def test_managed_device_is_let_in(world: World) -> None:
    user = world.person("managed")
    enrol(world, user)
    graph = world.sim.count("graph.total")
    end = login(world, user)
    assert end.success, end.output[-3000:]
    event = world.outcome(user, "RULE_ALLOW")
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+okta-device"
    assert event["oktaCalls"] == 3 and world.sim.count("graph.total") == graph


def test_the_answer_is_kept(world: World) -> None:
    user = world.person("kept")
    enrol(world, user)
    assert login(world, user).success
    asked = world.sim.count("okta.user_devices")
    assert login(world, user).success
    assert world.sim.count("okta.user_devices") - asked <= 1  # a refresh ahead, at most
    assert world.outcome(user, "RULE_ALLOW", 2)["oktaCalls"] <= 3


@pytest.mark.parametrize("status,managed,reason", [
    ("SUSPENDED", "MANAGED", "DEVICE_DEACTIVATED"), ("CREATED", "MANAGED", "NOT_ENROLLED"),
    ("DEACTIVATED", "MANAGED", "NOT_ENROLLED"), ("ACTIVE", "NOT_MANAGED", "NOT_MANAGED")])
def test_what_okta_says_no_to(world: World, status: str, managed: str, reason: str) -> None:
    user = world.person("no" + secrets.token_hex(3))
    enrol(world, user, managed, status=status)
    refused(world, user, "NOT_TRUSTED", reason)


def test_somebody_elses_device(world: World) -> None:
    owner, user = world.person("owner"), world.person("borrower")
    enrol(world, owner)
    refused(world, user, "NOT_TRUSTED", "NOT_ENROLLED")


def test_one_device_with_two_people(world: World) -> None:
    one, two = world.person("first"), world.person("second")
    world.sim.set_okta_device(enrol(world, one), users={one + "@example.com": "MANAGED",
                                                        two + "@example.com": "NOT_MANAGED"})
    assert login(world, one).success
    refused(world, two, "NOT_TRUSTED", "NOT_MANAGED")


def test_two_devices_that_could_be_it(world: World) -> None:
    user = world.person("twice")
    enrol(world, user)
    enrol(world, user)
    refused(world, user, "NOT_TRUSTED", "NOT_ENROLLED")


def test_found_on_a_later_page(world: World) -> None:
    user = world.person("pages")
    for number in range(3):
        enrol(world, user, udid=f"0000000{number}-0000-4000-8000-000000000000")
    enrol(world, user)
    world.sim.org(okta_devices_page_size=1)
    assert login(world, user).success
    assert world.outcome(user, "RULE_ALLOW")["oktaCalls"] == 6


@pytest.mark.parametrize("kind,values", [
    ("status", {"status": 500}), ("truncate", {}), ("html", {}), ("json", {"body": {}}),
    ("huge", {}), ("redirect", {}), ("reset", {}), ("hang", {"seconds": 20}),
    ("rate_limit", {"reset_after": 30}),
    ("headers", {"headers": {"link": '<https://127.0.0.1:1/api/v1/x>; rel="next"'}})])
@pytest.mark.parametrize("endpoint", ["user_devices", "device_users"])
def test_no_answer_is_not_no(world: World, endpoint: str, kind: str, values: Any) -> None:
    user = world.person("down" + secrets.token_hex(3))
    enrol(world, user)
    world.sim.fault(kind, endpoint=endpoint, listener="okta", **values)
    refused(world, user, "UNKNOWN", "LOOKUP_UNAVAILABLE")
    world.sim.clear_faults()
    assert login(world, user).success


def test_a_token_that_may_not_read_devices(world: World) -> None:
    user = world.person("forbidden")
    enrol(world, user)
    world.sim.org(okta_token_reads_devices=False)
    refused(world, user, "UNKNOWN", "LOOKUP_UNAVAILABLE")
    # Asked for by itself, Okta's word comes with what is to be done about it.
    assert world.sim.count("okta.user_devices") > 0
