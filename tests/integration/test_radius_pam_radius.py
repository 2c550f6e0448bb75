# SPDX-License-Identifier: GPL-2.0-or-later
# pam_radius, the PAM module of FreeRADIUS, asking the shipped virtual server. Its package would
# change this machine's PAM stack, so it is only unpacked, and a service of the test's own loads it.
"""FreeRADIUS with rlm_devtrust: behind pam_radius."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.matrix import cell
from tests.lib.pamworld import Harness
from tests.lib.radius import World

PROGRAM = "pam_radius"
PACKAGE = "libpam-radius-auth"
PUSH, TOTP = "push", "token:software:totp"
SOURCE = "127.0.0.5"
# It sends no Message-Authenticator, like radcli: see clients-devtrust.conf.
CLIENT = f"""
client {PROGRAM} {{
    ipaddr = {SOURCE}
    secret = {rad.SECRET.decode()}
    require_message_authenticator = no
}}
"""
Login = Callable[..., Harness]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module, of Debian's package."""
    where = tmp_path_factory.mktemp("package")
    where.chmod(0o755)
    fetched = subprocess.run(["apt-get", "-q", "download", PACKAGE], cwd=where, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                             timeout=120)
    packages = list(where.glob("*.deb"))
    if not packages:
        pytest.skip(f"{PACKAGE} cannot be fetched: {fetched.stdout[-200:]}")
    subprocess.run(["dpkg", "-x", str(packages[0]), str(where / "tree")], check=True, timeout=60)
    return next((where / "tree").glob("lib/*/security/pam_radius_auth.so"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("pam-radius"), pki_index, extra=CLIENT,
                         settings={"mfa": {"push_limit": "1000"}}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory, world: World, module: Path) -> Login:
    """Begins a login of somebody, from another host."""
    where = tmp_path_factory.mktemp("services")
    server = where / "server"
    server.write_text(f"127.0.0.1:{world.radius.vpn_port} {rad.SECRET.decode()} 60 {SOURCE}\n")
    server.chmod(0o600)
    (where / "radius-test").write_text(
        f"auth required {module} conf={server} retry=1\naccount required pam_permit.so\n")

    def begin(user: str) -> Harness:
        here: Any = SimpleNamespace(inside=list)
        return Harness(here, ["--service", "radius-test", "--user", user, "--confdir", str(where),
                              "--rhost", "198.51.100.7"], {})

    return begin


@pytest.mark.parametrize("case", [pytest.param("trusted", marks=cell(
    "radius", PROGRAM, "trusted", whole=True))])
def test_trusted(case: str) -> None:
    pytest.skip("pam_radius tells RADIUS nothing about the device: " + case)


@pytest.mark.parametrize("after", [pytest.param(1.0, marks=cell("radius", PROGRAM, "push",
                                                                whole=True)),
                                   pytest.param(10.0, marks=cell("radius", PROGRAM, "push",
                                                                 whole=True))])
def test_push(world: World, login: Login, after: float) -> None:
    user = world.person(f"push-{after:.0f}", PUSH, push="approve", after=after)
    with login(user) as h:
        h.prompt()
        h.answer(rad.PASSWORD)
        assert h.finish()["auth"] == "SUCCESS"
    assert world.outcome(user, "MFA_SUCCESS")["station"] == "198.51.100.7"
    assert len(world.sim.pushes(user + "@example.com")) == 1


@pytest.mark.parametrize("wrong", [pytest.param(n, marks=cell("radius", PROGRAM, "passcode",
                                                              whole=True)) for n in (0, 1)])
def test_passcode(world: World, login: Login, wrong: int) -> None:
    """The challenge's text is the prompt; a wrong passcode gets another."""
    user = world.person(f"passcode-{wrong}", TOTP)
    with login(user) as h:
        h.prompt()
        h.answer(rad.PASSWORD)
        assert "passcode" in h.prompt()
        right = world.passcode(user)
        for _ in range(wrong):
            h.answer(f"{(int(right) + 1) % 1000000:06d}")
            h.prompt()
        h.answer(right)
        assert h.finish()["auth"] == "SUCCESS"
    world.outcome(user, "MFA_SUCCESS")


@pytest.mark.parametrize("push,cause", [
    pytest.param("deny", "MFA_REJECTED", marks=cell("radius", PROGRAM, "denied", whole=True)),
    pytest.param("ignore", "MFA_TIMEOUT", marks=cell("radius", PROGRAM, "denied", whole=True))])
def test_denied(world: World, login: Login, push: str, cause: str) -> None:
    user = world.person("denied-" + push, PUSH, push=push, after=0.5)
    with login(user) as h:
        h.prompt()
        h.answer(rad.PASSWORD)
        assert h.finish()["auth"] == "AUTH_ERR"
    world.outcome(user, cause)


@pytest.mark.parametrize("password", [pytest.param("wrong", marks=cell(
    "radius", PROGRAM, "denied", whole=True))])
def test_wrong_password(world: World, login: Login, password: str) -> None:
    user = world.person("wrong", PUSH, push="approve")
    with login(user) as h:
        h.prompt()
        h.answer(password)
        assert h.finish()["auth"] == "AUTH_ERR"
    assert not world.sim.pushes(user + "@example.com") and not world.outcomes(user)


@pytest.mark.parametrize("case", [pytest.param("okta down", marks=cell(
    "radius", PROGRAM, "okta down", whole=True))])
def test_okta_down(world: World, login: Login, case: str) -> None:
    user = world.person("down", PUSH, push="approve")
    with world.okta_down(), login(user) as h:
        h.prompt()
        h.answer(rad.PASSWORD)
        assert h.finish()["auth"] == "AUTH_ERR", case
    world.outcome(user, "OKTA_UNAVAILABLE")
