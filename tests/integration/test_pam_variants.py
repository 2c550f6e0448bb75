# SPDX-License-Identifier: GPL-2.0-or-later
# Variants of a PAM service, with the real sudo, su and login: another way to call a program is not
# another way in.
"""sudo -i is sudo, su - is su."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.site import catch_all, rule

ALICE = "dtalice@example.com"
PAIRS = (("sudo", ("sudo", "-u", "dtbob", "id")), ("sudo-i", ("sudo", "-i", "-u", "dtbob", "id")),
         ("su", ("su", "dtbob", "-c", "id")), ("su-l", ("su", "-l", "dtbob", "-c", "id")))
IN = "uid=61002(dtbob)"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sudo", "su", "login")) as made:
        for name in ("sudo", "sudo-i", "su", "su-l", "login", "remote"):
            made.service(name)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    for user in ("dtalice", "dtbob"):
        world.sim.add_user(user + "@example.com", factors=("push",))
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    for name in ("sudo-i", "su-l"):
        (world.site.policy_directory / (name + ".json")).unlink(missing_ok=True)
    world.site.configure({"mfa": {"wait_pam": "20s"}, "daemon": {"person_at_host": "service"},
                          "device_trust": {"host_certificate_file": None, "host_key_file": None}})
    yield
    world.stop_daemon()


def call(world: PamWorld, *command: str) -> str:
    """As dtalice, who has nothing to type."""
    done = world.run(["setpriv", "--reuid", "61001", "--regid", "61001", "--clear-groups",
                      *command], input="\n\n")
    return done.stdout


def decide(world: PamWorld, application: str, access: str) -> None:
    last = {**catch_all(), "actions": {"appSignOn": {"access": access}}}
    world.site.set_policy({"name": application, "application": application, "rules": [last]})


def debug(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


@pytest.mark.parametrize("service,command", PAIRS)
@pytest.mark.parametrize("access", ["ALLOW", "DENY"])
def test_base_decides(world: PamWorld, service: str, command: tuple[str, ...],
                      access: str) -> None:
    base = service.partition("-")[0]
    decide(world, base, access)
    decide(world, "su" if base == "sudo" else "sudo", "DENY" if access == "ALLOW" else "ALLOW")
    world.start_daemon()
    assert (IN in call(world, *command)) == (access == "ALLOW")
    event = debug(world.outcome(base))
    assert (event["application"], event["service"]) == (base, service)
    assert event["cause"] == "RULE_" + access


@pytest.mark.parametrize("service,command", [p for p in PAIRS if "-" in p[0]])
def test_policy_of_its_own_goes_first(world: PamWorld, service: str,
                                      command: tuple[str, ...]) -> None:
    decide(world, service.partition("-")[0], "ALLOW")
    decide(world, service, "DENY")
    world.start_daemon()
    assert IN not in call(world, *command)
    event = debug(world.outcome(service))
    assert (event["application"], event["service"]) == (service, service)
    assert event["cause"] == "RULE_DENY"


def host_is_trusted(world: PamWorld) -> None:
    made = world.pki["devices"]["device-p256"]
    world.sim.enrol_device(made["device_id"], user=ALICE)
    world.site.configure({"device_trust": {"host_certificate_file": made["files"]["certificate"],
                                           "host_key_file": made["files"]["key"]}})


@pytest.mark.parametrize("service,command", PAIRS)
def test_host_certificate_counts_alike(world: PamWorld, service: str,
                                       command: tuple[str, ...]) -> None:
    """By the default local_services, on a trusted host, nobody is asked in any of them."""
    host_is_trusted(world)
    base = service.partition("-")[0]
    world.site.set_policy({"name": base, "application": base,
                           "rules": [rule("trusted", 1, "TRUSTED"), catch_all()]})
    world.start_daemon()
    assert IN in call(world, *command)
    assert debug(world.outcome(base))["verdict"] == "TRUSTED"


def test_remote_is_not_local(world: PamWorld) -> None:
    """`login -h` uses login's policy; who comes over a network does not sit at this host."""
    host_is_trusted(world)
    world.site.set_policy({"name": "login", "application": "login",
                           "rules": [rule("trusted", 1, "TRUSTED"), catch_all()]})
    world.start_daemon()
    assert world.login("login", "dtalice")["auth"] == "SUCCESS"
    assert world.login("remote", "dtalice")["auth"] == "PERM_DENIED"
    event = debug(world.outcome("login", 2))
    assert (event["service"], event["verdict"]) == ("remote", "NOT_TRUSTED")


