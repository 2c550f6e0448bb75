# SPDX-License-Identifier: GPL-2.0-or-later
# A workstation without a network: the console, su, sudo and a screen locker with the cable out,
# with name servers that do not answer, before the first network, with a clock that is wrong.
"""Signing on offline."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.integration.test_pam_daemon import ALICE, BOTH, cause, debug
from tests.integration.test_pam_doors import by_i3lock
from tests.lib import vpn
from tests.lib.matrix import cell
from tests.lib.outside import Outside
from tests.lib.pamworld import PamWorld, pam_world, wait_until
from tests.lib.person import Seen, sign_on

PASSWORD = "rosebud,plum"
APPLICATIONS = ("login", "su", "sudo", "i3lock")
SAMPLES = {"login": "login-devtrust", "su": "su-devtrust", "sudo": "sudo-devtrust",
           "i3lock": "i3lock-devtrust"}
OTHER_SERVER = "198.51.100.99"  # at the same cable; nobody has it
WAIT = 5.0  # DT_HTTP_CONNECT_TIMEOUT_MS
SLACK = 4.0  # of a busy machine
BREAKER_TRIES = 8  # each sign-on calls Okta three times, where it fails at once
PAUSE_MAX = 45.0  # more than the longest pause of the breaker
CROWD = 12
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
WORDS = "Okta cannot be reached at the moment."


class Workstation:
    """The world, and the network outside it."""

    def __init__(self, world: PamWorld, outside: Outside) -> None:
        self.world, self.outside = world, outside
        self.sim, self.site = world.sim, world.site

    def resolver(self, *servers: str) -> None:
        (self.world.directory / "resolv.conf").write_text(
            "".join(f"nameserver {server}\n" for server in servers))

    def forget_resolver(self) -> None:
        self._shell("umount /etc/resolv.conf && rm -f /etc/resolv.conf")

    def find_resolver(self) -> None:
        place = self.world.directory / "resolv.conf"
        self._shell(f"touch /etc/resolv.conf && mount --bind {place} /etc/resolv.conf")

    def _shell(self, script: str) -> None:
        done = self.world.run(["sh", "-c", script])
        assert done.returncode == 0, done.stderr

    def be_named(self, how: str) -> None:
        self.outside.names = how

    def trust(self, trusted: bool) -> None:
        self.world.stop_daemon()
        self.world.trust_host("host", ALICE, trusted)

    def forget(self) -> None:
        """Nothing of what was known stays."""
        for path in self.site.store_path.parent.iterdir():
            path.unlink()

    def learn(self) -> None:
        """One sign-on with a network: what it learnt is not fresh when the next one comes."""
        self.world.start_daemon()
        assert self.enter("login").inside
        assert debug(self.newest())["deviceReason"] == "TRUSTED"
        self.world.stop_daemon()

    def newest(self) -> dict[str, Any]:
        return self.site.sign_ons()[-1]

    def command(self, program: str) -> list[str]:
        by_alice = ["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups"]
        return self.world.inside({"login": ["login", "dtalice"],
                                  "su": [*by_alice, "su", "dtalice", "-c", "id"],
                                  "sudo": [*by_alice, "sudo", "id"]}[program])

    def enter(self, program: str) -> Seen:
        """Somebody who knows the password."""
        count = len(self.site.sign_ons())
        if program == "i3lock":
            seen = Seen("uid=61001(dtalice)" if by_i3lock(self.world, PASSWORD) else "", None)
        else:
            seen = sign_on(self.command(program), PASSWORD)
        wait_until(lambda: len(self.site.sign_ons()) > count, "an event")
        return seen

    def timed(self, program: str) -> "tuple[Seen, float]":
        began = time.monotonic()
        seen = self.enter(program)
        return seen, time.monotonic() - began


@pytest.fixture(scope="module")
def here(pki_index: dict[str, Any],
         tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workstation]:
    nothing = tmp_path_factory.mktemp("no-packages")
    settings: dict[str, dict[str, Any]] = {
        "okta": {"timeout": None}, "intune": {"timeout": None}, "mfa": {"wait_pam": None},
        "device_trust": {"cache_ttl": "0", "negative_ttl": "0"},
        "daemon": {"local_services": "login, su, sudo, i3lock", "person_at_host": "service",
                   "lock_screen_services": "i3lock"}}
    with Outside() as outside, pam_world(pki_index, applications=APPLICATIONS, settings=settings,
                                         packages=nothing, network=outside.laptop) as world:
        world.site.configure(outside.lead_to(world.sim))
        for name in APPLICATIONS:
            world.sample(name, SAMPLES[name])
        world.set_password("dtalice", PASSWORD)
        world.sim.add_user(ALICE, factors=BOTH)
        # As a black hole is: a neighbour that takes packets, and says nothing.
        outside.ip("neighbour", "replace", OTHER_SERVER, "lladdr", "02:00:00:00:00:99", "dev",
                   outside.cards[1], "nud", "permanent")
        made = Workstation(world, outside)
        made.resolver(vpn.GATEWAY)
        made.trust(True)
        made.learn()
        yield made


@pytest.fixture(autouse=True)
def fresh(here: Workstation) -> Iterator[None]:
    yield
    here.world.stop_daemon()


# How a network is missing: what breaks it, what mends it, and how long a call waits.
MISSING: dict[str, Any] = {
    "no cable": (lambda h: h.outside.cable(False), lambda h: h.outside.cable(True), 0),
    "refused": (lambda h: h.be_named("refuses"), lambda h: h.be_named("answers"), 0),
    "no resolver": (lambda h: h.resolver("203.0.113.9"), lambda h: h.resolver(vpn.GATEWAY), 0),
    "no resolv.conf": (Workstation.forget_resolver, Workstation.find_resolver, 0),
    "names unanswered": (lambda h: h.be_named("silent"), lambda h: h.be_named("answers"), WAIT),
    "packets lost": (lambda h: h.outside.lose_packets(True),
                     lambda h: h.outside.lose_packets(False), WAIT),
}


@contextlib.contextmanager
def without_network(here: Workstation, how: str) -> Iterator[float]:
    """How long a call waits."""
    break_it, mend, wait = MISSING[how]
    break_it(here)
    try:
        yield wait
    finally:
        mend(here)


SLOW = ("packets lost",)
PROGRAMS = [pytest.param(p, h, marks=cell("pam", p, "offline", whole=h != "no cable"))
            for p in APPLICATIONS for h in MISSING]


@pytest.mark.parametrize("program, how", PROGRAMS)
def test_a_trusted_device_gets_in(here: Workstation, program: str, how: str) -> None:
    """By what was last known of it, also where devtrustd starts before there is a network."""
    with without_network(here, how) as wait:
        here.world.start_daemon()
        seen, took = here.timed(program)
    assert seen.inside, (seen.text, here.world.log_path.read_text())
    event = here.newest()
    assert cause(event) == "RULE_ALLOW" and debug(event)["deviceReason"] == "STALE"
    assert took < wait + SLACK, took


@pytest.mark.parametrize("how", [
    pytest.param(h, marks=cell("pam", "su", "told offline", whole=h in SLOW)) for h in MISSING])
def test_others_are_told_within_seconds(here: Workstation, how: str) -> None:
    here.trust(False)
    try:
        with without_network(here, how) as wait:
            here.world.start_daemon()
            seen, took = here.timed("su")
        assert not seen.inside and WORDS in seen.text, seen.text
        assert cause(here.newest()) == "OKTA_UNAVAILABLE"
        assert took < wait + SLACK, took
    finally:
        here.trust(True)


@cell("pam", "su", "first boot", whole=True)
def test_first_boot_without_a_network(here: Workstation) -> None:
    """Nothing is known of the device: each of the two services is waited for once."""
    here.forget()
    took = []
    with without_network(here, "names unanswered") as wait:
        here.world.start_daemon()
        for _ in range(2):
            seen, time_taken = here.timed("su")
            assert not seen.inside and WORDS in seen.text, seen.text
            event = here.newest()
            assert cause(event) == "OKTA_UNAVAILABLE"
            assert debug(event)["deviceReason"] == "LOOKUP_UNAVAILABLE"
            took.append(time_taken)
    assert took[0] < 2 * wait + SLACK and took[1] < 2 * wait + SLACK, took
    wait_until(lambda: here.enter("su").inside, "the device is known")
    assert debug(here.newest())["deviceReason"] == "TRUSTED"


@cell("pam", "su", "network goes", whole=True)
def test_a_network_that_goes_while_connections_are_kept(here: Workstation) -> None:
    """They are given up, and a new one is tried once."""
    here.world.start_daemon()
    assert here.enter("su").inside
    with without_network(here, "packets lost") as wait:
        seen, took = here.timed("su")
        assert seen.inside and debug(here.newest())["deviceReason"] == "STALE"
    assert took < 2 * wait + SLACK, took


def test_another_network(here: Workstation) -> None:
    """With another address, kept connections lead nowhere, and new ones work."""
    here.world.start_daemon()
    assert here.enter("su").inside
    card = here.outside.cards[1]
    try:
        here.outside.ip("address", "flush", "dev", card)
        here.outside.ip("address", "add", "198.51.100.8/24", "dev", card)
        seen, took = here.timed("su")
    finally:
        here.outside.ip("address", "flush", "dev", card)
        here.outside.ip("address", "add", vpn.LAPTOP + "/24", "dev", card)
    assert seen.inside and debug(here.newest())["deviceReason"] == "TRUSTED", took
    assert took < WAIT + SLACK, took


def test_the_second_name_server_answers(here: Workstation) -> None:
    here.resolver(OTHER_SERVER, vpn.GATEWAY)
    try:
        here.world.start_daemon()
        seen, took = here.timed("su")
    finally:
        here.resolver(vpn.GATEWAY)
    assert seen.inside and debug(here.newest())["deviceReason"] == "TRUSTED"
    assert took < WAIT + SLACK, took


def test_without_a_daemon(here: Workstation) -> None:
    """Neither a network nor a devtrustd: one is started for the login, and knows what was kept."""
    with without_network(here, "no cable"):
        assert here.enter("su").inside
        assert debug(here.newest())["deviceReason"] == "STALE"
        here.trust(False)
        try:
            seen, took = here.timed("su")
        finally:
            here.trust(True)
    assert not seen.inside and WORDS in seen.text and took < SLACK, (seen.text, took)


def test_older_than_stale_limit(here: Workstation) -> None:
    here.site.configure({"device_trust": {"stale_limit": "0"}})
    try:
        with without_network(here, "no cable"):
            here.world.start_daemon()
            seen = here.enter("su")
    finally:
        here.site.configure({"device_trust": {"stale_limit": "24h"}})
    assert not seen.inside and WORDS in seen.text
    assert debug(here.newest())["deviceReason"] == "LOOKUP_UNAVAILABLE"


def test_when_the_network_comes_back(here: Workstation) -> None:
    """Nobody is asked by all at once, and fresh answers come soon."""
    here.forget()
    with without_network(here, "no cable"):
        here.world.start_daemon()
        for _ in range(BREAKER_TRIES):
            assert not here.enter("su").inside
            if "not asked" in debug(here.newest())["detail"]:
                break
        else:
            raise AssertionError("the breaker stays closed")
    began = time.monotonic()
    before = here.sim.count("login.token")
    seen: list[Seen] = []
    threads = [threading.Thread(target=lambda: seen.append(
        sign_on(here.command("su"), PASSWORD))) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: here.enter("su").inside, "a fresh answer")
    assert debug(here.newest())["deviceReason"] == "TRUSTED"
    assert here.sim.count("login.token") - before == 1
    assert here.sim.count("okta.total") < CROWD  # the breaker lets one through
    assert time.monotonic() - began < PAUSE_MAX


@contextlib.contextmanager
def with_clock(here: Workstation, wrong_by: str) -> Iterator[Path]:
    """A devtrustd whose clock is wrong, as libfaketime's file says."""
    clock = here.world.directory / "clock"
    clock.write_text(wrong_by + "\n")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("LD_PRELOAD", FAKETIME), ("FAKETIME_TIMESTAMP_FILE", str(clock)),
                            ("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")):
            patch.setenv(name, value)
        here.world.start_daemon()
    yield clock


