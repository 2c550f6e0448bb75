# SPDX-License-Identifier: GPL-2.0-or-later
# Real FreeRADIUS against an org whose rate limits are small: nobody causes a 429, everybody's push
# is looked at, and an approval is noticed soon.
"""Okta's rate limits, and the share of them that devtrust uses."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.pamworld import wait_until
from tests.lib.radius import ACCEPT, REJECT, World

PUSH = "push"
PEOPLE = 80
SHARE = 50  # [okta] rate_share
LIMIT = 6000  # requests a minute: 2,250 polls, which PEOPLE would want in 7 s
SETTINGS = {"okta": {"poll_interval": "250ms", "rate_share": str(SHARE)},
            "mfa": {"wait_vpn": "40s"}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("okta-limits"), pki_index,
                         settings=SETTINGS) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def refused(world: World) -> list[dict[str, Any]]:
    return [r for r in world.sim.requests(limit=100_000) if r["status"] == 429]


def polls_of(world: World) -> Counter[str]:
    return Counter(r["path"].split("/users/")[1].split("/")[0]
                   for r in world.sim.requests("poll", limit=100_000))


def test_many_pending_pushes(world: World) -> None:
    world.sim.org(rate_limit=LIMIT)
    names = [world.person(f"pending{i:03}", PUSH) for i in range(PEOPLE)]
    waiting = {name: world.client().start(name) for name in names}
    world.sim.wait_push(count=PEOPLE)
    started = time.monotonic()
    before = Counter[str]()
    while len(before) < PEOPLE:  # everybody has been looked at
        assert time.monotonic() - started < 30.0, before
        before = polls_of(world)
    polls = Counter[str]()
    while len(polls) < PEOPLE or min(polls.values()) < 4:  # and is so again and again
        assert time.monotonic() - started < 40.0, polls
        polls = polls_of(world) - before
    # The oldest first: nobody is looked at more often than others.
    assert max(polls.values()) - min(polls.values()) <= 2, polls
    for name in names[::20]:
        approved = time.monotonic()
        world.sim.approve(name + "@example.com")
        assert waiting.pop(name).wait(30.0).code == ACCEPT
        assert time.monotonic() - approved < 10.0
    assert not refused(world)
    minutes = Counter(int(r["time"] // 60) for r in world.sim.requests("poll", limit=100_000))
    assert max(minutes.values()) <= LIMIT * SHARE // 100
    for name in waiting:
        world.sim.deny(name + "@example.com")
    assert {w.wait(60.0).code for w in waiting.values()} == {REJECT}
    assert not refused(world)


def test_the_share_is_not_exceeded(world: World) -> None:
    """No call is sent that Okta would have to refuse; whoever finds the share used up is refused
    here. Last in this file: the share stays used up for a minute."""
    world.sim.org(rate_limit=60)
    first = world.person("learns", PUSH, push="approve")
    # The limit is known then. A minute that the test before has used up teaches nothing.
    wait_until(lambda: world.client().start(first).wait(90.0).code == ACCEPT, "a sign-on",
               limit=180.0)
    world.sim.reset_requests()
    names = [world.person(f"share{i:02}", PUSH, push="approve") for i in range(30)]
    waiting = [world.client().start(name) for name in names]  # 90 calls and more
    codes = Counter(w.wait(90.0).code for w in waiting)
    assert codes[REJECT] >= 5, codes
    causes = {e["debugContext"]["debugData"]["cause"]
              for name in names for e in world.outcomes(name)}
    assert "MFA_RATE_LIMITED" in causes and causes <= {
        "MFA_RATE_LIMITED", "MFA_TIMEOUT", "MFA_SUCCESS"}, (
        causes, codes, world.site.events()[-3:], world.radius.log_text()[-3000:])
    assert not refused(world)
    minutes = Counter(int(r["time"] // 60) for r in world.sim.requests(limit=100_000))
    assert max(minutes.values()) <= 60 * SHARE // 100
