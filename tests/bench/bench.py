#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# `make bench`: one line `name value unit` per figure, measured on real servers against the
# simulated Okta org and Intune tenant. Ratios are of things measured in turns in one run, so that
# they mean something on a machine that is busy with other things. README.md says what each is.
"""Measure. What goes on is told on standard error; figures alone go to standard output."""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import resource
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Union

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.integration import test_pam_module as pam  # noqa: E402
from tests.lib import eap_tls, pamworld  # noqa: E402
from tests.lib import radius as rad  # noqa: E402
from tests.lib.http2 import Http2Front  # noqa: E402
from tests.lib.policies import ZONES, large_policy  # noqa: E402
from tests.lib.site import guide_policy  # noqa: E402
from tests.pki import pki as test_pki  # noqa: E402
from tests.sim.client import SimFailed  # noqa: E402

TOOLS = rad.BUILD / "tests" / "bench"
LIMIT = 120.0
PUSH, TOTP = "push", "token:software:totp"
GATEWAY, STATION = "vpn-gateway", "198.51.100.7"

CONCURRENCY = 32
ROUNDS = 9  # of each of the things that are compared
ROUND_SECONDS = 1.5
PARKED = 5000
PENDING_LIMIT = 60_000  # requests a minute that the org allows while PARKED pushes are pending
SIGN_ONS = 1000  # by push, of which the TLS handshakes are counted
OVERHEAD_PUSHES = 24  # approved at the same moment, spread over one poll interval
POLL_INTERVAL = 4.0  # seconds, of SETTINGS
WAITING_LOGINS = 200  # at a prompt of PAM
PACE = 500  # logins a second while pushes are pending: busy, not flooded
PACED_SECONDS = 3.0
PACED_ROUNDS = 3  # whose median counts
PACED_CONCURRENCY = 8
EAP_PROCESSES = 4  # supplicants at once
EAP_SECONDS = 3.0
COLD = 15  # devices that nobody has asked about yet, for each of two doors
GRAPH_DELAY = 0.3  # seconds
X509_ROUNDS = 100
PAM_RUNS = 150  # of each, in turns
PAM_BATCHES = 5  # so many times; the median counts
CROWD, DOOR = 10_000, "door"  # who waits for a phone at devtrustd; the service
INFORMATION = 3  # style of a prompt that is not answered
PAM_CLIENTS, PAM_RATE_SECONDS = 64, 5
LOGINS = 20  # sign-ons over which Okta's calls are counted
FEW_DEVICES, MANY_DEVICES = 1000, 100_000  # in the cache
FLEET = 1000  # devices of which a sync is counted
FEW_NETWORKS, MANY_NETWORKS = 1000, 1_000_000  # in the zones
FEW_RULES, MANY_RULES = 10, 10_000  # in a policy
PROVED_RULES = (200, 1000, 5000)
SIM_NICENESS = 5  # Okta and Intune do not run on the RADIUS server: they get what it leaves
APPROVED_AFTER = 6.0  # seconds until the phone is looked at

SETTINGS = {
    "device_trust": {"trusted_when": "certificate+intune, ssh-key+intune, vpn-client+intune"},
    # What devtrust.conf ships with, not the hurry of the tests.
    "okta": {"poll_interval": f"{POLL_INTERVAL:.0f}s", "timeout": "10s"},
    "mfa": {"wait_vpn": "55s", "wait_wifi": "25s", "wait_pam": "55s"},
}

# What the trusted sign-on is compared with, in the same server. `accept` does nothing but accept;
# `pap` is the sample for the VPN without devtrust.
COMPARED = """
server bench-accept {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {accept}
        recv_buff = 4194304
    }}
    authorize {{
        update control {{
            &Auth-Type := Accept
        }}
    }}
}}

server bench-pap {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {pap}
        recv_buff = 4194304
    }}
    authorize {{
        files
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
    }}
}}

server bench-eap {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {eap}
        recv_buff = 4194304
    }}
    authorize {{
        eap_plain
    }}
    authenticate {{
        eap_plain
    }}
}}
"""


