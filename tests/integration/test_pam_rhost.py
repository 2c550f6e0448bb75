# SPDX-License-Identifier: GPL-2.0-or-later
# What PAM_RHOST may be other than an address, in sshd, sudo and others: rules with zones refuse,
# the person counts as elsewhere, and the event says why and what to set. Names are never looked up.
"""PAM_RHOST that is no address."""

from __future__ import annotations

import json
from typing import Any, Iterator

import pytest

from tests.lib import site as sites
from tests.lib.pamworld import PamWorld, pam_world

LONG = "h" * 300
HERE = {"connection": "ZONE", "include": ["here"]}


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd", "sudo", "login")) as made:
        zones = made.site.directory / "zones.json"
        zones.write_text(json.dumps({"zones": [{
            "name": "here", "type": "IP", "status": "ACTIVE",
            "gateways": ["127.0.0.0/8", "192.0.2.0/24", "::1/128", "fe80::/10"]}]}))
        made.site.configure({"policy": {"zones_file": zones},
                             "daemon": {"local_services": "sudo, login"}})
        for name in ("sshd", "sudo", "login"):
            made.service(name)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.sim.reset()
    world.sim.add_user("dtalice@example.com", factors=("push",))
    world.site.audit_path.unlink(missing_ok=True)
    yield
    world.stop_daemon()


def rules(world: PamWorld, *made: dict[str, Any]) -> None:
    for application in ("sshd", "sudo", "login"):
        world.site.set_policy({"name": application, "application": application,
                               "rules": [*made, sites.catch_all()] if made else
                               [{**sites.catch_all(),
                                 "actions": {"appSignOn": {"access": "ALLOW"}}}]})
    world.start_daemon()


def debug(world: PamWorld, service: str) -> dict[str, Any]:
    return world.outcome(service)["debugContext"]["debugData"]


SET_DNS = "set UseDNS no in sshd_config"
SET_SUDO = "set Defaults !pam_rhost in sudoers"
NAMES = {
    ("sshd", "laptop.example.com"): SET_DNS,
    ("sshd", "localhost"): SET_DNS,
    ("sshd", "192.0.2.7.example.com"): SET_DNS,
    ("sshd", "192.0.2.7, 127.0.0.1"): SET_DNS,
    ("sshd", "::ffff:example.com"): SET_DNS,
    ("sshd", ":0"): SET_DNS,
    ("sshd", "UNKNOWN"): "its input is not a socket",
    ("sshd", ""): "sshd has set no PAM_RHOST",
    ("sshd", "h" * 70): "longer than an address",
    ("sshd", LONG): "longer than an address",
    ("sudo", "web1"): SET_SUDO,
    ("sudo", "localhost"): SET_SUDO,
    ("sudo", LONG): "longer than an address",
    ("login", "gw.example.com"): "the program has to give the address",
    ("login", LONG): "longer than an address",
}


@pytest.mark.parametrize("service,rhost", NAMES, ids=[f"{s}-{r[:24]}" for s, r in NAMES])
def test_a_zone_refuses_and_says_why(world: PamWorld, service: str, rhost: str) -> None:
    rules(world, sites.rule("Here", 1, network=HERE))
    report = world.login(service, "dtalice", "--rhost", rhost)
    assert report["auth"] == "PERM_DENIED", report
    found = debug(world, service)
    assert found["cause"] == "NETWORK_UNKNOWN"
    assert NAMES[service, rhost] in found["detail"], found
    others = {SET_DNS, SET_SUDO, "rlm_devtrust"} - {NAMES[service, rhost]}
    assert not [o for o in others if o in found["detail"]], found


@pytest.mark.parametrize("rhost", ["192.0.2.7", "::ffff:192.0.2.7", "::1", "fe80::1%eth0",
                                   "127.0.0.1"])
def test_addresses(world: PamWorld, rhost: str) -> None:
    rules(world, sites.rule("Here", 1, network=HERE))
    assert world.login("sshd", "dtalice", "--rhost", rhost)["auth"] == "SUCCESS"
    assert debug(world, "sshd")["cause"] == "RULE_ALLOW"


@pytest.mark.parametrize("service,rhost,said", [
    ("sudo", "web1", SET_SUDO), ("sudo", LONG, SET_SUDO), ("login", "gw.example.com", "not empty"),
    ("login", LONG, "not empty")], ids=["sudo", "sudo-long", "login", "login-long"])
def test_a_name_makes_somebody_elsewhere(world: PamWorld, service: str, rhost: str,
                                         said: str) -> None:
    """The event says so where nothing else is to be said, and whatever the rule decides."""
    rules(world)
    assert world.login(service, "dtalice", "--rhost", rhost, "--tty", "tty1")["auth"] == "SUCCESS"
    found = debug(world, service)
    assert found["place"] == "remote" and said in found["detail"], found


def test_an_address_needs_no_remark(world: PamWorld) -> None:
    rules(world)
    world.login("sudo", "dtalice", "--rhost", "192.0.2.7")
    assert "PAM_RHOST" not in (debug(world, "sudo")["detail"] or "")


def test_sudo_with_pam_rhost(world: PamWorld) -> None:
    """The real one, and what check-pam says of it."""
    world.sample("sudo", "sudo-devtrust")
    world.set_password("dtalice", "correct horse battery")
    sudoers = world.directory / "sudoers"
    before = sudoers.read_text()
    rules(world)
    try:
        sudoers.write_text(before + "Defaults pam_rhost\n")
        done = world.run(["setpriv", "--reuid", "61001", "--regid", "61001", "--clear-groups",
                          "sudo", "-S", "id"], input="correct horse battery\n")
        assert "uid=0(root)" in done.stdout, done.stderr
        assert SET_SUDO in debug(world, "sudo")["detail"]
        found = json.loads(world.run([world.ctl, "check-pam", "--json", "--no-sshd", "-c",
                                      world.site.config_path, "sudo"]).stdout)
        notes = [f for f in found["findings"] if "PAM_RHOST is this host's name" in f["text"]]
        assert notes and notes[0]["write"] == "Defaults !pam_rhost", found
    finally:
        sudoers.write_text(before)
        world.service("sudo")
