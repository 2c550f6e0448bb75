# SPDX-License-Identifier: GPL-2.0-or-later
# okta_unavailable at the real doors: an outage of Okta's does what it says; no answer of Okta's, no
# failure of this host and no flood of one person's own lets anybody in by it.
"""What counts as Okta being unavailable, and whose turn it is."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import time
from typing import Any, Iterator, Optional

import pytest

from tests.lib import radius as rad
from tests.lib.pamworld import DAEMON, PamWorld, pam_world
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, Pending, World
from tests.lib.site import catch_all, rule

PUSH, TOTP = "push", "token:software:totp"
VALUES = ("deny", "allow_trusted", "allow")
SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune", "cache_ttl": "1h"},
            "okta": {"timeout": "2s", "user_ttl": "1s"},
            "mfa": {"wait_vpn": "30s", "challenge_lifetime": "5m", "push_limit": "100"}}
Fault = tuple[str, dict[str, Any]]

OUTAGES: list[Fault] = [
    ("status", {"status": 500}), ("status", {"status": 503}), ("status", {"status": 599}),
    ("status", {"status": 502, "code": "E0000009"}), ("html", {"status": 503}), ("hang", {}),
    ("reset", {})]
# What Okta answers, however little sense it makes.
ANSWERS: list[Fault] = [
    ("json", {"body": {}}), ("json", {"body": []}), ("json", {"body": None}),
    ("json", {"body": {"status": "SUCCESS"}}), ("json", {"status": 201, "body": {}}),
    ("merge", {"body": {"factorResult": None}}), ("merge", {"body": {"factorResult": "ERROR"}}),
    ("html", {}), ("status", {"status": 204}), ("redirect", {}), ("not_json", {}),
    ("truncate", {}), ("huge", {"size": 4 << 20}), ("huge", {"size": 4 << 20, "chunked": True}),
    ("status", {"status": 418}), ("status", {"status": 429}), ("rate_limit", {"reset_after": 60}),
    ("status", {"status": 504, "code": "E0000067"}),
    ("status", {"status": 500, "code": "E0000138"}),
    ("status", {"status": 503, "code": "E0000139"})]


def name_of(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join([value[0], *(str(v) for v in value[1].values())])[:30]
    return str(value)


def causes(world: World, user: str) -> set[str]:
    return {e["debugContext"]["debugData"]["cause"] for e in world.outcomes(user)}


def unique(name: str) -> str:
    return f"{name}{time.monotonic_ns()}"


def device_pairs(device: str) -> list[str]:
    return ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + device]


# --- RADIUS --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    settings = {**SETTINGS, "policy": {"okta_unavailable": "allow"}}
    with rad.start_world(tmp_path_factory.mktemp("unavailable"), pki_index,
                         settings=settings) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.fixture(autouse=True)
def faultless(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "world" in request.fixturenames:
        made = request.getfixturevalue("world")
        made.sim.clear_faults()
        made.sim.listener("okta", "up")


def answer_wrongly(world: World, fault: Optional[Fault]) -> tuple[str, int]:
    """Somebody without the phone types any passcode while Okta answers so."""
    user = world.person(unique("eve"), TOTP)
    challenge = world.client().login(user)
    assert challenge.code == CHALLENGE, challenge
    if fault is not None:
        world.sim.fault(fault[0], listener="okta", endpoint="*verify*", **fault[1])
    reply = world.client().login(user, "000000", challenge.state)
    if reply.code != CHALLENGE:
        world.site.wait_for(lambda e: user in str(e["actor"]))
    return user, reply.code


@pytest.mark.parametrize("fault", [None, *ANSWERS], ids=name_of)
def test_no_answer_lets_a_wrong_passcode_in(world: World, fault: Optional[Fault]) -> None:
    user, code = answer_wrongly(world, fault)
    assert code in (REJECT, CHALLENGE)
    assert not causes(world, user) & {"OKTA_UNAVAILABLE", "OKTA_UNAVAILABLE_ALLOW", "MFA_SUCCESS"}


@pytest.mark.parametrize("fault", OUTAGES, ids=name_of)
def test_an_outage_is_as_configured(world: World, fault: Fault) -> None:
    """Without which the tests above would show nothing."""
    user, code = answer_wrongly(world, fault)
    assert code == ACCEPT
    world.outcome(user, "OKTA_UNAVAILABLE_ALLOW")


@pytest.mark.parametrize("factor", [PUSH, TOTP])
@pytest.mark.parametrize("fault", ANSWERS, ids=name_of)
def test_no_answer_to_any_call_lets_in(world: World, factor: str, fault: Fault) -> None:
    user = world.person(unique("any"), factor, push="ignore")
    world.sim.fault(fault[0], listener="okta", **fault[1])
    assert world.client().login(user).code in (REJECT, CHALLENGE)
    assert not causes(world, user) & {"OKTA_UNAVAILABLE", "OKTA_UNAVAILABLE_ALLOW", "MFA_SUCCESS"}


@pytest.mark.parametrize("certificate", ["expired", "foreign", "wrong_name"])
def test_a_certificate_that_is_not_accepted_is_no_outage(world: World, certificate: str) -> None:
    user = world.person(unique("cert"), PUSH, push="ignore")
    world.sim.listener("okta", "up", certificate)
    assert world.client().login(user).code == REJECT
    world.outcome(user, "OKTA_UNTRUSTED")


@pytest.mark.parametrize("state", ["down", "silent"])
def test_a_server_that_is_not_there_is_an_outage(world: World, state: str) -> None:
    user = world.person(unique("down"), PUSH, push="ignore")
    world.sim.listener("okta", state)
    assert world.client().login(user).code == ACCEPT
    world.outcome(user, "OKTA_UNAVAILABLE_ALLOW")


# --- a flood -------------------------------------------------------------------------------------

MANY = 2800 if os.environ.get("DEVTRUST_SLOW") else 500
OTHERS = 4
OKTA_TAKES = 0.3   # seconds
RATE_TIME = 2.0    # seconds, of one measurement
RESEND = 2.0       # seconds
SLOWER_MAX = 2.0   # seconds, that other people's pushes may take longer


def collect(pending: list[Pending], limit: float = 120.0) -> list[rad.Reply]:
    """All replies, each read within moments of its coming. A request is sent again now and then, as
    a NAS does: in a burst the server's socket loses some."""
    now = time.monotonic()
    deadline, again = now + limit, now + RESEND
    left = list(pending)
    while left and now < deadline:
        left = [p for p in left if p.poll(0.001) is None]
        now = time.monotonic()
        if now >= again:
            again = now + RESEND
            for one in left:
                one.send()
    assert not left, f"{len(left)} of {len(pending)} without a reply"
    for one in pending:
        one.close()
    return [p.reply for p in pending if p.reply is not None]


