# SPDX-License-Identifier: GPL-2.0-or-later
# People of winbind: a Samba domain controller, in a network of its own, whose winbindd tells this
# world its people, at the real sshd, sudo, su and login with the samples as they are shipped,
# behind what Debian's pam-auth-update writes.
"""EXAMPLE\\ann signs on as ann@example.com."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.ldap import end
from tests.lib.matrix import cell
from tests.lib.pamworld import PamWorld, pam_world, unpack_packages, wait_until
from tests.lib.person import Seen, sign_on
from tests.lib.site import catch_all, guide_policy, rule
from tests.lib.sshd import Sshd, make_key

ANN, USER, BEA = "ann@example.com", "EXAMPLE\\ann", "EXAMPLE\\bea"
PASSWORD = "Passw0rd.ann"
PACKAGES = ("winbind", "samba", "samba-ad-provision", "samba-dsdb-modules", "samba-vfs-modules",
            "libpam-winbind", "libnss-winbind")
SWITCH = "passwd: files winbind\ngroup: files winbind\nshadow: files\nhosts: files\n"
SUDOERS = ("Defaults !fqdn, !lecture, timestamp_timeout=0\nroot ALL=(ALL) ALL\n"
           "%EXAMPLE\\\\network\\ admins ALL=(ALL) ALL\n")
SERVICES = ("sshd", "sudo", "su", "login")
CASES = ("push", "passcode", "denied", "okta down", "daemon down", "directory group")


@dataclasses.dataclass
class Domain:
    """A host of the domain, with an sshd that takes ann's key."""

    world: PamWorld
    sshd: Sshd
    key: Path

    def command(self, service: str) -> list[str]:
        """Of ann, or of ann who becomes bea by it."""
        if service == "sshd":
            return self.sshd.command(USER, self.key, "id")
        if service == "login":
            return self.world.inside(["login", USER])
        uid, gid, groups = (self.world.run(["id", what, USER]).stdout.strip()
                            for what in ("-u", "-g", "-G"))
        command = {"sudo": ["sudo", "-k", "id"], "su": ["su", BEA, "-c", "id"]}[service]
        return self.world.inside(["setpriv", "--reuid", uid, "--regid", gid, "--groups",
                                  groups.replace(" ", ","), *command])

    def sign_on(self, service: str, answer: str = "") -> Seen:
        return sign_on(self.command(service), PASSWORD, lambda _: answer)


def provision(world: PamWorld) -> Path:
    """A domain with ann, of Network Admins, and bea; its folder."""
    dc = world.directory / "dc"
    dc.mkdir()
    done = world.run(
        ["samba-tool", "domain", "provision", "--realm=AD.EXAMPLE.COM", "--domain=EXAMPLE",
         "--server-role=dc", "--dns-backend=SAMBA_INTERNAL", "--adminpass=Passw0rd.xyz",
         "--use-rfc2307", f"--targetdir={dc}", "--option=template shell=/bin/sh",
         "--option=template homedir=/nonexistent"], timeout=300)
    assert done.returncode == 0, done.stderr
    for change in (["user", "create", "ann", PASSWORD], ["user", "create", "bea", PASSWORD],
                   ["group", "add", "Network Admins"],
                   ["group", "addmembers", "Network Admins", "ann"]):
        done = world.run(["samba-tool", *change, f"-s{dc}/etc/smb.conf",
                          "-H", f"{dc}/private/sam.ldb"])
        assert done.returncode == 0, done.stderr
    return dc


