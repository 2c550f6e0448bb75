# SPDX-License-Identifier: GPL-2.0-or-later
# [mfa] okta_way = browser at real doors: a person who reads a code at a terminal in front of ssh
# or from a VPN gateway, and somebody who signs in to Okta with it. One world of each kind.
"""Signing in to Okta with a browser."""

from __future__ import annotations

import re
import time
from typing import Any, Iterator

import pexpect
import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.matrix import cell
from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.sshd import Sshd
from tests.sim.client import Sim

FACTORS = ("push", "token:software:totp", "browser")
LOGIN, OTHER = "dtalice@example.com", "mallory@example.com"
# A terminal breaks the lines where it likes.
PROMPT = (r"The code signs on to (\S+) \((\S+)\)\. If somebody else asks for it, do not enter it\."
          r"[\s\S]*Enter the code ([A-Z]{8}) at (https://\S+/activate) in a browser and sign in, "
          r"then press Enter: ").replace(" ", r"\s+")


def settings(sim: Sim) -> dict[str, dict[str, Any]]:
    return {"okta": {"native_client_id": sim.okta_native_client_id, "poll_interval": "250ms"},
            "mfa": {"factors": ", ".join(FACTORS), "okta_way": "browser", "push_pause": "0s",
                    "push_limit": "1000"}}


def prepare_org(sim: Sim) -> None:
    sim.org(device_interval=1.0)
    sim.add_user(OTHER)


# What is wrong about who signs in, or about what Okta says of it; and the cause.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "weak": ({"amr": ["pwd"]}, "MFA_TOO_WEAK"),
    "two passwords": ({"amr": ["pwd", "kba", "mfa"]}, "MFA_TOO_WEAK"),
    "old session": ({"age": 4000}, "MFA_TOO_WEAK"),
    "no auth_time": ({"claims": {"auth_time": None}}, "MFA_TOO_WEAK"),
    "no id_token": ({"id_token": False}, "OKTA_ANSWER_UNUSABLE"),
    "alg none": ({"alg": "none"}, "OKTA_ANSWER_UNUSABLE"),
    "other aud": ({"claims": {"aud": "0oaother"}}, "OKTA_ANSWER_UNUSABLE"),
    "two aud": ({"claims": {"aud": ["0oaother", "0oathird"]}}, "OKTA_ANSWER_UNUSABLE"),
    "other iss": ({"claims": {"iss": "https://evil.example"}}, "OKTA_ANSWER_UNUSABLE"),
    "expired": ({"claims": {"iat": 1600000000, "exp": 1600003600}}, "OKTA_ANSWER_UNUSABLE"),
    "nonce": ({"claims": {"nonce": "n"}}, "OKTA_ANSWER_UNUSABLE"),
    "no sub": ({"claims": {"sub": None}}, "OKTA_ANSWER_UNUSABLE"),
    "other sub": ({"claims": {"sub": "00uother"}}, "MFA_OTHER_PERSON"),
    "other login": ({"claims": {"preferred_username": OTHER}}, "MFA_OTHER_PERSON"),
    "huge": ({"claims": {"name": "x" * 100_000}}, "OKTA_ANSWER_UNUSABLE"),
}


def spoilt(door: str, program: str, cases: dict[str, Any], *short: str) -> list[Any]:
    """All of them; `make check` has a few."""
    return [pytest.param(one, marks=cell(door, program, "spoilt", one not in short))
            for one in cases]


# --- PAM ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        made.site.configure(settings(made.sim))
        made.site.set_policy(sites.guide_policy("sshd", factors=("browser",)))
        made.start_daemon()
        yield made
        made.stop_daemon()


@pytest.fixture(scope="module")
def server(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world) as made:
        yield made


@pytest.fixture(scope="module")
def key(server: Sshd) -> Any:
    return server.stranger("dtalice")


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "world" in request.fixturenames:
        world = request.getfixturevalue("world")
        world.sim.reset()
        world.site.audit_path.unlink(missing_ok=True)
        world.sim.add_user(LOGIN)
        prepare_org(world.sim)


def ask(server: Sshd, key: Any) -> tuple["pexpect.spawn[str]", str]:
    """As far as the code."""
    ssh = server.connect("dtalice", key)
    ssh.expect(PROMPT)
    assert ssh.match is not None
    return ssh, ssh.match.group(3)


def end(ssh: "pexpect.spawn[str]") -> int:
    """0: the person is in."""
    found = ssh.expect(["I-am-in", "Permission denied", "Too many authentication failures"])
    ssh.expect(pexpect.EOF)
    ssh.close()
    return found


def debug(world: PamWorld) -> dict[str, Any]:
    data: dict[str, Any] = world.outcome("sshd")["debugContext"]["debugData"]
    return data


