# SPDX-License-Identifier: GPL-2.0-or-later
# Why somebody was let in, and why not: what a refused person is shown, and what devtrustctl log
# says of it, with events of a real sshd and of a real FreeRADIUS.
"""devtrustctl log, and the code of a refusal."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pexpect
import pytest

from tests.integration.test_pam_ssh import let_in
from tests.lib import radius as rad
from tests.lib.pamworld import CTL, LIMIT, PamWorld, pam_world, wait_until
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World
from tests.lib.site import Site, catch_all, rule
from tests.lib.sshd import Sshd, install_device_key, make_key, public_key

PUSH, TOTP = "push", "token:software:totp"
CODE = r"Code: ([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})"


def log(site: Site, *arguments: str, code: int = 0) -> str:
    """What devtrustctl log prints."""
    done = subprocess.run([CTL, "log", *arguments, "-c", str(site.config_path)], text=True,
                          capture_output=True, timeout=LIMIT)
    assert done.returncode == code, done
    return done.stdout


def code_in(text: str) -> str:
    """The one code in it, on a line of its own."""
    found = re.findall("^" + CODE + r"\r?$", text, re.M)
    assert len(found) == 1, text
    return found[0]


def debug(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


# --- PAM: sshd ---------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pam(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        made.sim.add_user("dtalice@example.com", factors=[PUSH, TOTP])
        made.site.set_policy({"name": "sshd", "application": "sshd", "rules": [
            rule("Trusted", 1, "TRUSTED"), catch_all()]})
        made.start_daemon()
        yield made


@pytest.fixture(scope="module")
def sshd(pam: PamWorld) -> Iterator[Sshd]:
    with Sshd(pam) as made:
        yield made


def fingerprint(key: Any) -> str:
    done = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=public_key(key) + "\n", text=True,
                          check=True, capture_output=True)
    return done.stdout.split()[1]


def refused_text(sshd: Sshd, key: Any) -> str:
    """What ssh shows; at the log level of the other tests it shows no text of the server's."""
    command = ["LogLevel=INFO" if word == "LogLevel=ERROR" else word
               for word in sshd.command("dtalice", key)]
    done = subprocess.run(command, text=True, capture_output=True, timeout=LIMIT,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 255, done
    return done.stdout + done.stderr


def test_a_person_refused_by_sshd_reads_out_a_code(pam: PamWorld, sshd: Sshd) -> None:
    """The administrator finds by it which key it was, however it is typed."""
    key = make_key(pam.directory / "unknown-key")
    sshd.allow("dtalice", key)
    shown = code_in(refused_text(sshd, key))
    event = pam.outcome("sshd")
    assert debug(event)["code"] == shown and "Code:" not in debug(event)["message"]
    assert debug(event)["keysPresented"] == [{"source": "ssh-key", "name": fingerprint(key)}]
    for typed in (shown, shown.lower(), shown.replace("-", ""), " ".join(shown),
                  shown.replace("0", "o").replace("1", "l")):
        lines = log(pam.site, "--code", typed).splitlines()
        assert len(lines) == 2, lines  # of the device, and of the sign-on
        assert all(f'key="{fingerprint(key)}"' in text and f'code="{shown}"' in text
                   for text in lines)
        assert "DENY/RULE_DENY" in lines[1] and 'user="dtalice@example.com"' in lines[1]
    other = shown[:-1] + ("2" if shown[-1] != "2" else "3")
    assert log(pam.site, "--code", other, code=1) == ""
    assert log(pam.site, "--code", shown + "2", code=2) == ""


def test_whoever_gets_in_has_no_code(pam: PamWorld, sshd: Sshd) -> None:
    """The keys of an enrolled device are named by fingerprint and by the certificate's subject."""
    made = pam.pki["devices"]["device-p256"]
    pam.sim.enrol_device(made["device_id"], user="dtalice@example.com")
    pam.add_device(made["files"]["certificate"])
    key = install_device_key(pam, "device-p256")
    sshd.allow("dtalice", key)
    count = len(pam.site.sign_ons())
    let_in(sshd.connect("dtalice", key))
    event = pam.outcome("sshd", count + 1)
    subject = subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in",
                              made["files"]["certificate"]], text=True, check=True,
                             capture_output=True).stdout.strip().removeprefix("subject=")
    assert "code" not in debug(event)
    assert debug(event)["keysPresented"] == [{"source": "ssh-key", "name": fingerprint(key)},
                                             {"source": "ssh-key", "name": subject}]
    line = log(pam.site, "--id", event["transaction"]["id"]).splitlines()[-1]
    assert f'key="{fingerprint(key)}"' in line and "code=" not in line


