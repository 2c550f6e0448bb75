# SPDX-License-Identifier: GPL-2.0-or-later
# Changed files are taken while people log in: by devtrustd on SIGHUP and by itself, by FreeRADIUS
# by itself. Broken ones are not, and that is said.
"""Reload without restart, on a real devtrustd and a real FreeRADIUS."""

from __future__ import annotations

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

import pytest

from tests.integration.test_pam_daemon import ssh_key
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.pamworld import PamWorld, pam_world, wait_until
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

RELOADS = 50
ALICE = "dtalice@example.com"
PUSH, TOTP = "push", "token:software:totp"


def allow_all(application: str, name: str = "Everybody") -> dict[str, Any]:
    return {"name": application, "application": application,
            "rules": [{**sites.rule(name, 1), "conditions": {}}]}


def deny_all(application: str, name: str = "Nobody") -> dict[str, Any]:
    return {"name": application, "application": application,
            "rules": [{**sites.rule(name, 1, access="DENY"), "conditions": {}}]}


def replace(path: Path, text: str) -> None:
    """As a careful administrator does: whole, or not at all."""
    fresh = path.with_name("." + path.name)
    fresh.write_text(text)
    os.chmod(fresh, 0o644)
    os.replace(fresh, path)


def put_policy(site: sites.Site, policy: Mapping[str, Any]) -> None:
    replace(site.policy_directory / (policy["application"] + ".json"), json.dumps(policy))


def data(event: Mapping[str, Any]) -> dict[str, Any]:
    debug: dict[str, Any] = event["debugContext"]["debugData"]
    return debug


# --- devtrustd ---------------------------------------------------------------------------------

