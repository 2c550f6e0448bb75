# SPDX-License-Identifier: GPL-2.0-or-later
# What a SIEM gets: events in the form of OCSF of real sign-ons, held against the class.
"""Events for a SIEM."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Iterator

import jsonschema
import pytest

from tests.integration.test_pam_daemon import ALICE, BOTH, ssh_key
from tests.lib.pamworld import ROOT, PamWorld, pam_world, wait_until
from tests.lib.radius import REJECT, Radius

SCHEMA = json.loads((ROOT / "tests" / "ocsf" / "event.schema.json").read_text())


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd", "vpn", "wifi")) as made:
        made.service("sshd")
        made.sim.add_user(ALICE, factors=BOTH)
        made.site.configure({"audit": {"format": "ocsf"}})
        made.start_daemon()
        yield made
        made.stop_daemon()


def valid(event: dict[str, Any]) -> dict[str, Any]:
    jsonschema.Draft202012Validator(SCHEMA).validate(event)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    if event["class_uid"] == 3002:
        assert {"host", "security_control"} == set(event["metadata"]["profiles"])
    return event


def new_events(world: PamWorld, before: int, count: int) -> list[dict[str, Any]]:
    return [valid(e) for e in wait_until(
        lambda: (world.site.events()[before:] if len(world.site.events()) >= before + count
                 else None), f"{count} events")]


def test_the_schema_refuses_what_is_wrong(world: PamWorld) -> None:
    """Else it shows nothing: each required attribute and each enumeration is missed."""
    before = len(world.site.events())
    world.login("sshd", "dtalice", "--no-conversation")
    good = new_events(world, before, 1)[-1]
    for name in ("activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time",
                 "type_uid", "user"):
        with pytest.raises(jsonschema.ValidationError):
            valid({k: v for k, v in good.items() if k != name})
    for name, value in {"activity_id": 55, "status_id": 7, "severity_id": 9, "action_id": 17,
                        "time": good["time"] // 1000, "class_uid": 3001, "is_mfa": "yes",
                        "auth_protocol_id": 40, "invented": 1, "user": {}}.items():
        with pytest.raises(jsonschema.ValidationError):
            valid({**good, name: value})
    with pytest.raises(jsonschema.ValidationError):
        valid({k: v for k, v in good.items() if k not in ("service", "dst_endpoint")})


def test_sign_ons_at_a_host(world: PamWorld) -> None:
    before = len(world.site.events())
    key = ssh_key(world, "device-p256")
    assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
    events = new_events(world, before, 2)
    device, signon = events
    assert device["activity_id"] == 99 and device["device"]["is_trusted"] is True
    assert signon["activity_id"] == 1 and signon["status_id"] == 1 and signon["action_id"] == 1
    assert signon["user"]["name"] == "dtalice" and signon["user"]["uid"] == ALICE
    assert signon["device"]["uid"] == world.pki["devices"]["device-p256"]["device_id"]
    assert signon["is_mfa"] is False and "auth_factors" not in signon
    assert device["metadata"]["correlation_uid"] == signon["metadata"]["correlation_uid"]
    assert device["metadata"]["uid"] != signon["metadata"]["uid"]
    assert signon["unmapped"]["devtrust"]["transaction"]["id"] \
        == signon["metadata"]["correlation_uid"]

    before = len(world.site.events())
    with world.harness("--service", "sshd", "--user", "dtalice", "--rhost", "192.0.2.7") as h:
        h.prompt()
        world.sim.approve(ALICE)
        h.answer("")
        assert h.finish()["auth"] == "SUCCESS"
    signon = new_events(world, before, 1)[-1]
    assert signon["is_mfa"] is True and signon["auth_factors"][-1]["factor_type_id"] == 5
    assert signon["src_endpoint"]["ip"] == "192.0.2.7" and signon["logon_type_id"] == 10
    assert signon["is_remote"] is True
    assert {"192.0.2.7", "dtalice"} <= {o["value"] for o in signon["observables"]}


def test_devtrustctl_reads_both_forms(world: PamWorld) -> None:
    before = len(world.site.events())
    world.login("sshd", "dtalice", "--no-conversation")
    new_events(world, before, 1)
    world.restart_daemon({"audit": {"format": None}})
    try:
        world.login("sshd", "dtalice", "--no-conversation")
        wait_until(lambda: "class_uid" not in world.site.events()[-1], "an event like Okta's")
        lines = world.run_ctl("log", "--application", "sshd", "--query", "CLIENT_GONE",
                              "--last", "2").splitlines()
        shown = [re.sub('code="[^"]*"', "", line.split("  ", 1)[1]) for line in lines]
        assert len(shown) == 2 and shown[0] == shown[1]
        assert "MFA" in shown[0]
        assert world.run_ctl("log", "--user", "dtalice", "--query", "Sign-on denied")
        answer = json.loads(world.run_ctl("log", "--last", "1", "--json",
                                          "--query", "class_uid").splitlines()[-1])
        assert valid(answer)
    finally:
        world.restart_daemon({"audit": {"format": "ocsf"}})


def test_reload(world: PamWorld) -> None:
    before = len(world.site.events())
    good = world.site.config_path.read_text()
    assert world.daemon is not None
    world.site.config_path.write_text(good + "[nonsense]\n")
    world.daemon.send_signal(1)
    event = new_events(world, before, 1)[-1]
    assert event["class_uid"] == 0 and event["status_id"] == 2
    assert "unknown section" in event["message"]
    world.site.config_path.write_text(good)


def test_sign_on_at_a_gateway(world: PamWorld, tmp_path: Path) -> None:
    audit = world.directory / "radius-audit.log"
    world.site.configure({"radius": {"audit_file": audit,
                                     "store_path": world.site.store_path.parent / "radius.db"}})
    with Radius(tmp_path / "raddb", world.site) as radius:
        client = radius.client(**{"Calling-Station-Id": "02-00-00-00-00-01"})
        for name in ("x\",\"status_id\":1,\"a\":\"", "nobody@example.com"):
            assert client.login(name).code == REJECT
        wait_until(lambda: audit.exists() and audit.read_text().count('"class_uid":3002') >= 2
                   and audit.read_text().endswith("\n"), "their events")
    events = [valid(json.loads(line)) for line in audit.read_text().splitlines()]
    assert all(e["status_id"] == 2 and "a" not in e for e in events)
    assert events[-1]["auth_protocol_id"] == 10 and events[-1]["logon_type_id"] == 3
    assert events[-1]["src_endpoint"]["mac"] == "02-00-00-00-00-01"
    assert events[-1]["service"]["name"] == "vpn"
