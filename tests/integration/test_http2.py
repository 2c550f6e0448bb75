# SPDX-License-Identifier: GPL-2.0-or-later
# Real FreeRADIUS against an org that speaks HTTP/2, as Okta does.
"""One connection for all calls."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.http2 import Http2Front
from tests.lib.pamworld import wait_until
from tests.lib.radius import ACCEPT, REJECT, World

PUSH = "push"
AT_ONCE = 40
SETTINGS = {"okta": {"poll_interval": "250ms"}, "mfa": {"wait_vpn": "20s"},
            "policy": {"okta_unavailable": "allow"}}


@pytest.fixture(scope="module", name="fronts")
def _fronts() -> Iterator[list[Http2Front]]:
    fronts: list[Http2Front] = []
    yield fronts
    for front in fronts:
        front.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any],
          fronts: list[Http2Front]) -> Iterator[World]:
    def through_front(site: Any) -> None:
        fronts.append(Http2Front(site.directory, site.world))
        site.configure({"okta": {"org_url": fronts[0].url}})

    with rad.start_world(tmp_path_factory.mktemp("http2"), pki_index, settings=SETTINGS,
                         prepare=through_front) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def sign_on_many(world: World, prefix: str) -> None:
    """At once: people who approve, and people who deny."""
    waiting = {}
    for number in range(AT_ONCE):
        answer = "deny" if number % 4 == 3 else "approve"
        name = world.person(f"{prefix}{number:02}", PUSH, push=answer)
        waiting[name] = (world.client().start(name), REJECT if answer == "deny" else ACCEPT)
    got = {name: login.wait(60.0).code for name, (login, _) in waiting.items()}
    assert got == {name: code for name, (_, code) in waiting.items()}


def test_one_handshake(world: World, fronts: list[Http2Front]) -> None:
    sign_on_many(world, "first")
    sign_on_many(world, "second")
    assert {request[1] for request in fronts[0].requests()} == {"h2"}
    assert len(fronts[0].requests()) > 4 * AT_ONCE
    assert fronts[0].connections() == 1


def test_one_handshake_where_all_come_at_once(world: World, fronts: list[Http2Front]) -> None:
    """To a server that has just begun, and has no connection yet."""
    assert world.radius.stop() == 0
    for path in (world.radius.log, world.radius.output):
        path.unlink(missing_ok=True)  # start() waits for what it says
    world.radius.start()
    before = fronts[0].connections()
    sign_on_many(world, "burst")
    assert fronts[0].connections() == before + 1


def test_a_connection_that_is_lost(world: World, fronts: list[Http2Front]) -> None:
    """The next one is made, and no push is sent twice."""
    before, answered = fronts[0].connections(), len(fronts[0].requests())
    pushes = len(world.sim.pushes())
    name = world.person("lost", PUSH)
    waiting = world.client().start(name)
    world.sim.wait_push(name + "@example.com")
    # A push whose reply is lost is another case: it denies, as it is not sent twice.
    wait_until(lambda: any("/verify " in request[3]
                           for request in fronts[0].requests()[answered:]), "the push's reply")
    fronts[0].close()
    fronts[0].start()
    world.sim.approve(name + "@example.com")
    assert waiting.wait(60.0).code == ACCEPT
    assert len(world.sim.pushes()) == pushes + 1
    assert fronts[0].connections() > before


@pytest.mark.parametrize("endpoint", ["user", "factors", "verify", "poll"])
def test_a_stream_that_breaks_off(world: World, endpoint: str) -> None:
    """RST_STREAM in the middle of an answer: an answer that cannot be used, and no outage, which
    would let people in here."""
    name = world.person("broken" + endpoint, PUSH, push="approve")
    world.sim.fault("truncate", listener="okta", endpoint=endpoint)
    try:
        assert world.client().login(name).code == REJECT
    finally:
        world.sim.clear_faults()
    assert world.outcome(name, "OKTA_ANSWER_UNUSABLE")
