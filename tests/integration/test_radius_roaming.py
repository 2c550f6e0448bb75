# SPDX-License-Identifier: GPL-2.0-or-later
# A real port (hostapd) that re-authenticates a real supplicant every few seconds: connected
# throughout, and nobody's phone rings twice. DEVTRUST_SLOW=1 makes twenty of them, at the pace of
# people's access points.
"""FreeRADIUS with rlm_devtrust: re-authentication behind an access point."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib import roaming
from tests.lib.matrix import cell
from tests.lib.radius import World

pytestmark = pytest.mark.skipif(bool(roaming.missing()), reason=roaming.missing())

PUSH, TOTP = "push", "token:software:totp"
SLOW = bool(os.environ.get("DEVTRUST_SLOW"))
TIMES, PERIOD = (20, 10) if SLOW else (4, 1)
METHODS = ["tls", "ttls", "ttls-mschapv2", "peap"]
PROGRAMS = {method: "hostapd, wpa_supplicant: " + words for method, words in zip(
    METHODS, ("EAP-TLS", "TTLS/PAP", "TTLS/MSCHAPv2", "PEAP/MSCHAPv2"))}
NO_PASSCODE = "nothing can be asked, and only PAP and GTC send a passcode beside the password"
OUTER = {"virtual_server = inner-devtrust\n":
         "virtual_server = inner-devtrust\n\t\trequire_client_cert = yes\n",
         "virtual_server = inner-devtrust-peap\n":
         "virtual_server = inner-devtrust-peap\n\t\trequire_client_cert = yes\n",
         "\twait = park\n\tprimary = control\n":
         "\twait = park\n\tprimary = control\n\tappend_passcode = yes\n"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("roaming"), pki_index, replace=OUTER,
                         settings={"mfa": {"wait_wifi": "8s", "push_limit": "1000"}}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


def network(world: World, method: str, user: str, device: str,
            password: str = rad.PASSWORD) -> str:
    certificate = world.pki["devices"][device]
    if method == "tls":
        return rad.tls_network(world.radius, user, certificate)
    if method == "peap":
        return rad.peap_network(world.radius, user, password, certificate=certificate)
    made = rad.ttls_network(world.radius, user, password, certificate)
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


def of_each_method(*cases: str, whole: bool = False) -> Callable[[Any], Any]:
    """The marks of a test that tries all of them."""
    def mark(test: Any) -> Any:
        for program in PROGRAMS.values():
            for case in cases:
                test = cell("radius", program, case, whole)(test)
        return test
    return mark


@of_each_method("trusted", "push")
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
        world.site.configure({"mfa": {"session_lifetime": "0s"}})
        port.wait_failure(60)
        world.site.configure({"mfa": {"session_lifetime": "8h"}})
        port.wait(port.successes + 3, 120)
    assert len(world.sim.pushes(login)) >= 2


# --- one sign-on each ----------------------------------------------------------------------------

def cells(case: str) -> list[Any]:
    return [pytest.param(method, marks=cell("radius", PROGRAMS[method], case, whole=True))
            for method in METHODS]


@pytest.mark.parametrize("method", cells("passcode"))
def test_passcode(world: World, tmp_path: Any, method: str) -> None:
    """It comes along with the password, by whoever sends that as it was typed."""
    if method != "ttls":
        pytest.skip(NO_PASSCODE)
    user = world.person("passcode-" + method, TOTP)
    text = network(world, method, user, "device-p384", f"{rad.PASSWORD},{world.passcode(user)}")
    with roaming.Port(tmp_path / method, world.radius, text, period=3600) as port:
        port.wait(1, 60, failures=0)
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == TOTP


def is_refused(world: World, directory: Any, method: str, user: str, cause: str) -> None:
    with roaming.Port(directory / method, world.radius,
                      network(world, method, user, "device-p384"), period=3600) as port:
        port.wait_refused(60)
        world.outcome(user, cause)
        assert port.successes == 0, port.events


@pytest.mark.parametrize("method", cells("denied"))
def test_denied(world: World, tmp_path: Any, method: str) -> None:
    user = world.person("denied-" + method, PUSH, push="deny", after=0.5)
    is_refused(world, tmp_path, method, user, "MFA_REJECTED")


@pytest.mark.parametrize("method", cells("okta down"))
def test_okta_down(world: World, tmp_path: Any, method: str) -> None:
    user = world.person("down-" + method, PUSH, push="approve")
    with world.okta_down():
        is_refused(world, tmp_path, method, user, "OKTA_UNAVAILABLE")
