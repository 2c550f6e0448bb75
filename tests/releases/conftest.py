# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of releases share: the packages of each release, built once for all of them."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from tests.lib.release_root import NAMES, RELEASES, ROOT, Root, source_digest, with_packages

WORKSHOP = ["build", "packages"]
BUILDER = "/src/tests/releases/build_packages.sh"


def end(_number: int, _frame: Any) -> None:
    """Roots that run are closed on the way out, as they are after Ctrl-C."""
    raise KeyboardInterrupt


def pytest_configure(config: pytest.Config) -> None:
    """A run that is ended leaves no process, mount and control group behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


@pytest.fixture(scope="session", params=NAMES)
def release(request: Any) -> str:
    return request.param


def build(release: str, way: int) -> Path:
    """Folder of the packages, as the way of build_packages.sh makes them of these sources."""
    kept = RELEASES / release / f"packages-{way}"
    made_of = kept.with_suffix(".stamp")
    digest = source_digest()
    if kept.exists() and made_of.exists() and made_of.read_text() == digest:
        return kept
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    with Root(release, [with_packages(release, WORKSHOP)]) as root:
        root.copy_tree_in("/src")
        root.run(f"{BUILDER} /src {way} /out", network=True)
        for file in root.path("/out").iterdir():
            shutil.copy2(file, kept)
    made_of.write_text(digest)
    return kept


@pytest.fixture(scope="session")
def built(release: str) -> Callable[[int], Path]:
    return lambda way: build(release, way)


@pytest.fixture(scope="session")
def packages(release: str) -> Path:
    return build(release, 1)


@pytest.fixture
def host(release: str) -> Iterator[Root]:
    """A host that was just installed."""
    with Root(release, []) as root:
        yield root


@pytest.fixture
def workshop(release: str) -> Iterator[Root]:
    """A host on which packages are built."""
    with Root(release, [with_packages(release, WORKSHOP)]) as root:
        yield root


@pytest.fixture
def test_host(release: str) -> Iterator[Root]:
    """A host with everything that the suite needs, and the sources in /src."""
    with Root(release, [with_packages(release, ["build", "check"])]) as root:
        root.copy_tree_in("/src")
        yield root


def newer(packages: Path, target: Path) -> Path:
    """The same packages under a higher version."""
    target.mkdir()
    for deb in packages.glob("*.deb"):
        if "dbgsym" in deb.name:
            continue
        tree = target / "tree"
        subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
        control = tree / "DEBIAN/control"
        version = next(line.split()[1] for line in control.read_text().splitlines()
                       if line.startswith("Version: "))
        control.write_text(control.read_text().replace(f"Version: {version}",
                                                       f"Version: {version}+next")
                           .replace(f"(= {version})", f"(= {version}+next)"))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, target], check=True,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(tree)
    return target


__all__ = ["ROOT", "newer"]
