#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# `make demo`: the whole journey on real servers, told as it happens. Each step checks what it
# tells: what the client got, the audit event, and how often Okta was asked. Ends with 1 when
# anything went otherwise, and cleans up after itself whatever happens.
"""Plays the whole journey. KEEP=1 leaves it running; --stop ends all that run."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pexpect  # noqa: E402

from tests.demo import runs  # noqa: E402
from tests.demo.narrator import Narrator, Row  # noqa: E402
from tests.demo.stage import (CACHE_TTL, LIMIT, Deviation, Stage, expect, login_of)  # noqa: E402
from tests.lib import radius as rad  # noqa: E402
from tests.lib.pamworld import BUILD  # noqa: E402
from tests.lib.site import NOT_TRUSTED_RULE, TRUSTED_RULE  # noqa: E402
from tests.lib.sshd import PROMPT  # noqa: E402
from tests.sim.client import SimFailed  # noqa: E402

CROWD = 500
LOGINS_MEANWHILE = 200
QUICK = 1.0  # seconds; a login that waits for somebody's push takes longer than that
STATION = "02-00-00-00-00-01"
HELLO = ("echo", "I-am-in")
CHECK_ACCESS = "Check access"
TOLD = ("evidence", "verdict", "decision")  # what the demo shows of devtrustctl explain

NOTES = BUILD / "demo"
LOGS = BUILD / "demo" / "logs"


class Stopped(BaseException):
    """Somebody asked the demo to end."""


# --- SSH ---------------------------------------------------------------------------------------

class Terminal:
    """A person with ssh at a terminal."""

    def __init__(self, stage: Stage, user: str, key: Path) -> None:
        self.narrator = stage.narrator
        self.narrator.command(["ssh", "-p", str(stage.sshd.port), "-i", key.name,
                               user + "@127.0.0.1"])
        self.started = time.monotonic()
        self.child = stage.sshd.connect(user, key, *HELLO)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def prompt(self) -> str:
        """What the person is asked."""
        found = self.child.expect([PROMPT, HELLO[1], pexpect.EOF, pexpect.TIMEOUT])
        shown = self.child.before + (self.child.after if found < 2 else "")
        self.narrator.screen(shown)
        expect(found == 0, "no prompt was shown")
        return " ".join(shown.split())

    def enter(self) -> None:
        self.child.sendline("")

    def is_in(self) -> float:
        """Seconds until the command ran there, with nothing asked on the way."""
        found = self.child.expect([HELLO[1] + "\r?\n", PROMPT, pexpect.EOF, pexpect.TIMEOUT])
        took = time.monotonic() - self.started
        self.narrator.screen(self.child.before + (self.child.after if found < 2 else ""))
        expect(found != 1, "a prompt was shown")
        expect(found == 0, "ssh did not get in")
        self.child.expect(pexpect.EOF)
        return took

    def is_refused(self) -> None:
        found = self.child.expect([HELLO[1], pexpect.EOF, pexpect.TIMEOUT])
        self.narrator.screen(self.child.before)
        expect(found == 1, "ssh was not refused")
        self.child.close()
        expect(self.child.exitstatus not in (0, None), "ssh says it was let in")


def number_in(prompt: str) -> int:
    found = re.search(r"number (\d+) in Okta Verify", prompt)
    expect(found, "the prompt shows no number")
    assert found is not None
    return int(found.group(1))


# --- RADIUS ------------------------------------------------------------------------------------

def radclient(stage: Stage, **attributes: str) -> str:
    """FreeRADIUS's own client at the VPN's port; what it printed."""
    given = {"NAS-Identifier": "vpn-gateway", "Calling-Station-Id": "198.51.100.7",
             **{k.replace("_", "-"): v for k, v in attributes.items()},
             "Message-Authenticator": "0x00"}
    shown = {**given, "User-Password": "***"}
    stage.narrator.command(["radclient", f"127.0.0.1:{stage.radius.vpn_port}", "auth", "..."])
    stage.narrator.screen(", ".join(f"{k} = {v[:24]}" for k, v in shown.items()))
    output = rad.radclient(stage.radius.vpn_port, given)
    answer = output[output.find("Received"):] if "Received" in output else output
    stage.narrator.screen("\n".join(line.strip() for line in answer.splitlines()
                                    if "Message-Authenticator" not in line))
    return output


def attribute(output: str, name: str) -> str:
    """A value in what radclient printed of the answer."""
    found = re.search(rf"^\s*{name} = (.*)$", output[output.find("Received"):], re.MULTILINE)
    expect(found, f"the answer holds no {name}")
    assert found is not None
    return found.group(1).strip('"')


def device_pairs(stage: Stage) -> list[str]:
    """What AnyConnect says of Alice's laptop."""
    return ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + stage.laptop["device_id"]]


