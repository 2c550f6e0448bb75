# SPDX-License-Identifier: GPL-2.0-or-later
# Realms that FreeRADIUS strips (rlm_realm as Debian ships it), where the samples say. The answer to
# a challenge comes under the name it began with, or with the realm off, or on.
"""FreeRADIUS with rlm_devtrust: realms that are stripped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

PUSH, TOTP = "push", "token:software:totp"
STOCK = Path("/etc/freeradius/3.0/mods-available/realm")
EDIT = {"\t\t#suffix\n\t\t#ntdomain\n": "\t\tsuffix\n\t\tntdomain\n"}
# As some have it: only who signs on has the realm taken off, not who answers.
LATE = {"\t\telse {\n": "\t\telse {\n\t\t\tsuffix\n\t\t\tntdomain\n"}
REALMS = """
realm example.com {
}
realm EXAMPLE {
}
realm partner.example {
}
"""
SETTINGS = {"user_name": {"realms": "EXAMPLE -> @example.com"}, "mfa": {"wait_wifi": "8s"}}
FORMS = ("{}", "{}@example.com", "EXAMPLE\\{}")


@pytest.fixture(scope="module", params=["first", "late"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("realms"), pki_index, settings=SETTINGS,
                         replace=EDIT if request.param == "first" else LATE, extra=REALMS,
                         modules={"realm": STOCK.read_text()}) as made:
        made.is_early = request.param == "first"  # type: ignore[attr-defined]
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
def test_challenge(world: World, first: str, second: str) -> None:
    """Both ways. What comes with a realm that nobody takes off is another name."""
    user = world.person(f"ann{FORMS.index(first)}{FORMS.index(second)}", TOTP)
    reply = world.client().login(first.format(user))
    assert reply.code == CHALLENGE, str(reply)
    done = world.client().login(second.format(user), world.passcode(user), reply.state)
    expected = first != "{}" or second == "{}" or world.is_early  # type: ignore[attr-defined]
    assert done.code == (ACCEPT if expected else REJECT), str(done)
    if not expected:
        world.outcome(user, "STATE_INVALID")


@pytest.mark.parametrize("second", ["bob@example.com", "EXAMPLE\\bob", "bob",
                                    "ann@partner.example", "partner.example\\ann", "ANN",
                                    "ann@example.com@example.com", "EXAMPLE\\EXAMPLE\\ann"])
@pytest.mark.parametrize("first", FORMS)
def test_challenge_of_somebody_else(world: World, first: str, second: str) -> None:
    """The realm of a partner is taken off as well, and is another person."""
    if not world.outcomes("ann"):
        world.person("ann", TOTP)
        world.person("bob", TOTP)
    reply = world.client().login(first.format("ann"))
    assert reply.code == CHALLENGE, str(reply)
    assert world.client().login(second, world.passcode("ann"), reply.state).code == REJECT


@pytest.mark.parametrize("form", FORMS)
def test_push(world: World, form: str) -> None:
    user = world.person(f"push{FORMS.index(form)}", PUSH, push="approve", after=0.3)
    assert world.client().login(form.format(user)).code == ACCEPT
    world.outcome(user, "MFA_SUCCESS")


@pytest.mark.parametrize("form", ["{}@partner.example", "partner.example\\{}"])
def test_partner(world: World, form: str) -> None:
    """Stripped by the server, and yet nobody of ours."""
    user = world.person("partner", PUSH, push="approve")
    assert world.client().login(form.format(user)).code == REJECT
    assert not world.sim.pushes(user + "@example.com")


@pytest.mark.parametrize("method", ["ttls", "peap"])
@pytest.mark.parametrize("form", FORMS)
def test_in_a_tunnel(world: World, method: str, form: str) -> None:
    user = world.person(f"{method}{FORMS.index(form)}", PUSH, push="approve", after=0.3)
    signs_on = {"ttls": rad.eap_ttls, "peap": rad.eap_peap}[method]
    end = signs_on(world.radius, form.format(user).replace("\\", "\\"), rad.PASSWORD)
    assert end.success, end.output[-2000:]
    world.outcome(user, "MFA_SUCCESS")
