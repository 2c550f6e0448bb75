# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that show no prompts (screen lockers, mail servers) answer each with the password.
"""A password never reaches Okta as a passcode."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from tests.integration.test_pam_daemon import ALICE, BOTH, cause
from tests.lib.pamworld import Harness, PamWorld, pam_world
from tests.lib.site import guide_policy

PASSWORD = "20261130"  # looks like a passcode
OTHER = "40414243"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"mfa": {"wait_pam": "20s"}, "policy": {"unknown_device_as": "not_trusted"}}
    with pam_world(pki_index, applications=("staff",), settings=settings) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.sim.reset()
    world.sim.add_user(ALICE, factors=BOTH)
    world.site.set_policy(guide_policy("staff"))
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    world.set_password("dtalice", PASSWORD)
    world.service("staff", auth="auth required pam_unix.so nodelay\n")
    world.start_daemon()
    yield
    world.stop_daemon()


def locker(world: PamWorld, answer: str, password: str = PASSWORD) -> Harness:
    """The password at the first prompt, the answer at the second."""
    login = world.harness("--service", "staff", "--user", "dtalice")
    assert login.prompt() == "Password: "
    login.answer(password)
    login.prompt()
    login.answer(answer)
    return login


@pytest.mark.parametrize("password,answer", [
    (PASSWORD, PASSWORD), (PASSWORD, f" {PASSWORD}"), (PASSWORD, f"{PASSWORD}\t "),
    (PASSWORD, f"  {PASSWORD} "), (PASSWORD, "2026 1130"), (PASSWORD, "2026-1130"),
    (PASSWORD, "\u00a02026\u20111130\u200b"), ("2026-1130", "2026-1130"),
    ("2026-1130", PASSWORD), ("2026 11-30", " 20-261130 "), ("rosebud-1", "rosebud-1 ")])
def test_password_counts_as_enter(world: PamWorld, password: str, answer: str) -> None:
    """The push goes on, and is approved on the phone; blanks and dashes make no passcode of it."""
    world.set_password("dtalice", password)
    with locker(world, answer, password) as login:
        world.sim.approve(ALICE)
        assert login.finish()["auth"] == "SUCCESS"
    assert world.sim.count("okta.verify") == 1  # the push
    assert cause(world.outcome("staff")) == "MFA_SUCCESS"


def test_another_number_is_a_passcode(world: PamWorld) -> None:
    """One digit off: it is looked at, and is wrong."""
    with locker(world, PASSWORD[:-1] + "9") as login:
        login.prompt()
        assert "not accepted" in login.lines[-2]["message"]  # it stands before the prompt
    assert world.sim.count("okta.verify") == 2


def test_the_same_wrong_passcode_is_sent_once(world: PamWorld) -> None:
    """Neither again in the sign-on nor in the one after it."""
    with locker(world, OTHER) as login:
        login.prompt()
        login.answer(OTHER)
        world.sim.approve(ALICE)
        assert login.finish()["auth"] == "SUCCESS"
    assert world.sim.count("okta.verify") == 2
    with locker(world, OTHER) as login:
        world.sim.approve(ALICE)
        assert login.finish()["auth"] == "SUCCESS"
    assert world.sim.count("okta.verify") == 3  # another push