# --- the steps ---------------------------------------------------------------------------------

def ssh_trusted(stage: Stage) -> str:
    certificate = stage.laptop["files"]["certificate"]
    stage.narrator.say("The administrator enrols the device certificates of the fleet, once. Their "
                       "keys are then known as SSH keys.")
    stage.narrator.command(["devtrustctl", "device", "add", Path(certificate).name])
    stage.narrator.screen(stage.control("device", "add", certificate))
    stage.narrator.say("Alice comes from her laptop: managed by Intune, compliant.")
    seen = stage.seen()
    with stage.calls() as made, Terminal(stage, stage.alice, stage.laptop_key) as terminal:
        took = terminal.is_in()
    event = stage.outcome(seen, stage.alice, "sshd", "RULE_ALLOW")
    expect(event["verdict"] == "TRUSTED", f"the verdict is {event['verdict']}")
    expect(event["rule"] == TRUSTED_RULE, f"the rule was {event['rule']}")
    expect(set(event["evidence"].split("+")) == {"ssh-key", "intune"}, event["evidence"])
    expect(made.get("okta.total", 0) == 0, f"Okta was asked: {stage.told(made)}")
    return f"in after {took:.2f} s, nothing asked, 0 Okta calls"


def ssh_unknown(stage: Stage) -> str:
    stage.narrator.say("Alice comes from a machine that nobody knows. Her key is hers, the device "
                       "is not the company's.")
    seen = stage.seen()
    with stage.calls() as made, Terminal(stage, stage.alice, stage.other_key) as terminal:
        number = number_in(terminal.prompt())
        stage.narrator.say(f"Her phone shows three numbers. She picks {number} and presses Enter "
                           "at the terminal.")
        stage.sim.approve(login_of(stage.alice), number=number)
        terminal.enter()
        took = terminal.is_in()
    event = stage.outcome(seen, stage.alice, "sshd", "MFA_SUCCESS")
    expect(event["factor"] == "push" and event["rule"] == NOT_TRUSTED_RULE, str(event))
    expect(made.get("okta.verify") == 1, f"not one push: {stage.told(made)}")
    stage.narrator.say(stage.told(made))
    return f"number {number} shown, in after {took:.2f} s"


def vpn_passcode(stage: Stage) -> str:
    stage.narrator.say("Carol signs in to the VPN from an unknown device, with her password.")
    seen = stage.seen()
    with stage.calls() as made:
        first = radclient(stage, User_Name="carol", User_Password=rad.PASSWORD)
        expect("Received Access-Challenge" in first, "no Access-Challenge came")
        expect("passcode" in attribute(first, "Reply-Message"), "no passcode is asked for")
        stage.narrator.say("The VPN client shows that text; she types the six digits that her "
                           "phone shows. The State goes back with them.")
        second = radclient(stage, User_Name="carol", State=attribute(first, "State"),
                           User_Password=stage.sim.passcode(login_of("carol")))
        expect("Received Access-Accept" in second, "the passcode did not get her in")
    event = stage.outcome(seen, "carol", "vpn", "MFA_SUCCESS")
    expect(event["factor"] == "token:software:totp", f"the factor was {event['factor']}")
    expect(made.get("okta.verify") == 1, f"not one passcode check: {stage.told(made)}")
    stage.narrator.say(stage.told(made))
    return "challenged, passcode accepted, in"


def wait_in_crowd(stage: Stage) -> list[rad.Pending]:
    """Five hundred people whose pushes nobody answers yet."""
    names = [f"guest{i:03}" for i in range(CROWD)]
    for name in names:
        stage.sim.add_user(login_of(name), factors=("push",))
    client = stage.radius.client(NAS_Identifier="vpn-gateway")
    started = time.monotonic()
    pending = [client.start(name, Calling_Station_Id=f"198.18.{i // 250}.{i % 250 + 1}")
               for i, name in enumerate(names)]
    stage.sim.wait_push(count=CROWD, timeout=LIMIT)
    stage.narrator.say(f"{CROWD} people wait for their pushes after "
                       f"{time.monotonic() - started:.1f} s.")
    return pending