def count_accepts(world: World, user: str, device: str, count: Any) -> None:
    client, until = world.client(NAS_Identifier="gateway-1"), time.monotonic() + RATE_TIME
    while time.monotonic() < until:
        reply = collect([client.start(user, Cisco_AVPair=device_pairs(device))])[0]
        assert reply.code == ACCEPT, reply
        count.value += 1


class Trusted:
    """Somebody on a trusted device who signs on again and again, from a process of their own."""

    def __init__(self, world: World) -> None:
        self.world, self.user = world, world.person(unique("trusted"), PUSH)
        self.device = world.sim.enrol_device()["id"]
        assert self._login() == ACCEPT

    def _login(self) -> int:
        return self.world.client().login(self.user, Cisco_AVPair=device_pairs(self.device)).code

    def start(self) -> "Trusted":
        context = multiprocessing.get_context("fork")
        self.count = context.Value("i", 0)
        self.process = context.Process(target=count_accepts, args=(
            self.world, self.user, self.device, self.count))
        self.process.start()
        return self

    def rate(self) -> float:
        self.process.join(60)
        assert self.process.exitcode == 0
        return float(self.count.value) / RATE_TIME


def push_times(world: World) -> list[float]:
    """How long the pushes of a few people take, who approve at once."""
    users = [world.person(unique("push"), PUSH, push="approve") for _ in range(OTHERS)]
    replies = collect([world.client().start(u) for u in users])
    assert [r.code for r in replies] == [ACCEPT] * OTHERS, [str(r) for r in replies]
    return [r.elapsed for r in replies]


