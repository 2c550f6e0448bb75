# SPDX-License-Identifier: GPL-2.0-or-later
# People of winbind: a Samba domain controller, in a network of its own, whose winbindd tells this
# world its people, behind what Debian's pam-auth-update writes for it.
"""EXAMPLE\\ann signs on as ann@example.com."""

from __future__ import annotations

import subprocess
from typing import Any, Iterator

import pytest

from tests.lib.ldap import end
from tests.lib.matrix import cell
from tests.lib.pamworld import PamWorld, pam_world, unpack_packages, wait_until
from tests.lib.person import sign_on
from tests.lib.site import catch_all, guide_policy, rule

ANN, USER, PASSWORD = "ann@example.com", "EXAMPLE\\ann", "Passw0rd.ann"
PACKAGES = ("winbind", "samba", "samba-ad-provision", "samba-dsdb-modules", "samba-vfs-modules",
            "libpam-winbind", "libnss-winbind")
SWITCH = "passwd: files winbind\ngroup: files winbind\nshadow: files\nhosts: files\n"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"user_name": {"realms": "EXAMPLE -> @example.com"},
                "policy": {"unknown_device_as": "not_trusted"}}
    with pam_world(pki_index, applications=("login",), settings=settings,
                   packages=unpack_packages("winbind", *PACKAGES)) as made:
        made.run(["env", "DEBIAN_FRONTEND=noninteractive", "pam-auth-update", "--package",
                  "--enable", "unix", "winbind"])
        # A domain controller's own winbindd finds no KDC in a network without DNS.
        made.run(["sed", "-i", "s/krb5_auth krb5_ccache_type=FILE//", "/etc/pam.d/common-auth"])
        made.run(["sh", "-c", "cat >/etc/nsswitch.conf"], input=SWITCH)
        made.sample("login", "login-devtrust")
        dc = made.directory / "dc"
        dc.mkdir()
        done = made.run(
            ["samba-tool", "domain", "provision", "--realm=AD.EXAMPLE.COM", "--domain=EXAMPLE",
             "--server-role=dc", "--dns-backend=SAMBA_INTERNAL", "--adminpass=Passw0rd.xyz",
             "--use-rfc2307", f"--targetdir={dc}", "--option=template shell=/bin/sh",
             "--option=template homedir=/nonexistent"], timeout=300)
        assert done.returncode == 0, done.stderr
        for change in (["user", "create", "ann", PASSWORD], ["group", "add", "Network Admins"],
                       ["group", "addmembers", "Network Admins", "ann"]):
            done = made.run(["samba-tool", *change, f"-s{dc}/etc/smb.conf",
                             "-H", f"{dc}/private/sam.ldb"])
            assert done.returncode == 0, done.stderr
        samba = subprocess.Popen(
            made.inside(["unshare", "-n", "sh", "-c",
                         f"ip link set lo up; exec samba -i -s {dc}/etc/smb.conf"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: made.run(["wbinfo", "-a", f"{USER}%{PASSWORD}"]).returncode == 0,
                       "winbindd checks passwords")
            made.sim.add_user(ANN, factors=("push",), push="approve")
            yield made
        finally:
            end(samba)


@pytest.mark.parametrize("case", [pytest.param(c, marks=cell("pam", "winbind, login", c, True))
                                  for c in ("push", "denied", "directory group")])
def test_people_of_winbind(world: PamWorld, case: str) -> None:
    world.stop_daemon()
    people = {"groups": {"include": ["example\\network ADMINS"], "exclude": []}}
    by_group = {"name": "login", "application": "login",
                "rules": [rule("of the group", 1, access="DENY", people=people), catch_all()]}
    world.site.set_policy(by_group if case == "directory group" else guide_policy("login"))
    world.sim.set_push(ANN, "deny" if case == "denied" else "approve")
    world.site.audit_path.unlink(missing_ok=True)
    world.start_daemon()
    seen = sign_on(world.inside(["login", USER]), PASSWORD)
    event = world.outcome("login")
    assert seen.inside == (case == "push") and event["actor"]["alternateId"] == ANN, seen.text
    if case == "directory group":
        assert event["debugContext"]["debugData"]["rule"] == "of the group"