@pytest.fixture(scope="module")
def domain(pki_index: dict[str, Any]) -> Iterator[Domain]:
    settings = {"user_name": {"realms": "EXAMPLE -> @example.com"},
                "mfa": {"push_limit": 100, "push_pause": "0s"},
                "policy": {"unknown_device_as": "not_trusted"}}
    with pam_world(pki_index, applications=SERVICES, settings=settings,
                   packages=unpack_packages("winbind", *PACKAGES)) as world:
        world.run(["env", "DEBIAN_FRONTEND=noninteractive", "pam-auth-update", "--package",
                   "--enable", "unix", "winbind"])
        # A domain controller's own winbindd finds no KDC in a network without DNS.
        world.run(["sed", "-i", "s/krb5_auth krb5_ccache_type=FILE//", "/etc/pam.d/common-auth"])
        world.run(["sh", "-c", "cat >/etc/nsswitch.conf"], input=SWITCH)
        world.run(["sh", "-c", "cat >/etc/sudoers && chmod 440 /etc/sudoers"], input=SUDOERS)
        for name in SERVICES:
            world.sample(name, name + "-devtrust")
        dc = provision(world)
        samba = subprocess.Popen(
            world.inside(["unshare", "-n", "sh", "-c",
                          f"ip link set lo up; exec samba -i -s {dc}/etc/smb.conf"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: world.run(["wbinfo", "-a", f"{USER}%{PASSWORD}"]).returncode == 0,
                       "winbindd checks passwords")
            with Sshd(world, StrictModes="no") as sshd:
                key = make_key(world.directory / "key")
                account = world.run(["id", "-un", USER]).stdout.strip()
                sshd.allow(account, key)
                yield Domain(world, sshd, key)
        finally:
            end(samba)


@pytest.fixture(autouse=True)
def fresh(domain: Domain) -> Iterator[None]:
    world = domain.world
    world.stop_daemon()
    world.sim.reset()
    for login in (ANN, "bea@example.com"):
        world.sim.add_user(login, factors=("push", "token:software:totp"), push="approve")
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    for name in SERVICES:
        world.site.set_policy(guide_policy(name))
    world.start_daemon()
    yield
    world.sim.listener("okta")
    domain.sshd.hang_up()
    world.stop_daemon()


def cells() -> list[Any]:
    return [pytest.param(service, case, marks=cell("pam", f"winbind, {service}", case, True))
            for service in SERVICES for case in CASES]


ENDS = {"push": "MFA_SUCCESS", "passcode": "MFA_SUCCESS", "denied": "MFA_REJECTED",
        "okta down": "OKTA_UNAVAILABLE", "daemon down": "MFA_SUCCESS",
        "directory group": "RULE_DENY"}


@pytest.mark.parametrize("service,case", cells())
def test_people_of_winbind(domain: Domain, service: str, case: str) -> None:
    world = domain.world
    answer = world.sim.passcode(ANN) if case == "passcode" else ""
    if case == "directory group":
        people = {"groups": {"include": ["example\\network ADMINS"], "exclude": []}}
        world.site.set_policy({"name": service, "application": service, "rules": [
            rule("of the group", 1, access="DENY", people=people), catch_all()]})
        world.restart_daemon()
    elif case == "denied":
        world.sim.set_push(ANN, "deny")
    elif case == "passcode":
        world.sim.set_push(ANN, "manual")
    elif case == "okta down":
        world.sim.listener("okta", "down")
    elif case == "daemon down":
        world.stop_daemon()  # devtrustd --one takes its place
    seen = domain.sign_on(service, answer)
    event = world.outcome(service)
    details = event["debugContext"]["debugData"]
    assert event["actor"]["alternateId"] == ANN and details["cause"] == ENDS[case], seen.text
    assert seen.inside == (ENDS[case] == "MFA_SUCCESS"), seen.text
    if case == "directory group":
        assert details["rule"] == "of the group"


@pytest.mark.parametrize("service", [
    pytest.param(name, marks=cell("pam", f"winbind, {name}", "wrong password", True))
    for name in ("su", "login")])
def test_a_wrong_password_asks_okta_nothing(domain: Domain, service: str) -> None:
    seen = sign_on(domain.command(service), "wrong")
    assert not seen.inside, seen.text
    assert domain.world.sim.count("okta.total") == 0 and not domain.world.site.sign_ons()