def flood_once(world: World) -> dict[str, Any]:
    """One person collects challenges and answers all of them wrongly; others sign on meanwhile."""
    eve, trusted = world.person(unique("eve"), TOTP), Trusted(world)
    quiet = max(push_times(world))
    before = trusted.start().rate()
    flood = [world.client().start(eve) for _ in range(MANY)]
    running = trusted.start()
    collecting = max(push_times(world))
    rate = running.rate()
    challenges = [r for r in collect(flood) if r.code == CHALLENGE]
    answers = [world.client().start(eve, "000000", r.state) for r in challenges]
    running = trusted.start()
    answering = max(push_times(world))
    replies = collect(answers)
    rates = [rate, running.rate()]
    after = trusted.start().rate()
    return {"eve": eve, "challenges": len(challenges), "accepts":
            sum(r.code == ACCEPT for r in replies), "push quiet": quiet, "push collecting":
            collecting, "push answering": answering, "rate quiet": [before, after],
            "rate flooded": rates}


@pytest.mark.parametrize("value", VALUES)
def test_a_flood_of_one_person(tmp_path: Any, pki_index: dict[str, Any], value: str) -> None:
    settings = {**SETTINGS, "okta": {**SETTINGS["okta"], "timeout": "10s", "user_ttl": "10m"},
                "policy": {"okta_unavailable": value}}
    with rad.start_world(tmp_path, pki_index, settings=settings) as world:
        world.sim.fault("delay", listener="okta", seconds=OKTA_TAKES)
        for attempt in range(3):  # what else this machine does can only make it look worse
            seen = flood_once(world)
            print(f"okta_unavailable = {value}:", seen)
            assert seen["accepts"] == 0 and seen["challenges"] > 0
            assert not causes(world, seen["eve"]) & {"OKTA_UNAVAILABLE_ALLOW", "MFA_SUCCESS",
                                                     "OKTA_UNAVAILABLE"}
            slower = max(seen["push collecting"], seen["push answering"]) - seen["push quiet"]
            ratio = min(seen["rate flooded"]) / min(seen["rate quiet"])
            if slower <= SLOWER_MAX and ratio >= 0.5:
                break
        assert slower <= SLOWER_MAX, seen
        assert ratio >= 0.5, seen


# --- PAM -----------------------------------------------------------------------------------------

PASSWORD = "correct horse battery"
ALICE = "dtalice@example.com"
DESCRIPTORS = [3, 4, 5, 6, 7, 8, 10, *range(11, 33), 40, 64]


@pytest.fixture(scope="module")
def host(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"policy": {"okta_unavailable": "allow"}, "okta": {"timeout": "2s"},
                "mfa": {"wait_pam": "10s"}}
    with pam_world(pki_index, applications=("su", "sshd"), settings=settings) as made:
        for application in ("su", "sshd"):
            asks = rule("ask", 99, frequency="EVERY_SIGN_ON", factors=(PUSH,))["actions"]
            made.site.set_policy({"name": application, "application": application,
                                  "rules": [{**catch_all(), "actions": asks}]})
            made.service(application)
        yield made


@pytest.fixture()
def alone(host: PamWorld) -> Iterator[PamWorld]:
    """No daemon runs; everybody's phone says no."""
    host.stop_daemon()
    host.sim.reset()
    for user in ("dtalice", "dtbob", "root"):
        host.sim.add_user(user + "@example.com", factors=(PUSH,), push="deny")
    host.set_one()
    host.site.audit_path.unlink(missing_ok=True)
    yield host
    host.sim.reset()


