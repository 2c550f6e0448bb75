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
                "okta": {"poll_interval": "500ms"}, "policy": {"unknown_device_as": "not_trusted"}}
    with pam_world(pki_index, applications=("twice",), settings=settings) as made:
        made.start_daemon()
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> None:
    world.sim.reset()
    for login in (ALICE, BOB):
        world.sim.add_user(login, factors=("push",))
        world.sim.set_push(login, "approve")
    world.site.audit_path.unlink(missing_ok=True)
    world.site.set_policy({"name": "twice", "application": "twice", "rules": [
        rule("MFA.", 1, "NOT_TRUSTED", frequency="EVERY_SIGN_ON"), catch_all()]})


def stack(world: PamWorld, auth: list[str], account: list[str]) -> None:
    lines = [f"auth {a}" for a in auth] + [f"account {a}" for a in account]
    (world.pam_directory / "twice").write_text("\n".join(lines) + "\n")


def login(world: PamWorld, *options: str) -> dict[str, Any]:
    with world.harness("--service", "twice", "--user", "dtalice", *options) as program:
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


def test_other_arguments_ask_again(world: PamWorld) -> None:
    stack(world, [f"required {world.module_line('timeout=20')}",
                  f"required {world.module_line('timeout=21')}"], ["required pam_permit.so"])
    login(world)
    assert pushes(world) == 2


def test_a_refusal_is_not_taken_over(world: PamWorld) -> None:
    line = f"required {world.module_line('timeout=20')}"
    world.sim.set_push(ALICE, "deny")
    stack(world, [line, line], ["required pam_permit.so"])
    assert login(world)["auth"] != "SUCCESS"
    assert pushes(world) == 2


@pytest.mark.parametrize("item,value", [("user", "dtbob"), ("rhost", "192.0.2.9"),
                                        ("tty", "pts/9"), ("ruser", "dtbob")])
def test_a_success_is_nobody_elses(world: PamWorld, item: str, value: str) -> None:
    """Each of the two attempts sends a push: the second takes nothing of the first."""
    line = f"required {world.module_line('timeout=20')}"
    stack(world, ["sufficient" + line[8:], line], ["required pam_permit.so"])
    report = login(world, "--again", f"{item}={value}")
    assert report["auth"] == "SUCCESS"
    assert pushes(world) == 2


def test_another_try_asks_again(world: PamWorld) -> None:
    """As sudo tries again after a wrong password: the same line, in the same handle."""
    line = f"required {world.module_line('timeout=20')}"
    stack(world, [line], ["required pam_permit.so"])
    login(world, "--again", "user=dtalice")
    assert pushes(world) == 2
