# SPDX-License-Identifier: GPL-2.0-or-later
# A gateway that gets no answer in time asks again: by another packet, from another port.
"""FreeRADIUS with rlm_devtrust: an answer to a challenge that comes more than once."""

from __future__ import annotations

import secrets
import time
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

TOTP = "token:software:totp"
KEPT = 10.0  # DT_ROOM_REPEAT_SECONDS


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    says = "DEFAULT\n\tFilter-Id := \"kept\",\n\tFall-Through = Yes\n"
    with rad.start_world(tmp_path_factory.mktemp("repeat"), pki_index,
                         settings={"mfa": {"wait_vpn": "12s", "push_limit": "100"}},
                         users_text=says) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def somebody(world: World, *factors: str, **more: Any) -> str:
    return world.person("again" + secrets.token_hex(4), *factors, **more)


def test_while_okta_is_thinking(world: World) -> None:
    user = somebody(world, TOTP)
    state, code = world.client().login(user).state, world.passcode(user)
    asked = world.sim.count("okta.verify")
    fault = world.sim.fault("delay", endpoint="verify", seconds=3)
    try:
        pending = [world.client().start(user, code, state) for _ in range(3)]
        assert all(p.poll(0.2) is None for p in pending)
        pending += [world.client().start(user, code, state) for _ in range(3)]
        replies = [p.wait() for p in pending]
    finally:
        world.sim.clear_fault(fault)
    assert [r.code for r in replies] == [ACCEPT] * 6
    assert all(r.all("Filter-Id") == [b"kept"] for r in replies), "the server's reply from before"
    assert world.sim.count("okta.verify") == asked + 1
    assert len(world.outcomes(user, "MFA_SUCCESS")) == 1
    assert not world.outcomes(user, "STATE_INVALID")


def test_right_after(world: World) -> None:
    user = somebody(world, TOTP)
    state, code = world.client().login(user).state, world.passcode(user)
    asked = world.sim.count("okta.verify")
    for _ in range(4):
        reply = world.client().login(user, code, state)
        assert reply.code == ACCEPT and reply.all("Filter-Id") == [b"kept"]
    assert world.sim.count("okta.verify") == asked + 1
    assert len(world.outcomes(user)) == 1 and len(world.outcomes(user, "MFA_SUCCESS")) == 1


def test_a_wrong_answer_that_comes_again_is_one_try(world: World) -> None:
    """Whoever repeats it gets the same next challenge, which can be answered by either."""
    user = somebody(world, TOTP)
    state = world.client().login(user).state
    asked = world.sim.count("okta.verify")
    replies = [p.wait() for p in [world.client().start(user, "000000", state) for _ in range(4)]]
    replies.append(world.client().login(user, "000000", state))
    assert [r.code for r in replies] == [CHALLENGE] * 5
    assert len({r.state for r in replies}) == 1 and len({r.message for r in replies}) == 1
    assert world.sim.count("okta.verify") == asked + 1
    assert world.client().login(user, world.passcode(user), replies[3].state).code == ACCEPT


def test_another_answer_joins_nobody(world: World) -> None:
    user = somebody(world, TOTP)
    state, code = world.client().login(user).state, world.passcode(user)
    fault = world.sim.fault("delay", endpoint="verify", seconds=2)
    try:
        right = world.client().start(user, code, state)
        assert right.poll(0.5) is None
        for other in ("000000", code + "0", code[:-1], "", code + " x"):
            reply = world.client().login(user, other, state)
            assert reply.code == REJECT, (other, reply)
        assert right.wait().code == ACCEPT
    finally:
        world.sim.clear_fault(fault)
    assert world.client().login(user, "000000", state).code == REJECT
    assert world.outcome(user, "STATE_INVALID", 6)["detail"] == "State was used before"


@pytest.mark.parametrize("who", ["user", "nas", "station"])
def test_nobody_else_joins(world: World, who: str) -> None:
    user, other = somebody(world, TOTP), somebody(world, TOTP)
    state, code = world.client().login(user).state, world.passcode(user)
    assert world.client().login(user, code, state).code == ACCEPT
    more = {"nas": {"NAS-Identifier": "gateway-2"},
            "station": {"Calling-Station-Id": "198.51.100.8"}}.get(who, {})
    name = other if who == "user" else user
    assert world.client(**more).login(name, code, state).code == REJECT
    assert "somebody else" in world.outcome(name, "STATE_INVALID")["detail"]


def test_it_ends_some_seconds_later(world: World) -> None:
    user = somebody(world, TOTP)
    state, code = world.client().login(user).state, world.passcode(user)
    assert world.client().login(user, code, state).code == ACCEPT
    started = time.monotonic()
    while world.client().login(user, code, state).code == ACCEPT:
        assert time.monotonic() - started < KEPT + 20
        time.sleep(0.2)
    assert time.monotonic() - started > KEPT / 2
    assert world.outcome(user, "STATE_INVALID")["detail"] == "State was used before"
    assert world.client().login(user, code, state).code == REJECT
