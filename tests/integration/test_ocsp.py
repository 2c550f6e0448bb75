# SPDX-License-Identifier: GPL-2.0-or-later
# Revocation by OCSP with a real responder (openssl ocsp): console logins by the host's certificate,
# with a daemon that is restarted, and 802.1X by EAP-TLS. Good, revoked later, away, silent.
"""OCSP, end to end."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.ocsp import Responder
from tests.lib.pamworld import PamWorld, pam_world, wait_until
from tests.lib.site import guide_policy
from tests.pki import pki

USER = "dtalice"
AWAY_KEPT = 10.0  # DT_OCSP_FAILURE_KEPT, seconds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[pki.Pki, dict[str, Any]]:
    """A PKI whose CA's key is at hand, and its index."""
    out = tmp_path_factory.mktemp("ocsp-pki")
    authorities = pki.Pki(out)
    server = authorities.authorities["radius"].issue_server(
        ["radius.example.com", "localhost", "127.0.0.1"], "rsa2048")
    names = ("host", "laptop", "unknown", "crowd")
    return authorities, {
        "tenant_id": authorities.tenant,
        "authorities": authorities.write_authorities(),
        "radius_server": authorities.write_identity("radius-server", server),
        "devices": {n: authorities.device(n, authority="company") for n in names},
    }


@pytest.fixture
def responder(tmp_path: Path, made: tuple[pki.Pki, dict[str, Any]]) -> Iterator[Responder]:
    with Responder(tmp_path / "responder", made[0]) as running:
        for name in ("host", "laptop", "crowd"):
            running.set(made[1]["devices"][name])
        running.start()
        yield running


def trust(responder: Responder, **more: Any) -> dict[str, Any]:
    return {"trusted_when": "certificate", "revocation": "require", "ocsp": "yes",
            "ocsp_url": responder.url, "ocsp_timeout": "2s", **more}