# --- RADIUS ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def radius(tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[World]:
    settings = {"mfa": {"wait_vpn": "3s", "passcode_attempts": "1"}}
    with rad.start_world(tmp_path_factory.mktemp("log"), pki_index, settings=settings) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def events_of(world: World, code: str, count: int) -> list[str]:
    """The events are written a moment after the answer."""
    found: list[str] = []

    def there() -> bool:
        done = subprocess.run([CTL, "log", "--code", code, "-c", str(world.site.config_path)],
                              text=True, capture_output=True, timeout=LIMIT)
        found[:] = done.stdout.splitlines()
        return len(found) >= count

    wait_until(there, f"{count} events with {code}")
    assert len(found) == count, found
    return found


def test_a_denied_push_shows_a_code_in_the_reply(radius: World) -> None:
    user = radius.person("dora", PUSH, push="deny")
    reply = radius.client().login(user)
    assert reply.code == REJECT, reply
    lines = events_of(radius, code_in(reply.message), 2)
    assert "FAILURE/MFA_REJECTED" in lines[1], lines


def test_a_challenge_that_is_answered_wrongly_is_found_too(radius: World) -> None:
    """The code is that of the sign-on which the challenge began."""
    user = radius.person("wanda", TOTP)
    first = radius.client().login(user)
    assert first.code == CHALLENGE and "Code:" not in first.message, first
    wrong = "000000" if radius.passcode(user) != "000000" else "111111"
    reply = radius.client().login(user, wrong, first.state)
    assert reply.code == REJECT, reply
    lines = events_of(radius, code_in(reply.message), 2)
    assert "FAILURE/MFA_FAILED" in lines[1] and 'user="wanda@example.com"' in lines[1], lines


def test_whoever_waits_in_vain_has_the_code_of_the_event_that_follows(radius: World) -> None:
    """The waiting room answers; the event is written when the push has been taken back."""
    user = radius.person("vera", PUSH)
    reply = radius.client().login(user)
    assert reply.code == REJECT, reply
    lines = events_of(radius, code_in(reply.message), 2)
    assert "FAILURE/MFA_TIMEOUT" in lines[1], lines


def test_a_state_that_nobody_made_has_a_code(radius: World) -> None:
    """It is refused before there is a machine."""
    user = radius.person("fritz", TOTP)
    reply = radius.client().login(user, "123456", b"\x01" * 80)
    assert reply.code == REJECT, reply
    lines = events_of(radius, code_in(reply.message), 1)
    assert "STATE_INVALID" in lines[0], lines


def test_no_two_refusals_share_a_code(radius: World) -> None:
    user = radius.person("otto", PUSH, push="deny")
    codes = {code_in(radius.client().login(user).message) for _ in range(3)}
    assert len(codes) == 3


def test_the_log_says_what_failed(radius: World) -> None:
    """What Okta answered; it was only in the system log."""
    user = radius.person("tessa", PUSH)
    radius.sim.org(okta_token_valid=False)
    try:
        reply = radius.client().login(user)
    finally:
        radius.sim.org(okta_token_valid=True)
    assert reply.code == REJECT, reply
    line = events_of(radius, code_in(reply.message), 2)[1]
    assert "Okta answered HTTP 401, E0000011" in line and 'detail="' in line, line


def test_who_gets_in_is_shown_no_code(radius: World) -> None:
    user = radius.person("ingo", PUSH, push="approve")
    reply = radius.client().login(user)
    assert reply.code == ACCEPT and "Code:" not in reply.message, reply


# --- following, dates, the terminal --------------------------------------------------------------

def line(user: str, published: str = "2026-11-23T08:00:00.000Z", **debug_data: Any) -> bytes:
    """An audit event as the core writes it, as far as log looks at it."""
    return json.dumps({
        "published": published, "displayMessage": "Evaluation of sign-on policy",
        "outcome": {"result": "DENY", "reason": "RULE_DENY"},
        "actor": {"alternateId": user}, "client": {"device": "Computer"}, "target": [],
        "transaction": {"id": "0" * 32},
        "debugContext": {"debugData": {"application": "sshd", **debug_data}}}).encode() + b"\n"


def config_of(audit: Path) -> Path:
    """A configuration beside the audit file, which it names."""
    path = audit.with_name("devtrust.conf")
    path.write_text("[okta]\norg_url = https://org.example.com\n"
                    f"[device_trust]\ntrusted_when = vpn-client\n[audit]\nfile = {audit}\n")
    return path