@pytest.fixture(name="pam")
def _pam(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd", "sudo")) as world:
        world.sim.add_user(ALICE, factors=[PUSH, TOTP])
        world.service("sshd")
        world.start_daemon()
        yield world
        assert world.stop_daemon() == 0, world.log_path.read_text()


def hang_up(world: PamWorld) -> None:
    assert world.daemon is not None
    world.daemon.send_signal(signal.SIGHUP)


def login(world: PamWorld) -> str:
    code: str = world.login("sshd", "dtalice")["auth"]
    return code


def test_a_signal_takes_a_changed_policy(pam: PamWorld) -> None:
    put_policy(pam.site, allow_all("sshd"))
    hang_up(pam)
    event = pam.site.wait_reload("SUCCESS")
    assert data(event)["policyGeneration"] == 2
    assert login(pam) == "SUCCESS"
    debug = data(pam.outcome("sshd"))
    assert (debug["rule"], debug["policyGeneration"]) == ("Everybody", 2)
    assert debug["policyLoaded"] == data(event)["policyLoaded"]
    put_policy(pam.site, deny_all("sshd"))
    hang_up(pam)
    pam.site.wait_reload("SUCCESS", 2)
    assert login(pam) == "PERM_DENIED"
    assert data(pam.outcome("sshd", 2))["policyGeneration"] == 3


def test_no_signal_is_needed(pam: PamWorld) -> None:
    put_policy(pam.site, allow_all("sshd"))
    pam.site.wait_reload("SUCCESS")
    assert login(pam) == "SUCCESS"


def test_touched_files_are_no_new_generation(pam: PamWorld) -> None:
    path = pam.site.policy_directory / "sshd.json"
    replace(path, path.read_text())
    hang_up(pam)
    wait_until(lambda: "nothing has changed" in pam.log_path.read_text(), "a word")
    put_policy(pam.site, allow_all("sshd"))
    assert data(pam.site.wait_reload("SUCCESS"))["policyGeneration"] == 2


def break_policy(world: PamWorld) -> str:
    replace(world.site.policy_directory / "sshd.json", '{"name": "sshd", "rul')
    return "sshd.json"


def remove_policy(world: PamWorld) -> str:
    (world.site.policy_directory / "sshd.json").unlink()
    return 'the policy of \\"sshd\\" is missing'


def open_policy(world: PamWorld) -> str:
    os.chmod(world.site.policy_directory / "sshd.json", 0o666)
    return "sshd.json"


def give_policy_away(world: PamWorld) -> str:
    os.chown(world.site.policy_directory / "sshd.json", 12345, 12345)
    return "sshd.json"


def break_config(world: PamWorld) -> str:
    replace(world.site.config_path, "[okta\nnonsense")
    return "devtrust.conf"


def misspell_config(world: PamWorld) -> str:
    text = world.site.config_path.read_text()
    replace(world.site.config_path, text.replace("unknown_device_as", "unknwn_device_as"))
    return "unknwn_device_as"


def remove_config(world: PamWorld) -> str:
    world.site.config_path.unlink()
    return "devtrust.conf"


def break_ca(world: PamWorld) -> str:
    replace(world.site.directory / "company_ca.pem", "no certificate")
    return "company_ca.pem"


def open_token(world: PamWorld) -> str:
    os.chmod(world.site.okta_token_path, 0o644)
    return "okta.token"


def remove_token(world: PamWorld) -> str:
    world.site.okta_token_path.unlink()
    return "okta.token"


@pytest.mark.parametrize("harm", [
    break_policy, remove_policy, open_policy, give_policy_away, break_config, misspell_config,
    remove_config, break_ca, open_token, remove_token])
def test_what_is_broken_is_not_taken(pam: PamWorld, harm: Callable[[PamWorld], str]) -> None:
    put_policy(pam.site, allow_all("sshd"))
    hang_up(pam)
    pam.site.wait_reload("SUCCESS")
    named = harm(pam)
    # Of two files that change together, the good one does not come alone.
    put_policy(pam.site, deny_all("sudo"))
    hang_up(pam)
    event = pam.site.wait_reload("FAILURE")
    assert event["severity"] == "ERROR" and "NOT applied" in event["outcome"]["reason"]
    assert named.replace("\\", "") in event["outcome"]["reason"].replace("\\", "")
    wait_until(lambda: "NOT applied; generation 2" in pam.log_path.read_text(), "a word about it")
    assert login(pam) == "SUCCESS"
    assert data(pam.outcome("sshd"))["policyGeneration"] == 2


def test_a_fault_is_repaired(pam: PamWorld) -> None:
    break_policy(pam)
    hang_up(pam)
    pam.site.wait_reload("FAILURE")
    put_policy(pam.site, allow_all("sshd"))
    pam.site.wait_reload("SUCCESS")
    assert login(pam) == "SUCCESS"


def test_the_same_fault_is_not_said_all_the_time(pam: PamWorld) -> None:
    break_policy(pam)
    pam.site.wait_reload("FAILURE")
    os.utime(pam.site.policy_directory / "sshd.json")  # looked at, and broken as before
    put_policy(pam.site, allow_all("sudo"))
    put_policy(pam.site, allow_all("sshd"))
    pam.site.wait_reload("SUCCESS")
    assert len(pam.site.reloads("FAILURE")) == 1


def test_what_only_a_restart_takes_is_named(pam: PamWorld) -> None:
    pam.site.configure({"daemon": {"max_sign_ons": "7"}, "audit": {"syslog": "yes"}})
    hang_up(pam)
    reason = pam.site.wait_reload("SUCCESS")["outcome"]["reason"]
    assert "[daemon] max_sign_ons" in reason and "[audit] syslog" in reason
    assert "[mfa]" not in reason


def test_a_removed_ca_makes_no_device_trusted(pam: PamWorld) -> None:
    key = ssh_key(pam, "device-p256")
    assert pam.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
    assert data(pam.outcome("sshd"))["verdict"] == "TRUSTED"
    other = pam.pki["authorities"]["radius_ca"]  # the device is of the shared one
    replace(pam.site.directory / "shared_ca.pem", Path(other).read_text())
    put_policy(pam.site, {"name": "sshd", "application": "sshd",
                          "rules": [sites.rule("Trusted", 1, "TRUSTED"), sites.catch_all()]})
    hang_up(pam)
    pam.site.wait_reload("SUCCESS")
    assert pam.login("sshd", "dtalice", "--env", key)["auth"] == "PERM_DENIED"
    assert data(pam.outcome("sshd", 2))["verdict"] == "NOT_TRUSTED"


def test_a_rotated_token_is_used(pam: PamWorld) -> None:
    token = pam.site.okta_token_path.read_bytes()
    pam.site.okta_token_path.write_text("00wrong-token-of-nobody-at-all")
    hang_up(pam)
    pam.site.wait_reload("SUCCESS")
    assert login(pam) != "SUCCESS"
    pam.site.okta_token_path.write_bytes(token)
    hang_up(pam)
    pam.site.wait_reload("SUCCESS", 2)
    with pam.harness("--service", "sshd", "--user", "dtalice") as one:
        assert one.prompt()
        pam.sim.approve(ALICE)
        one.answer("")
        assert one.finish()["auth"] == "SUCCESS"


def test_who_is_under_way_finishes_as_begun(pam: PamWorld) -> None:
    with pam.harness("--service", "sshd", "--user", "dtalice") as one:
        one.prompt()
        for count in range(1, 4):  # long forgotten by then
            put_policy(pam.site, deny_all("sshd", f"Nobody {count}"))
            hang_up(pam)
            pam.site.wait_reload("SUCCESS", count)
        pam.sim.approve(ALICE)
        one.answer("")
        assert one.finish()["auth"] == "SUCCESS"
    debug = data(pam.outcome("sshd"))
    assert debug["policyGeneration"] == 1 and debug["rule"] == sites.NOT_TRUSTED_RULE
    assert login(pam) == "PERM_DENIED"


def test_a_storm_of_logins(pam: PamWorld) -> None:
    """Every login is decided by the one policy or the other, whole, and all get in."""
    rules = {f"Generation {i}" for i in range(RELOADS + 1)}
    put_policy(pam.site, allow_all("sshd", "Generation 0"))
    hang_up(pam)
    pam.site.wait_reload("SUCCESS")
    codes: list[str] = []
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            codes.append(login(pam))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for i in range(1, RELOADS + 1):
            put_policy(pam.site, allow_all("sshd", f"Generation {i}"))
            hang_up(pam)
            pam.site.wait_reload("SUCCESS", i + 1)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(codes) > 3 and set(codes) == {"SUCCESS"}
    pam.outcome("sshd", len(codes))
    for event in pam.site.sign_ons():
        debug = data(event)
        assert debug["rule"] in rules
        # The generation and the rule are of one and the same site.
        assert debug["policyGeneration"] == int(debug["rule"].split()[1]) + 2


# --- FreeRADIUS --------------------------------------------------------------------------------

SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune, certificate+intune"},
            "mfa": {"wait_vpn": "20s"}}


