# SPDX-License-Identifier: GPL-2.0-or-later
# Why somebody was let in, and why not: what a refused person is shown, and what devtrustctl log
# says of it, with events of a real sshd and of a real FreeRADIUS.
"""devtrustctl log, and the code of a refusal."""

from __future__ import annotations

import re
import subprocess
from typing import Any, Iterator

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
