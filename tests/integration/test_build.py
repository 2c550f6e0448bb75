# SPDX-License-Identifier: GPL-2.0-or-later
"""What the build asks for, and what it installs: by what make would do, not by doing it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(os.environ["DEVTRUST_ROOT"])
FREERADIUS = re.compile(r"rlm_|radius", re.IGNORECASE)


def would_do(*arguments: str) -> str:
    """Of a tree without config.mak, where nothing has been built yet."""
    return subprocess.run(["make", "-n", "-C", ROOT, "BUILD=build-nowhere", "SAN=", *arguments],
                          check=True, text=True, capture_output=True).stdout


def packages(section: str) -> set[str]:
    found: set[str] = set()
    here = False
    for line in (ROOT / "packages.txt").read_text().splitlines():
        if line.startswith("["):
            here = section in line.strip("[] ").split()
        elif here and line and not line.startswith("#"):
            found.add(line.split()[0])
    assert found
    return found


def deps(*arguments: str, packages: Path | None = None,
         **environment: str) -> subprocess.CompletedProcess[str]:
    if packages is not None:
        environment["DEVTRUST_PACKAGES"] = str(packages)
    return subprocess.run([ROOT / "scripts/deps.sh", "--check", *arguments], text=True,
                          capture_output=True, env={**os.environ, **environment})


@pytest.mark.parametrize("target", ["all", "unit-tests", "install"])
def test_without_radius_nothing_of_freeradius_is_built_or_installed(target: str) -> None:
    assert FREERADIUS.search(would_do(target))
    mentions = [line for line in would_do("RADIUS=no", target).splitlines()
                if FREERADIUS.search(re.sub(r"\S*core/\S*|\S*policies/\S*", "", line))]
    assert mentions == []


def test_without_radius_the_rest_is_installed() -> None:
    def installed(*arguments: str) -> set[str]:
        return set(re.findall(r"INSTALL  (\S+?)'", would_do("install", *arguments)))

    left_out = installed() - installed("RADIUS=no")
    assert installed("RADIUS=no") < installed()
    assert {"rlm_devtrust.so", "rlm_devtrust.5", "devtrust-vpn", "swanctl.conf"} <= \
        {Path(path).name for path in left_out}
    assert {"pam_devtrust.so", "devtrustd", "devtrustctl", "devtrustd.socket"} <= \
        {Path(path).name for path in installed("RADIUS=no")}


def test_each_package_of_the_build_belongs_to_a_part() -> None:
    """[pam] is the build of a host without FreeRADIUS, and [radius] is what FreeRADIUS adds."""
    assert packages("build") == packages("pam") | packages("radius")
    assert not packages("pam") & packages("radius")
    assert not [name for name in packages("pam") if FREERADIUS.search(name)]


def test_the_debian_packages_are_built_with_the_same() -> None:
    control = (ROOT / "debian/control").read_text()
    listed = control.split("Build-Depends:\n", 1)[1].split("\nStandards-Version", 1)[0]
    listed = listed.replace(" <!nocheck>", "")
    needs = {line.strip(" ,").replace(" | ", "|") for line in listed.splitlines()}
    everywhere = {"gcc", "libc6-dev", "make", "binutils"}  # build-essential
    packaging = {"debhelper-compat (= 13)", "dh-apparmor", "dh-sequence-installsysusers"}
    # What unit tests need, which run when packages are built.
    checked = {"libcmocka-dev", "libtss2-tcti-swtpm0|libtss2-tcti-swtpm0t64", "openssh-client",
               "python3", "python3-cryptography", "python3-jwt", "softhsm2", "swtpm",
               "swtpm-tools", "tpm2-openssl", "tpm2-tools"}
    assert checked <= packages("packages")
    assert needs == packages("build") - everywhere | packaging | checked


def test_one_of_the_names_that_releases_have_is_enough(tmp_path: Path) -> None:
    listed = tmp_path / "packages.txt"
    listed.write_text("[one]\nno-such-package|make  why\n[two]\nno-such-package|nor-this  why\n"
                      "[three both]\nmake  why\n[four both]\nneither-this  why\n")
    assert deps("one", "three", packages=listed).returncode == 0
    two = "no-such-package|nor-this"
    for section, name in (("two", two), ("four", "neither-this"), ("both", "neither-this")):
        refused = deps(section, packages=listed)
        assert refused.returncode == 1
        assert f"missing: {name}\n" in refused.stderr
    assert deps("no", packages=listed).returncode != 0