@pytest.fixture(name="radius")
def _radius(tmp_path: Path, pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path, pki_index, settings=SETTINGS) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def test_radius_takes_a_changed_policy(radius: World) -> None:
    user = radius.person("rita", TOTP)
    put_policy(radius.site, allow_all("vpn"))
    radius.site.wait_reload("SUCCESS")
    wait_until(lambda: "generation 2 of the configuration is in force" in radius.radius.log_text(),
               "a word about it")
    assert radius.client().login(user).code == ACCEPT
    assert radius.outcome(user, "RULE_ALLOW")["policyGeneration"] == 2
    put_policy(radius.site, deny_all("vpn"))
    radius.site.wait_reload("SUCCESS", 2)
    assert radius.client().login(user).code == REJECT


def test_radius_keeps_what_it_has(radius: World) -> None:
    user = radius.person("ken", TOTP)
    put_policy(radius.site, allow_all("vpn"))
    radius.site.wait_reload("SUCCESS")
    (radius.site.policy_directory / "vpn.json").write_text("{")
    radius.site.wait_reload("FAILURE")
    wait_until(lambda: "NOT applied" in radius.radius.log_text(), "a word about it")
    assert radius.client().login(user).code == ACCEPT
    # What the server needs of a configuration is asked for as at the start.
    put_policy(radius.site, deny_all("vpn"))
    radius.site.configure({"mfa": {"wait_vpn": "55s", "wait_wifi": "25s"}})
    radius.site.wait_reload("SUCCESS", 2)
    radius.site.state_key_path.unlink()
    radius.site.configure({"store": {"state_key_file": None}, "mfa": {"wait_vpn": "54s"}})