def su(host: PamWorld, *limits: str) -> "tuple[int, str]":
    command = ["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups",
               *(["prlimit", *limits] if limits else []), "su", "dtbob", "-c", "id"]
    done = host.run(command, stdin=-3)
    return done.returncode, done.stdout + done.stderr


def test_su_goes_by_an_outage(alone: PamWorld) -> None:
    """Without which the next test would show nothing."""
    alone.sim.listener("okta", "down")
    status, text = su(alone)
    assert status == 0 and "uid=61002" in text, (text, alone.site.events())
    alone.sim.listener("okta", "up")
    status, text = su(alone)
    assert status != 0 and "uid=" not in text, text


@pytest.mark.parametrize("limit", ["nofile", "nproc", "data", "as", "stack", "memlock", "fsize"])
def test_su_with_little_of_everything_lets_nobody_in(alone: PamWorld, limit: str) -> None:
    """What the caller of a setuid program leaves it with is no outage of Okta's."""
    values = DESCRIPTORS if limit == "nofile" else [0, 1, 2, 4, 8, 16] if limit == "nproc" else \
        [m << 20 for m in (0, 4, 16, 24, 32, 48, 64, 96, 128, 192)]
    for value in values:
        status, text = su(alone, f"--{limit}={value}:{value}")
        assert "uid=" not in text, (limit, value, status, text)
    causes_seen = {e["debugContext"]["debugData"]["cause"] for e in alone.site.sign_ons()}
    assert not causes_seen & {"OKTA_UNAVAILABLE", "OKTA_UNAVAILABLE_ALLOW", "MFA_SUCCESS"}


def test_a_daemon_without_descriptors_lets_nobody_in(alone: PamWorld) -> None:
    """It is given ever fewer, down to where it does not start at all."""
    seen = set()
    for value in DESCRIPTORS:
        quoted = " ".join(shlex.quote(str(a)) for a in (
            "prlimit", f"--nofile={value}:{value}", DAEMON, "--config", alone.site.config_path,
            "--user", "root"))
        alone.one_path.write_text(f'#!/bin/bash -p\nexec {quoted} "$@"\n')
        report = alone.login("sshd", "dtalice")
        assert report["auth"] != "SUCCESS", (value, report)
        seen |= {e["debugContext"]["debugData"]["cause"] for e in alone.site.sign_ons()}
    assert not seen & {"OKTA_UNAVAILABLE", "OKTA_UNAVAILABLE_ALLOW", "MFA_SUCCESS"}, seen


@pytest.mark.parametrize("fault", ANSWERS, ids=name_of)
def test_no_answer_lets_in_at_pam(alone: PamWorld, fault: Fault) -> None:
    alone.sim.fault(fault[0], listener="okta", **fault[1])
    report = alone.login("sshd", "dtalice")
    assert report["auth"] in ("AUTH_ERR", "PERM_DENIED", "CRED_INSUFFICIENT", "SYSTEM_ERR"), report
    alone.outcome("sshd")  # the event may come after the answer
    seen = {e["debugContext"]["debugData"]["cause"] for e in alone.site.sign_ons()}
    assert seen and not seen & {"OKTA_UNAVAILABLE", "OKTA_UNAVAILABLE_ALLOW", "MFA_SUCCESS"}


@pytest.mark.parametrize("certificate", ["expired", "foreign", "wrong_name"])
def test_no_certificate_lets_in_at_pam(alone: PamWorld, certificate: str) -> None:
    alone.sim.listener("okta", "up", certificate)
    assert alone.login("sshd", "dtalice")["auth"] == "AUTH_ERR"
    alone.outcome("sshd")
    assert {e["debugContext"]["debugData"]["cause"] for e in alone.site.sign_ons()} == {
        "OKTA_UNTRUSTED"}
