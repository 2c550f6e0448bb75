# SPDX-License-Identifier: GPL-2.0-or-later
# Doors at which nothing can be shown: programs that answer every prompt with the password, and
# account lines of programs that have nobody to ask. (Real ones of the kind: test_pam_doors.py.)
"""No prompt, no number; and no push where nobody can be asked."""

from __future__ import annotations

import subprocess
from typing import Any, Iterator

import pytest

from tests.integration.test_pam_daemon import ALICE, BOTH, cause, debug, prompts
from tests.lib.pamworld import ACCOUNTS, PamWorld, pam_world
from tests.lib.site import guide_policy

PASSWORD = "20261130"  # looks like a passcode
BLIND, SEEING, LOCKER = "vsftpd", "staff", "i3lock"
COLUMNS = 40


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"mfa": {"wait_pam": "20s", "push_limit": 100, "passcode_limit": 100},
                "policy": {"unknown_device_as": "not_trusted"}}
    with pam_world(pki_index, applications=(BLIND, SEEING, LOCKER), settings=settings) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.sim.reset()
    world.sim.add_user(ALICE, factors=BOTH)
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    for name in (BLIND, SEEING, LOCKER):
        stack(world, name)
    world.start_daemon()
    yield
    world.stop_daemon()


def stack(world: PamWorld, name: str, password: str = PASSWORD, *, account: bool = True) -> None:
    """As the samples have it: the passcode is taken off, the password checked, devtrust decides."""
    world.set_password("dtalice", password)
    ours = world.module_line()
    (world.pam_directory / name).write_text(
        f"auth required {ours} take_passcode\nauth requisite pam_unix.so nodelay try_first_pass\n"
        f"auth required {ours}\n" + (f"account required {ours}\n" if account else ""))


def log_in(world: PamWorld, typed: str, service: str = BLIND, *arguments: Any) -> dict[str, Any]:
    """By a program that answers every prompt with what was typed first."""
    with world.harness("--service", service, "--user", "dtalice", *arguments) as login:
        for _ in range(8):
            login.answer(typed)
        return login.finish()


# --- programs that show no prompts ---------------------------------------------------------------

@pytest.mark.parametrize("service,uid", [(BLIND, None), (LOCKER, None),
                                         (LOCKER, ACCOUNTS["dtalice"])])
def test_push_without_a_number(world: PamWorld, service: str, uid: Any) -> None:
    """One prompt, for the password; the phone shows approve and deny, and no number."""
    world.sim.set_push(ALICE, "approve", after=0.3)
    report = log_in(world, PASSWORD, service, *(("--uid", uid) if uid else ()))
    assert (report["auth"], report["account"]) == ("SUCCESS", "SUCCESS")
    assert prompts(report) == ["Password: "]
    assert [push["number"] for push in world.sim.pushes()] == [None]
    assert cause(world.outcome(service)) == "MFA_SUCCESS"
    assert world.sim.count("okta.verify") == 1  # the push, and no passcode


def test_number_at_a_program_that_shows_prompts(world: PamWorld) -> None:
    with world.harness("--service", SEEING, "--user", "dtalice") as login:
        assert login.prompt() == "Password: "
        login.answer(PASSWORD)
        assert "number" in login.prompt()
        world.sim.approve(ALICE)
        login.answer("")
        assert login.finish()["auth"] == "SUCCESS"
    assert world.sim.pushes()[0]["number"] is not None


def test_the_list_is_the_administrators(world: PamWorld) -> None:
    """A service that is taken off the list is asked, one that is put on it is not."""
    world.restart_daemon({"daemon": {"no_prompt_services": SEEING}})
    try:
        world.sim.set_push(ALICE, "approve", after=0.3)
        assert prompts(log_in(world, PASSWORD, SEEING)) == ["Password: "]
        assert len(prompts(log_in(world, PASSWORD, BLIND))) > 1
    finally:
        world.restart_daemon({"daemon": {"no_prompt_services": None}})


def test_org_forces_a_number(world: PamWorld) -> None:
    """Nobody would see it: refused by name, and the push is taken back."""
    world.sim.org(force_number_challenge=True)
    report = log_in(world, PASSWORD)
    assert report["auth"] == "CRED_INSUFFICIENT" and prompts(report) == ["Password: "]
    event = world.outcome(BLIND)
    assert cause(event) == "MFA_NO_FACTOR" and "number challenge" in debug(event)["detail"]
    assert world.sim.count("okta.cancel") == 1