def logins_meanwhile(stage: Stage) -> list[float]:
    """Alice's laptop, trusted, again and again."""
    client = stage.radius.client(NAS_Identifier="vpn-gateway", Calling_Station_Id="198.51.100.7")
    replies = [client.login(stage.alice, Cisco_AVPair=device_pairs(stage))
               for _ in range(LOGINS_MEANWHILE)]
    expect(all(r.code == rad.ACCEPT for r in replies), "a trusted login was not let in")
    return sorted(r.elapsed for r in replies)


def release_crowd(stage: Stage, pending: list[rad.Pending]) -> None:
    """Everybody approves; everybody must get in."""
    for push in stage.sim.pushes(result="WAITING"):
        stage.sim.approve(push["user"])
    codes = [p.wait(LIMIT).code for p in pending]
    expect(codes.count(rad.ACCEPT) == CROWD,
           f"{codes.count(rad.ACCEPT)} of {CROWD} got in after approving")
    stage.narrator.say(f"The {CROWD} approve, too: {CROWD} of {CROWD} get in.")


def vpn_crowd(stage: Stage) -> str:
    stage.narrator.say("A push takes a person a while, and a RADIUS server has few threads. Bob "
                       f"signs in to the VPN, and so do {CROWD} others at the same time.")
    before = logins_meanwhile(stage)
    threads = stage.radius.threads()
    pending = wait_in_crowd(stage)
    seen = stage.seen()
    with ThreadPoolExecutor(1) as pool:
        bob = pool.submit(radclient, stage, User_Name=stage.bob, User_Password=rad.PASSWORD)
        stage.sim.wait_push(login_of(stage.bob), timeout=LIMIT)
        meanwhile = logins_meanwhile(stage)
        grown = stage.radius.threads()
        stage.narrator.say(f"While {CROWD + 1} wait: radiusd has {grown} threads (before: "
                           f"{threads}). {LOGINS_MEANWHILE} logins from Alice's trusted laptop "
                           f"took {1000 * statistics.median(meanwhile):.2f} ms each (before: "
                           f"{1000 * statistics.median(before):.2f} ms), the slowest "
                           f"{1000 * meanwhile[-1]:.1f} ms.")
        stage.sim.approve(login_of(stage.bob))
        answer = bob.result()
    expect("Received Access-Accept" in answer, "Bob's push did not get him in")
    stage.outcome(seen, stage.bob, "vpn", "MFA_SUCCESS")
    release_crowd(stage, pending)
    expect(statistics.median(meanwhile) < QUICK, "other logins had to wait")
    expect(grown < CROWD // 4, f"radiusd grew to {grown} threads")
    return (f"in; {grown} threads, others take {1000 * statistics.median(meanwhile):.2f} ms "
            f"(alone {1000 * statistics.median(before):.2f})")


def wifi(stage: Stage) -> rad.Eap:
    """Alice's laptop at an access point, by a real supplicant."""
    stage.narrator.command(["eapol_test", "-c", "laptop.conf", "-p",
                            str(stage.radius.wifi_port), "-M", STATION])
    end = rad.eap_tls(stage.radius, stage.alice, stage.laptop, station=STATION)
    stage.narrator.screen("EAP-TLS: " + ("Access-Accept, keys agreed" if end.success
                                         else "Access-Reject"))
    return end


def wifi_trusted(stage: Stage) -> str:
    stage.narrator.say("The same laptop joins the Wi-Fi by EAP-TLS, with its Intune certificate.")
    seen = stage.seen()
    with stage.calls() as made:
        end = wifi(stage)
    expect(end.success and end.accepts == 1, "the laptop was not let in")
    event = stage.outcome(seen, stage.alice, "wifi", "RULE_ALLOW")
    expect(event["verdict"] == "TRUSTED", f"the verdict is {event['verdict']}")
    expect(set(event["evidence"].split("+")) == {"certificate", "intune"}, event["evidence"])
    expect(made.get("okta.total", 0) == 0, f"Okta was asked: {stage.told(made)}")
    return "in by certificate, nothing asked, 0 Okta calls"


def wait_until_noticed(stage: Stage) -> None:
    """Until Intune's earlier answer has grown too old to be used."""
    command = ["explain", "--user", stage.alice, "--application", "sshd", "--ssh-key",
               str(stage.laptop_public)]
    stage.narrator.command(["devtrustctl", *command[:-1], stage.laptop_public.name])
    deadline = time.monotonic() + LIMIT
    while True:
        told = stage.control(*command)
        if "NOT_COMPLIANT" in told:
            stage.narrator.screen("\n".join(line for line in told.splitlines()
                                            if line.startswith(TOLD)))
            return
        expect(time.monotonic() < deadline, "the change was not noticed")
        time.sleep(0.25)


def ssh_noncompliant(stage: Stage) -> str:
    seen = stage.seen()
    with Terminal(stage, stage.alice, stage.laptop_key) as terminal:
        prompt = terminal.prompt()
        expect(CHECK_ACCESS in prompt, f'the prompt does not tell of "{CHECK_ACCESS}"')
        stage.narrator.say("The prompt says what to do about it. For now she approves the push.")
        stage.sim.approve(login_of(stage.alice), number=number_in(prompt))
        terminal.enter()
        terminal.is_in()
    event = stage.outcome(seen, stage.alice, "sshd", "MFA_SUCCESS")
    expect(event["deviceReason"] == "NOT_COMPLIANT", f"reason {event['deviceReason']}")
    return "SSH: told the way, MFA"


def wifi_noncompliant(stage: Stage) -> str:
    stage.narrator.say("On the Wi-Fi there is no prompt: a push asks her. She says no; the "
                       "certificate alone does not get the laptop in any more.")
    stage.sim.set_push(login_of(stage.alice), "deny", 1.0)
    seen = stage.seen()
    end = wifi(stage)
    stage.sim.set_push(login_of(stage.alice), "manual")
    expect(not end.success and end.accepts == 0, "the laptop was let in")
    event = stage.outcome(seen, stage.alice, "wifi", "MFA_REJECTED")
    expect(event["deviceReason"] == "NOT_COMPLIANT", f"reason {event['deviceReason']}")
    return "Wi-Fi: refused without MFA"


def noncompliant(stage: Stage) -> str:
    stage.narrator.say("Intune finds that Alice's laptop is no longer compliant. It takes at most "
                       f"cache_ttl (here {CACHE_TTL} s) until that counts.")
    stage.sim.make_noncompliant(stage.laptop["device_id"])
    try:
        wait_until_noticed(stage)
        return ssh_noncompliant(stage) + "; " + wifi_noncompliant(stage)
    finally:
        stage.sim.make_compliant(stage.laptop["device_id"])


def push_denied(stage: Stage) -> str:
    stage.narrator.say("Somebody has got hold of Bob's key. The push goes to Bob's phone, and Bob "
                       "says no.")
    seen = stage.seen()
    with stage.calls() as made, Terminal(stage, stage.bob, stage.other_key) as terminal:
        terminal.prompt()
        stage.sim.deny(login_of(stage.bob))
        terminal.enter()
        terminal.is_refused()
    stage.outcome(seen, stage.bob, "sshd", "MFA_REJECTED")
    expect(made.get("okta.verify") == 1, f"not one push: {stage.told(made)}")
    return "refused"


STEPS: tuple[tuple[str, str, Callable[[Stage], str]], ...] = (
    ("SSH, enrolled and compliant laptop", "in, nothing asked, no MFA", ssh_trusted),
    ("SSH, unknown machine", "push with number, approved: in", ssh_unknown),
    ("VPN, unknown device", "passcode by challenge: in", vpn_passcode),
    (f"VPN, push while {CROWD} others wait", "in; others not slowed down", vpn_crowd),
    ("Wi-Fi, Intune certificate", "in, no MFA", wifi_trusted),
    ("the same laptop, not compliant", 'not silently; told "Check access"', noncompliant),
    ("SSH, push denied", "refused", push_denied),
)


# --- the play ----------------------------------------------------------------------------------

def play(stage: Stage) -> list[Row]:
    """All steps, each in its turn, whatever became of the one before."""
    rows = []
    for number, (title, expected, step) in enumerate(STEPS, 1):
        stage.narrator.title(f"{number}  {title}: {expected}")
        started = time.monotonic()
        try:
            got, good = step(stage), True
            stage.narrator.good(got)
        except (Deviation, SimFailed, AssertionError, OSError, LookupError,
                pexpect.ExceptionPexpect, subprocess.SubprocessError) as error:
            got, good = f"{type(error).__name__}: {error}".splitlines()[0][:60], False
            stage.narrator.bad(f"{type(error).__name__}: {error}")
        rows.append(Row(f"{number} {title}", expected, got, time.monotonic() - started, good))
    return rows


def by_hand(stage: Stage) -> Iterator[tuple[str, str]]:
    """What to try, and the command for it."""
    ctl, config, site = rad.BUILD / "devtrustctl", stage.site.config_path, stage.sim.control_url
    network = stage.world.directory / "laptop.conf"
    network.write_text(rad.tls_network(stage.radius, stage.alice, stage.laptop))
    alice, device = login_of(stage.alice), stage.laptop["device_id"]

    def login(user: str, key: Path) -> str:
        words = stage.sshd.command(user, key)
        return shlex.join(words[:-len(HELLO)])

    def vpn(user: str, more: str = "") -> str:
        return (f"echo 'User-Name={user},User-Password=\"{rad.PASSWORD}\",NAS-Identifier=gw,"
                f"{more}Message-Authenticator=0x00' | radclient -x -r 1 -t 60 "
                f"127.0.0.1:{stage.radius.vpn_port} auth {rad.SECRET.decode()}")

    yield "SSH from the trusted laptop", login(stage.alice, stage.laptop_key)
    yield "SSH from an unknown machine", login(stage.alice, stage.other_key)
    for answer, more in (("approve", " (to pick a number, add \"number\": 42)"), ("deny", "")):
        yield (f"{answer} the push on the phone{more}",
               f"curl -s {site}/pushes/answer -d '"
               f'{{"user": "{alice}", "answer": "{answer}", "wait": 30}}' "'")
    yield "VPN with a passcode: asks by challenge", vpn("carol")
    yield ("  a passcode; send it as User-Password, with the State that came",
           f"curl -s {site}/users/carol%40example.com/passcode")
    yield "VPN with a push (approve as above)", vpn(stage.alice)
    yield ("VPN from the trusted laptop",
           vpn(stage.alice, f'Cisco-AVPair="mdm-tlv=device-uid={device}",'))
    yield ("Wi-Fi by certificate", f"eapol_test -c {network} -a 127.0.0.1 -p "
           f"{stage.radius.wifi_port} -s {rad.SECRET.decode()}")
    yield ("make the laptop non-compliant (compliant)",
           f"curl -s -X PUT {site}/devices/{device} -d '" '{"complianceState": "noncompliant"}' "'")
    yield ("why?", f"{ctl} explain -c {config} --user {stage.alice} --application sshd "
           f"--ssh-key {stage.laptop_public}")
    yield "what happened", f"{ctl} log -c {config} --query 'authentication of device'"
    yield "stop it all", f"Enter here, or: kill {os.getpid()}, or: make demo-stop"


def keep_running(stage: Stage) -> None:
    """Until Enter, or a signal, which ends it as told."""
    stage.narrator.title("It keeps running. To try by hand:")
    for what, command in by_hand(stage):
        stage.narrator.line(f"   {what}")
        stage.narrator.line("      " + stage.narrator.paint("command", command))
    try:
        if sys.stdin.isatty():
            sys.stdin.readline()
        else:
            signal.pause()
    except Stopped as stopped:
        stage.narrator.say(f"Stopped by {stopped}.")


def stop_on_signals() -> None:
    def stop(number: int, _: Any) -> None:
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)  # cleaning up is not interrupted
        raise Stopped(signal.Signals(number).name)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def perform(narrator: Narrator, keep: bool) -> int:
    """The whole show; its exit status."""
    if runs.clear_stale(NOTES):
        narrator.say("Cleared up after an earlier demo that was killed.")
    narrator.title("devtrust: the whole journey on real servers")
    started = time.monotonic()
    with Stage(narrator, runs.Note(NOTES), LOGS) as stage:
        narrator.say(f"Real: OpenSSH (port {stage.sshd.port}), FreeRADIUS (VPN "
                     f"{stage.radius.vpn_port}, Wi-Fi {stage.radius.wifi_port}), devtrustd, ssh, "
                     "radclient, eapol_test. Simulated: the Okta org with everybody's phones, and "
                     f"Intune. Started in {time.monotonic() - started:.1f} s.")
        rows = play(stage)
        narrator.table(rows)
        good = all(row.good for row in rows)
        if not good:
            stage.keep_logs()
        if keep:
            keep_running(stage)
    return 0 if good else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stop", action="store_true", help="end every demo that runs")
    options = parser.parse_args()
    narrator = Narrator()
    if os.geteuid() != 0:
        narrator.bad("The demo starts servers in a mount namespace of its own: run it as root.")
        return 1
    if options.stop:
        narrator.say(f"{runs.stop_all(NOTES)} demos stopped.")
        return 0
    stop_on_signals()
    try:
        return perform(narrator, os.environ.get("KEEP", "") not in ("", "0", "no"))
    except (AssertionError, SimFailed, OSError, Deviation) as error:
        narrator.bad(f"The demo could not start or end: {type(error).__name__}: {error}")
        return 1
    except Stopped as stopped:
        narrator.say(f"Stopped by {stopped}; everything is cleaned up.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