class Follower:
    """devtrustctl log -f; what it has printed so far."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.out = directory / "out"
        self.errors = directory / "errors"
        self.audit = directory / "audit.log"
        self.config = config_of(self.audit)
        with open(self.out, "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen([CTL, "log", "-f", *arguments, "-c", self.config],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=errors)

    def users(self) -> list[str]:
        return re.findall(r'user="([^"]*)"', self.out.read_text())

    def sees(self, *users: str) -> None:
        """These and no others, each once, in their order."""
        wait_until(lambda: len(self.users()) >= len(users) or self.process.poll() is not None,
                   f"{users} followed")
        assert self.users() == list(users), self.errors.read_text()
        assert self.process.poll() is None, self.errors.read_text()

    def append(self, data: bytes, path: Optional[Path] = None) -> None:
        with open(path or self.audit, "ab") as audit:
            audit.write(data)


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    made: list[Follower] = []

    def start(*arguments: str) -> Follower:
        made.append(Follower(tmp_path, *arguments))
        return made[-1]

    yield start
    for one in made:
        one.process.kill()
        one.process.wait(LIMIT)


def test_follow_waits_for_a_file_that_comes_later(follow: Callable[..., Follower]) -> None:
    f = follow()
    f.sees()
    f.append(line("a"))
    f.sees("a")
    f.append(line("b") + line("c"))
    f.sees("a", "b", "c")


def test_follow_begins_with_the_last_ten(follow: Callable[..., Follower], tmp_path: Path) -> None:
    (tmp_path / "audit.log.1").write_bytes(b"".join(line(f"r{i}") for i in range(8)))
    (tmp_path / "audit.log").write_bytes(b"".join(line(f"n{i}") for i in range(5)))
    f = follow()
    last = [f"r{i}" for i in range(3, 8)] + [f"n{i}" for i in range(5)]
    f.sees(*last)
    f.append(line("new"))
    f.sees(*last, "new")


@pytest.mark.parametrize("arguments, first", [
    (("--since", "2026-11-23"), ["old", "now"]), (("-n", "1"), ["now"]),
    (("--user", "new"), [])])
def test_follow_begins_with_what_is_asked_for(follow: Callable[..., Follower], tmp_path: Path,
                                              arguments: tuple[str, ...],
                                              first: list[str]) -> None:
    (tmp_path / "audit.log.1").write_bytes(line("old"))
    (tmp_path / "audit.log").write_bytes(line("now"))
    f = follow(*arguments)
    f.sees(*first)
    f.append(line("new"))
    f.sees(*first, "new")


def test_follow_survives_a_rotation_by_renaming(follow: Callable[..., Follower]) -> None:
    """The writer goes on with the renamed file for a moment; nothing is lost or comes twice."""
    f = follow()
    f.append(line("a"))
    f.sees("a")
    rotated = f.audit.with_name("audit.log.1")
    f.audit.rename(rotated)
    f.append(line("b"), rotated)
    f.sees("a", "b")
    f.append(line("c"), rotated)
    f.append(line("d"))
    f.sees("a", "b", "c", "d")
    f.audit.rename(f.audit.with_name("audit.log.2"))
    f.append(line("e"))
    f.sees("a", "b", "c", "d", "e")


def test_follow_survives_copytruncate(follow: Callable[..., Follower]) -> None:
    f = follow()
    f.append(line("a") + line("b"))
    f.sees("a", "b")
    f.audit.with_name("audit.log.1").write_bytes(f.audit.read_bytes())
    os.truncate(f.audit, 0)
    f.append(line("c"))
    f.sees("a", "b", "c")
    assert f.errors.read_text() == ""


def test_follow_waits_for_the_rest_of_a_line(follow: Callable[..., Follower]) -> None:
    f = follow()
    whole = line("a")
    f.append(line("before") + whole[:40])
    f.sees("before")
    f.append(whole[40:])
    f.sees("before", "a")
    assert f.errors.read_text() == ""


def test_follow_names_a_broken_line_and_goes_on(follow: Callable[..., Follower]) -> None:
    f = follow()
    f.append(b"nonsense\n" + b"x" * 100000 + b"\n" + line("a"))
    f.sees("a")
    assert "audit.log:1: " in f.errors.read_text() and "longer" in f.errors.read_text()


def test_follow_ends_when_nobody_reads(tmp_path: Path) -> None:
    audit = tmp_path / "audit.log"
    audit.write_bytes(line("a"))
    process = subprocess.Popen([CTL, "log", "-f", "--file", audit], stdout=subprocess.PIPE)
    assert process.stdout is not None and b'user="a"' in process.stdout.readline()
    process.stdout.close()
    assert process.wait(LIMIT) in (0, -signal.SIGPIPE)


@pytest.mark.parametrize("arguments", [("--until", "today"), ("--file", "-"), ("/tmp/x",),
                                       ("--file", "/dev/zero")])
def test_follow_refuses_what_never_comes(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([CTL, "log", "-f", *arguments], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=LIMIT)
    assert done.returncode == 2 and done.stdout == "" and done.stderr != "", done


@pytest.mark.parametrize("arguments, users", [
    (("--since", "2026-11-23"), "bc"), (("--until", "2026-11-22"), "a"),
    (("--since", "2026-11-23", "--until", "2026-11-23"), "bc"),
    (("--since", "2026-11-23T00:30"), "c"), (("--until", "2026-11-22T22:30Z"), "a"),
    (("--since", "2026-11-22T22:15:00.000Z", "--until", "2026-11-23 00:00"), "a"),
    (("--since", "today"), ""), (("--until", "yesterday"), "abc"), (("--until", "2h"), "abc"),
    (("--since", "2026-11-23T00:00+02:00"), "abc")])
def test_dates_are_of_the_local_time_zone(tmp_path: Path, arguments: tuple[str, ...],
                                          users: str) -> None:
    audit = tmp_path / "audit.log"
    audit.write_bytes(line("a", "2026-11-22T22:15:00.000Z") + line("b", "2026-11-22T23:00:00.000Z")
                      + line("c", "2026-11-23T22:59:59.999Z"))
    os.utime(audit)
    done = subprocess.run([CTL, "log", "--file", audit, *arguments], text=True,
                          capture_output=True, timeout=LIMIT,
                          env={**os.environ, "TZ": "Europe/Berlin"})
    assert "".join(re.findall(r'user="(.)"', done.stdout)) == users, done
    assert done.returncode == (0 if users else 1)


def test_files_of_before_are_not_read(tmp_path: Path) -> None:
    """A rotated file that was last written to before --since has no event that fits; what is broken
    in it is not named."""
    audit = tmp_path / "audit.log"
    audit.write_bytes(line("new", "2026-11-23T08:00:00.000Z"))
    with gzip.open(tmp_path / "audit.log.2.gz", "wb") as old:
        old.write(b"nonsense\n")
    os.utime(tmp_path / "audit.log.2.gz", (0, 1_600_000_000))
    config = config_of(audit)
    shown = subprocess.run([CTL, "log", "--since", "2026-11-01", "-c", config], text=True,
                           capture_output=True, timeout=LIMIT)
    assert shown.stderr == "" and 'user="new"' in shown.stdout, shown
    shown = subprocess.run([CTL, "log", "--since", "2020-01-01", "-c", config], text=True,
                           capture_output=True, timeout=LIMIT)
    assert "audit.log.2.gz:1" in shown.stderr, shown


def at_terminal(audit: Path, columns: int, env: dict[str, str], *arguments: str) -> list[str]:
    log_at = pexpect.spawn(str(CTL), ["log", "--file", str(audit), *arguments],
                           dimensions=(24, columns), timeout=LIMIT, encoding="utf-8", env=env)
    log_at.expect(pexpect.EOF)
    log_at.close()
    assert log_at.exitstatus == 0
    return log_at.before.splitlines()


@pytest.mark.parametrize("columns, variable, widest", [(100, None, 100), (40, None, 40),
                                                       (100, "60", 60), (40, "nonsense", 40),
                                                       (5, None, 20)])
def test_lines_fit_the_terminal(tmp_path: Path, columns: int, variable: Optional[str],
                                widest: int) -> None:
    audit = tmp_path / "audit.log"
    audit.write_bytes(line("j\u00f6rg@example.com", detail="why " * 60, code="04HM-ASW9"))
    env = {"PATH": os.environ["PATH"], **({"COLUMNS": variable} if variable else {})}
    lines = at_terminal(audit, columns, env)
    assert len(lines) > 3 and max(map(len, lines)) <= widest, lines
    assert all(text.startswith("    ") for text in lines[1:])
    assert "04HM-ASW9" in lines[-1]
    # JSON stays one line, and so does what goes into a pipe
    assert len(at_terminal(audit, columns, env, "--json")) == 1
    piped = subprocess.run([CTL, "log", "--file", audit], text=True, capture_output=True,
                           env={**env, "COLUMNS": "40"}, timeout=LIMIT)
    assert len(piped.stdout.splitlines()) == 1
