# SPDX-License-Identifier: GPL-2.0-or-later
# Hosts whose people are in a directory: sssd and nslcd, each in the world of tests.lib.pamworld
# with the PAM files that Debian's pam-auth-update writes for them. Their packages are unpacked into
# the build tree and laid over a private copy of the system: nothing of this machine is changed.
"""sssd and nslcd under test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

from tests.lib.ldap import BASE, Ldap, end
from tests.lib.pamworld import ROOT, PamWorld, unpack_packages, wait_until

PASSWORD = "correct horse battery"
PEOPLE = {"ann": 63001, "bea": 63002, "cyd": 63003}
GROUPS = {"domain users": (63100, ["ann", "bea", "cyd"]), "Network Admins": (63101, ["ann"]),
          "locked out": (63102, ["cyd"])}
SAMPLES = ("sshd", "sudo", "sudo-i", "su", "su-l", "login")

SUDOERS = """\
Defaults !fqdn, !lecture, timestamp_timeout=0
root ALL=(ALL) ALL
%domain\\ users ALL=(ALL) ALL
%domain\\ users@example.com ALL=(ALL) ALL
%EXAMPLE\\\\domain\\ users ALL=(ALL) ALL
"""
SSSD_CONFIG = """\
[sssd]
services = nss, pam
domains = example.com
[nss]
memcache_timeout = 0
entry_negative_timeout = 0
[pam]
pam_id_timeout = 0
[domain/example.com]
id_provider = ldap
auth_provider = ldap
chpass_provider = ldap
access_provider = ldap
ldap_access_order = expire
ldap_account_expire_policy = shadow
ldap_uri = {url}
ldap_search_base = {base}
ldap_auth_disable_tls_never_use_in_production = true
ldap_network_timeout = 2
ldap_opt_timeout = 2
ldap_search_timeout = 2
ldap_enumeration_refresh_timeout = 1
entry_cache_timeout = 1
offline_timeout = 1
offline_timeout_max = 1
offline_timeout_random_offset = 0
cache_credentials = true
min_id = 1000
"""


class Directory:
    """A host with people of a directory; a context manager. `name` is that of nsswitch.conf(5)."""

    name = ""
    profile = ""  # of pam-auth-update
    packages: Sequence[str] = ()

    def __init__(self, pki: Mapping[str, Any], **options: Any) -> None:
        self.ldap = Ldap(PEOPLE, GROUPS, password=PASSWORD, primary=63100, policy=True)
        self.world = PamWorld(pki, packages=unpack_packages(self.name, *self.packages),
                              **options)
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.log = self.world.directory / (self.name + ".log")
        try:
            self._install()
        except BaseException:
            self.close()
            raise

    # --- the host --------------------------------------------------------------------------------

    def run(self, *command: Any, **options: Any) -> str:
        """A command in the world that must succeed; its output."""
        done = self.world.run(command, **options)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def put(self, path: str, text: str, mode: str = "644") -> None:
        """A file of the world's own copy of the system."""
        self.run("mkdir", "-p", str(Path(path).parent))
        self.run("sh", "-c", f"cat >'{path}' && chmod {mode} '{path}'", input=text)

    def _install(self) -> None:
        self.put("/etc/nsswitch.conf", "".join(
            f"{base}: files {self.name}\n" for base in ("passwd", "group", "shadow")))
        # The dictionary would be made by a maintainer script.
        self.put("/etc/security/pwquality.conf", "dictcheck = 0\n")
        self.run("env", "DEBIAN_FRONTEND=noninteractive", "pam-auth-update", "--package",
                 "--enable", "unix", self.profile)
        self.put("/etc/sudoers", SUDOERS, "440")
        for name in SAMPLES:
            self.install_sample(name)
        self.world.drop_delays()
        self.configure()

    def install_sample(self, name: str) -> None:
        """A PAM file as it is shipped; nothing but the module's place is changed."""
        text = (ROOT / "conf" / "pam.d" / (name + "-devtrust")).read_text()
        (self.world.pam_directory / name).write_text(
            text.replace("pam_devtrust.so", self.world.module_line()))

    def configure(self, **more: str) -> None:
        raise NotImplementedError

    def command(self) -> Sequence[Any]:
        raise NotImplementedError

    def called(self, name: str) -> str:
        """What somebody types who means this person."""
        return name

    # --- its state -------------------------------------------------------------------------------

    def start(self) -> None:
        """The name service; with the directory up it must know its people soon."""
        assert self.process is None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.world.inside(self.command()), stdout=log,
                                            stdin=subprocess.DEVNULL, stderr=log)

    def stop(self) -> None:
        end(self.process)
        self.process = None

    def up(self) -> None:
        self.ldap.start()
        self.start()
        wait_until(lambda: self.knows("ann"), "the directory's people are known")

    def knows(self, user: str) -> bool:
        return self.world.run(["getent", "passwd", user]).returncode == 0

    def account(self, user: str) -> str:
        """The name that the host gives the account."""
        return self.run("getent", "passwd", user).split(":")[0]

    def groups(self, user: str) -> set[str]:
        return set(self.world.run(["id", "-Gnz", user]).stdout.split("\0")) - {""}

    def close(self) -> None:
        self.stop()
        self.ldap.close()
        self.world.close()

    def __enter__(self) -> "Directory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sssd(Directory):
    """sssd with its LDAP provider."""

    name, profile = "sss", "sss"
    packages = ("sssd-common", "sssd-ldap", "libpam-sss", "libnss-sss")

    def configure(self, **more: str) -> None:
        text = SSSD_CONFIG.format(url=self.ldap.url, base=BASE)
        self.put("/etc/sssd/sssd.conf", text + "".join(f"{k} = {v}\n" for k, v in more.items()),
                 "600")
        self.run("mkdir", "-p", "/var/lib/sss/db", "/var/lib/sss/mc", "/var/lib/sss/pipes/private",
                 "/var/lib/sss/keytabs", "/var/lib/sss/gpo_cache", "/var/lib/sss/secrets",
                 "/var/lib/sss/pubconf/krb5.include.d", "/var/log/sssd")

    def command(self) -> Sequence[Any]:
        return ["sssd", "-i", "--logger=stderr"]

    def forget(self) -> None:
        """Its cache."""
        self.run("sh", "-c", "rm -f /var/lib/sss/db/* /var/lib/sss/mc/*")


class Nslcd(Directory):
    """nslcd with its own PAM module."""

    name, profile = "ldap", "ldap"
    packages = ("libpam-ldapd", "nslcd", "libnss-ldapd")

    def configure(self, **more: str) -> None:
        # Who must change their password may not search.
        self.put("/etc/nslcd.conf", self.ldap.nslcd_config().read_text()
                 + "pam_authc_search NONE\n"
                 + "".join(f"{k} {v}\n" for k, v in more.items()), "600")
        self.run("install", "-d", "-o", "nslcd", "-g", "nslcd", "/run/nslcd")

    def command(self) -> Sequence[Any]:
        return ["nslcd", "--nofork"]
