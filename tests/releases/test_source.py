# SPDX-License-Identifier: GPL-2.0-or-later
"""From source on each release. Unit tests run when the packages are built: see test_packages.py."""

from __future__ import annotations

import re
from pathlib import Path

from tests.lib.release_root import Root, with_packages

# Files of tests/integration that go through each door once, with what differs between releases:
# Python's and OpenSSL's ideas of certificates, sshd's, sudo's and FreeRADIUS's versions, TPM and
# PKCS#11, the journal.
CHOSEN = ["test_host_device", "test_pam_ssh_batch", "test_pam_sudo", "test_pam_variants",
          "test_pki", "test_primary", "test_radius_certificates", "test_radius_eap_end",
          "test_radius_early", "test_radius_peap", "test_radius_roaming", "test_radius_samples",
          "test_radius_vpn", "test_radius_wifi"]
INSTALLED = {"pam_devtrust.so": "/usr/lib/*/security/pam_devtrust.so",
             "devtrustd": "/usr/sbin/devtrustd", "devtrustctl": "/usr/sbin/devtrustctl",
             "rlm_devtrust.so": "/usr/lib/freeradius/rlm_devtrust.so"}


def test_an_ssh_host_needs_no_freeradius(release: str) -> None:
    with Root(release, [with_packages(release, ["pam"])]) as root:
        root.copy_tree_in("/src")
        before = files_of(root)
        root.run("cd /src && make -j2 RADIUS=no && make RADIUS=no install")
        root.run("ldd /usr/sbin/devtrust* /usr/lib/*/security/pam_devtrust.so")
        added = files_of(root) - before
        assert any(name.endswith("/pam_devtrust.so") for name in added)
        assert not [name for name in added if re.search("rlm_|radius", name)]
        installed = root.run("dpkg-query -W -f '${Package}\\n'", quiet=True).stdout.split()
        assert not [name for name in installed if "radius" in name]
        root.run("systemd-sysusers && systemd-tmpfiles --create && devtrustctl version")
        root.run("systemctl daemon-reload && systemctl start devtrustd.socket")
        root.run("systemctl stop devtrustd.socket && cd /src && make RADIUS=no uninstall")
        assert {name for name in files_of(root) - before} == {"/etc/devtrust/devtrust.conf"}


def files_of(root: Root) -> set[str]:
    """Without the lists of users, which systemd-sysusers changes."""
    found = root.run("find /usr /etc -type f -o -type l", quiet=True).stdout.split()
    lists = re.compile("/etc/(passwd|group|shadow|gshadow)-?")
    return {name for name in found if not lists.fullmatch(name)}


def test_the_suite_on_what_was_installed(test_host: Root, packages: Path) -> None:
    """The chosen tests, with the programs and modules of the packages, on a host with a journal."""
    root = test_host
    for deb in packages.glob("*.deb"):
        root.copy_in(deb, f"/tmp/debs/{deb.name}")
    root.apt("install $(ls /tmp/debs/*.deb | grep -v dbgsym)")
    root.run("test -S /dev/log")
    root.run("mkdir -p /inst && " + " && ".join(
        f"ln -s {where} /inst/{name}" for name, where in INSTALLED.items()))
    root.run("cd /src && make BUILD=/inst /inst/tests/lib/security_key.so "
             "/inst/tests/lib/nss_alias.so")
    tests = " ".join(f"tests/integration/{name}.py" for name in CHOSEN)
    ran = root.run("cd /src && python3 -m pytest -q -p no:cacheprovider -n 2 --dist loadfile "
                   f"-rs {tests}",
                   environment={"DEVTRUST_BUILD": "/inst", "DEVTRUST_ROOT": "/src",
                                "DEVTRUST_SAN": "", "PYTHONDONTWRITEBYTECODE": "1"})
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed and int(passed.group(1)) > 100
