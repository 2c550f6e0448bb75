# SPDX-License-Identifier: GPL-2.0-or-later
# The real sudo, with each of its ways to ask, su and login, over the samples as they are shipped.
"""Programs that call PAM for somebody at this host, in every case."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from tests.lib.matrix import CASES, cell
from tests.lib.pamworld import ROOT, PamWorld, pam_world
from tests.lib.person import sign_on
from tests.lib.site import guide_policy

ALICE = "dtalice@example.com"
PASSWORD = "correct horse battery"
DEVICE = "device-p256"
SAMPLES = ("sudo", "sudo-i", "su", "su-l", "login")
AS_ALICE = ["setpriv", "--reuid", "61001", "--regid", "61001", "--clear-groups"]
ANSIBLE = "[sudo via ansible, key=abc] password:"
COMMANDS = {"sudo": ["sudo", "-k", "id"], "sudo -p": ["sudo", "-k", "-p", ANSIBLE, "id"],
            "sudo -i": ["sudo", "-k", "-i", "id"], "sudo -u": ["sudo", "-k", "-u", "dtbob", "id"],
            "sudo -v": ["sh", "-c", "sudo -k; sudo -v && id -u | sed 's/.*/uid=&(/'"],
            "sudo -S": ["sudo", "-k", "-S", "id"], "sudo -A": ["sudo", "-k", "-A", "id"],
            "sudo -n": ["sudo", "-k", "-n", "id"], "su": ["su", "dtbob", "-c", "id"],
            "su -": ["su", "-", "dtbob", "-c", "id"], "login": ["login", "dtalice"]}
AT_A_TERMINAL = ("sudo", "sudo -p", "sudo -i", "sudo -u", "sudo -v", "su", "su -", "login")
IN = re.compile(r"uid=\d+\(")


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"mfa": {"wait_pam": "20s", "push_limit": 100, "push_pause": "0s"},
                "policy": {"unknown_device_as": "not_trusted"},
                "daemon": {"person_at_host": "service"}}
    with pam_world(pki_index, applications=("sudo", "su", "login"), settings=settings) as made:
        for name in SAMPLES:
            text = (ROOT / "conf" / "pam.d" / (name + "-devtrust")).read_text()
            (made.pam_directory / name).write_text(
                text.replace("pam_devtrust.so", made.module_line()))
        made.drop_delays()
        for name in ("dtalice", "dtbob"):
            made.set_password(name, PASSWORD)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    world.sim.add_user(ALICE, factors=("push", "token:software:totp"))
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    for name in ("sudo", "su", "login"):
        world.site.set_policy(guide_policy(name))
    world.trust_host(DEVICE, ALICE, False)
    sudo, sudoers = world.pam_directory / "sudo", world.directory / "sudoers"
    kept = [(path, path.read_text()) for path in (sudo, sudoers)]
    yield
    for path, text in kept:
        path.write_text(text)
    world.sim.listener("okta")
    world.stop_daemon()


def set_case(world: PamWorld, case: str) -> None:
    world.sim.set_push(ALICE, "deny" if case == "denied" else "approve")
    world.trust_host(DEVICE, ALICE, case == "trusted")
    if case == "okta down":
        world.sim.listener("okta", "down")
    if case != "daemon down":  # devtrustd --one takes its place
        world.start_daemon()


def at_a_terminal(world: PamWorld, program: str, answer: Callable[[str], str]) -> str:
    """A person who tells the prompts of sudo -p apart by what stands above them."""
    person = [] if program == "login" else AS_ALICE
    return sign_on(world.inside([*person, *COMMANDS[program]]),
                   lambda seen: answer(seen) if "Okta Verify" in seen else PASSWORD, answer).text


def without_a_terminal(world: PamWorld, program: str, answer: str) -> str:
    """As a script or cron calls it; an askpass program gives one line after the other."""
    lines, asked = world.directory / "lines", world.directory / "askpass"
    lines.write_text(f"{PASSWORD}\n{answer}\n")
    lines.chmod(0o666)
    asked.write_text("#!/bin/sh\necho \"asked: $1\" >&2\n"
                     f"head -n 1 '{lines}'\nsed -i 1d '{lines}' 2>/dev/null || {{ "
                     f"tail -n +2 '{lines}' >'{lines}.rest'; cat '{lines}.rest' >'{lines}'; }}\n")
    asked.chmod(0o755)
    Path(f"{lines}.rest").touch()
    Path(f"{lines}.rest").chmod(0o666)
    done = world.run(["setsid", "-w", *AS_ALICE, "env", f"SUDO_ASKPASS={asked}",
                      *COMMANDS[program]],
                     input=f"{PASSWORD}\n{answer}\n" if program == "sudo -S" else "")
    return done.stdout + done.stderr


def call(world: PamWorld, program: str, passcode: bool) -> str:
    answer = world.sim.passcode(ALICE) if passcode else ""
    if program in AT_A_TERMINAL:
        return at_a_terminal(world, program, lambda _: answer)
    return without_a_terminal(world, program, answer)


SHORT = {("sudo", "push"), ("sudo -p", "push"), ("sudo -A", "push"), ("sudo -S", "push"),
         ("su", "trusted"), ("su", "push"), ("login", "push"), ("sudo", "trusted")}


@pytest.mark.parametrize("program,case", [
    pytest.param(program, case, marks=cell("pam", program, case,
                                           whole=(program, case) not in SHORT))
    for program in COMMANDS if program != "sudo -n" for case in CASES])
def test_in_each_case(world: PamWorld, program: str, case: str) -> None:
    set_case(world, case)
    text = call(world, program, case == "passcode")
    inside = case not in ("denied", "okta down")
    assert bool(IN.search(text)) == inside, text
    event = world.outcome(program.split()[0])["debugContext"]["debugData"]
    causes = {"trusted": "RULE_ALLOW", "denied": "MFA_REJECTED", "okta down": "OKTA_UNAVAILABLE"}
    assert event["cause"] == causes.get(case, "MFA_SUCCESS")
    if case in ("push", "denied", "daemon down"):
        assert re.search(r"number \d+", text), text
    if case == "trusted":
        assert not re.search(r"number \d+", text) and world.sim.count("okta.verify") == 0


# --- nobody can be asked -------------------------------------------------------------------------


def devtrust_alone(world: PamWorld) -> None:
    """sudo without a password, and PAM also where it must not ask."""
    world.service("sudo", "timeout=20")
    sudoers = world.directory / "sudoers"
    sudoers.write_text(sudoers.read_text() + "Defaults noninteractive_auth\n")


@pytest.mark.parametrize("case", [
    pytest.param(case, marks=cell("pam", "sudo -n", case, whole=case not in ("trusted", "push")))
    for case in CASES])
def test_sudo_that_may_not_ask(world: PamWorld, case: str) -> None:
    """A trusted device gets in; for any other no phone rings."""
    devtrust_alone(world)
    set_case(world, case)
    text = without_a_terminal(world, "sudo -n", "")
    assert bool(IN.search(text)) == (case == "trusted"), text
    assert not world.sim.pushes(ALICE)
    if case in ("push", "passcode", "denied"):
        assert world.outcome("sudo")["outcome"]["reason"] == "MFA_NO_PROMPT"


def test_sudo_that_may_not_ask_at_a_terminal(world: PamWorld) -> None:
    devtrust_alone(world)
    set_case(world, "push")
    seen = sign_on(world.inside([*AS_ALICE, "sudo", "-u", "root", "-kn", "id"]), PASSWORD)
    assert not seen.inside and not world.sim.pushes(ALICE), seen.text
    assert world.outcome("sudo")["outcome"]["reason"] == "MFA_NO_PROMPT"


SHELL = [*AS_ALICE, "sh", "-c"]
UNASKED = {
    "options that end together": "sudo -kn id", "a variable before it": "sudo A=b -n id",
    "an option with a word": "sudo -u root -n id", "one option within another": "sudo -nu root id",
    "the long option": "sudo --non-interactive id", "its beginning": "sudo --non id",
    "a long option with a word": "sudo --user root -n id", "-l": "sudo -l -n -U root id",
    "no terminal": "setsid -w sudo id </dev/null", "an end": "sudo -S id </dev/null",
    "an end of a file": "sudo -S id <'{empty}'", "an end of a pipe": "true | sudo -S id",
    "a pipe without an end": "sleep 5 | sudo -S id",
    "no input": "sudo -S id <&-", "no askpass": "SUDO_ASKPASS=/bin/false sudo -A id",
    "hidden": "echo | sudo -S id 2>/dev/null", "closed": "echo | sudo --stdin id 2>&-",
    "su without input": "su dtbob -c id </dev/null",
    "su that is hidden": "echo | su dtbob -c id 2>/dev/null"}


@pytest.mark.parametrize("command", list(UNASKED.values()), ids=list(UNASKED))
def test_no_phone_rings_where_no_prompt_is_seen(world: PamWorld, command: str) -> None:
    devtrust_alone(world)
    world.service("su", "timeout=20")
    empty = world.directory / "empty"
    empty.touch()
    set_case(world, "push")
    done = world.run(["setsid", "-w", *SHELL, command.format(empty=empty)])
    assert not IN.search(done.stdout), done.stdout
    assert not world.sim.pushes(ALICE)
    application = "su" if command.split("|")[-1].split()[0] == "su" else "sudo"
    assert world.outcome(application)["outcome"]["reason"] == "MFA_NO_PROMPT"


ASKED = {
    "a file": "sudo -S id", "-n of the command": "sudo -S sh -c 'id -n; id' sh -n",
    "-n behind the end": "sudo -S -- env -u X id", "a name with -n": "sudo -S -u root env A=-n id",
    "-n as a prompt": "sudo -S -p -n id", "-n as a long one": "sudo --stdin --prompt -n id"}


@pytest.mark.parametrize("command", list(ASKED.values()), ids=list(ASKED))
def test_a_push_where_its_number_is_seen(world: PamWorld, command: str) -> None:
    devtrust_alone(world)
    line = world.directory / "line"
    line.write_text("\n")
    set_case(world, "push")
    done = world.run(["setsid", "-w", *SHELL, f"{command} <'{line}'"])
    assert IN.search(done.stdout), done.stderr
    assert re.search(r"number \d+", done.stderr) and world.sim.pushes(ALICE)


def test_a_passcode_where_no_prompt_is_seen(world: PamWorld) -> None:
    devtrust_alone(world)
    set_case(world, "push")
    done = world.run(["setsid", "-w", *SHELL, "sudo -S id 2>/dev/null"],
                     input=world.sim.passcode(ALICE) + "\n")
    assert IN.search(done.stdout) and not world.sim.pushes(ALICE)


def test_a_push_without_a_number_needs_no_prompt_that_is_seen(world: PamWorld) -> None:
    devtrust_alone(world)
    world.site.configure({"mfa": {"number_challenge": "never"}})
    try:
        set_case(world, "push")
        done = world.run(["setsid", "-w", *SHELL, "(echo; echo) | sudo -S id 2>/dev/null"])
        assert IN.search(done.stdout) and world.sim.pushes(ALICE)
    finally:
        world.site.configure({"mfa": {"number_challenge": None}})
