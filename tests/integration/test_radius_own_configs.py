# SPDX-License-Identifier: GPL-2.0-or-later
# The eapol_test configurations that FreeRADIUS itself is tested with, of the installed version,
# from Debian's source package: as they are, with the module loaded and not called, and called.
"""FreeRADIUS with rlm_devtrust: FreeRADIUS's own eapol_test configurations."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator, Mapping

import pytest

from tests.integration.test_radius_eap_end import METHODS, PASSWORDS
from tests.lib import radius as rad
from tests.lib.matrix import cell
from tests.lib.radius import World
from tests.lib.site import Site
from tests.lib.stock import Stock
from tests.sim.client import Sim

PROGRAM = "FreeRADIUS's own configurations"
PUSH = "push"
USERS = 'bob Cleartext-Password := "bob"\n\n"user@example.org" Cleartext-Password := "x"\n\n'
# What "called" cannot be tried with: the samples offer neither.
NOT_OFFERED = {"eap-fast": "EAP-FAST", "eap-ttls-eap-mschapv2": "EAP within TTLS",
               "eap-ttls-eap-tls": "EAP within TTLS", "peap-eap-tls": "EAP-TLS within PEAP"}
FEWEST = 10  # configurations of the installed version
ROOT = Path(__file__).resolve().parents[2]


@functools.lru_cache(maxsize=1)
def tree(where: Path) -> Path:
    """The source package, unpacked, with certificates of the test where the files look for them."""
    done = subprocess.run([str(ROOT / "scripts/freeradius-headers.sh"), "--tree",
                           str(where / "freeradius")], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=300)
    if done.returncode != 0:
        pytest.skip("the source package cannot be fetched: " + done.stdout[-200:])
    return where / "freeradius"


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Path:
    """The folder of the configurations."""
    here = tree(tmp_path_factory.mktemp("source"))
    shutil.copy(pki_index["authorities"]["radius_ca"], here / "raddb/certs/ca.pem")
    show(here / "src" / "tests", pki_index["devices"]["device-rsa"])
    return here / "src" / "tests"


def show(tests: Path, device: Mapping[str, Any]) -> None:
    """The device whose certificate the configurations show."""
    for kind, name in (("chain", "client.crt"), ("key", "client.key")):
        shutil.copy(device["files"][kind], tests.parents[1] / "raddb/certs" / name)


def names(tests: Path) -> list[str]:
    found = sorted(path.stem for path in tests.glob("*.conf") if "network=" in path.read_text())
    assert len(found) >= FEWEST, found
    return found


def run(tests: Path, name: str, port: int) -> rad.Eap:
    text = (tests / f"{name}.conf").read_text()
    command = ["eapol_test", "-c", f"{name}.conf", "-a", "127.0.0.1", "-p", str(port), "-s",
               rad.SECRET.decode(), "-t", "30", *(["-n"] if "=MD5" in text else [])]
    done = subprocess.run(command, cwd=tests, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=60, errors="replace")
    return rad.Eap(done.stdout.strip().endswith("SUCCESS"), done.stdout)


def conversation(end: rad.Eap) -> tuple[bool, list[tuple[int, int]]]:
    """How it ended, and what went to and fro: codes and numbers of attributes."""
    return end.success, [(code, len(attributes)) for code, attributes in end.packets]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Site]:
    where = tmp_path_factory.mktemp("own")
    with Sim.start(where / "sim") as sim:
        yield Site(where / "site", sim, pki_index)


@pytest.mark.parametrize("case", [pytest.param("not called", marks=cell(
    "radius", PROGRAM, "not called", whole=True))])
def test_loaded_and_not_called(tmp_path: Path, site: Site, tests: Path, case: str) -> None:
    """Debian's own configuration: every conversation is the same with the module and without."""
    module = (rad.SAMPLES / "mods-available/devtrust").read_text().replace(
        "/etc/devtrust/radius.conf", str(site.config_path))
    ends = []
    for loaded in ({}, {"devtrust": module}):
        with Stock(tmp_path / f"raddb{len(ends)}", site, loaded=loaded, users_text=USERS) as server:
            assert server.process is not None
            maps = Path(f"/proc/{server.process.pid}/maps").read_text()
            assert bool(loaded) == ("rlm_devtrust.so" in maps), case
            ends.append({name: conversation(run(tests, name, server.vpn_port))
                         for name in names(tests)})
    assert ends[0] == ends[1]
    assert sum(success for success, _ in ends[0].values()) >= 6, ends[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    port = rad.free_port()
    listen = {"server devtrust-ikev2 {\n": "server devtrust-ikev2 {\n\tlisten {\n\t\ttype = auth\n"
              f"\t\tipaddr = 127.0.0.1\n\t\tport = {port}\n\t}}\n"}
    with rad.start_world(tmp_path_factory.mktemp("called"), pki_index, users_text=USERS,
                         replace={**METHODS, **listen}, sites={"passwords": PASSWORDS},
                         settings={"mfa": {"wait_wifi": "8s", "push_limit": "1000",
                                           "push_pause": "0s"},
                                   "user_name": {"realms": "example.org -> @example.com"}}) as made:
        made.plain_port = port  # type: ignore[attr-defined]
        made.person("bob", PUSH)
        made.person("user", PUSH)
        yield made
        assert made.radius.is_running(), made.radius.log_text()


def called(world: World, tests: Path, push: str) -> dict[str, bool]:
    """What becomes of each while the person answers pushes so."""
    for user in ("bob", "user"):
        world.sim.set_push(user + "@example.com", push, 0.3)
    ends = {}
    for name in names(tests):
        if name not in NOT_OFFERED:
            plain = not re.search(r"eap=(TLS|TTLS|PEAP)", (tests / f"{name}.conf").read_text())
            port = world.plain_port if plain else world.radius.wifi_port  # type: ignore
            ends[name] = run(tests, name, port).success
    return ends


@pytest.mark.parametrize("push,case", [
    pytest.param("approve", "push", marks=cell("radius", PROGRAM, "push", whole=True)),
    pytest.param("deny", "denied", marks=cell("radius", PROGRAM, "denied", whole=True))])
def test_called(world: World, tests: Path, push: str, case: str) -> None:
    ends = called(world, tests, push)
    assert set(ends.values()) == {push == "approve"}, (case, ends)


@pytest.mark.parametrize("case", [pytest.param("okta down", marks=cell(
    "radius", PROGRAM, "okta down", whole=True))])
def test_called_while_okta_is_down(world: World, tests: Path, case: str) -> None:
    with world.okta_down():
        ends = called(world, tests, "approve")
    assert set(ends.values()) == {False}, (case, ends)


@pytest.mark.parametrize("case", [pytest.param("passcode", marks=cell(
    "radius", PROGRAM, "passcode", whole=True))])
def test_passcode(case: str) -> None:
    pytest.skip("their passwords are fixed, and nothing can be asked: " + case)


@pytest.mark.parametrize("case", [pytest.param("trusted", marks=cell(
    "radius", PROGRAM, "trusted", whole=True))])
def test_called_with_a_trusted_device(world: World, tests: Path, case: str) -> None:
    """The one that shows a certificate to be judged: nobody is asked."""
    devices = world.pki["devices"]
    world.sim.enrol_device(devices["device-p256"]["device_id"])
    before = len(world.sim.pushes())
    show(tests, devices["device-p256"])
    try:
        end = run(tests, "eap-tls", world.radius.wifi_port)
        assert end.success, (case, world.site.sign_ons()[-1])
    finally:
        show(tests, devices["device-rsa"])
    assert len(world.sim.pushes()) == before