@pytest.mark.parametrize("wrong_by, reason", [
    ("-20000d", "CERTIFICATE_NOT_YET_VALID"), ("-400d", "CERTIFICATE_NOT_YET_VALID"),
    ("+400d", "CERTIFICATE_EXPIRED")])
def test_a_clock_that_no_certificate_fits(here: Workstation, wrong_by: str, reason: str) -> None:
    """Nobody gets in by a clock, the person reads why, and once the time is known, all is well."""
    with with_clock(here, wrong_by) as clock:
        with without_network(here, "no cable"):
            seen = here.enter("su")
        assert not seen.inside and "Check its clock" in " ".join(seen.text.split()), seen.text
        assert debug(here.newest())["deviceReason"] == reason
        assert cause(here.newest()) == "OKTA_UNAVAILABLE"
        assert not here.enter("su").inside
        assert cause(here.newest()) == "OKTA_UNTRUSTED"  # no outage: its certificate is too young
        clock.write_text("+0\n")
        wait_until(lambda: here.enter("su").inside, "the right time")


@pytest.mark.parametrize("stale_limit, inside", [("24h", True), ("1h", False)])
@pytest.mark.parametrize("wrong_by", ["-2h", "+2h"])
def test_a_clock_within_stale_limit_or_not(here: Workstation, wrong_by: str, stale_limit: str,
                                           inside: bool) -> None:
    """An answer from the future is as old as it is far away, and never fresh."""
    here.learn()
    here.site.configure({"device_trust": {"cache_ttl": "30m", "stale_limit": stale_limit}})
    try:
        with with_clock(here, wrong_by), without_network(here, "no cable"):
            seen = here.enter("su")
            event = debug(here.newest())
    finally:
        here.site.configure({"device_trust": {"cache_ttl": "0", "stale_limit": "24h"}})
        here.world.stop_daemon()
        here.learn()
    assert seen.inside == inside, seen.text
    assert event["deviceReason"] == ("STALE" if inside else "LOOKUP_UNAVAILABLE")
