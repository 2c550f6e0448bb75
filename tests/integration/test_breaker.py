# SPDX-License-Identifier: GPL-2.0-or-later
# A service that is not there is not waited for by everybody: some wait, later ones are told at
# once, and a single call finds out that it is back.
"""The circuit breaker, in a real devtrustd."""

from __future__ import annotations

import time
from typing import Any, Iterator

import pytest

from tests.integration.test_reload import data
from tests.lib import site as sites
from tests.lib.pamworld import PamWorld, pam_world, wait_until

ANSWERED = "MFA_NO_FACTOR"  # what Okta says of these people: nobody waits for a phone
LOGINS = 4  # of three calls each where they fail: more than DT_BREAKER_FAILURES
PAUSE_MAX = 45.0  # seconds: more than the longest pause with its spread
PEOPLE = ("dtalice", "dtbob")


@pytest.fixture(name="world", scope="module")
def _world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"okta": {"timeout": "1s", "user_ttl": "0"}}
    with pam_world(pki_index, applications=("sshd",), settings=settings) as world:
        for user in PEOPLE:
            world.sim.add_user(user + "@example.com")
        world.site.set_policy(sites.guide_policy("sshd"))
        world.service("sshd")
        world.start_daemon()
        yield world
        assert world.stop_daemon() == 0, world.log_path.read_text()


@pytest.fixture(name="fresh")
def _fresh(world: PamWorld) -> Iterator[PamWorld]:
    """A process that has seen no failure."""
    world.restart_daemon()
    yield world
    world.sim.listener("okta", "up")
    world.sim.clear_faults()


def login(world: PamWorld, user: str = PEOPLE[0]) -> tuple[str, str, float]:
    """Cause, detail and duration."""
    count = len(world.site.sign_ons())
    began = time.monotonic()
    world.login("sshd", user)
    took = time.monotonic() - began
    event = world.outcome("sshd", count + 1)
    return data(event)["cause"], data(event)["detail"] or "", took


def is_open(world: PamWorld) -> bool:
    cause, detail, _ = login(world)
    assert cause == "OKTA_UNAVAILABLE"
    return "not asked" in detail


def recover(world: PamWorld) -> None:
    world.sim.listener("okta", "up")
    wait_until(lambda: login(world)[0] == ANSWERED, "a login after Okta is back", PAUSE_MAX)


@pytest.mark.parametrize("state", ["silent", "down"])
def test_some_wait_and_later_ones_do_not(fresh: PamWorld, state: str) -> None:
    assert login(fresh)[0] == ANSWERED
    fresh.sim.listener("okta", state)
    assert not is_open(fresh)  # it is waited for
    wait_until(lambda: is_open(fresh), "the breaker to open")
    quick = [login(fresh) for _ in range(4)]
    assert {cause for cause, _, _ in quick} == {"OKTA_UNAVAILABLE"}
    waited = [took for _, detail, took in quick if "not asked" not in detail]
    assert len(waited) <= 1, quick  # a probe
    recover(fresh)
    assert [login(fresh, user)[0] for user in PEOPLE] == [ANSWERED] * 2


def test_one_person_does_not_open_it(fresh: PamWorld) -> None:
    """Whatever one person's calls come to at Okta. Each login calls several times."""
    fresh.sim.fault("reset", listener="okta", path="/api/v1/users/dtalice*")
    for _ in range(LOGINS):
        cause, detail, _ = login(fresh)
        assert cause == "OKTA_UNAVAILABLE" and "not asked" not in detail
    assert login(fresh, PEOPLE[1])[0] == ANSWERED


def test_answers_do_not_open_it(fresh: PamWorld) -> None:
    fresh.sim.fault("status", status=503, listener="okta")
    for _ in range(LOGINS):
        cause, detail, _ = login(fresh)
        assert cause == "OKTA_UNAVAILABLE" and "not asked" not in detail
    fresh.sim.clear_faults()
    fresh.sim.fault("status", status=429, listener="okta", times=1)
    login(fresh)
    fresh.sim.clear_faults()
    assert login(fresh)[0] == ANSWERED
