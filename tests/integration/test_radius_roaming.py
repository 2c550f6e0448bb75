# SPDX-License-Identifier: GPL-2.0-or-later
# A real port (hostapd) that re-authenticates a real supplicant every few seconds: connected
# throughout, and nobody's phone rings twice. DEVTRUST_SLOW=1 makes twenty of them, at the pace of
# people's access points.
"""FreeRADIUS with rlm_devtrust: re-authentication behind an access point."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib import roaming
from tests.lib.radius import World

pytestmark = pytest.mark.skipif(bool(roaming.missing()), reason=roaming.missing())

PUSH = "push"
SLOW = bool(os.environ.get("DEVTRUST_SLOW"))
TIMES, PERIOD = (20, 10) if SLOW else (4, 1)
METHODS = ["tls", "ttls", "ttls-mschapv2", "peap"]
OUTER = {"virtual_server = inner-devtrust\n":
         "virtual_server = inner-devtrust\n\t\trequire_client_cert = yes\n",
         "virtual_server = inner-devtrust-peap\n":
         "virtual_server = inner-devtrust-peap\n\t\trequire_client_cert = yes\n"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("roaming"), pki_index, replace=OUTER,
                         settings={"mfa": {"wait_wifi": "8s", "push_limit": "1000"}}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


def network(world: World, method: str, user: str, device: str) -> str:
    certificate = world.pki["devices"][device]
    if method == "tls":
        return rad.tls_network(world.radius, user, certificate)
    if method == "peap":
        return rad.peap_network(world.radius, user, rad.PASSWORD, certificate=certificate)
    made = rad.ttls_network(world.radius, user, rad.PASSWORD, certificate)
    return made.replace("auth=PAP", "auth=MSCHAPV2") if method == "ttls-mschapv2" else made


def stays_connected(world: World, directory: Any, method: str, kind: str) -> None:
    device = "device-p256" if kind == "trusted" else "device-p384"  # nobody enrolled that one
    user = world.person(f"{kind}-{method}", PUSH, push="approve", after=0.5)
    with roaming.Port(directory / f"{kind}-{method}", world.radius,
                      network(world, method, user, device), period=PERIOD) as port:
        port.wait(TIMES, 60 + TIMES * PERIOD * 3, failures=0)
        assert port.failures == 0 and port.port_closings == 0, port.events
    assert len(world.sim.pushes(user + "@example.com")) == (0 if kind == "trusted" else 1)
    causes = [e["debugContext"]["debugData"]["cause"] for e in world.outcomes(user)]
    if kind == "trusted":
        assert set(causes) == {"RULE_ALLOW"} and len(causes) >= TIMES
    else:
        assert causes.count("MFA_SUCCESS") == 1
        assert causes.count("MFA_REMEMBERED") >= TIMES - 1


def test_connected_throughout(world: World, tmp_path: Any) -> None:
    """Four methods, a trusted device (no push) and one that is not (one push), all at once."""
    world.sim.enrol_device(world.pki["devices"]["device-p256"]["device_id"])
    cases = [(method, kind) for method in METHODS for kind in ("trusted", "untrusted")]
    with ThreadPoolExecutor(len(cases)) as pool:
        runs = [pool.submit(stays_connected, world, tmp_path, *case) for case in cases]
        for run in runs:
            run.result()


def test_back_after_the_end_of_a_session(world: World, tmp_path: Any) -> None:
    """A session that is not gone on with ends with EAP-Failure: the supplicant comes back with a
    full handshake, is asked once more, and is in."""
    user = world.person("comes-back", PUSH, push="approve", after=0.5)
    login = user + "@example.com"
    with roaming.Port(tmp_path / "back", world.radius,
                      network(world, "ttls", user, "device-p384"), period=PERIOD) as port:
        port.wait(2, 60)
        world.site.configure({"mfa": {"session_for": "0s"}})
        port.wait_failure(60)
        world.site.configure({"mfa": {"session_for": "8h"}})
        port.wait(port.successes + 3, 120)
    assert len(world.sim.pushes(login)) >= 2