@cell("pam", "ssh, way browser", "approved")
def test_by_ssh(world: PamWorld, server: Sshd, key: Any) -> None:
    """What is shown, and that the one who signed in is in. No secret is in the log."""
    ssh, code = ask(server, key)
    assert ssh.match.group(1, 2) == ("sshd", "127.0.0.1")
    assert ssh.match.group(4) == world.sim.okta_url + "/activate"
    world.sim.sign_in(LOGIN, code=code)
    ssh.sendline("")
    assert end(ssh) == 0
    told = debug(world)
    assert (told["cause"], told["factor"]) == ("MFA_SUCCESS", "browser")
    assert code not in world.site.audit_path.read_text()
    assert [g["hurried"] for g in world.sim.grants()] == [0]


@cell("pam", "ssh, way browser", "denied")
def test_denied_by_ssh(world: PamWorld, server: Sshd, key: Any) -> None:
    ssh, code = ask(server, key)
    world.sim.sign_in(LOGIN, code=code, answer="deny")
    ssh.sendline("")
    assert end(ssh) != 0 and debug(world)["cause"] == "MFA_REJECTED"


@cell("pam", "ssh, way browser", "other person")
def test_somebody_else_by_ssh(world: PamWorld, server: Sshd, key: Any) -> None:
    """Whoever is phished, or helps out: the person is not in, and the event names them."""
    ssh, code = ask(server, key)
    world.sim.sign_in(OTHER, code=code)
    ssh.sendline("")
    assert end(ssh) != 0
    event = world.outcome("sshd")
    assert event["debugContext"]["debugData"]["cause"] == "MFA_OTHER_PERSON"
    assert OTHER in str(event)


@pytest.mark.parametrize("what", spoilt("pam", "ssh, way browser", WRONG, "alg none"))
def test_wrong_by_ssh(world: PamWorld, server: Sshd, key: Any, what: str) -> None:
    values, cause = WRONG[what]
    ssh, code = ask(server, key)
    world.sim.sign_in(LOGIN, code=code, **values)
    ssh.sendline("")
    assert end(ssh) != 0 and debug(world)["cause"] == cause


@cell("pam", "ssh, way browser", "expired", whole=True)
def test_codes_that_end(world: PamWorld, server: Sshd, key: Any) -> None:
    world.sim.org(device_lifetime=3.0)
    ssh, _ = ask(server, key)
    ssh.sendline("")
    assert end(ssh) != 0 and debug(world)["cause"] == "MFA_TIMEOUT"


def test_an_app_that_may_not(world: PamWorld, server: Sshd, key: Any) -> None:
    world.sim.org(native_device_grant=False)
    ssh = server.connect("dtalice", key)
    assert end(ssh) != 0
    told = debug(world)
    assert told["cause"] == "CONFIG"
    assert "native_client_id" in str(world.outcome("sshd"))


# --- RADIUS -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def radius(tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[rad.World]:
    directory = tmp_path_factory.mktemp("browser")
    with Sim.start(directory / "sim") as sim:
        prepare_org(sim)
        site = sites.Site(directory / "site", sim, pki_index, settings=settings(sim), policies=[
            sites.guide_policy(name, factors=("browser",)) for name in ("vpn", "wifi")])
        with rad.Radius(directory / "raddb", site) as server:
            yield rad.World(sim, pki_index, site, server)
            assert server.is_running(), server.log_text()
            assert server.stop() == 0, server.log_text()


def asked_for_code(radius: rad.World, user: str) -> tuple[rad.Client, rad.Reply, str]:
    client = radius.client()
    asked = client.login(user)
    assert asked.code == rad.CHALLENGE, radius.radius.log_text()
    assert all(len(text) <= 253 for text in asked.all("Reply-Message"))
    found = re.search(r"Enter the code ([A-Z]{8}) at " + re.escape(radius.sim.okta_url)
                      + "/activate", asked.message)
    assert found, asked.message
    assert "The code signs on to vpn (198.51.100.7)" in asked.message
    return client, asked, found.group(1)


@cell("radius", "VPN challenge, way browser", "approved")
def test_by_challenge(radius: rad.World) -> None:
    user = radius.person("approved")
    client, asked, code = asked_for_code(radius, user)
    radius.sim.sign_in(user + "@example.com", code=code)
    assert client.login(user, "", state=asked.state).code == rad.ACCEPT
    assert client.login(user, "x", state=asked.state).code == rad.REJECT  # a State is used once


def test_enter_before_the_browser(radius: rad.World) -> None:
    """The answer waits for the person, without a thread, and is polled as Okta wants it."""
    user = radius.person("early")
    client, asked, code = asked_for_code(radius, user)
    waiting = client.start(user, "", state=asked.state)
    end_by = time.monotonic() + 30
    while not any(g["user_code"] == code and g["polls"] >= 2 for g in radius.sim.grants()):
        assert time.monotonic() < end_by and waiting.poll(0.05) is None
    radius.sim.sign_in(user + "@example.com", code=code)
    assert waiting.wait().code == rad.ACCEPT
    assert [g["hurried"] for g in radius.sim.grants() if g["user_code"] == code] == [0]


