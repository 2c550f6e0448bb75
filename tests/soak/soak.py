#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# `make soak`: real FreeRADIUS for SOAK_SECONDS, people who approve, deny and do nothing, trusted
# laptops, and faults between it and Okta and Intune that come and go at random.
"""Nobody gets in who must not; descriptors and memory do not grow; after the faults all is well."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.lib import radius as rad  # noqa: E402
from tests.lib.http2 import Http2Front  # noqa: E402
from tests.pki import pki as test_pki  # noqa: E402

PUSH = "push"
THREADS = 12
KINDS = ("approve", "approve", "deny", "timeout", "ignore", "other_factor", "trusted", "foreign")
WELCOME = ("approve", "trusted")
FAULT_SECONDS = (0.2, 4.0)  # how long one lasts, and how long there is none
LOGIN_LIMIT = 60.0
WARM_SHARE = 0.25  # of the time: until then caches and pools fill
GROWN_DESCRIPTORS_MAX = 8
GROWN_MEMORY_MAX = 8.0  # MB
SETTLE = 70.0  # seconds: kept connections are closed after 55
RECOVERY_LIMIT = 90.0  # seconds after the last fault until everybody gets in again
RECOVERED = 40  # sign-ons in a row that must be accepted by then
SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune", "cache_ttl": "2s",
                             "negative_ttl": "1s", "stale_limit": "10s"},
            "okta": {"timeout": "2s", "user_ttl": "1s"}, "intune": {"timeout": "2s"},
            "mfa": {"wait_vpn": "6s"}}
SUCCESS = {"factorResult": "SUCCESS"}
# None of these says SUCCESS in the reply to a poll with 200: whoever gets in did so by an approval.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503},
    {"kind": "status", "status": 404, "code": "E0000007"}, {"kind": "status", "status": 401},
    {"kind": "status", "status": 500, "act": True}, {"kind": "rate_limit", "reset_after": 1},
    {"kind": "rate_limit", "concurrency": True}, {"kind": "json", "body": []},
    {"kind": "json", "body": SUCCESS, "endpoint": "verify"},
    {"kind": "json", "body": SUCCESS, "endpoint": "verify", "act": True},
    {"kind": "json", "body": SUCCESS, "endpoint": "poll", "status": 500},
    {"kind": "json", "body": SUCCESS, "endpoint": "poll", "status": 201},
    {"kind": "merge", "body": {"factorResult": "success"}, "endpoint": "poll"},
    {"kind": "merge", "body": {"factorResult": None}, "endpoint": "poll"},
    {"kind": "merge", "body": {"complianceState": None}}, {"kind": "delay", "seconds": 3.0},
    {"kind": "delay", "seconds": 0.5}, {"kind": "drip", "chunk": 50}, {"kind": "hang"},
    {"kind": "truncate"}, {"kind": "huge", "size": 2 << 20}, {"kind": "html"},
    {"kind": "not_json"}, {"kind": "content_type"}, {"kind": "redirect"}, {"kind": "reset"},
    {"kind": "reset", "act": True})


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid: int) -> float:
    """Resident, MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


