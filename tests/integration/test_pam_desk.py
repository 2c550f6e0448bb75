# SPDX-License-Identifier: GPL-2.0-or-later
# The samples of conf/pam.d in pkexec, asked by pkttyagent and polkit's own helper, and in Cockpit's
# session program, which is fed what the web server would send it.
"""polkit and Cockpit."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from typing import Any, Iterator, Optional

import pexpect
import pytest

from tests.integration.test_pam_daemon import ALICE, cause, debug
from tests.integration.test_pam_doors import (BUS, SETTINGS, as_user, begin_anew, cut_off, each,
                                              running)
from tests.lib.pamworld import LIMIT, PamWorld, pam_world, wait_until

PASSWORD = "rosebud"
RULES = """polkit.addAdminRule(function(action, subject) { return ["unix-user:dtalice"]; });
polkit.addRule(function(action, subject) { return polkit.Result.AUTH_ADMIN; });
"""
COCKPIT = "/usr/lib/cockpit/cockpit-session"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("polkit-1", "cockpit"), settings=SETTINGS) as made:
        for name in ("polkit-1", "cockpit"):
            made.sample(name, name + "-devtrust")
        made.set_password("dtalice", PASSWORD)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    begin_anew(world)
    yield
    world.stop_daemon()


# --- pkexec --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def polkit(world: PamWorld) -> Iterator[None]:
    """polkitd on a system bus of the world's own; dtalice is the only administrator."""
    here = world.directory / "polkit"
    (here / "rules").mkdir(parents=True)
    (here / "rules" / "10-test.rules").write_text(RULES)
    (here / "bus.conf").write_text(BUS.format("/run/dbus/system_bus_socket"))
    mounts = ("mkdir -p /run/dbus /etc/polkit-1/rules.d && mount -t tmpfs tmpfs /run/dbus"
              f" && mount --bind '{here}/rules' /etc/polkit-1/rules.d")
    done = world.run(["sh", "-c", mounts])
    assert done.returncode == 0, done.stderr
    with running(world, "dbus-daemon", "--nofork", "--config-file", here / "bus.conf"):
        wait_until(lambda: world.run(["test", "-S", "/run/dbus/system_bus_socket"]).returncode == 0,
                   "a bus")
        with running(world, "/usr/lib/polkit-1/polkitd", "--no-debug"):
            wait_until(lambda: "PolicyKit1" in world.run([
                "dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/",
                "org.freedesktop.DBus.ListNames"]).stdout, "polkitd")
            yield


def terminal(world: PamWorld, *command: str) -> Any:
    """A command of dtbob's at a terminal of his."""
    line = world.inside(as_user("dtbob", *command))
    return pexpect.spawn(line[0], line[1:], encoding="utf-8", timeout=LIMIT)


class Pkexec:
    """dtbob calls pkexec; pkttyagent, at another terminal, asks for dtalice's password."""

    def __init__(self, world: PamWorld) -> None:
        self.caller = terminal(world, "sh", "-c",
                               "echo PID=$$; read x; pkexec --disable-internal-agent id; echo OVER")
        self.caller.expect(r"PID=(\d+)")
        self.agent = terminal(world, "bash", "-c",
                              f"exec pkttyagent --process {self.caller.match[1]} --notify-fd 77 "
                              "77>/dev/null")
        wait_until(lambda: self._is_registered(world), "the agent is registered")

    def __enter__(self) -> "Pkexec":
        self.caller.sendline("")
        self.agent.expect("Password: ")
        self.agent.sendline(PASSWORD)
        return self

    def _is_registered(self, world: PamWorld) -> bool:
        """It closes the descriptor that it notifies by then."""
        path = f"/proc/{self.agent.pid}/fd"
        done = world.run(["ls", path])
        return done.returncode == 0 and "77" not in done.stdout.split()

    def prompt(self) -> str:
        self.agent.expect(r"passcode\): ")
        return self.agent.before

    def lets_in(self) -> bool:
        return self.caller.expect(["uid=0", "OVER"]) == 0

    def __exit__(self, *_: object) -> None:
        for one in (self.agent, self.caller):
            one.close(force=True)


@each(("pkexec",), "trusted")
def test_pkexec_trusted(world: PamWorld, polkit: None, program: str) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    with Pkexec(world) as desk:
        assert desk.lets_in()
    event = world.outcome("polkit-1")
    assert cause(event) == "RULE_ALLOW" and event["actor"]["displayName"] == "dtalice"


@each(("pkexec",), "push")
def test_pkexec_push(world: PamWorld, polkit: None, program: str) -> None:
    with Pkexec(world) as desk:
        assert f"number {world.sim.wait_push(ALICE)[0]['number']} in Okta Verify" in desk.prompt()
        world.sim.approve(ALICE)
        desk.agent.sendline("")
        assert desk.lets_in()
    assert cause(world.outcome("polkit-1")) == "MFA_SUCCESS"


@each(("pkexec",), "passcode")
def test_pkexec_passcode(world: PamWorld, polkit: None, program: str) -> None:
    with Pkexec(world) as desk:
        desk.prompt()
        desk.agent.sendline(world.sim.passcode(ALICE))
        assert desk.lets_in()
    assert debug(world.outcome("polkit-1"))["factor"] == "token:software:totp"


