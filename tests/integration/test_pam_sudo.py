# SPDX-License-Identifier: GPL-2.0-or-later
# The real sudo with its ways to ask: a prompt of the caller's or of sudoers, standard input, a
# program that asks, nobody to ask.
"""What sudo makes of a prompt."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Iterator, Sequence

import pexpect
import pytest

from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.site import catch_all, rule

ALICE = "dtalice@example.com"
PUSH, TOTP = "push", "token:software:totp"
NUMBER = r"[Nn]umber (\d+)"
AS_ALICE = ("setpriv", "--reuid", "61001", "--regid", "61001", "--clear-groups")


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"mfa": {"wait_pam": "20s", "push_limit": 100, "push_pause": "0s"},
                "policy": {"unknown_device_as": "not_trusted"}}
    with pam_world(pki_index, applications=("sudo",), settings=settings) as made:
        made.service("sudo", "timeout=20")
        made.start_daemon()
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> None:
    world.sim.reset()
    world.sim.add_user(ALICE, factors=(PUSH, TOTP))
    world.sim.set_push(ALICE, "manual")
    world.site.audit_path.unlink(missing_ok=True)
    world.site.set_policy({"name": "sudo", "application": "sudo", "rules": [
        rule("MFA.", 1, "NOT_TRUSTED", frequency="EVERY_SIGN_ON"), catch_all()]})


@pytest.fixture
def sudoers(world: PamWorld) -> Iterator[Path]:
    path = world.directory / "sudoers"
    before = path.read_text()
    yield path
    path.write_text(before)


def spawn(world: PamWorld, *options: str, **environment: str) -> "pexpect.spawn[str]":
    command: Sequence[str] = world.inside([*AS_ALICE, "sudo", *options, "id", "-u"])
    return pexpect.spawn(command[0], list(command[1:]), encoding="utf-8", timeout=60,
                         env={"PATH": os.environ["PATH"], **environment})


def approve(world: PamWorld, sudo: "pexpect.spawn[str]") -> None:
    world.sim.approve(ALICE)
    sudo.sendline("")
    sudo.expect(r"\s0\r\n")
    sudo.expect(pexpect.EOF)


CUSTOM = "Your secret please? "


@pytest.mark.parametrize("options", [("-p", CUSTOM), (f"--prompt={CUSTOM}",), ("-ip", CUSTOM)])
def test_the_number_is_shown_above_a_prompt_of_the_callers(world: PamWorld,
                                                           options: tuple[str, ...]) -> None:
    world.service("sudo-i", "timeout=20")
    sudo = spawn(world, *options)
    sudo.expect_exact(CUSTOM)
    shown = re.search(NUMBER, sudo.before)
    assert shown, sudo.before
    assert "Enter" in sudo.before and "passcode" in sudo.before
    approve(world, sudo)


def test_the_number_is_shown_above_a_prompt_of_sudoers(world: PamWorld, sudoers: Path) -> None:
    sudoers.write_text(sudoers.read_text() + "Defaults passprompt_override\n"
                       f'Defaults passprompt="{CUSTOM}"\n')
    sudo = spawn(world)
    sudo.expect_exact(CUSTOM)
    assert re.search(NUMBER, sudo.before), sudo.before
    approve(world, sudo)


@pytest.mark.parametrize("options,environment", [
    ((), {}), ((), {"SUDO_PROMPT": CUSTOM}), (("-p", CUSTOM), {})])
def test_sudo_keeps_our_prompt_where_it_may(world: PamWorld, sudoers: Path,
                                            options: tuple[str, ...],
                                            environment: dict[str, str]) -> None:
    """As the manual advises for -p: Defaults !passprompt_override."""
    sudoers.write_text(sudoers.read_text() + "Defaults !passprompt_override\n")
    sudo = spawn(world, *options, **environment)
    sudo.expect(r"\n[^\n]*number \d+[^\n]*: $")
    assert CUSTOM not in sudo.before
    approve(world, sudo)


def test_a_passcode_at_a_prompt_of_the_callers(world: PamWorld) -> None:
    world.sim.reset()
    world.sim.add_user(ALICE, factors=(TOTP,))
    sudo = spawn(world, "-p", CUSTOM)
    sudo.expect_exact(CUSTOM)
    assert "Okta Verify passcode" in sudo.before
    sudo.sendline(world.sim.passcode(ALICE))
    sudo.expect(r"\s0\r\n")


def test_the_number_on_standard_error(world: PamWorld) -> None:
    """sudo -S without a terminal, as Ansible and scripts call it."""
    world.sim.set_push(ALICE, "approve")
    done = world.run(["setsid", "-w", *AS_ALICE, "sudo", "-S", "-p", CUSTOM, "id", "-u"],
                     input="\n")
    assert done.stdout.strip().endswith("0"), done.stderr
    assert re.search(NUMBER, done.stdout + done.stderr)


def test_the_number_in_a_program_that_asks(world: PamWorld) -> None:
    """sudo -A: the program gets the prompt, and no terminal shows the information."""
    world.sim.set_push(ALICE, "approve")
    asked = world.directory / "asked"
    program = world.directory / "askpass"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" >>'{asked}'\necho\n")
    program.chmod(0o755)
    world.directory.chmod(0o755)
    asked.touch()
    asked.chmod(0o666)
    done = world.run(["setsid", "-w", *AS_ALICE, "env", f"SUDO_ASKPASS={program}", "sudo", "-A",
                      "id", "-u"], stdin=-3)
    assert done.stdout.strip().endswith("0"), done.stderr
    assert re.search(NUMBER, asked.read_text()), asked.read_text()


def test_nobody_is_asked_with_n(world: PamWorld) -> None:
    done = world.run([*AS_ALICE, "sudo", "-n", "id", "-u"], input="")
    assert done.returncode != 0 and done.stdout == ""
    assert "password is required" in done.stderr