def test_section_of_the_base_holds(world: PamWorld) -> None:
    """[application sudo] says that no device is trusted there; so does it of sudo -i."""
    host_is_trusted(world)
    world.site.set_policy({"name": "sudo", "application": "sudo",
                           "rules": [rule("trusted", 1, "TRUSTED"), catch_all()]})
    world.site.configure({"application sudo": {"trusted_when": "ssh-key+intune"}})
    world.start_daemon()
    try:
        for _, command in PAIRS[:2]:
            assert IN not in call(world, *command)
        assert debug(world.outcome("sudo", 2))["verdict"] != "TRUSTED"
    finally:
        world.stop_daemon()
        del world.site.settings["application sudo"]


def test_explain_and_check_config_know(world: PamWorld) -> None:
    decide(world, "sudo", "ALLOW")
    decide(world, "su", "ALLOW")
    decide(world, "login", "ALLOW")
    text = world.run_ctl("explain", "--user", "dtalice", "--application", "sudo-i", "--json")
    assert '"application":"sudo"' in text and "its base's decides" in text
    assert "also for sudo-i" in world.run_ctl("check-config", "--user", "root")
    decide(world, "sudo-i", "ALLOW")
    assert "also for sudo-i" not in world.run_ctl("check-config", "--user", "root")
    assert Path(world.site.policy_directory / "sudo-i.json").exists()


def by_input(command: tuple[str, ...]) -> tuple[str, ...]:
    """sudo that reads what is typed from its input."""
    return (command[0], "-S", *command[1:])


def test_forget_and_log_know(world: PamWorld) -> None:
    """What is remembered of sudo -i is under its base's name; the log tells the two apart."""
    host_is_trusted(world)
    once = rule("unknown", 1, "TRUSTED", frequency="ONCE_A_DAY", factors=("push",))
    world.site.set_policy({"name": "sudo", "application": "sudo", "rules": [once, catch_all()]})
    world.sim.set_push(ALICE, "approve")
    world.start_daemon()
    forget = ["forget", "--user", "dtalice", "-c", str(world.site.config_path)]

    def forgets(application: str) -> bool:
        done = world.run([world.ctl, *forget, "--application", application])
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0

    for number, (service, command) in enumerate(PAIRS[:2], 1):
        assert IN in call(world, *by_input(command))
        assert debug(world.outcome("sudo", number))["cause"] == "MFA_SUCCESS"
        assert not forgets("su-l") and not forgets("su")
        assert forgets(service) and not forgets(service)
        world.restart_daemon()  # which would see it within a second
    assert IN in call(world, *by_input(PAIRS[1][1]))
    assert debug(world.outcome("sudo", 3))["cause"] == "MFA_SUCCESS"
    assert forgets("sudo")
    for application, services in (("sudo", {"sudo", "sudo-i"}), ("sudo-i", {"sudo-i"}),
                                  ("su-l", set())):
        shown = world.run([world.ctl, "log", "--application", application, "--json", "--file",
                           world.site.audit_path]).stdout
        events = [debug(json.loads(line)) for line in shown.splitlines()]
        assert {event.get("service") for event in events} == services


def test_forget_of_a_variant_with_a_policy_of_its_own(world: PamWorld) -> None:
    host_is_trusted(world)
    for application in ("sudo", "sudo-i"):
        once = rule("unknown", 1, "TRUSTED", frequency="ONCE_A_DAY", factors=("push",))
        world.site.set_policy({"name": application, "application": application,
                               "rules": [once, catch_all()]})
    world.sim.set_push(ALICE, "approve")
    world.start_daemon()
    assert IN in call(world, *by_input(PAIRS[0][1]))
    command = [world.ctl, "forget", "-c", world.site.config_path, "--application"]
    assert world.run([*command, "sudo-i"]).returncode == 1
    assert world.run([*command, "sudo"]).returncode == 0
