# SPDX-License-Identifier: GPL-2.0-or-later
# Look-ups that start in the round of an EAP-TLS handshake that brings the certificate: no thread of
# the server waits for Intune, the last round finds the answer, and nothing is asked for a
# certificate whose key was not proved.
"""FreeRADIUS with rlm_devtrust: EAP-TLS with a cold cache."""

from __future__ import annotations

import ssl
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import eap_tls
from tests.lib import radius as rad
from tests.lib.eap_tls import Conversation
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World
from tests.lib.site import TRUSTED_RULE, catch_all, guide_policy, rule
from tests.pki import pki

NO_THREADS = {"max_blocking_waits = 8": "max_blocking_waits = 0",
              "max_blocking_lookups = 16": "max_blocking_lookups = 0"}
POLICIES = [guide_policy("vpn"), {"name": "wifi", "application": "wifi",
                                  "rules": [rule(TRUSTED_RULE, 1, "TRUSTED"), catch_all()]}]
MANY = 200
HANDSHAKE = 22  # TLS record


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A PKI with a device for each of many, and some more."""
    more = {f"fleet-{i}": pki.Device() for i in range(MANY + 20)}
    return pki.generate(tmp_path_factory.mktemp("fleet"), more=more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, fleet: dict[str, Any]) -> Iterator[World]:
    """A server no thread of which may wait in a handshake: whoever would have to is refused."""
    directory = tmp_path_factory.mktemp("early")
    with rad.start_world(directory, fleet, policies=POLICIES, replace=NO_THREADS,
                         settings={"intune": {"timeout": "5s"}}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


_unused = iter(range(MANY, MANY + 20))


def device(world: World) -> dict[str, Any]:
    """One that nobody has asked Intune about."""
    return world.pki["devices"][f"fleet-{next(_unused)}"]


def conversation(world: World, user: str, certificate: dict[str, Any], **more: Any) -> Conversation:
    version = more.pop("version", None)
    tls = eap_tls.context(world.pki["authorities"]["radius_ca"], certificate, version=version)
    client = world.radius.client(world.radius.wifi_port, NAS_Identifier="ap-1",
                                 Calling_Station_Id="02-" + uuid.uuid4().hex[:10])
    return Conversation(client, user, tls, **more)


@contextmanager
def slow_graph(world: World, seconds: float) -> Iterator[None]:
    world.sim.fault("delay", listener="graph", seconds=seconds)
    try:
        yield
    finally:
        world.sim.clear_faults()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_cold_look_up_holds_no_thread(world: World, version: ssl.TLSVersion) -> None:
    certificate, user = device(world), f"cold-{version.name.lower()}"
    world.sim.enrol_device(certificate["device_id"])
    with slow_graph(world, 1.0):
        talk = conversation(world, user, certificate, version=version)
        reply = talk.run()
    assert reply.code == ACCEPT, reply
    event = world.outcome(user, "RULE_ALLOW")
    assert event["verdict"] == "TRUSTED" and event["graphCalls"] == 1
    assert max(talk.waits[:-1]) >= 1.0 > talk.waits[-1], "it is not the last round that waited"
    assert len(world.outcomes(user)) == 1, "a look-up is no sign-on"


def test_warm_cache_waits_for_nothing(world: World) -> None:
    certificate = device(world)
    world.sim.enrol_device(certificate["device_id"])
    assert conversation(world, "warm-1", certificate).run().code == ACCEPT
    calls = world.sim.count("graph.total")
    with slow_graph(world, 20.0):
        talk = conversation(world, "warm-2", certificate)
        assert talk.run().code == ACCEPT
    assert sum(talk.waits) < 20.0 and world.sim.count("graph.total") == calls


def test_many_cold_ones_at_once_hold_no_thread(world: World) -> None:
    """All are in, and while they wait others are served as ever."""
    certificates = [world.pki["devices"][f"fleet-{i}"] for i in range(MANY)]
    for certificate in certificates:
        world.sim.enrol_device(certificate["device_id"])
    talks = [conversation(world, f"many-{i}", c) for i, c in enumerate(certificates)]
    served = 0
    with slow_graph(world, 1.0), ThreadPoolExecutor(MANY) as pool:
        running = [pool.submit(talk.run) for talk in talks]
        while wait(running, timeout=0.1).not_done:
            assert world.client().login("nobody-there", password="wrong").code == REJECT
            served += 1
    assert [r.result().code for r in running] == [ACCEPT] * MANY
    assert served >= 2 and world.sim.count("graph.device") >= MANY


@pytest.mark.parametrize("change,verdict", [("noncompliant", "NOT_COMPLIANT"),
                                            ("unknown", "NOT_ENROLLED")])
def test_the_last_round_goes_by_what_was_found(world: World, change: str, verdict: str) -> None:
    """Of two at once, each has its own device's answer."""
    good, bad = device(world), device(world)
    world.sim.enrol_device(good["device_id"])
    if change == "noncompliant":
        world.sim.enrol_device(bad["device_id"], compliance=change)
    with slow_graph(world, 0.5), ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda talk: talk.run().code,
                             [conversation(world, f"good-{change}", good),
                              conversation(world, f"bad-{change}", bad)]))
    assert ends == [ACCEPT, REJECT]
    assert world.outcome(f"bad-{change}", "RULE_DENY")["deviceReason"] == verdict


