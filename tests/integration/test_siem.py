# SPDX-License-Identifier: GPL-2.0-or-later
# What a SIEM gets: events in the form of OCSF of real sign-ons, held against the class; the recipes
# of conf/siem, applied to real events of both forms.
"""Events for a SIEM."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any, Iterator

import jsonschema
import pytest
import yaml

from tests.integration.test_pam_daemon import ALICE, BOTH, ssh_key
from tests.lib.pamworld import ROOT, PamWorld, pam_world, wait_until
from tests.lib.radius import REJECT, Radius

SIEM = ROOT / "conf" / "siem"
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


# --- the recipes -------------------------------------------------------------------------------

def at(event: Any, path: str) -> Any:
    """The value at a path such as outcome.reason; None where there is none."""
    for step in path.split("."):
        event = event.get(step) if isinstance(event, dict) else None
    return event


def put(document: dict[str, Any], path: str, value: Any) -> None:
    *steps, last = path.split(".")
    for step in steps:
        document = document.setdefault(step, {})
    document[last] = value


@pytest.fixture(scope="module")
def both_forms(world: PamWorld) -> dict[str, list[dict[str, Any]]]:
    """Events of a person with a trusted device, and of one without, in each form."""
    found = {}
    for form in ("okta", "ocsf"):
        world.restart_daemon({"audit": {"format": form}})
        before = len(world.site.events())
        key = ssh_key(world, "device-p256")
        world.login("sshd", "dtalice", "--env", key, "--rhost", "192.0.2.9")
        world.login("sshd", "dtalice", "--no-conversation", "--rhost", "192.0.2.9")
        found[form] = wait_until(lambda: [e for e in world.site.events()[before:]]
                                 if len(world.site.events()) >= before + 3 else None, "events")
    return found


def condition_holds(condition: str, document: dict[str, Any]) -> bool:
    """The two kinds of conditions that the pipeline has."""
    if match := re.fullmatch(r"\[(.*)\]\.contains\(ctx\.([\w?.]+)\)", condition):
        return at(document, match[2].replace("?", "")) in re.findall("'(.*?)'", match[1])
    match = re.fullmatch(r"ctx\.([\w?.]+) != null", condition)
    assert match, condition
    return at(document, match[1].replace("?", "")) is not None


def ecs(event: dict[str, Any], used: set[str]) -> dict[str, Any]:
    """What Elastic's ingest node makes of an event, as far as the pipeline needs it."""
    pipeline = json.loads((SIEM / "elastic" / "ingest-pipeline.json").read_text())
    document: dict[str, Any] = {"devtrust": event}
    for processor in pipeline["processors"]:
        (kind, options), = processor.items()
        if "if" in options and not condition_holds(options["if"], document):
            continue
        if kind == "date":
            put(document, "@timestamp", at(document, options["field"]))
        elif kind == "append":
            value = at(document, options["value"].strip("{}"))
            put(document, options["field"], (at(document, options["field"]) or []) + [value])
        else:
            assert kind == "set"
            source = options.get("copy_from")
            value = at(document, source) if source else options["value"]
            if value not in (None, ""):
                put(document, options["field"], value)
                used.add(source or "")
    return document


def test_elastic(both_forms: dict[str, list[dict[str, Any]]]) -> None:
    used: set[str] = set()
    made = [ecs(event, used) for event in both_forms["okta"]]
    pipeline = json.loads((SIEM / "elastic" / "ingest-pipeline.json").read_text())
    sources = {p["set"]["copy_from"] for p in pipeline["processors"]
               if "copy_from" in p.get("set", {})}
    assert sources <= used  # each is somewhere in real events
    allowed = next(d for d in made if d["event"]["reason"] == "RULE_ALLOW")
    assert allowed["event"]["outcome"] == "success" and allowed["user"]["name"] == "dtalice"
    assert allowed["source"]["ip"] == "192.0.2.9" and allowed["related"]["ip"] == ["192.0.2.9"]
    assert allowed["event"]["category"] == ["authentication"] and allowed["rule"]["name"]
    assert {d["event"]["outcome"] for d in made} == {"success", "failure"}
    beat = yaml.safe_load((SIEM / "elastic" / "filebeat.yml").read_text())
    assert beat["filebeat.inputs"][0]["pipeline"] == "devtrust"


@pytest.mark.parametrize("form, stanza", [("okta", "devtrust:audit"), ("ocsf", "devtrust:ocsf")])
def test_splunk(both_forms: dict[str, list[dict[str, Any]]], form: str, stanza: str) -> None:
    props = configparser.RawConfigParser(delimiters=("=",), strict=True)
    props.optionxform = str  # type: ignore[assignment, method-assign]
    props.read(SIEM / "splunk" / "props.conf")
    given = props[stanza]
    for event in both_forms[form]:
        line = json.dumps(event, separators=(",", ":"))
        after = line.split(given["TIME_PREFIX"], 1)[1]
        stamp = after[:int(given["MAX_TIMESTAMP_LOOKAHEAD"])]
        pattern = r"\d{13}" if form == "ocsf" else r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        assert re.fullmatch(pattern, stamp), stamp
        assert len(line) < int(given["TRUNCATE"])
    for key, value in given.items():
        if key.startswith("FIELDALIAS-"):
            path = re.fullmatch(r'"([\w.]+)" AS \w+', value)
            assert path and any(at(e, path[1]) is not None for e in both_forms[form]), value
        for path_text in re.findall(r"'([\w.]+)'", value if key == "EVAL-action" else ""):
            assert all(at(e, path_text) is not None for e in both_forms[form]), value
    inputs = configparser.RawConfigParser(strict=True)
    inputs.read(SIEM / "splunk" / "inputs.conf")
    assert {inputs[s]["sourcetype"] for s in inputs.sections()} <= set(props.sections())