class Soak:
    """Who signs on, and what came of it."""

    def __init__(self, world: rad.World, seconds: float, seed: int) -> None:
        self.world, self.end = world, time.monotonic() + seconds
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.faults = 0
        self.people = 0

    def over(self) -> bool:
        return time.monotonic() >= self.end

    def spoil(self) -> None:
        """Faults that come and go; sometimes a service is away."""
        sim = self.world.sim
        while not self.over():
            time.sleep(self.random.uniform(*FAULT_SECONDS))
            listener = self.random.choice(("okta", "okta", "graph", "login"))
            if self.random.random() < 0.1:
                sim.listener(listener, self.random.choice(("down", "silent")))
                time.sleep(self.random.uniform(*FAULT_SECONDS))
                sim.listener(listener, "up")
            else:
                fault = dict(self.random.choice(FAULTS))
                listener = "okta" if "endpoint" in fault else listener
                sim.fault(**{"listener": listener, **fault})
                time.sleep(self.random.uniform(*FAULT_SECONDS))
                sim.clear_faults()
            self.faults += 1
        sim.clear_faults()

    def login(self, kinds: tuple[str, ...] = KINDS) -> bool:
        """Whether the person got in."""
        with self.lock:
            self.people += 1
            name = f"soak{self.people:06}"
            kind = self.random.choice(kinds)
            after = self.random.uniform(0.0, 2.0)
        login, sim = name + "@example.com", self.world.sim
        mode = kind if kind not in ("trusted", "foreign") else "deny"
        sim.add_user(login, factors=(PUSH,), push=mode, after=after)
        pairs = ["mdm-tlv=device-platform=win"]
        device = ""
        if kind in ("trusted", "foreign"):
            compliance = "compliant" if kind == "trusted" else "noncompliant"
            device = str(sim.enrol_device(user=login, compliance=compliance)["id"])
            pairs.append("mdm-tlv=device-uid=" + device)
        pending = self.world.client().start(name, Cisco_AVPair=pairs)
        try:
            code = pending.wait(LOGIN_LIMIT).code
        except (AssertionError, OSError):
            code = 0
        approved = bool(sim.pushes(login, "SUCCESS"))
        result = {rad.ACCEPT: "accepted", rad.REJECT: "refused"}.get(code, "unanswered")
        right = kind == "trusted" or (kind == "approve" and approved)
        with self.lock:
            self.counts[f"{kind} {result}"] += 1
            if result == "accepted" and not right:
                self.wrong.append(f"{name} ({kind})")
        sim.remove_user(login)
        if device:
            sim.remove_device(device)
        return result == "accepted"

    def recovers(self) -> bool:
        """Whether everybody who may gets in again, soon after the last fault."""
        limit, row = time.monotonic() + RECOVERY_LIMIT, 0
        while row < RECOVERED and time.monotonic() < limit:
            row = row + 1 if self.login(WELCOME) else 0
        return row >= RECOVERED

    def people_come(self) -> None:
        while not self.over():
            self.login()


def summary(soak: Soak, seconds: float, before: tuple[int, float],
            after: tuple[int, float], recovered: bool) -> bool:
    for name, count in sorted(soak.counts.items()):
        print(f"soak: {name}: {count}")
    causes = Counter(event["debugContext"]["debugData"]["cause"]
                     for event in soak.world.site.sign_ons())
    print("soak: causes: " + ", ".join(f"{name} {count}" for name, count in causes.most_common()))
    unanswered = sum(n for name, n in soak.counts.items() if name.endswith("unanswered"))
    few = soak.counts["approve accepted"] == 0 or soak.counts["trusted accepted"] == 0
    grown = after[0] - before[0], after[1] - before[1]
    print(f"soak: {seconds:.0f} s, {soak.people} sign-ons, {soak.faults} faults, "
          f"{len(soak.wrong)} wrongful accepts, {unanswered} unanswered; descriptors {before[0]} "
          f"to {after[0]}, memory {before[1]:.1f} to {after[1]:.1f} MB")
    for name in soak.wrong:
        print("soak: WRONGLY ACCEPTED: " + name)
    if not recovered:
        print(f"soak: {RECOVERY_LIMIT:.0f} s after the last fault people were still refused")
    ok = (recovered and not soak.wrong and unanswered == 0 and not few
          and grown[0] <= GROWN_DESCRIPTORS_MAX and grown[1] <= GROWN_MEMORY_MAX)
    print("soak: " + ("passed" if ok else "FAILED"))
    return ok


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"soak: seed {options.seed}", flush=True)
    fronts: list[Http2Front] = []

    def through_front(site: Any) -> None:
        fronts.append(Http2Front(site.directory, site.world))
        site.configure({"okta": {"org_url": fronts[0].url}})

    with tempfile.TemporaryDirectory(prefix="devtrust-soak-") as folder:
        pki = test_pki.generate(Path(folder) / "pki")
        try:
            with rad.start_world(Path(folder) / "world", pki, settings=SETTINGS,
                                 prepare=through_front) as world:
                assert world.radius.process is not None
                pid = world.radius.process.pid
                soak = Soak(world, options.seconds, options.seed)
                with ThreadPoolExecutor(THREADS + 1) as pool:
                    work = [pool.submit(soak.spoil)]
                    work += [pool.submit(soak.people_come) for _ in range(THREADS)]
                    time.sleep(options.seconds * WARM_SHARE)
                    before = descriptors(pid), memory(pid)
                    for job in work:
                        job.result()
                recovered = soak.recovers()
                time.sleep(min(SETTLE, options.seconds * WARM_SHARE))
                assert world.radius.is_running(), world.radius.log_text()
                return 0 if summary(soak, options.seconds, before,
                                    (descriptors(pid), memory(pid)), recovered) else 1
        finally:
            for front in fronts:
                front.close()


if __name__ == "__main__":
    sys.exit(main())