def first_record(flight: bytes) -> bytes:
    """What stands before the end of the first TLS record: the certificate without the proof."""
    if flight[0] != HANDSHAKE or flight[5] != 11:  # Certificate, RFC 5246 section 7.4.6
        return flight
    return flight[:5 + int.from_bytes(flight[3:5], "big")]


def test_a_key_that_was_not_proved_starts_no_look_up(world: World) -> None:
    """Anybody can send somebody's certificate, which the server verifies before the proof."""
    certificate = device(world)
    world.sim.enrol_device(certificate["device_id"])
    cut: list[bytes] = []

    def change(flight: bytes) -> bytes:
        short = first_record(flight)
        if short != flight:
            cut.append(short)
        return short
    calls = world.sim.count("graph.total")
    talk = conversation(world, "copied", certificate, change=change)
    with pytest.raises(AssertionError):  # the server waits for more, and so do we
        assert talk.run(timeout=5.0).code == ACCEPT
    assert cut, "nothing was cut: nothing is shown"
    assert world.sim.count("graph.total") == calls
    assert conversation(world, "owner", certificate).run().code == ACCEPT
    assert world.sim.count("graph.total") == calls + 1


@pytest.mark.parametrize("name", ["foreign-ca", "expired"])
def test_what_the_server_does_not_verify_starts_no_look_up(world: World, name: str) -> None:
    certificate = world.pki["devices"][name]
    world.sim.enrol_device(certificate["device_id"])
    calls = world.sim.count("graph.total")
    assert conversation(world, "bad-" + name, certificate).run().code == REJECT
    assert world.sim.count("graph.total") == calls


@pytest.mark.parametrize("name", ["wrong-tenant", "missing-tenant", "san-two-ids"])
def test_what_devtrust_does_not_trust_starts_no_look_up(world: World, name: str) -> None:
    certificate = world.pki["devices"][name]
    calls = world.sim.count("graph.total")
    assert conversation(world, "bad-" + name, certificate).run().code == REJECT
    assert world.sim.count("graph.total") == calls
    assert world.outcome("bad-" + name, "RULE_DENY")["graphCalls"] == 0
    assert len(world.outcomes("bad-" + name)) == 1


def test_graph_that_does_not_answer_ends_in_time(world: World) -> None:
    """Unknown after [intune] timeout, which counts against the one time that there is."""
    certificate, user = device(world), "silent"
    world.sim.enrol_device(certificate["device_id"])
    with slow_graph(world, 60.0):
        started = time.monotonic()
        reply = conversation(world, user, certificate).run()
        took = time.monotonic() - started
    assert reply.code == REJECT
    assert took < 20.0, took
    assert world.outcome(user, "BUSY")["verdict"] == "UNKNOWN"
    assert len(world.outcomes(user)) == 1


def test_client_that_leaves_while_it_is_looked_up(world: World) -> None:
    certificate, user = device(world), "gone"
    world.sim.enrol_device(certificate["device_id"])
    with slow_graph(world, 2.0):
        with pytest.raises(AssertionError, match="no reply"):
            conversation(world, user, certificate).run(timeout=0.5)
        assert conversation(world, user, certificate).run().code == ACCEPT
    assert world.radius.is_running()


WITHOUT = {
    "post-proxy": {"\tpost-proxy {\n\t\tdevtrust_tunnel\n": "\tpost-proxy {\n"},
    "authenticate": {"\t\t\tif (handled) {\n\t\t\t\tdevtrust_wifi\n\t\t\t}\n": ""},
}


@pytest.mark.parametrize("section,code", [("post-proxy", CHALLENGE), ("authenticate", ACCEPT)])
def test_a_server_without_the_line(tmp_path: Path, fleet: dict[str, Any], section: str,
                                   code: int) -> None:
    """Without the one nobody gets in; without the other a thread waits, as it did before."""
    with rad.start_world(tmp_path, fleet, policies=POLICIES, replace=WITHOUT[section]) as made:
        certificate = fleet["devices"]["device-second"]
        made.sim.enrol_device(certificate["device_id"])
        assert conversation(made, "cold", certificate).run().code == code
        if code == ACCEPT:
            assert made.outcome("cold", "RULE_ALLOW")["verdict"] == "TRUSTED"
        else:
            assert not made.outcomes("cold", "RULE_ALLOW")