@cell("radius", "VPN challenge, way browser", "denied")
def test_denied_by_challenge(radius: rad.World) -> None:
    user = radius.person("denied")
    client, asked, code = asked_for_code(radius, user)
    radius.sim.sign_in(user + "@example.com", code=code, answer="deny")
    refused = client.login(user, "", state=asked.state)
    assert refused.code == rad.REJECT
    assert "The sign-on was rejected in the browser" in refused.message
    assert radius.outcome(user, "MFA_REJECTED")


@cell("radius", "VPN challenge, way browser", "other person")
def test_somebody_else_by_challenge(radius: rad.World) -> None:
    user = radius.person("victim")
    client, asked, code = asked_for_code(radius, user)
    radius.sim.sign_in(OTHER, code=code)
    assert client.login(user, "", state=asked.state).code == rad.REJECT
    assert radius.outcome(user, "MFA_OTHER_PERSON")


@cell("radius", "VPN challenge, way browser", "slow down", whole=True)
def test_slow_down(radius: rad.World) -> None:
    """Okta wants polls further apart than it said at first: they are, and the person gets in."""
    user = radius.person("slow")
    client, asked, code = asked_for_code(radius, user)
    radius.sim.fault("json", listener="okta", endpoint="token", times=1, status=400,
                     body={"error": "slow_down"})
    radius.sim.sign_in(user + "@example.com", code=code)
    begun = time.monotonic()
    assert client.login(user, "", state=asked.state).code == rad.ACCEPT
    assert time.monotonic() - begun > 5
    assert [g["hurried"] for g in radius.sim.grants() if g["user_code"] == code] == [0]


# What becomes of the reply that brings the codes, or of the one that brings the token.
EVIL = "https://evil.example/activate"
SPOILT_CODES = {
    "page elsewhere": ("merge", {"body": {"verification_uri": EVIL}}),
    "link elsewhere": ("merge", {"body": {"verification_uri_complete": EVIL + "?user_code=X"}}),
    "no device_code": ("merge", {"body": {"device_code": None}}),
    "huge user_code": ("merge", {"body": {"user_code": "X" * 5000}}),
    "redirect": ("redirect", {"location": EVIL}), "html": ("html", {}), "huge": ("huge", {}),
    "truncated": ("truncate", {"keep": 0.9}), "empty": ("json", {"body": {}}),
}
SPOILT_TOKENS = {
    "redirect": ("redirect", {"location": EVIL}), "html": ("html", {}), "huge": ("huge", {}),
    "truncated": ("truncate", {"keep": 0.9}), "no id_token": ("merge", {"body": {
        "id_token": None}}),
    "huge id_token": ("merge", {"body": {"id_token": "eyJ" + "x" * 100_000}}),
    "SUCCESS of another API": ("json", {"body": {"factorResult": "SUCCESS"}}),
}


@pytest.mark.parametrize("what", spoilt("radius", "VPN challenge, way browser", SPOILT_CODES,
                                        "page elsewhere"))
def test_spoilt_codes(radius: rad.World, what: str) -> None:
    kind, values = SPOILT_CODES[what]
    user = radius.person("codes-" + what.replace(" ", "-"))
    fault = radius.sim.fault(kind, listener="okta", endpoint="device_authorize", **values)
    try:
        refused = radius.client().login(user)
        assert refused.code == rad.REJECT and "evil" not in refused.message
        assert radius.outcome(user, "OKTA_ANSWER_UNUSABLE")
    finally:
        radius.sim.clear_fault(fault)


@pytest.mark.parametrize("what", spoilt("radius", "VPN challenge, way browser", SPOILT_TOKENS,
                                        "no id_token"))
def test_spoilt_tokens(radius: rad.World, what: str) -> None:
    """The person has signed in, and Okta's word for it does not arrive: nobody is in."""
    kind, values = SPOILT_TOKENS[what]
    user = radius.person("token-" + what.replace(" ", "-"))
    client, asked, code = asked_for_code(radius, user)
    radius.sim.sign_in(user + "@example.com", code=code)
    # What strikes in place of Okta's answer does so each time: the token would come later.
    once = {"times": 1} if kind in ("merge", "truncate") else {"times": None}
    radius.sim.fault(kind, listener="okta", endpoint="token", **once, **values)
    try:
        assert client.login(user, "", state=asked.state).code == rad.REJECT
    finally:
        radius.sim.clear_faults()


@cell("radius", "Wi-Fi, way browser", "denied")
def test_where_nothing_is_shown(radius: rad.World) -> None:
    """802.1X has no place for the code: refused in words, and Okta is not asked for one."""
    user = radius.person("wifi")
    before = len(radius.sim.grants())
    done = rad.eap_ttls(radius.radius, user, rad.PASSWORD)
    assert done.rejects == 1 and radius.outcome(user, "MFA_NO_PROMPT")
    assert len(radius.sim.grants()) == before
