# SPDX-License-Identifier: GPL-2.0-or-later
# Two lines of devtrust in one stack, as an include of another file may bring them.
"""One push for one login, whatever its stack looks like; and no success that belongs to another."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.site import catch_all, rule

ALICE, BOB = "dtalice@example.com", "dtbob@example.com"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"mfa": {"wait_pam": "20s", "push_limit": 100, "push_pause": "0s"},
                "policy": {"unknown_device_as": "not_trusted"},
                "primary": {"okta_password": "password"}}
    with pam_world(pki_index, applications=("twice", "thrice", "password"),
                   settings=settings) as made:
        made.start_daemon()
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> None:
    world.sim.reset()
    for login in (ALICE, BOB):
        world.sim.add_user(login, factors=("push",))
        world.sim.set_push(login, "approve")
    world.site.audit_path.unlink(missing_ok=True)
    for name in ("twice", "thrice", "password"):
        world.site.set_policy({"name": name, "application": name, "rules": [
            rule("MFA.", 1, "NOT_TRUSTED", frequency="EVERY_SIGN_ON"), catch_all()]})


def stack(world: PamWorld, auth: list[str], account: list[str], service: str = "twice") -> None:
    lines = [f"auth {a}" for a in auth] + [f"account {a}" for a in account]
    (world.pam_directory / service).write_text("\n".join(lines) + "\n")


def login(world: PamWorld, *options: str, service: str = "twice") -> dict[str, Any]:
    with world.harness("--service", service, "--user", "dtalice", *options) as program:
        for _ in range(20):
            program.answer("")
        return program.finish()


def pushes(world: PamWorld) -> int:
    return sum(len(world.sim.pushes(name)) for name in (ALICE, BOB))


@pytest.mark.parametrize("control", ["required", "requisite", "[success=ok default=die]"])
def test_two_lines_send_one_push(world: PamWorld, control: str) -> None:
    line = f"{control} {world.module_line('timeout=20')}"
    stack(world, [line, line], [line, line])
    report = login(world)
    assert report["auth"] == report["account"] == "SUCCESS"
    assert pushes(world) == 1 and len(world.site.sign_ons()) == 1


def test_two_account_lines_send_one_push(world: PamWorld) -> None:
    line = f"required {world.module_line('timeout=20')}"
    stack(world, ["required pam_permit.so"], [line, line])
    assert login(world)["account"] == "SUCCESS"
    assert pushes(world) == 1


def test_a_third_line_asks_again(world: PamWorld) -> None:
    line = f"required {world.module_line('timeout=20')}"
    stack(world, [line, line, line], ["required pam_permit.so"])
    login(world)
    assert pushes(world) == 2


def test_an_old_success_is_not_taken_over(world: PamWorld) -> None:
    """As where a password is asked for between the two."""
    line = f"required {world.module_line('timeout=20')}"
    stack(world, [line, "optional pam_exec.so /bin/sleep 6", line], ["required pam_permit.so"])
    assert login(world)["auth"] == "SUCCESS"
    assert pushes(world) == 2


@pytest.mark.parametrize("other", ["timeout=21", "timeout=20 socket={socket}",
                                   "timeout=20 daemon={daemon}"])
def test_other_arguments_ask_again(world: PamWorld, other: str) -> None:
    """The very same daemon, by another name of its socket or program."""
    socket = world.site.socket_path
    names = {"socket": socket.parent / "." / ".." / socket.parent.name / socket.name,
             "daemon": world.one_path.parent / ".." / world.one_path.parent.name
             / world.one_path.name}
    stack(world, [f"required {world.module_line('timeout=20')}",
                  f"required {world.module_line(*other.format(**names).split())}"],
          ["required pam_permit.so"])
    assert login(world)["auth"] == "SUCCESS"
    assert pushes(world) == 2


def test_a_password_is_checked_by_each_line(world: PamWorld) -> None:
    world.sim.set_user(ALICE, password="Kr0ne-Turm")
    line = f"required {world.module_line('timeout=20', 'password')}"
    stack(world, [line, line], ["required pam_permit.so"], service="password")
    with world.harness("--service", "password", "--user", "dtalice") as program:
        for answer in ("Kr0ne-Turm", "") * 2:
            program.prompt()
            program.answer(answer)
        assert program.finish()["auth"] == "SUCCESS"
    assert len(world.site.sign_ons()) == 2


def test_a_refusal_is_not_taken_over(world: PamWorld) -> None:
    line = f"required {world.module_line('timeout=20')}"
    world.sim.set_push(ALICE, "deny")
    stack(world, [line, line], ["required pam_permit.so"])
    assert login(world)["auth"] != "SUCCESS"
    assert pushes(world) == 2


def by_turns(world: PamWorld, first: str, second: str) -> list[str]:
    """The first attempt meets the first line alone, a second one in the same handle the other."""
    mark, turn = world.directory / "turn-taken", world.directory / "turn"
    mark.unlink(missing_ok=True)
    turn.write_text(f"#!/bin/sh\n[ -e '{mark}' ] || {{ : >'{mark}'; exit 1; }}\n")
    turn.chmod(0o755)
    return [f"[success=1 default=ignore] pam_exec.so quiet {turn}", f"sufficient {first}",
            f"required {second}"]


@pytest.mark.parametrize("item,value,count", [
    ("tty", "pts/1", 1), ("user", "dtbob", 2), ("rhost", "192.0.2.9", 2), ("tty", "pts/9", 2),
    ("ruser", "dtbob", 2), ("service", "thrice", 2)])
def test_a_success_is_nobody_elses(world: PamWorld, item: str, value: str, count: int) -> None:
    """What the first attempt got is of use to the second only where all is the same."""
    line = world.module_line("timeout=20")
    for service in ("twice", "thrice"):
        stack(world, by_turns(world, line, line), ["required pam_permit.so"], service)
    report = login(world, "--tty", "pts/1", "--again", f"{item}={value}")
    assert report["auth"] == report["again"] == "SUCCESS"
    assert pushes(world) == count


def test_another_try_asks_again(world: PamWorld) -> None:
    """As sudo tries again after a wrong password: the same line, in the same handle."""
    line = f"required {world.module_line('timeout=20')}"
    stack(world, [line], ["required pam_permit.so"])
    login(world, "--again", "user=dtalice")
    assert pushes(world) == 2


def test_a_stack_that_libpam_reads_anew(world: PamWorld) -> None:
    """As it does when an application sets PAM_SERVICE: the same line is at another place then."""
    stack(world, [f"required {world.module_line('timeout=20')}"], ["required pam_permit.so"])
    report = login(world, "--again", "service=twice")
    assert report["auth"] == report["again"] == "SUCCESS"
    assert pushes(world) == 2


def test_a_place_that_is_too_long_is_no_place(world: PamWorld) -> None:
    line = world.module_line("timeout=20")
    stack(world, by_turns(world, line, line), ["required pam_permit.so"])
    report = login(world, "--tty", "t" * 300, "--again", "tty=")
    assert report["auth"] == report["again"] == "SUCCESS"
    assert pushes(world) == 2


def test_account_management_of_somebody_else_asks_again(world: PamWorld) -> None:
    line = f"required {world.module_line('timeout=20')}"
    stack(world, [line], [line])
    assert login(world, "--change-user", "dtbob")["account"] == "SUCCESS"
    assert [len(world.sim.pushes(who)) for who in (ALICE, BOB)] == [1, 1]


def test_a_second_attempt_that_ends_early_has_no_success(world: PamWorld) -> None:
    """The account lines do not find what the first attempt got: the second one's line is wrong."""
    line = world.module_line("timeout=20")
    stack(world, by_turns(world, line, line + " nonsense"), [f"required {line}"])
    report = login(world, "--again", "user=dtalice")
    assert (report["auth"], report["again"]) == ("SUCCESS", "SYSTEM_ERR")
    assert report["account"] == "AUTH_ERR" and pushes(world) == 1