def debug(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


# --- console logins: PAM and devtrustd ----------------------------------------------------------

@pytest.fixture(scope="module")
def pam(made: tuple[pki.Pki, dict[str, Any]]) -> Iterator[PamWorld]:
    with pam_world(made[1], applications=("login",)) as world:
        world.service("login")
        yield world


class Console:
    """Logins at the host whose certificate is asked about."""

    def __init__(self, world: PamWorld, responder: Responder, **settings: Any) -> None:
        self.world, self.logins = world, 0
        world.stop_daemon()
        world.sim.reset()
        world.sim.add_user(USER + "@example.com", factors=("push",))
        world.site.audit_path.unlink(missing_ok=True)
        world.site.set_policy(guide_policy("login"))
        for path in world.site.store_path.parent.iterdir():
            path.unlink()
        files = world.pki["devices"]["host"]["files"]
        world.site.configure({
            "device_trust": {**trust(responder), "host_certificate_file": files["certificate"],
                             "host_key_file": files["key"], "ocsp_cache_max": None,
                             "ocsp_responder_file": None, **settings},
            "policy": {"unknown_device_as": "deny"}, "daemon": {"local_services": "login"}})
        world.start_daemon()

    def login(self) -> dict[str, Any]:
        """One login; what the event says."""
        ok = self.world.login("login", USER)["auth"] == "SUCCESS"
        self.logins += 1
        event = debug(self.world.outcome("login", self.logins))
        assert ok == (event["cause"] == "RULE_ALLOW"), event
        return event

    def restart(self) -> None:
        self.world.stop_daemon()
        self.world.start_daemon()


@pytest.fixture(autouse=True)
def ended(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "pam" in request.fixturenames:
        request.getfixturevalue("pam").stop_daemon()


def test_good_is_asked_once_and_survives_a_restart(pam: PamWorld, responder: Responder) -> None:
    console = Console(pam, responder)
    first = console.login()
    assert first["verdict"] == "TRUSTED" and first["revocation"] == "ocsp"
    assert first["ocspCalls"] == 1 and responder.asked == 1
    responder.stop()  # it is no longer needed
    again = console.login()
    assert again["revocation"] == "ocsp-cache" and again["ocspCalls"] == 0
    assert again["revocationAge"] >= 0
    console.restart()
    kept = console.login()
    assert kept["verdict"] == "TRUSTED" and kept["revocation"] == "ocsp-cache"
    assert responder.asked == 1
    report = pam.run_ctl("check-config")
    assert "OCSP" in report and responder.url in report


def test_revoked_later_is_seen_when_the_answer_ends(pam: PamWorld, responder: Responder) -> None:
    console = Console(pam, responder, ocsp_cache_max="2s")
    assert console.login()["verdict"] == "TRUSTED"
    responder.set(pam.pki["devices"]["host"], "R")
    responder.start()
    wait_until(lambda: console.login()["verdict"] == "NOT_TRUSTED", "a revocation to be seen")
    event = console.login()
    assert event["deviceReason"] == "CERTIFICATE_REVOKED" and event["cause"] != "RULE_ALLOW"


@pytest.mark.parametrize("mode,verdict", [("require", "UNKNOWN"), ("soft", "TRUSTED")])
def test_responder_that_is_killed(pam: PamWorld, responder: Responder, mode: str,
                                  verdict: str) -> None:
    responder.stop()
    console = Console(pam, responder, revocation=mode)
    for _ in range(2):
        event = console.login()
        assert event["verdict"] == verdict
        assert "OCSP" in event["detail"]
        assert ("accepted because of revocation = soft" in event["detail"]) == (mode == "soft")
        assert event.get("revocation") == ("none" if mode == "soft" else None)
    asked = responder.asked
    responder.start()
    wait_until(lambda: console.login().get("revocation") == "ocsp", "the responder to be asked")
    assert responder.asked == asked + 1
    assert console.login()["verdict"] == "TRUSTED"


@pytest.mark.parametrize("mode,verdict", [("require", "UNKNOWN"), ("soft", "TRUSTED")])
def test_responder_that_says_nothing(pam: PamWorld, responder: Responder, mode: str,
                                     verdict: str) -> None:
    responder.silent = True
    console = Console(pam, responder, revocation=mode)
    started = time.monotonic()
    assert console.login()["verdict"] == verdict
    first = time.monotonic() - started
    started = time.monotonic()
    assert console.login()["verdict"] == verdict  # nobody waits for it again
    assert first >= 2.0 and time.monotonic() - started < 2.0 and responder.asked == 1


def test_certificates_are_enrolled_without_asking(pam: PamWorld, responder: Responder) -> None:
    Console(pam, responder)
    certificate = pam.pki["devices"]["laptop"]["files"]["certificate"]
    pam.run_ctl("device", "add", certificate)
    assert "VALID" in pam.run_ctl("device", "list")
    assert "makes no device trusted" not in pam.run_ctl("check-config")
    assert responder.asked == 0


def test_logins_at_once_share_one_question(pam: PamWorld, responder: Responder) -> None:
    responder.silent = True
    console = Console(pam, responder)
    with ThreadPoolExecutor(6) as pool:
        ends = list(pool.map(lambda _: pam.login("login", USER)["auth"], range(6)))
    assert "SUCCESS" not in ends and responder.asked == 1
    console.world.outcome("login", 6)  # they are written a moment after the answer
    events = [debug(e) for e in console.world.site.sign_ons()]
    assert {e["verdict"] for e in events} == {"UNKNOWN"}


def test_certificate_that_the_responder_does_not_know(pam: PamWorld, responder: Responder) -> None:
    responder.set(pam.pki["devices"]["host"], "")
    responder.start()
    event = Console(pam, responder).login()
    assert event["verdict"] == "UNKNOWN" and "does not know" in event["detail"]


def test_responder_of_another_ca(pam: PamWorld, tmp_path: Path,
                                 made: tuple[pki.Pki, dict[str, Any]]) -> None:
    with Responder(tmp_path / "foreign", made[0], "radius") as foreign:
        foreign.set(pam.pki["devices"]["host"])
        foreign.start()
        event = Console(pam, foreign).login()
    assert event["verdict"] == "UNKNOWN"


# --- 802.1X: FreeRADIUS --------------------------------------------------------------------------

@pytest.fixture
def wifi(tmp_path: Path, made: tuple[pki.Pki, dict[str, Any]],
         responder: Responder) -> Iterator[rad.World]:
    settings = {"mfa": {"wait_wifi": "8s"}, "policy": {"unknown_device_as": "deny"},
                "device_trust": trust(responder, trusted_when="certificate+intune")}
    with rad.start_world(tmp_path / "wifi", made[1], settings=settings) as world:
        yield world
        assert world.radius.is_running(), world.radius.log_text()


def tls(world: rad.World, user: str, device: str) -> bool:
    station = "02-" + "-".join(f"{b:02X}" for b in secrets.token_bytes(5))
    return rad.eap_tls(world.radius, user, world.pki["devices"][device], station=station).success


def test_eap_tls_good_then_revoked(wifi: rad.World, responder: Responder) -> None:
    user = wifi.person("ann")
    wifi.sim.enrol_device(wifi.pki["devices"]["laptop"]["device_id"])
    assert tls(wifi, user, "laptop")
    event = wifi.outcome(user, "RULE_ALLOW")
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+intune"
    # Asked by the loop while the worker waited for the look-up, and read from what was kept.
    assert event["revocation"] == "ocsp-cache" and responder.asked == 1
    assert tls(wifi, user, "laptop") and responder.asked == 1
    responder.set(wifi.pki["devices"]["crowd"], "R")
    responder.start()
    wifi.sim.enrol_device(wifi.pki["devices"]["crowd"]["device_id"])
    other = wifi.person("carol")
    graph = wifi.sim.count("graph.total")
    assert not tls(wifi, other, "crowd")
    event = wifi.outcome(other, "MFA_NO_FACTOR")
    assert event["verdict"] == "NOT_TRUSTED" and event["deviceReason"] == "CERTIFICATE_REVOKED"
    assert wifi.sim.count("graph.total") == graph  # Intune is not asked about it


def test_eap_tls_while_the_responder_is_away(wifi: rad.World, responder: Responder) -> None:
    user = wifi.person("bob")
    wifi.sim.enrol_device(wifi.pki["devices"]["laptop"]["device_id"])
    responder.stop()
    assert not tls(wifi, user, "laptop")
    assert wifi.outcome(user, "DEVICE_UNKNOWN")["verdict"] == "UNKNOWN"


def test_eap_tls_of_many_asks_once(wifi: rad.World, responder: Responder) -> None:
    wifi.sim.enrol_device(wifi.pki["devices"]["crowd"]["device_id"])
    users = [wifi.person(f"crowd{i}") for i in range(8)]
    with ThreadPoolExecutor(len(users)) as pool:
        assert all(pool.map(lambda u: tls(wifi, u, "crowd"), users))
    assert responder.asked == 1