def test_denied(world: PamWorld) -> None:
    world.sim.set_push(ALICE, "deny", after=0.3)
    assert log_in(world, PASSWORD)["auth"] == "AUTH_ERR"
    assert cause(world.outcome(BLIND)) == "MFA_REJECTED"


def test_wrong_password_sends_nothing(world: PamWorld) -> None:
    """Also with a right passcode behind it."""
    for typed in ("20261131", f"20261131,{world.sim.passcode(ALICE)}"):
        assert log_in(world, typed)["auth"] == "AUTH_ERR"
    assert world.sim.count("okta.verify") == 0 and not world.sim.pushes()


# --- a passcode behind the password --------------------------------------------------------------

@pytest.mark.parametrize("service", [BLIND, LOCKER, SEEING])
@pytest.mark.parametrize("form", ["{}", "{:.3} {:.3}", "-{}", " {} "])
def test_passcode_behind_the_password(world: PamWorld, service: str, form: str) -> None:
    code = world.sim.passcode(ALICE)
    typed = form.format(code[:3], code[3:]) if "{:.3}" in form else form.format(code)
    report = log_in(world, f"{PASSWORD},{typed}", service)
    assert report["auth"] == "SUCCESS" and prompts(report) == ["Password: "]
    assert debug(world.outcome(service))["factor"] == "token:software:totp"
    assert not world.sim.pushes()


def test_wrong_passcode_behind_the_password(world: PamWorld) -> None:
    """No push is sent in its place, and nothing is asked."""
    report = log_in(world, f"{PASSWORD},000000")
    assert report["auth"] == "AUTH_ERR" and prompts(report) == ["Password: "]
    assert cause(world.outcome(BLIND)) == "MFA_FAILED" and not world.sim.pushes()


@pytest.mark.parametrize("password,typed", [
    ("a,b", "a,b"), ("a,", "a,"), (",123456", ",123456"), ("a,12345", "a,12345"),
    ("a,123456789", "a,123456789"), ("a,123456", "a,123456,"), ("20261130", "20261130,20261130")])
def test_what_is_no_passcode(world: PamWorld, password: str, typed: str) -> None:
    """Passwords with commas are whole, and a password twice is none."""
    stack(world, BLIND, password)
    world.sim.set_push(ALICE, "approve", after=0.3)
    report = log_in(world, typed)
    let_in = typed == password or typed == "20261130,20261130"
    assert (report["auth"] == "SUCCESS") == let_in
    assert world.sim.count("okta.verify") == (1 if let_in else 0)  # the push alone
    assert len(world.sim.pushes()) == (1 if let_in else 0)


def test_password_that_ends_like_a_passcode(world: PamWorld) -> None:
    stack(world, BLIND, "rose,123456")
    assert log_in(world, "rose,123456")["auth"] == "AUTH_ERR"
    assert world.sim.count("okta.verify") == 0
    assert log_in(world, f"rose,123456,{world.sim.passcode(ALICE)}")["auth"] == "SUCCESS"


def test_passcode_serves_one_sign_on(world: PamWorld) -> None:
    """The second try on the same handle has none."""
    report = log_in(world, f"{PASSWORD},000000", BLIND, "--again", "tty=x")
    assert (report["auth"], report["again"]) == ("AUTH_ERR", "AUTH_ERR")
    assert world.sim.count("okta.verify") <= 1


@pytest.mark.parametrize("typed", [PASSWORD, PASSWORD + ",123456"])
def test_taking_decides_nothing(world: PamWorld, typed: str) -> None:
    """The line lets nobody in by itself, nor in front of what fails; it is for auth lines."""
    line = world.module_line() + " take_passcode"
    alone = world.pam_directory / "alone"
    alone.write_text(f"auth required {line}\naccount required pam_permit.so\n")
    assert log_in(world, typed, "alone")["auth"] != "SUCCESS"
    alone.write_text(f"auth sufficient {line}\nauth required pam_deny.so\n")
    assert log_in(world, typed, "alone")["auth"] == "AUTH_ERR"
    alone.write_text(f"auth required pam_permit.so\naccount required {line}\n")
    assert log_in(world, typed, "alone")["account"] == "SYSTEM_ERR"
    alone.write_text(f"auth required {line} try_first_pass\n")
    assert log_in(world, typed, "alone")["auth"] == "SYSTEM_ERR"


