# SPDX-License-Identifier: GPL-2.0-or-later
# Real FreeRADIUS with a small store, and strangers who fill it: limits hold, and whoever is trusted
# gets in.
"""A store that strangers try to fill."""

from __future__ import annotations

import sqlite3
from typing import Any, Iterator

import pytest

from tests.integration.test_primary import OKTA, PASSWORD, PUSH, TOTP, device_pairs
from tests.lib import radius as rad
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

MIB = 4
STRANGERS = MIB * 384 // 4
IN_MEMORY = 4096
AT_ONCE = 150
SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune, certificate+intune"},
            "primary": {"okta_password": "vpn, wifi", "password_limit": 3},
            "store": {"size_limit": MIB},
            "mfa": {"wait_vpn": "12s"}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("limits")
    with rad.start_world(directory, pki_index, settings=SETTINGS, replace=OKTA) as made:
        made.sim.org(authn_per_second=0)
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def person(world: World, name: str, *factors: str, **more: Any) -> str:
    world.person(name, *factors, **more)
    world.sim.set_user(name + "@example.com", password=PASSWORD, authn_status="SUCCESS")
    return name


def rows(world: World) -> dict[int, int]:
    """Rows of each table of the store."""
    with sqlite3.connect(f"file:{world.site.store_path}?mode=ro", uri=True) as store:
        return dict(store.execute("SELECT tbl, count(*) FROM rows GROUP BY tbl"))


def flood(world: World, first: int, count: int) -> None:
    """That many names that nobody has, each once."""
    names = iter(range(first, first + count))
    waiting: list[Any] = []
    for name in names:
        waiting.append(world.client(**{"Calling-Station-Id": f"10.{name >> 16}.{name >> 8 & 255}."
                                                             f"{name & 255}"})
                       .start(f"nobody{name}", "guess"))
        if len(waiting) >= AT_ONCE:
            assert {w.wait(120.0).code for w in waiting} == {REJECT}
            waiting = []
    assert {w.wait(120.0).code for w in waiting} <= {REJECT}


def test_strangers_fill_nothing_but_their_own_share(world: World) -> None:
    trusted = person(world, "trudy", PUSH, TOTP)
    device = world.sim.enrol_device(user="trudy@example.com")["id"]
    victim = person(world, "vic", TOTP)
    late = person(world, "lola", TOTP)

    def trusted_gets_in() -> None:
        reply = world.client().login(trusted, PASSWORD, Cisco_AVPair=device_pairs(device))
        assert reply.code == ACCEPT, reply

    trusted_gets_in()
    # Two of three wrong passwords before the flood, the third after it.
    for _ in range(2):
        assert world.client().login(victim, "wrong").code == REJECT
    world.outcome(victim, "PRIMARY_FAILED", 2)
    for part in range(4):
        flood(world, part * 1200, 1200)
        trusted_gets_in()
        assert rows(world).get(7, 0) <= STRANGERS + 3
    assert 4 * 1200 > STRANGERS + IN_MEMORY
    assert world.site.store_path.stat().st_size <= MIB * 1024 * 1024
    # Strangers who come now are asked about, and leave no row.
    asked = world.sim.count("okta.authn")
    flood(world, 100_000, 100)
    assert world.sim.count("okta.authn") == asked
    # The limit of the victim has held, and goes on where it was.
    assert world.client().login(victim, "wrong").code == REJECT
    world.outcome(victim, "PRIMARY_FAILED", 3)
    assert world.client().login(victim, PASSWORD).code == REJECT
    world.outcome(victim, "PRIMARY_LIMIT")
    # Somebody who was never here before has the same limit.
    for _ in range(3):
        assert world.client().login(late, "wrong").code == REJECT
    world.outcome(late, "PRIMARY_FAILED", 3)
    assert world.client().login(late, PASSWORD).code == REJECT
    world.outcome(late, "PRIMARY_LIMIT")
    trusted_gets_in()


def test_limits_hold_while_another_process_locks_the_store(world: World) -> None:
    """As on a full disk: nothing can be written, and each guess is counted all the same."""
    user = person(world, "locke", TOTP)
    trusted = person(world, "tilda", TOTP)
    device = world.sim.enrol_device(user="tilda@example.com")["id"]
    lock = sqlite3.connect(world.site.store_path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        before = world.sim.count("okta.verify")
        for i in range(6):
            reply = world.client().login(user, f"{PASSWORD},{i:06d}")
            assert reply.code in (REJECT, CHALLENGE), reply
        assert world.sim.count("okta.verify") - before == 4
        world.outcome(user, "MFA_PASSCODE_LIMIT", 2)
        reply = world.client().login(trusted, PASSWORD, Cisco_AVPair=device_pairs(device))
        assert reply.code == ACCEPT, reply
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    # It goes on in the file. (One that was wrong before would not be sent again anyway.)
    assert world.client().login(user, f"{PASSWORD},000006").code == REJECT
    world.outcome(user, "MFA_PASSCODE_LIMIT", 3)
    assert world.sim.count("okta.verify") - before == 4
