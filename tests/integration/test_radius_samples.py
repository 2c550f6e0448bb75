# SPDX-License-Identifier: GPL-2.0-or-later
# The samples in the middle of Debian's whole configuration, as INSTALL.md has them installed: the
# server says no more about them than about its own.
"""FreeRADIUS with rlm_devtrust: the samples, installed as INSTALL.md says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

from tests.lib import radius as rad
from tests.lib.site import Site
from tests.lib.stock import Stock
from tests.sim.client import Sim

ALL = ("devtrust", "eap_devtrust", "devtrust-vpn", "devtrust-wifi", "devtrust-ikev2")
VPN = ("devtrust", "devtrust-vpn")
# What a server that is not content prints, at any level and in -X.
COMPLAINT = re.compile(r"warn|\berror\b|ignoring|failed|deprecated|!!", re.IGNORECASE)
PLACE = re.compile(r"^\w{3} \w{3} .*? : |/\S+/|\[\d+\]|Warning: (?=Ignoring)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Site]:
    where = tmp_path_factory.mktemp("samples")
    with Sim.start(where / "sim") as sim:
        yield Site(where / "site", sim, pki_index)


def complaints(text: str) -> list[str]:
    lines = (PLACE.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if COMPLAINT.search(line)]


@pytest.fixture(scope="module")
def debians(tmp_path_factory: pytest.TempPathFactory, site: Site) -> set[str]:
    """What the server says of Debian's configuration alone."""
    checked = Stock(tmp_path_factory.mktemp("debian") / "raddb", site).check()
    assert checked.returncode == 0, checked.stdout[-3000:]
    return set(complaints(checked.stdout))


@pytest.mark.parametrize("enabled", [ALL, VPN])
def test_no_warning_with_debians_files(tmp_path: Path, site: Site, debians: set[str],
                                       enabled: Sequence[str]) -> None:
    """freeradius -XC, and the start in the foreground with -X."""
    server = Stock(tmp_path / "raddb", site, enabled=enabled)
    checked = server.check()
    assert checked.returncode == 0, checked.stdout[-3000:]
    assert set(complaints(checked.stdout)) <= debians
    try:
        server.start("-X")
        assert server.client().login("nobody").code == rad.REJECT
    finally:
        server.stop()
    start, end = server.log_text().split("Ready to process requests", 1)
    assert "rlm_devtrust" in start and end
    assert set(complaints(start)) <= debians


def test_no_warning_in_a_server_of_the_samples_alone(tmp_path: Path, site: Site) -> None:
    checked = rad.Radius(tmp_path / "raddb", site).check()
    assert checked.returncode == 0, checked.stdout[-3000:]
    assert complaints(checked.stdout) == []