def plain_eap(certs: Path) -> str:
    """The sample's EAP module with EAP-TLS alone, and no devtrust at the end of its handshakes."""
    text = (rad.SAMPLES / "mods-available" / "eap_devtrust").read_text()
    text = text[:text.index("eap eap_devtrust_inner {")]
    text = text[:text.index("\tttls {")] + "}\n"
    for old, new in (("eap eap_devtrust {", "eap eap_plain {"), ("devtrust-tls", "plain-tls"),
                     ("\t\tvirtual_server = check-devtrust\n", ""),
                     ("/var/lib/devtrust-radius/tls-cache", str(certs / "tls-cache")),
                     ("/etc/devtrust/", str(certs) + "/")):
        check(old in text, f"{old} is not in the sample")
        text = text.replace(old, new)
    return text


class Failed(Exception):
    """Something could not be measured."""


def check(condition: Any, text: str) -> None:
    if not condition:
        raise Failed(text)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def figure(name: str, value: Union[int, float], unit: str) -> None:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    print(f"{name} {text} {unit}", flush=True)


def login_of(user: str) -> str:
    return user + "@example.com"


def cpu_ms(pid: int) -> float:
    """Of all its threads, by now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Resident memory, MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


class Crowd:
    """Modules of pam_devtrust.so that ask devtrustd at once, one person each; a context manager."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.prompted = self.ended = 0
        self.causes: collections.Counter[str] = collections.Counter()
        self._waiting = selectors.DefaultSelector()
        self._path, self._names = str(path), names

    def __enter__(self) -> "Crowd":
        for name in self._names:
            module = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._waiting.register(module, selectors.EVENT_READ)
            module.connect(self._path)
            module.send(pam.message(pam.REQUEST, pam.number(1, 1), pam.number(2, os.getpid()),
                                    pam.text(3, DOOR), pam.text(4, name), pam.text(10, name),
                                    pam.text(11, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._waiting.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._waiting.close()

    def serve(self, is_over: Callable[[], bool]) -> None:
        """Presses Enter at each prompt, until it is over."""
        deadline = time.monotonic() + LIMIT
        while not is_over():
            check(time.monotonic() < deadline, f"waited in vain: {self.prompted} prompts, "
                  f"{self.ended} ends: {dict(self.causes)}")
            for key, _ in self._waiting.select(1):
                self._read(key.fileobj)  # type: ignore[arg-type]

    def _read(self, module: socket.socket) -> None:
        packet = module.recv(4096)
        if packet and packet[1] == pam.PROMPT:
            number, style = (int.from_bytes(pam.fields_of(packet)[tag], "big") for tag in (1, 2))
            if style != INFORMATION:
                self.prompted += 1
                module.send(pam.message(pam.ANSWER, pam.number(1, number)))
            return
        self._waiting.unregister(module)
        module.close()
        self.ended += 1
        self.causes[pam.fields_of(packet)[2].rstrip(b"\0").decode() if packet else "none"] += 1


class Bench:
    """The servers that are measured; a context manager."""

    def __enter__(self) -> "Bench":
        with contextlib.ExitStack() as closing:
            papers = Path(tempfile.mkdtemp(prefix="devtrust-bench-pki-"))
            closing.callback(shutil.rmtree, papers, ignore_errors=True)
            self.pki = test_pki.generate(papers, more={
                f"cold-{i}": test_pki.Device() for i in range(2 * COLD + 2)})
            self.world = closing.enter_context(pamworld.PamWorld(
                self.pki, applications=("sshd", "vpn", "wifi"), settings=SETTINGS))
            self.sim, self.site = self.world.sim, self.world.site
            os.setpriority(os.PRIO_PROCESS, self.sim.pid, SIM_NICENESS)
            self.front = Http2Front(self.site.directory, self.sim)  # as Okta does
            closing.callback(self.front.close)
            self.site.configure({"okta": {"org_url": self.front.url}})
            self.accept_port, self.pap_port, self.eap_port = (rad.free_port() for _ in range(3))
            raddb = self.world.directory / "raddb"
            self.radius = closing.enter_context(rad.Radius(
                raddb, self.site, modules={"eap_plain": plain_eap(raddb / "certs")},
                sites={"bench": COMPARED.format(accept=self.accept_port, pap=self.pap_port,
                                                eap=self.eap_port)}))
            self.world.start_daemon()
            self._people()
            self.closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.close()

    def _people(self) -> None:
        device = self.pki["devices"]["device-rsa"]
        self.sim.add_user(login_of("alice"), factors=(PUSH,))
        self.sim.enrol_device(device["device_id"], user=login_of("alice"))
        self.device_id = device["device_id"]
        self.world.add_device(device["files"]["certificate"])
        public = Path(device["files"]["ssh_public_key"]).read_text().split()
        self.ssh_info = f"publickey {public[0]} {public[1]}"

    def pairs(self) -> list[str]:
        return ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + self.device_id]

    def client(self) -> rad.Client:
        return self.radius.client(NAS_Identifier=GATEWAY, Calling_Station_Id=STATION)

    def radius_pid(self) -> int:
        assert self.radius.process is not None
        return self.radius.process.pid

    # --- load --------------------------------------------------------------------------------

    def tool(self, verb: str, port: int, user: str, *more: str) -> list[str]:
        """radius_load with the attributes that every request here has."""
        command = [str(TOOLS / "radius_load"), verb, "--port", str(port), "--secret",
                   rad.SECRET.decode(), "--user", user, "--password", rad.PASSWORD,
                   "--nas", GATEWAY, "--station", STATION]
        return command + list(more)

    def load(self, port: int, seconds: float, concurrency: int = CONCURRENCY,
             rate: float = 0) -> dict[str, Any]:
        """Logins of Alice's trusted laptop; every one has to be accepted."""
        more = ["--seconds", str(seconds), "--concurrency", str(concurrency), "--rate", str(rate)]
        for pair in self.pairs():
            more += ["--avpair", pair]
        done = subprocess.run(self.tool("load", port, "alice", *more), text=True,
                              capture_output=True, timeout=LIMIT)
        check(done.returncode == 0, done.stderr)
        result = json.loads(done.stdout)
        check(result["accepts"] == result["answered"] > 0, f"not all were accepted: {result}")
        check(result["lost"] == result["forged"] == 0, f"answers went wrong: {result}")
        self.forget_audit()
        return result

    def forget_audit(self) -> None:
        """Tens of thousands of events a second fill a small disk."""
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self.site.audit_path, 0)

    # --- figures -----------------------------------------------------------------------------

    def throughput(self) -> None:
        ports = {"accept": self.accept_port, "pap": self.pap_port,
                 "trusted": self.radius.vpn_port}
        for port in ports.values():  # caches warm, threads there
            self.load(port, ROUND_SECONDS)
        rates: dict[str, list[float]] = {name: [] for name in ports}
        for number in range(ROUNDS):
            names = list(ports) if number % 2 else list(reversed(ports))
            for name in names:
                rates[name].append(self.load(ports[name], ROUND_SECONDS)["rate"])
            say(f"round {number + 1} of {ROUNDS}: "
                + ", ".join(f"{name} {rates[name][-1]:.0f}/s" for name in ports))
        for name in ports:
            figure(f"radius_{name}_rate", round(statistics.median(rates[name])), "requests/s")
        for other in ("accept", "pap"):
            ratios = [a / b for a, b in zip(rates["trusted"], rates[other])]
            figure(f"radius_trusted_vs_{other}", statistics.median(ratios), "ratio")

    def _eap_load(self, port: int) -> tuple[float, float]:
        """EAP-TLS sign-ons a second of Alice's trusted laptop, and milliseconds of the server's
        processor for each."""
        files = self.pki["devices"]["device-rsa"]["files"]
        before = cpu_ms(self.radius_pid())
        done = subprocess.run([sys.executable, str(Path(__file__).with_name("eap_load.py")),
                               str(port), self.pki["authorities"]["radius_ca"], files["chain"],
                               files["key"], "alice", str(EAP_SECONDS), str(EAP_PROCESSES)],
                              text=True, capture_output=True, timeout=LIMIT)
        check(done.returncode == 0, done.stderr)
        result = json.loads(done.stdout)
        check(result["accepts"] > 0 == result["others"], f"not all were accepted: {result}")
        self.forget_audit()
        return result["rate"], (cpu_ms(self.radius_pid()) - before) / result["accepts"]

    def eap(self) -> None:
        ports = {"plain": self.eap_port, "trusted": self.radius.wifi_port}
        for port in ports.values():
            self._eap_load(port)
        rates: dict[str, list[float]] = {name: [] for name in ports}
        costs: dict[str, list[float]] = {name: [] for name in ports}
        for number in range(ROUNDS):
            for name in list(ports) if number % 2 else list(reversed(ports)):
                rate, cost = self._eap_load(ports[name])
                rates[name].append(rate)
                costs[name].append(cost)
            say(f"round {number + 1} of {ROUNDS}: "
                + ", ".join(f"{name} {rates[name][-1]:.0f}/s {costs[name][-1]:.2f} ms"
                            for name in ports))
        for name in ports:
            figure(f"eap_tls_{name}_rate", round(statistics.median(rates[name])), "logins/s")
        for label, of in (("eap_tls_vs_plain", rates), ("eap_tls_cpu_vs_plain", costs)):
            ratios = [a / b for a, b in zip(of["trusted"], of["plain"])]
            figure(label, statistics.median(ratios), "ratio")
        self._cold()

    def _eap_time(self, device: str) -> float:
        tls = eap_tls.context(self.pki["authorities"]["radius_ca"], self.pki["devices"][device])
        client = self.radius.client(self.radius.wifi_port, NAS_Identifier="bench-ap",
                                    Calling_Station_Id="02-00-00-00-00-01")
        started = time.monotonic()
        reply = eap_tls.Conversation(client, "alice", tls).run()
        check(reply.code == rad.ACCEPT, f"{device} was not let in by EAP-TLS: {reply}")
        return time.monotonic() - started

    def _pap_time(self, device: str) -> float:
        pair = "mdm-tlv=device-uid=" + self.pki["devices"][device]["device_id"]
        started = time.monotonic()
        reply = self.client().login("alice", Cisco_AVPair=["mdm-tlv=device-platform=win", pair])
        check(reply.code == rad.ACCEPT, f"{device} was not let in by the VPN: {reply}")
        return time.monotonic() - started

    def _cold(self) -> None:
        """A look-up alone is what a login by password waits for in the same server."""
        names = [f"cold-{i}" for i in range(2 * COLD + 2)]
        for name in names:
            self.sim.enrol_device(self.pki["devices"][name]["device_id"], user=login_of("alice"))
        self._eap_time(names.pop())  # the token and the connections are there
        self._pap_time(names.pop())
        self.sim.fault("delay", listener="graph", seconds=GRAPH_DELAY)
        try:
            cold = [(self._eap_time(names.pop()), self._pap_time(names.pop()))
                    for _ in range(COLD)]
        finally:
            self.sim.clear_faults()
        warm = [self._eap_time(f"cold-{2 * COLD + 1}") for _ in range(COLD)]
        eap, lookup = (statistics.median(column) for column in zip(*cold))
        handshake = statistics.median(warm)
        say(f"cold {eap * 1e3:.0f} ms, look-up alone {lookup * 1e3:.0f} ms, "
            f"warm {handshake * 1e3:.0f} ms")
        figure("eap_tls_cold_ms", eap * 1e3, "ms")
        figure("eap_tls_cold_over_lookup", eap / max(lookup, handshake), "ratio")

    def paced(self) -> list[dict[str, Any]]:
        return [self.load(self.radius.vpn_port, PACED_SECONDS, PACED_CONCURRENCY, PACE)
                for _ in range(PACED_ROUNDS)]

    def parked(self) -> None:
        names = [f"guest{i:05}" for i in range(PARKED)]
        say(f"making {PARKED} people")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: self.sim.add_user(login_of(n), factors=(PUSH,)), names))
        self.sim.org(rate_limit=PENDING_LIMIT)
        self.paced()
        calm, threads, size = self.paced(), self.radius.threads(), memory(self.radius_pid())
        with self._waiting("guest"):
            full, grown, grown_size = (self.paced(), self.radius.threads(),
                                       memory(self.radius_pid()))
            waiting = len(self.sim.pushes(result="WAITING"))
            check(waiting == PARKED, f"only {waiting} of {PARKED} pushes are still pending")
            noticed = [self._noticed(name) for name in names[::PARKED // 4]]
        self.sim.org(rate_limit=100_000)
        figure("pending_5000_429s", sum(r["status"] == 429
                                        for r in self.sim.requests(limit=1_000_000)), "replies")
        figure("pending_5000_noticed_ms", round(1000 * statistics.mean(noticed)), "ms")
        calm += self.paced()
        for name in ("p99", "p50"):
            with_all, without = ([r[name + "_us"] for r in results] for results in (full, calm))
            say(f"{name} in us: {without} without, {with_all} with {PARKED} parked")
            figure(f"radius_fast_{name}_with_5000_parked",
                   statistics.median(with_all) / statistics.median(without), "ratio")
            figure(f"radius_fast_{name}_us", round(statistics.median(with_all)), "us")
        figure("radius_threads_with_5000_parked", grown, "threads")
        figure("radius_threads_without", threads, "threads")
        figure("radius_memory_per_parked", (grown_size - size) * 1024 / PARKED, "KB")

    def _noticed(self, name: str) -> float:
        """Seconds from an approval until the sign-on has ended."""
        self.sim.approve(login_of(name))
        approved = time.monotonic()
        self._until(lambda: bool(self.site.sign_ons(name)), f"{name} gets in", 0.02)
        return time.monotonic() - approved

    def handshakes(self) -> None:
        """TLS handshakes with Okta over sign-ons by push, in one process that is busy."""
        names = [f"busy{i:05}" for i in range(SIGN_ONS)]
        for name in names:
            self.sim.add_user(login_of(name), factors=(PUSH,), push="approve")
        before = self.front.connections()
        command = self.tool("park", self.radius.vpn_port, "busy", "--count", str(SIGN_ONS))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as tool:
            assert tool.stdin is not None and tool.stdout is not None
            self._until(lambda: sum(len(self.site.sign_ons(n)) > 0 for n in names[-20:]) == 20
                        and len(self.site.sign_ons()) >= SIGN_ONS, "everybody is answered")
            tool.stdin.close()
            say("sign-ons: " + tool.stdout.read().strip())
        figure("tls_handshakes_per_1000_signons", self.front.connections() - before, "handshakes")
        self.forget_audit()

    def overhead(self) -> None:
        """From an approval to the end of the login, less half the poll interval."""
        names = [f"prompt{i:02}" for i in range(OVERHEAD_PUSHES)]
        waiting = []
        for name in names:
            self.sim.add_user(login_of(name), factors=(PUSH,))
            waiting.append(self.client().start(name))
            time.sleep(POLL_INTERVAL / OVERHEAD_PUSHES)
        self.sim.wait_push(count=OVERHEAD_PUSHES)

        def until_answered(number: int) -> float:
            reply = waiting[number].wait(LIMIT)
            check(reply.code == rad.ACCEPT, str(reply))
            return time.monotonic()

        with ThreadPoolExecutor(OVERHEAD_PUSHES) as pool:
            ends = [pool.submit(until_answered, i) for i in range(OVERHEAD_PUSHES)]
            approved = []
            for name in names:
                self.sim.approve(login_of(name))
                approved.append(time.monotonic())
            took = [end.result() - start for end, start in zip(ends, approved)]
        figure("push_overhead_ms", round(1000 * (statistics.mean(took) - POLL_INTERVAL / 2)), "ms")

    def waiting(self) -> None:
        """What devtrustd grows by for each login that waits at a prompt."""
        assert self.world.daemon is not None
        self.world.service("sshd")
        self.sim.add_user(login_of("dtbob"), factors=(TOTP,))
        pid = self.world.daemon.pid
        with contextlib.ExitStack() as logins:
            sizes = []
            for _ in range(2):  # those of the first half bring the memory that is used again
                started = [logins.enter_context(self.world.harness(
                    "--service", "sshd", "--user", "dtbob")) for _ in range(WAITING_LOGINS)]
                for login in started:
                    login.prompt()
                sizes.append(memory(pid))
        figure("devtrustd_memory_per_waiting", (sizes[1] - sizes[0]) * 1024 / WAITING_LOGINS, "KB")

    @contextlib.contextmanager
    def _waiting(self, prefix: str) -> Iterator[None]:
        """PARKED people whose pushes are pending; they get their answers in the end."""
        command = self.tool("park", self.radius.vpn_port, prefix, "--count", str(PARKED))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as tool:
            assert tool.stdin is not None and tool.stdout is not None
            try:
                started = time.monotonic()
                tool.stdout.readline()
                self.sim.wait_push(count=PARKED, timeout=LIMIT)
                say(f"{PARKED} pushes are pending after {time.monotonic() - started:.1f} s")
                yield
                for push in self.sim.pushes(result="WAITING"):
                    with contextlib.suppress(SimFailed):  # its wait has ended meanwhile
                        self.sim.deny(push["user"], wait=0)
                self._until(lambda: len(self.site.sign_ons()) >= PARKED, "everybody is answered")
            finally:
                tool.stdin.close()
                say("parked: " + tool.stdout.read().strip())
        self.forget_audit()

    @staticmethod
    def _until(condition: Callable[[], bool], what: str, pause: float = 0.5) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            check(time.monotonic() < deadline, f"waited in vain until {what}")
            time.sleep(pause)

    def pam(self) -> None:
        lines = {"permit": ["pam_permit.so"] * 2, "trusted": [self.world.module_line()] * 2}
        duo = self._duo()
        if duo is not None:
            lines["duo"] = [duo, "pam_permit.so"]
        directories = []
        for name, (auth, account) in lines.items():
            directory = self.world.directory / f"pam-{name}"
            directory.mkdir()
            (directory / "sshd").write_text(f"auth required {auth}\naccount required {account}\n")
            directories.append(str(directory))
        what = ["sshd", "dtalice", self.ssh_info]
        self._pam_login("time", 5, *what, *directories)
        batches = [self._pam_login("time", PAM_RUNS, *what, *directories)
                   for _ in range(PAM_BATCHES)]
        say(f"ms with {', '.join(lines)}: "
            + ", ".join(" ".join(f"{took:.3f}" for took in batch) for batch in batches))
        figure("pam_permit_ms", statistics.median(b[0] for b in batches), "ms")
        figure("pam_trusted_ms_over_permit", statistics.median(b[1] - b[0] for b in batches), "ms")
        if duo is not None:
            figure("pam_duo_ms_over_permit", statistics.median(b[2] - b[0] for b in batches), "ms")
            figure("pam_trusted_vs_pam_duo", statistics.median(
                (b[1] - b[0]) / (b[2] - b[0]) for b in batches), "ratio")
        rates = [self._pam_login("rate", PAM_RATE_SECONDS, *what, directories[n], PAM_CLIENTS)[0]
                 for n in (0, 1)]
        figure("pam_logins_per_second", rates[1], "per second")
        figure("pam_logins_vs_permit", rates[1] / rates[0], "ratio")
        self.forget_audit()
        assert self.world.daemon is not None
        figure("devtrustd_memory", memory(self.world.daemon.pid), "MB")

    def _duo(self) -> Optional[str]:
        """pam_duo as it lets people in without asking Duo: the person is in none of its groups."""
        try:
            root = pamworld.unpack_packages("duo", "libpam-duo")
        except AssertionError as error:
            say(f"pam_trusted_vs_pam_duo is not measured, there is no libpam-duo: {error}")
            return None
        modules, libraries = list(root.rglob("pam_duo.so")), list(root.rglob("libduo.so.3"))
        check(modules and libraries, f"libpam-duo has other files: {root}")
        os.environ["LD_LIBRARY_PATH"] = str(libraries[0].parent)  # for all that are compared
        path = self.world.directory / "pam_duo.conf"
        path.write_text("[duo]\nikey = DI0\nskey = none\nhost = api-none.duosecurity.com\n"
                        "groups = root\n")
        path.chmod(0o600)
        return f"{modules[0]} conf={path}"

    def _pam_login(self, *arguments: Any) -> list[float]:
        done = self.world.run([TOOLS / "pam_login", *arguments])
        check(done.returncode == 0, "pam_login: " + done.stderr + "\n"
              + self.world.log_path.read_text()[-2000:])
        return [float(line.split()[1]) for line in done.stdout.splitlines()]

    def crowd(self) -> None:
        """CROWD people who wait for their phones at devtrustd, all at once, and get in."""
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        names = [f"crowd{i:05}" for i in range(CROWD)]
        say(f"making {CROWD} people")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: self.sim.add_user(login_of(n), factors=(PUSH,)), names))
        self.sim.org(rate_limit=10_000_000)
        self.site.set_policy(guide_policy(DOOR))
        self.world.restart_daemon({"daemon": {"max_sign_ons": str(2 * CROWD)},
                                   "mfa": {"wait_pam": "60s"}})
        assert self.world.daemon is not None
        size = memory(self.world.daemon.pid)
        with Crowd(self.site.socket_path, names) as crowd:
            began = time.monotonic()
            crowd.serve(lambda: crowd.prompted == CROWD or bool(crowd.causes))
            waiting = len(self.sim.pushes(result="WAITING"))
            say(f"{waiting} pushes are pending after {time.monotonic() - began:.1f} s")
            grown = memory(self.world.daemon.pid)
            with ThreadPoolExecutor(4) as pool:
                approved = pool.map(lambda n: self.sim.approve(login_of(n), wait=0), names)
                crowd.serve(lambda: crowd.ended == CROWD)
                list(approved)
        say(f"how they ended: {dict(crowd.causes)}, after {time.monotonic() - began:.1f} s")
        figure("daemon_waiting_10000", crowd.causes["MFA_SUCCESS"], "logins")
        figure("daemon_waiting_10000_pending", waiting, "logins")
        figure("daemon_waiting_10000_memory", (grown - size) * 1024 / CROWD, "KB")
        self.forget_audit()

    def calls(self) -> None:
        before = self.sim.count("okta.total")
        for _ in range(LOGINS):
            reply = self.client().login("alice", Cisco_AVPair=self.pairs())
            check(reply.code == rad.ACCEPT, str(reply))
        figure("okta_calls_trusted", self.sim.count("okta.total") - before, "calls")
        self.sim.add_user(login_of("bob"), factors=(PUSH,), push="approve", after=0.5)
        self._push()  # now the Okta id of bob is known
        self.sim.set_push(login_of("bob"), "approve", APPROVED_AFTER)
        total, polls = self._push()
        figure("okta_calls_push", total - polls, "calls")
        figure("okta_polls_push", polls, "calls")
        figure("okta_calls_per_signon_push", total, "calls")
        self.sim.add_user(login_of("dtcarol"), factors=(TOTP,))
        self.world.service("sshd")
        for _ in range(2):  # at the second one the Okta id is known
            before = self.sim.count("okta.total")
            with self.world.harness("--service", "sshd", "--user", "dtcarol") as login:
                login.prompt()
                login.answer(self.sim.passcode(login_of("dtcarol")))
                check(login.finish(LIMIT)["auth"] == "SUCCESS", "the passcode was not taken")
        figure("okta_calls_per_signon_totp", self.sim.count("okta.total") - before, "calls")

    def devices(self) -> None:
        directory = self.world.directory / "device-cache"
        directory.mkdir(mode=0o700)
        done = subprocess.run([TOOLS / "device_cache", directory, str(FEW_DEVICES),
                               str(MANY_DEVICES), str(ROUNDS)],
                              capture_output=True, text=True, timeout=LIMIT, check=False)
        check(done.returncode == 0, done.stderr)
        rounds = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
        figure("device_cache_lookup_us", statistics.median(many for _, many in rounds), "us")
        figure("device_cache_growth", statistics.median(many / few for few, many in rounds),
               "ratio")
        shutil.rmtree(directory)
        self._sync()

    def _sync(self) -> None:
        """Calls to Graph of a sync of 1,000 devices, those that are there already included."""
        there = len(self.sim.call("GET", "/devices"))
        for number in range(there, FLEET):
            self.sim.enrol_device(str(uuid.UUID(int=number)))
        self.sim.org(devices_page_size=FLEET)
        before = self.sim.count("graph.total")
        done = subprocess.run([rad.BUILD / "devtrustctl", "device", "sync", "--quiet", "--config",
                               self.site.config_path],
                              capture_output=True, text=True, timeout=LIMIT, check=False)
        check(done.returncode == 0 and done.stdout.startswith(f"{FLEET} devices kept"),
              done.stdout + done.stderr)
        figure("device_sync_calls_per_1000", self.sim.count("graph.total") - before, "calls")

    def _push(self) -> tuple[int, int]:
        """All calls of one sign-on by push, and the polls among them."""
        before = self.sim.count("okta.total"), self.sim.count("okta.poll")
        reply = self.client().login("bob")
        check(reply.code == rad.ACCEPT, str(reply))
        return self.sim.count("okta.total") - before[0], self.sim.count("okta.poll") - before[1]

    @staticmethod
    def _policy_tool(*arguments: Any) -> list[tuple[float, ...]]:
        done = subprocess.run([str(TOOLS / "policy_decide"), *map(str, arguments)],
                              capture_output=True, text=True, timeout=LIMIT, check=False)
        check(done.returncode == 0, done.stderr)
        return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]

    def policy(self) -> None:
        rounds = self._policy_tool("decide", ROUNDS, FEW_NETWORKS, MANY_NETWORKS,
                                   FEW_RULES, MANY_RULES)
        say("ns of a decision with 10 rules, with few and with many networks; of a rule of few and "
            f"of many: {rounds}")
        figure("policy_decide_ns", statistics.median(r[0] for r in rounds), "ns")
        figure("policy_growth_networks", statistics.median(r[2] / r[1] for r in rounds), "ratio")
        figure("policy_growth_rules", statistics.median(r[4] / r[3] for r in rounds), "ratio")
        took, kept, most = self._policy_tool("load", MANY_NETWORKS, MANY_RULES)[0]
        figure("policy_load_ms", round(took), "ms")
        figure("policy_memory", kept, "MB")
        figure("policy_load_memory", most, "MB")

    def prove(self) -> None:
        """policy prove with a planted hole and without: properties, all of it, and memory."""
        for count in PROVED_RULES:
            for hole in (False, True):
                answer, took, memory_taken = self._prove(large_policy(count, hole))
                mfa = next(p for p in answer["properties"] if p["name"] == "mfa")
                check(mfa["result"] == ("refuted" if hole else "proved"), str(mfa))
                name = f"prove_{count}_rules" + ("_hole" if hole else "")
                figure(f"{name}_ms", answer["propertiesMilliseconds"], "ms")
                figure(f"{name}_all_ms", round(took * 1000), "ms")
                figure(f"{name}_memory", memory_taken, "MB")

    @staticmethod
    def _prove(policy: dict[str, Any]) -> tuple[dict[str, Any], float, float]:
        with tempfile.TemporaryDirectory() as folder:
            path, zones = Path(folder) / "x.json", Path(folder) / "zones.json"
            path.write_text(json.dumps(policy))
            zones.write_text(json.dumps({"zones": ZONES}))
            begin = time.monotonic()
            with subprocess.Popen([rad.BUILD / "devtrustctl", "policy", "prove", path, "--zones",
                                   zones, "--json", "--seconds", "600"],
                                  stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                answer = json.loads(process.stdout.read())
                _, _, usage = os.wait4(process.pid, 0)
                process.returncode = 0  # it was waited for
            return answer, time.monotonic() - begin, usage.ru_maxrss / 1024

    def x509(self) -> None:
        files = self.pki["devices"]["device-rsa"]["files"]
        done = subprocess.run([str(TOOLS / "x509_verdict"), str(X509_ROUNDS),
                               self.pki["authorities"]["shared_root"], files["chain"],
                               self.pki["tenant_id"]], text=True, capture_output=True,
                              timeout=LIMIT)
        check(done.returncode == 0, done.stderr)
        ours, plain, ratio = (float(word) for word in done.stdout.split())
        say(f"a verdict takes {ours:.0f} us, OpenSSL's verification alone {plain:.0f} us")
        figure("x509_verdict_us", ours, "us")
        figure("x509_verdict_vs_openssl", ratio, "ratio")


FIGURES = ("throughput", "calls", "crowd", "devices", "eap", "handshakes", "overhead", "pam",
           "parked", "policy", "prove", "waiting", "x509")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", metavar="FIGURES",
                        help=f"some of {', '.join(FIGURES)}")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    if set(options.only) - set(FIGURES):
        parser.error(f"choose from {', '.join(FIGURES)}")
    try:
        with Bench() as bench:
            for name in FIGURES:
                if not options.only or name in options.only:
                    say(name)
                    getattr(bench, name)()
    except (Failed, AssertionError, OSError, subprocess.SubprocessError) as error:
        say(f"not measured: {type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
