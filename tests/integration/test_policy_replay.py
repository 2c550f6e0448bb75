# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl policy replay over logs that real doors wrote: FreeRADIUS and sshd. The same policy
# changes nothing; another one changes what it says; what the log does not hold is said and not
# guessed.
"""Tests of devtrustctl policy replay."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.integration.test_ctl import FAULT, NO, OPEN, YES, Answer, run
from tests.lib import radius as rad
from tests.lib.pamworld import pam_world
from tests.lib.site import Site, catch_all, guide_policy, rule
from tests.lib.sshd import Sshd, install_device_key, make_key

DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


def replay(config: Path, policy: Path, *arguments: Any) -> Answer:
    return run("policy", "replay", "--policy", policy, "-c", config, *arguments)


def summed(config: Path, policy: Path, *arguments: Any) -> dict[str, Any]:
    """The JSON form; its exit code under "code"."""
    answer = replay(config, policy, "--json", *arguments)
    return {**json.loads(answer.out), "code": answer.code, "err": answer.err}


class Log:
    """A log of the VPN with its site, and policies to try on it."""

    def __init__(self, site: Site, policy: dict[str, Any], directory: Path) -> None:
        self.site, self.policy, self.directory = site, policy, directory
        self.lines = site.audit_path.read_bytes().splitlines(keepends=True)

    def other(self, **rules: Any) -> Path:
        """The policy with some rules changed: NAME=function of the rule."""
        made = copy.deepcopy(self.policy)
        for one in made["rules"]:
            rules.get(one["name"].split()[0], lambda r: None)(one)
        return self.write(made)

    def write(self, policy: dict[str, Any]) -> Path:
        path = self.directory / "other.json"
        path.write_text(json.dumps(policy))
        return path

    @property
    def same(self) -> Path:
        return self.site.policy_directory / "vpn.json"

    def replay(self, policy: Path, *arguments: Any) -> dict[str, Any]:
        return summed(self.site.config_path, policy, *arguments)


@pytest.fixture(scope="module")
def vpn(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Log]:
    directory = tmp_path_factory.mktemp("replay")
    policy: dict[str, Any] = {}

    def put(site: Site) -> None:
        group = {"id": site.world.group_id("Contractors"), "name": "Contractors"}
        (site.directory / "zones.json").write_text(json.dumps({"zones": [
            {"name": "Office", "type": "IP", "status": "ACTIVE",
             "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]}]}))
        site.configure({"policy": {"zones_file": site.directory / "zones.json"}})
        policy.update({"name": "vpn", "application": "vpn", "rules": [
            rule("Trusted", 1, "TRUSTED"),
            rule("Nights", 2, access="DENY", time={"zone": "UTC", "include": [
                {"days": DAYS, "from": "00:00", "to": "24:00"}]},
                people={"users": {"include": ["nora"]}}),
            rule("Contractors", 3, access="DENY", people={"groups": {"include": [group]}}),
            rule("Ask", 4, "NOT_TRUSTED", frequency="EVERY_SIGN_ON",
                 factors=["push", "token:software:totp"], network={
                     "connection": "ZONE", "include": ["Office"]}),
            catch_all()]})
        site.set_policy(policy)

    settings = {"device_trust": {"trusted_when": "vpn-client+intune, certificate+intune"},
                "mfa": {"wait_vpn": "12s"}}
    with rad.start_world(directory, pki_index, settings=settings, prepare=put) as world:
        def login(name: str, **more: Any) -> rad.Reply:
            return world.client().login(name, Calling_Station_Id=more.pop("at", "192.0.2.9"),
                                        **more)

        phone = world.person("paul", "push")
        device = world.sim.enrol_device(user="paul@example.com", operatingSystem="Android")["id"]
        assert login(phone, Cisco_AVPair=["mdm-tlv=device-uid=" + device]).code == rad.ACCEPT
        computer = world.person("cora", "token:software:totp")
        reply = login(computer)
        assert reply.code == rad.CHALLENGE, reply
        assert world.client().login(computer, world.passcode(computer), reply.state,
                                    Calling_Station_Id="192.0.2.9").code == rad.ACCEPT
        assert login(computer, at="203.0.113.9").code == rad.REJECT
        assert login(world.person("nora", "push")).code == rad.REJECT
        world.sim.add_user("karl@example.com", groups=("Contractors",))
        assert login("karl").code == rad.REJECT
        world.outcome("karl", "RULE_DENY")
        yield Log(world.site, policy, directory)


def test_the_same_policy_changes_nothing(vpn: Log) -> None:
    got = vpn.replay(vpn.same)
    assert got["code"] == YES, got
    assert (got["signOns"], got["same"], got["changed"], got["cannotBeDecided"]) == (5, 5, 0, 0)
    text = replay(vpn.site.config_path, vpn.same)
    assert text.code == YES and "5 sign-ons: 5 get the same" in text.out


def test_changes_are_listed_by_rule_and_person(vpn: Log) -> None:
    path = vpn.other(Trusted=lambda r: r["actions"]["appSignOn"].update(
        promptForFactor={"frequency": "ONCE_A_DAY"}),
        Contractors=lambda r: r["actions"]["appSignOn"].update(access="ALLOW"))
    got = vpn.replay(path)
    assert got["code"] == NO and got["changed"] == 2 and got["same"] == 3, got
    of = {c["persons"][0]["person"]: c for c in got["changes"]}
    trusted, contractor = of["paul@example.com"], of["karl@example.com"]
    assert trusted["difference"] == "access"
    assert trusted["before"] == {"access": "ALLOW", "rule": "Trusted", "orgRule": "",
                                 "frequency": "", "factors": []}
    assert trusted["after"]["access"] == "ALLOW_AFTER_MFA"
    assert trusted["after"]["frequency"] == "ONCE_A_DAY"
    assert contractor["before"]["access"] == "DENY" and contractor["after"]["access"] == "ALLOW"
    assert contractor["count"] == 1 and "karl@example.com" in contractor["examples"][0]
    text = replay(vpn.site.config_path, path)
    assert text.code == NO
    assert 'DENY, rule "Contractors" -> ALLOW, rule "Contractors"' in text.out
    assert '1 of "karl@example.com"' in text.out


@pytest.mark.parametrize("change, difference, person", [
    ({"Ask": lambda r: r["actions"]["appSignOn"]["promptForFactor"].update(
        frequency="ONCE_A_WEEK")}, "frequency", "cora@example.com"),
    ({"Ask": lambda r: r["actions"]["appSignOn"]["promptForFactor"].update(
        factors=["token:software:totp"])}, "factors", "cora@example.com"),
    ({"Ask": lambda r: r.update(name="Ask for it")}, "rule", "cora@example.com"),
    ({"Ask": lambda r: r["conditions"].pop("network")}, "access", "cora@example.com"),
    ({"Nights": lambda r: r["actions"]["appSignOn"].update(access="ALLOW")},
     "access", "nora@example.com")])
def test_one_change(vpn: Log, change: Any, difference: str, person: str) -> None:
    got = vpn.replay(vpn.other(**change))
    assert got["code"] == NO and got["changed"] == 1, got
    assert got["changes"][0]["difference"] == difference
    assert got["changes"][0]["persons"] == [{"person": person, "count": 1}]


def test_what_the_log_does_not_say_is_not_guessed(vpn: Log) -> None:
    """A rule for a group that no rule asked about: nobody can say who is in it. Who is decided
    before it is decided all the same."""
    made = copy.deepcopy(vpn.policy)
    made["rules"].insert(1, {**rule("Guests", 2, access="DENY",
                                    people={"groups": {"include": ["Guests"]}})})
    for priority, one in enumerate(made["rules"]):
        one["priority"] = priority + 1
    got = vpn.replay(vpn.write(made), "--examples", "10")
    assert got["code"] == OPEN and got["changed"] == 0, got
    assert got["same"] == 1 and got["cannotBeDecided"] == 4
    whys = {one["why"] for one in got["notDecided"]}
    assert any('"guests"' in why for why in whys), whys
    assert sum(one["count"] for one in got["notDecided"]) == 4
    text = replay(vpn.site.config_path, vpn.write(made))
    assert text.code == OPEN and "4 cannot be decided again" in text.out
    assert "cannot be decided again: the event" in text.out


def test_groups_that_were_not_asked_for(vpn: Log) -> None:
    """A rule before them decided, so Okta was not asked; without it, they are wanted."""
    got = vpn.replay(vpn.other(Nights=lambda r: r["conditions"].update(
        people={"users": {"include": ["nobody"]}})))
    assert got["code"] == OPEN and got["changed"] == 0 and got["cannotBeDecided"] == 1, got
    assert got["notDecided"][0]["why"].startswith("the event has no groups")
    assert got["notDecided"][0]["persons"] == [{"person": "nora@example.com", "count": 1}]


def test_a_policy_that_does_not_load(vpn: Log) -> None:
    answer = replay(vpn.site.config_path, vpn.other(
        Nights=lambda r: r["conditions"]["time"]["include"][0].update(days=[])))
    assert answer.code == FAULT and "days" in answer.err and not answer.out


def test_events_of_an_older_devtrust_are_named(vpn: Log) -> None:
    old = vpn.directory / "old.log"
    old.write_bytes(b"".join(vpn.lines).replace(b'"policyInput":{', b'"was":{'))
    got = vpn.replay(vpn.same, "-f", old)
    assert got["code"] == OPEN and got["cannotBeDecided"] == 5 and got["same"] == 0
    assert "older devtrust" in got["notDecided"][0]["why"]


def test_rotated_and_compressed_files_are_read(vpn: Log, tmp_path: Path) -> None:
    """Each sign-on once, whatever file it is in; with a file that is not read, nobody says that
    nothing changes."""
    config = tmp_path / "devtrust.conf"
    text = vpn.site.config_path.read_text()
    base = tmp_path / "audit.log"
    config.write_text(text.replace(str(vpn.site.audit_path), str(base)))
    cut = len(vpn.lines) // 3
    (tmp_path / "audit.log.2.gz").write_bytes(gzip.compress(b"".join(vpn.lines[:cut])))
    (tmp_path / "audit.log.1").write_bytes(b"".join(vpn.lines[cut:2 * cut]))
    base.write_bytes(b"".join(vpn.lines[2 * cut:]))
    got = summed(config, vpn.same)
    assert got["code"] == YES and got["same"] == 5, got
    (tmp_path / "audit.log.3.zst").write_bytes(b"x")
    got = summed(config, vpn.same)
    assert got["code"] == OPEN and got["unreadFiles"] == 1 and "zst" not in got["changes"]
    (tmp_path / "audit.log.2.gz").write_bytes(gzip.compress(b"".join(vpn.lines[:cut]))[:-9])
    got = summed(config, vpn.same)
    assert got["code"] == FAULT and got["fault"] is True and "audit.log.2.gz" in got["err"]


def test_broken_and_hostile_lines(vpn: Log) -> None:
    """Counted and named; nothing of them reaches the terminal as it is, and they decide nothing."""
    log = vpn.directory / "hostile.log"
    whole = vpn.lines[-1]
    log.write_bytes(b"half a line\n" + b"\x00\xff\n" + b"y" * 300000 + b"\n" + b"".join(vpn.lines)
                    + whole.replace(b"karl@example.com", b"\\u001b[2Jkarl")
                    + whole.replace(b'"groupsLookup":"', b'"groupsLookup":"\\u202e')
                    + b"[" * 100000 + b"\n" + whole[:200] + b"\n" + b'{"policyInput":{}}\n')
    got = vpn.replay(vpn.same, "-f", log)
    assert got["code"] == OPEN and got["brokenLines"] == 6, got
    assert got["signOns"] == 7 and got["same"] == 6 and got["cannotBeDecided"] == 1
    assert "hostile.log:1:" in got["err"] and '"groupsLookup"' in got["notDecided"][0]["why"]
    text = replay(vpn.site.config_path, vpn.other(Contractors=lambda r: r["actions"][
        "appSignOn"].update(access="ALLOW")), "-f", log)
    assert text.code == NO and "\x1b" not in text.out + text.err and "\u202e" not in text.out
    assert "6 lines that are not audit events" in text.out


def test_only_some_sign_ons(vpn: Log) -> None:
    path = vpn.other(Contractors=lambda r: r["actions"]["appSignOn"].update(access="ALLOW"))
    assert vpn.replay(path, "--user", "karl")["signOns"] == 1
    assert vpn.replay(path, "--user", "cora")["code"] == YES
    assert vpn.replay(path, "--since", "1h")["changed"] == 1
    nothing = vpn.replay(path, "--since", "2120-01-01T00:00:00Z")
    assert nothing["code"] == OPEN and nothing["signOns"] == 0
    assert vpn.replay(path, "--application", "wifi")["code"] == OPEN
    assert vpn.replay(path, "--examples", "0")["changes"][0]["examples"] == []


@pytest.mark.parametrize("arguments", [
    (), ("x",), ("--since", "yesterday"), ("--examples", "many"), ("--examples", "1001"),
    ("--policy",), ("--json", "--json")])
def test_wrong_usage(vpn: Log, arguments: tuple[str, ...]) -> None:
    first = ("--policy", vpn.same) if arguments else ()
    answer = run("policy", "replay", *first, *arguments)
    assert answer.code == FAULT and answer.err and not answer.out


def test_files_that_are_not_there(vpn: Log) -> None:
    config = vpn.site.config_path
    for arguments in ((vpn.directory / "none.json",), (vpn.same, "--zones", "/none.json"),
                      (vpn.same, "--org", "/none.json"), (vpn.same, "-f", "/none.log")):
        answer = replay(config, *arguments)
        assert answer.code == FAULT and "none" in answer.err, answer


def test_sign_ons_over_ssh(pki_index: dict[str, Any], tmp_path: Path) -> None:
    with pam_world(pki_index) as world, Sshd(world) as sshd:
        world.sample("sshd", "sshd-devtrust")
        world.sim.reset()
        policy = guide_policy("sshd")
        policy["rules"].insert(0, rule("Root's group", 0, access="DENY",
                                       people={"groups": {"include": ["root", "adm*"]}}))
        for priority, one in enumerate(policy["rules"]):
            one["priority"] = priority + 1
        world.site.set_policy(policy)
        world.sim.add_user("dtalice@example.com", factors=("push",))
        world.start_daemon()
        try:
            trusted = world.pki["devices"]["device-p256"]
            world.sim.enrol_device(trusted["device_id"], user="dtalice@example.com")
            world.add_device(trusted["files"]["certificate"])
            for key in (install_device_key(world, "device-p256"),
                        make_key(world.directory / "stranger")):
                sshd.allow("dtalice", key)
                ssh = sshd.connect("dtalice", key)
                if ssh.expect(["I-am-in", r"number (\d+) in Okta Verify"]) == 1:
                    world.sim.approve("dtalice@example.com", number=int(ssh.match.group(1)))
                    ssh.sendline("")
                    ssh.expect("I-am-in")
                ssh.close()
            world.outcome("sshd", count=2)
        finally:
            world.stop_daemon()
        config = world.site.config_path
        got = summed(config, world.site.policy_directory / "sshd.json")
        assert got["code"] == YES and got["same"] == got["signOns"] == 2, got
        path = tmp_path / "sshd.json"
        policy["rules"][0]["conditions"]["people"]["groups"]["include"] = ["adm*", "dtalice"]
        path.write_text(json.dumps(policy))
        got = summed(config, path)
        assert got["code"] == OPEN and got["cannotBeDecided"] == 2, got
        policy["rules"][0]["conditions"]["people"]["groups"]["include"] = ["adm", "Root"]
        path.write_text(json.dumps(policy))
        assert summed(config, path)["code"] == YES