def test_radius_parked_and_hung_up(radius: World) -> None:
    """Who waits in the waiting room while everything changes, and the server is hung up on."""
    user = radius.person("paula", PUSH, push="manual")
    pending = radius.client().start(user)
    radius.sim.wait_push("paula@example.com")
    put_policy(radius.site, deny_all("vpn"))
    radius.site.wait_reload("SUCCESS")
    module = radius.radius.directory / "mods-enabled" / "devtrust"
    module.write_text(module.read_text() + "\n")
    assert radius.radius.process is not None
    radius.radius.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "HUP" in radius.radius.log_text(), "a word about the hangup")
    radius.sim.approve("paula@example.com")
    assert pending.wait().code == ACCEPT
    assert radius.outcome(user, "MFA_SUCCESS")["policyGeneration"] == 1
    assert radius.client().login(user).code == REJECT


def challenged(world: World, name: str) -> tuple[str, Any]:
    user = world.person(name, TOTP)
    first = world.client().login(user)
    assert first.code == CHALLENGE, first
    return user, first.state


def test_state_across_a_tightened_policy(radius: World) -> None:
    user, state = challenged(radius, "tina")
    put_policy(radius.site, deny_all("vpn"))
    radius.site.wait_reload("SUCCESS")
    assert radius.client().login(user, radius.passcode(user), state).code == REJECT
    debug = radius.outcome(user, "RULE_DENY")
    assert debug["rule"] == "Nobody" and debug["policyGeneration"] == 2


def test_state_across_a_renamed_rule(radius: World) -> None:
    user, state = challenged(radius, "rosa")
    policy = sites.guide_policy("vpn")
    policy["rules"][1]["name"] = "Ask"
    put_policy(radius.site, policy)
    radius.site.wait_reload("SUCCESS")
    assert radius.client().login(user, radius.passcode(user), state).code == ACCEPT
    assert radius.outcome(user, "MFA_SUCCESS")["rule"] == "Ask"


def test_state_across_a_loosened_policy(radius: World) -> None:
    """What was begun is asked to the end: a wrong passcode does not let in."""
    user, state = challenged(radius, "lola")
    put_policy(radius.site, allow_all("vpn"))
    radius.site.wait_reload("SUCCESS")
    again = radius.client().login(user, "000000", state)
    assert again.code == CHALLENGE, again
    assert radius.client().login(user, radius.passcode(user), again.state).code == ACCEPT


def test_state_across_other_factors(radius: World) -> None:
    user, state = challenged(radius, "fay")
    put_policy(radius.site, sites.guide_policy("vpn", factors=[PUSH]))
    radius.site.wait_reload("SUCCESS")
    assert radius.client().login(user, radius.passcode(user), state).code == REJECT
    assert "begin again" in radius.outcome(user, "STATE_INVALID")["detail"]


def test_state_across_other_authorities(radius: World) -> None:
    user, state = challenged(radius, "cora")
    other = radius.pki["authorities"]["radius_ca"]
    replace(radius.site.directory / "company_ca.pem", Path(other).read_text())
    radius.site.wait_reload("SUCCESS")
    assert radius.client().login(user, radius.passcode(user), state).code == REJECT
    assert "CA certificates" in radius.outcome(user, "STATE_INVALID")["detail"]


def test_radius_storm(radius: World) -> None:
    user = radius.person("storm", TOTP)
    put_policy(radius.site, allow_all("vpn", "Generation 0"))
    radius.site.wait_reload("SUCCESS")
    codes: list[int] = []
    over = threading.Event()

    def run(number: int) -> None:
        client = radius.client(**{"Calling-Station-Id": f"198.51.100.{number}"})
        # Slow enough that the requests of cleanup_delay stay well below max_requests.
        while not over.wait(0.005):
            codes.append(client.login(user).code)

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(run, n) for n in range(4)]
        try:
            for i in range(1, 6):
                put_policy(radius.site, allow_all("vpn", f"Generation {i}"))
                radius.site.wait_reload("SUCCESS", i + 1)
        finally:
            over.set()
        for done in runs:
            done.result()  # every login had an answer
    assert len(codes) > 100 and set(codes) == {ACCEPT}
    radius.outcome(user, "RULE_ALLOW", len(codes))
    for event in radius.outcomes(user):
        debug = data(event)
        assert debug["policyGeneration"] == int(debug["rule"].split()[1]) + 2
