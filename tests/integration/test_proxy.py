# SPDX-License-Identifier: GPL-2.0-or-later
# The way out through an HTTP proxy: a real one (tinyproxy), and one that refuses, breaks, lies.
"""HTTP proxies."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator
from urllib.parse import urlsplit

import pytest

from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.ports import free_port
from tests.lib.proxy import TinyProxy, basic, odd_proxy
from tests.pki.authority import Authority, write_file

ALICE = "dtalice@example.com"
CREDENTIALS = "devtrust:pr0xy-Secret.word"
VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY")
NO_PROXY = {"http": {"proxy": None, "proxy_credentials_file": None, "proxy_ca_file": None},
            "okta": {"proxy": None, "proxy_credentials_file": None},
            "intune": {"proxy": None, "proxy_credentials_file": None},
            "policy": {"okta_unavailable": "deny"}}


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


@pytest.fixture(name="world", scope="module")
def _world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"mfa": {"number_challenge": "never", "push_limit": "100"},
                "okta": {"user_ttl": "0", "timeout": "10s"},
                "daemon": {"no_prompt_services": "sshd"}}
    with pam_world(pki_index, applications=("sshd",), settings=settings) as world:
        world.sim.add_user(ALICE, factors=["push"])
        world.sim.set_push(ALICE, "approve")
        world.service("sshd")
        yield world


@pytest.fixture(autouse=True)
def _clean(world: PamWorld) -> Iterator[None]:
    world.site.configure(NO_PROXY)
    yield
    world.stop_daemon()
    log = "".join(path.read_text() for path in (world.log_path, world.site.audit_path)
                  if path.exists())
    for secret in (CREDENTIALS.partition(":")[2], basic(CREDENTIALS).split()[-1].decode(),
                   world.site.okta_token_path.read_text().strip()):
        assert secret not in log


def secret_file(world: PamWorld, credentials: str = CREDENTIALS) -> str:
    path = world.site.directory / "proxy.secret"
    return str(write_file(path, credentials.encode() + b"\n", 0o600))


def sign_on(world: PamWorld, settings: dict[str, Any]) -> dict[str, Any]:
    """One sign-on of a daemon with these settings: its event's data, with PAM's word as "auth"."""
    before = len(world.site.sign_ons())
    world.restart_daemon(settings)
    report = world.login("sshd", "dtalice")
    event = world.outcome("sshd", before + 1)
    return {**event["debugContext"]["debugData"], "auth": report["auth"],
            "text": str(report["lines"])}


# --- what works ----------------------------------------------------------------------------------

def test_a_real_proxy(world: PamWorld, tmp_path: Path) -> None:
    okta = port_of(world.sim.okta_url)
    proxy = TinyProxy(tmp_path, [okta], CREDENTIALS)
    try:
        got = sign_on(world, {"http": {"proxy": proxy.url,
                                       "proxy_credentials_file": secret_file(world)}})
        assert got["auth"] == "SUCCESS" and got["cause"] == "MFA_SUCCESS", got
        assert proxy.tunnels(okta) >= 1
        # Kept: one tunnel serves many requests.
        before, asked = proxy.tunnels(okta), world.sim.count("okta.total")
        assert world.login("sshd", "dtalice")["auth"] == "SUCCESS"
        assert world.sim.count("okta.total") - asked >= 3
        assert proxy.tunnels(okta) - before < 3
        assert "Authorization" not in proxy.log()
    finally:
        proxy.close()


def test_graph_goes_the_same_way(world: PamWorld, tmp_path: Path) -> None:
    wanted = [port_of(world.sim.login_url), port_of(world.sim.graph_url)]
    proxy = TinyProxy(tmp_path, wanted)
    try:
        world.sim.enrol_device(user=ALICE)
        world.site.configure({"http": {"proxy": proxy.url}})
        world.run_ctl("device", "sync")
        assert all(proxy.tunnels(port) >= 1 for port in wanted), proxy.log()
    finally:
        proxy.close()


def test_each_service_its_own(world: PamWorld) -> None:
    """Okta without a proxy, Microsoft by one of its own, with credentials that no other is sent."""
    with odd_proxy(503) as common, odd_proxy() as own:
        world.site.configure({
            "http": {"proxy": common.url, "proxy_credentials_file": secret_file(world)},
            "okta": {"proxy": "none"}, "intune": {"proxy": own.url}})
        world.sim.enrol_device(user=ALICE)
        world.run_ctl("device", "sync")
        assert len(own.heads) >= 2 and not common.heads
        assert not any(b"Proxy-Authorization" in head for head in own.heads)
        assert sign_on(world, {})["cause"] == "MFA_SUCCESS"
        assert not common.heads
        assert sign_on(world, {"okta": {"proxy": None}})["cause"] == "OKTA_UNAVAILABLE"
        assert all(basic(CREDENTIALS) in head for head in common.heads) and common.heads


def test_what_a_proxy_sees(world: PamWorld) -> None:
    with odd_proxy() as proxy:
        got = sign_on(world, {"http": {"proxy": proxy.url,
                                       "proxy_credentials_file": secret_file(world)}})
        assert got["cause"] == "MFA_SUCCESS", got
        assert proxy.heads
        for head in proxy.heads:
            first, *lines = head.decode().split("\r\n")
            assert first == f"CONNECT 127.0.0.1:{port_of(world.sim.okta_url)} HTTP/1.1"
            names = {line.partition(":")[0].lower() for line in lines if line}
            assert names <= {"host", "proxy-authorization", "user-agent", "proxy-connection"}
            assert basic(CREDENTIALS) in head and b"SSWS" not in head


def test_the_environment_is_not_read(world: PamWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    with odd_proxy(503) as theirs, odd_proxy() as ours:
        for name in VARIABLES:
            monkeypatch.setenv(name, theirs.url)
        assert sign_on(world, {})["cause"] == "MFA_SUCCESS"
        world.run_ctl("device", "sync")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "*")
        assert sign_on(world, {"http": {"proxy": ours.url}})["cause"] == "MFA_SUCCESS"
        assert ours.heads and theirs.connections == 0


# --- TLS to the proxy ----------------------------------------------------------------------------

def proxy_certificate(directory: Path, names: tuple[str, ...] = ("127.0.0.1",)
                      ) -> tuple[str, tuple[str, str]]:
    """CA file, then certificate and key."""
    authority = Authority.root("a proxy's own CA")
    made = authority.issue_server(names)
    return (str(write_file(directory / "proxy-ca.pem", authority.certificate_pem())),
            (str(write_file(directory / "proxy.pem", made.chain_pem())),
             str(write_file(directory / "proxy.key", made.key_pem(), 0o600))))


def test_a_proxy_with_tls(world: PamWorld, tmp_path: Path) -> None:
    ca_file, certificate = proxy_certificate(world.site.directory)
    with odd_proxy(certificate=certificate) as proxy:
        http = {"proxy": proxy.url, "proxy_credentials_file": secret_file(world)}
        got = sign_on(world, {"http": {**http, "proxy_ca_file": ca_file}})
        assert got["cause"] == "MFA_SUCCESS", got
        assert proxy.heads and all(basic(CREDENTIALS) in head for head in proxy.heads)
        # Without its CA, nothing is said to it: not the credentials either.
        asked = len(proxy.heads)
        got = sign_on(world, {"http": {**http, "proxy_ca_file": None}})
        assert got["cause"] == "OKTA_UNTRUSTED" and got["auth"] != "SUCCESS", got
        assert "the proxy " + proxy.url in got["detail"] and "is not trusted" in got["detail"]
        assert "[http] proxy_ca_file" in got["detail"]
        assert len(proxy.heads) == asked


def test_a_proxy_of_another_name(world: PamWorld) -> None:
    ca_file, certificate = proxy_certificate(world.site.directory, ("proxy.elsewhere.test",))
    with odd_proxy(certificate=certificate) as proxy:
        got = sign_on(world, {"http": {"proxy": proxy.url, "proxy_ca_file": ca_file}})
        assert got["cause"] == "OKTA_UNTRUSTED" and not proxy.heads, got


def test_a_proxy_is_not_the_service(world: PamWorld) -> None:
    """The proxy's CA vouches for the proxy alone; Okta's for Okta alone."""
    ca_file, certificate = proxy_certificate(world.site.directory)
    with odd_proxy(certificate=certificate, then="impersonate") as proxy:
        got = sign_on(world, {"http": {"proxy": proxy.url, "proxy_ca_file": ca_file}})
        assert got["cause"] == "OKTA_UNTRUSTED" and got["auth"] != "SUCCESS", got
        assert proxy.heads and "the proxy" not in got["detail"], got
    okta = (world.sim.directory / "tls-good.pem", world.sim.directory / "tls-good.key")
    with odd_proxy(certificate=okta) as proxy:
        got = sign_on(world, {"http": {"proxy": proxy.url, "proxy_ca_file": ca_file}})
        assert got["cause"] == "OKTA_UNTRUSTED" and not proxy.heads, got
    with odd_proxy(certificate=certificate) as proxy:
        world.sim.listener("okta", "up", "foreign")
        try:
            got = sign_on(world, {"http": {"proxy": proxy.url, "proxy_ca_file": ca_file}})
        finally:
            world.sim.listener("okta")
        assert got["cause"] == "OKTA_UNTRUSTED" and proxy.heads, got


# --- what fails ----------------------------------------------------------------------------------

REFUSALS = [
    (407, False, "asks for credentials (407); set [http] proxy_credentials_file"),
    (407, True, "does not accept the credentials of [http] proxy_credentials_file (407)"),
    (401, True, "does not accept the credentials of [http] proxy_credentials_file (401)"),
    (403, False, "refuses the connection (403); let it allow CONNECT"),
    (400, True, "refuses the connection (400)"), (302, False, "refuses the connection (302)"),
    (404, False, "refuses the connection (404)"), (429, False, "refuses the connection (429)")]


@pytest.mark.parametrize("status, with_credentials, words", REFUSALS)
def test_a_refusal_has_its_own_words(world: PamWorld, status: int, with_credentials: bool,
                                     words: str) -> None:
    """A fault of the configuration, and no outage, whatever okta_unavailable says."""
    with odd_proxy(status) as proxy:
        http = {"proxy": proxy.url}
        if with_credentials:
            http["proxy_credentials_file"] = secret_file(world)
        got = sign_on(world, {"http": http, "policy": {"okta_unavailable": "allow"}})
        assert got["auth"] != "SUCCESS" and got["cause"] == "CONFIG", got
        assert f"the proxy {proxy.url} ([http] proxy) {words}" in got["detail"]
        assert proxy.url not in got["text"]  # the person is told nothing of it


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_proxy_that_reaches_nobody(world: PamWorld, status: int) -> None:
    with odd_proxy(status) as proxy:
        got = sign_on(world, {"okta": {"proxy": proxy.url}})
        assert got["auth"] != "SUCCESS" and got["cause"] == "OKTA_UNAVAILABLE", got
        assert f"([okta] proxy) does not reach it ({status})" in got["detail"]
        got = sign_on(world, {"policy": {"okta_unavailable": "allow"}})
        assert got["auth"] == "SUCCESS" and got["cause"] == "OKTA_UNAVAILABLE_ALLOW", got


def test_a_proxy_that_is_not_there(world: PamWorld) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    got = sign_on(world, {"http": {"proxy": url}})
    assert got["auth"] != "SUCCESS" and got["cause"] == "OKTA_UNAVAILABLE", got
    assert f"the proxy {url} ([http] proxy) cannot be used: " in got["detail"]
    got = sign_on(world, {"http": {"proxy": "http://proxy.invalid:3128"}})
    assert got["auth"] != "SUCCESS" and got["cause"] == "OKTA_UNAVAILABLE", got
    assert "the proxy http://proxy.invalid:3128 ([http] proxy) cannot be used: " in got["detail"]


def test_a_proxy_that_hangs_up(world: PamWorld) -> None:
    with odd_proxy(then="close") as proxy:
        got = sign_on(world, {"http": {"proxy": proxy.url}})
        assert got["auth"] != "SUCCESS" and got["cause"] == "OKTA_UNAVAILABLE", got
        assert f"the proxy {proxy.url} ([http] proxy) cannot be used: " in got["detail"]


def test_a_real_proxy_that_refuses(world: PamWorld, tmp_path: Path) -> None:
    """Wrong credentials, and a port that it does not let through."""
    proxy = TinyProxy(tmp_path, [1], CREDENTIALS)
    try:
        http = {"proxy": proxy.url, "proxy_credentials_file": secret_file(world, "other:word")}
        got = sign_on(world, {"http": http})
        assert got["cause"] == "CONFIG" and "does not accept the credentials" in got["detail"], got
        secret_file(world)
        got = sign_on(world, {})
        assert got["cause"] == "CONFIG" and "refuses the connection (403)" in got["detail"], got
    finally:
        proxy.close()


def test_a_reset_behind_the_proxy_is_the_services(world: PamWorld) -> None:
    """What the proxy said before counts as no part of Okta's answer: a reset is an outage still."""
    with odd_proxy() as proxy:
        fault = world.sim.fault("reset", listener="okta")
        try:
            got = sign_on(world, {"http": {"proxy": proxy.url}})
        finally:
            world.sim.clear_fault(fault)
        assert got["cause"] == "OKTA_UNAVAILABLE" and "the proxy" not in got["detail"], got


def test_credentials_can_be_read_by_nobody_else(world: PamWorld) -> None:
    path = secret_file(world)
    Path(path).chmod(0o644)
    world.site.configure({"http": {"proxy": "http://127.0.0.1:1", "proxy_credentials_file": path}})
    with pytest.raises(AssertionError, match="proxy_credentials_file: .*can be read by others"):
        world.start_daemon()


def test_a_changed_proxy_is_taken_without_a_restart(world: PamWorld) -> None:
    with odd_proxy(403) as first, odd_proxy() as second:
        assert sign_on(world, {"http": {"proxy": first.url}})["cause"] == "CONFIG"
        world.site.configure({"http": {"proxy": second.url}})
        world.site.wait_reload("SUCCESS", len(world.site.reloads("SUCCESS")) + 1)
        assert world.login("sshd", "dtalice")["auth"] == "SUCCESS" and second.heads