@each(("pkexec",), "denied")
def test_pkexec_denied(world: PamWorld, polkit: None, program: str) -> None:
    with Pkexec(world) as desk:
        desk.prompt()
        world.sim.deny(ALICE)
        desk.agent.sendline("")
        desk.agent.expect("rejected in Okta Verify")
        assert cause(world.outcome("polkit-1")) == "MFA_REJECTED"


@each(("pkexec",), "okta down")
def test_pkexec_okta_down(world: PamWorld, polkit: None, program: str) -> None:
    world.sim.listener("okta", "down")
    with Pkexec(world) as desk:
        desk.agent.expect("Okta cannot be reached")
        assert cause(world.outcome("polkit-1")) == "OKTA_UNAVAILABLE"


@each(("pkexec",), "daemon down")
def test_pkexec_daemon_down(world: PamWorld, polkit: None, program: str) -> None:
    cut_off(world)
    with Pkexec(world) as desk:
        desk.agent.expect("devtrust cannot be reached")


# --- Cockpit -------------------------------------------------------------------------------------

class Cockpit:
    """cockpit-session, whose other end is the web server: doc/authentication.md of Cockpit."""

    def __init__(self, world: PamWorld) -> None:
        self.process = subprocess.Popen(world.inside([COCKPIT, "localhost"]),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, cwd="/")

    def read(self) -> dict[str, Any]:
        """The next message; {} at the end."""
        assert self.process.stdout is not None
        length = self.process.stdout.readline().strip()
        if not length:
            return {}
        return json.loads(self.process.stdout.read(int(length)).partition(b"\n")[2])

    def respond(self, cookie: str, response: str) -> None:
        text = json.dumps({"command": "authorize", "cookie": cookie, "response": response},
                          separators=(",", ":"))
        assert self.process.stdin is not None
        self.process.stdin.write(f"{len(text) + 1}\n\n{text}".encode())
        self.process.stdin.flush()

    def log_in(self) -> dict[str, Any]:
        """Name and password; then what comes next."""
        asked = self.read()
        assert asked["challenge"] == "*", asked
        told = base64.b64encode(f"dtalice:{PASSWORD}".encode()).decode()
        self.respond(asked["cookie"], "Basic " + told)
        return self.read()

    @staticmethod
    def prompt(message: dict[str, Any]) -> str:
        """What the page shows."""
        kind, _, text = message["challenge"].split(" ")
        assert kind == "X-Conversation"
        return base64.b64decode(text).decode()

    def answer(self, message: dict[str, Any], text: str) -> dict[str, Any]:
        nonce = message["challenge"].split(" ")[1]
        told = base64.b64encode(text.encode()).decode()
        self.respond(message["cookie"], f"X-Conversation {nonce} {told}")
        return self.read()

    def end(self) -> str:
        """What it says of the refusal to its log."""
        with contextlib.suppress(BrokenPipeError):
            return self.process.communicate(timeout=LIMIT)[1].decode()
        return ""

    def __enter__(self) -> "Cockpit":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()
        self.process.wait(LIMIT)


def is_in(message: Optional[dict[str, Any]]) -> bool:
    """The bridge of the person's session speaks."""
    return bool(message) and message.get("command") == "init" and "problem" not in message


@each(("cockpit",), "push")
def test_cockpit_push(world: PamWorld, program: str) -> None:
    with Cockpit(world) as page:
        asked = page.log_in()
        number = world.sim.wait_push(ALICE)[0]["number"]
        assert f"number {number} in Okta Verify" in page.prompt(asked)
        world.sim.approve(ALICE)
        assert is_in(page.answer(asked, ""))
    assert cause(world.outcome("cockpit")) == "MFA_SUCCESS"


@each(("cockpit",), "passcode")
def test_cockpit_passcode(world: PamWorld, program: str) -> None:
    with Cockpit(world) as page:
        assert is_in(page.answer(page.log_in(), world.sim.passcode(ALICE)))
    assert debug(world.outcome("cockpit"))["factor"] == "token:software:totp"


@each(("cockpit",), "host is trusted")
def test_cockpit_this_host_says_nothing(world: PamWorld, program: str) -> None:
    """The person sits elsewhere: a managed host is not their device."""
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    with Cockpit(world) as page:
        assert "number" in page.prompt(page.log_in())


@each(("cockpit",), "denied")
def test_cockpit_denied(world: PamWorld, program: str) -> None:
    with Cockpit(world) as page:
        asked = page.log_in()
        world.sim.deny(ALICE)
        assert not is_in(page.answer(asked, ""))
        assert "rejected in Okta Verify" in page.end()
    assert cause(world.outcome("cockpit")) == "MFA_REJECTED"


@each(("cockpit",), "okta down")
def test_cockpit_okta_down(world: PamWorld, program: str) -> None:
    world.sim.listener("okta", "down")
    with Cockpit(world) as page:
        assert not is_in(page.log_in())
        assert "Okta cannot be reached" in page.end()
    assert cause(world.outcome("cockpit")) == "OKTA_UNAVAILABLE"


@each(("cockpit",), "daemon down")
def test_cockpit_daemon_down(world: PamWorld, program: str) -> None:
    cut_off(world)
    with Cockpit(world) as page:
        assert not is_in(page.log_in())
        assert "cannot be reached" in page.end()