# --- nobody to ask -------------------------------------------------------------------------------

@pytest.mark.parametrize("service", [SEEING, BLIND])
def test_account_phase_with_nobody_to_ask(world: PamWorld, service: str) -> None:
    """As systemd's PAMName=: the conversation fails. The phone does not ring."""
    report = world.login(service, "dtalice", "--account-only", "--no-conversation")
    assert report["account"] == "PERM_DENIED"
    event = world.outcome(service)
    assert cause(event) == "MFA_NO_PROMPT" and "no push was sent" in debug(event)["detail"]
    assert not world.sim.pushes() and world.sim.count("okta.verify") == 0
    words = " ".join(line["message"] for line in report["lines"] if "message" in line)
    assert "no prompt can be shown here" in words.replace("\n", " ")


def test_account_phase_with_somebody_there(world: PamWorld) -> None:
    with world.harness("--service", SEEING, "--user", "dtalice", "--account-only") as login:
        assert "Press Enter to be sent a push" in login.prompt().replace("\n", " ")
        assert not world.sim.pushes()
        login.answer("")
        assert "number" in login.prompt()
        world.sim.approve(ALICE)
        login.answer("")
        assert login.finish()["account"] == "SUCCESS"


def test_account_phase_takes_a_passcode(world: PamWorld) -> None:
    with world.harness("--service", SEEING, "--user", "dtalice", "--account-only") as login:
        login.prompt()
        login.answer(world.sim.passcode(ALICE))
        assert login.finish()["account"] == "SUCCESS"
    assert not world.sim.pushes()


@pytest.mark.parametrize("stdin", ["nobody", "a pipe"])
def test_su_without_a_terminal(world: PamWorld, stdin: str) -> None:
    """The real su, called by root as by a script: no phone rings, and the command does not run.
    What stands in a pipe is no Enter."""
    ours = world.module_line()
    (world.pam_directory / "su").write_text(
        f"auth sufficient pam_rootok.so\naccount required {ours}\n"
        "session required pam_permit.so\n")
    world.site.set_policy(guide_policy("su"))
    world.restart_daemon({"daemon": {"identity_from": "user"}})
    stdins: dict[str, Any] = {"nobody": {"stdin": subprocess.DEVNULL},
                              "a pipe": {"input": "what?\nmore\nand\n"}}
    try:
        done = world.run(["su", "dtalice", "-c", "id"], **stdins[stdin])
    finally:
        world.restart_daemon({"daemon": {"identity_from": None}})
    assert done.returncode != 0 and "uid=" not in done.stdout
    assert not world.sim.pushes() and world.sim.count("okta.verify") == 0
    if stdin == "nobody":
        assert "no prompt can be shown here" in done.stderr.replace("\n", " ")
        assert cause(world.outcome("su")) == "MFA_NO_PROMPT"


# --- refusals in words ---------------------------------------------------------------------------

def words_of(report: dict[str, Any]) -> str:
    """What the person is told; no line of it is wider than a greeter at 1024 pixels shows."""
    texts = [line["message"] for line in report["lines"] if line.get("kind") == "error"]
    lines = [line for text in texts for line in text.split("\n")]
    assert all(len(line) <= COLUMNS or " " not in line for line in lines), lines  # a link is whole
    return " ".join(texts).replace("\n", " ")


def test_daemon_cannot_be_reached(world: PamWorld) -> None:
    """The module says so itself: else a display manager calls the password wrong."""
    ours = world.module_line("socket=/nowhere/devtrustd.sock", "daemon=/nowhere/devtrustd")
    (world.pam_directory / "down").write_text(
        f"auth requisite pam_unix.so nodelay\nauth required {ours}\naccount required {ours}\n")
    for uid in ((), ("--uid", ACCOUNTS["dtalice"])):
        report = log_in(world, PASSWORD, "down", *uid)
        assert report["auth"] == "AUTHINFO_UNAVAIL"
        assert "devtrust cannot be reached" in words_of(report)
    assert words_of(log_in(world, PASSWORD, "down", "--silent")) == ""


def test_refusals_are_wrapped(world: PamWorld) -> None:
    world.sim.remove_user(ALICE)
    world.sim.add_user(ALICE, factors=("sms",))
    report = log_in(world, PASSWORD)
    assert report["auth"] == "CRED_INSUFFICIENT"
    assert "No verification method" in words_of(report)
