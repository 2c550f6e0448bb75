# SPDX-License-Identifier: GPL-2.0-or-later
# A directory for tests: OpenLDAP's slapd on the loopback address with people and groups, and
# nslcd, which answers a host's name service from it. Both run as they are installed, with their own
# files in the test's directory.
"""slapd and nslcd under test."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

from tests.lib.radius import free_port

LIMIT = 60.0
SIZE_LIMIT = 1200  # entries of one answer
BASE = "dc=example,dc=com"
SLAPD = "/usr/sbin/slapd"
NSLCD = "/usr/sbin/nslcd"

Process = subprocess.Popen

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
{modules}
sizelimit {size_limit}
pidfile {directory}/slapd.pid
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {admin_password}
directory {directory}/data
index objectClass,uid,uidNumber,gidNumber,memberUid eq
{policy}"""
ADMIN = "cn=admin," + BASE
ADMIN_PASSWORD = secrets.token_hex(8)

# People change their own passwords, and must where the administrator says so.
POLICY = f"""\
access to attrs=userPassword by self write by anonymous auth by * none
access to * by * read
overlay ppolicy
ppolicy_default "cn=passwords,{BASE}"
"""
POLICY_ENTRY = f"""\
dn: cn=passwords,{BASE}
objectClass: device
objectClass: pwdPolicy
cn: passwords
pwdAttribute: userPassword
pwdMustChange: TRUE
pwdLockout: TRUE
pwdMaxFailure: 100
"""


def wait_until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain: " + what
        time.sleep(0.05)


def end(process: Optional["Process[bytes]"], how: int = signal.SIGTERM) -> None:
    if process is None:
        return
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def escaped(name: str) -> str:
    """As a value within a distinguished name (RFC 4514)."""
    return re.sub(r'([,+"\\<>;=#])', r"\\\1", name)


class Ldap:
    """A directory with people (name -> uid) and groups (name -> (gid, members)); `password` is
    everybody's. `member_of` gives a person's entry the names of groups (name -> distinguished
    names), as directories do that keep them there; `entries` are further ones in LDIF. `primary` is
    everybody's first group, 0 that of their own number; `policy`: passwords can be changed."""

    def __init__(self, people: Mapping[str, int],
                 groups: Mapping[str, tuple[int, Iterable[str]]], *, password: str = "",
                 entries: Iterable[str] = (),
                 member_of: Optional[Mapping[str, Iterable[str]]] = None, primary: int = 0,
                 policy: bool = False) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="devtrust-ldap-"))
        os.chmod(self.directory, 0o755)
        (self.directory / "data").mkdir()
        self.port = free_port(socket.SOCK_STREAM)
        self._slapd: Optional["Process[bytes]"] = None
        self._nslcd: Optional["Process[bytes]"] = None
        self.config = self.directory / "slapd.conf"
        self.config.write_text(CONFIG.format(
            directory=self.directory, base=BASE, size_limit=SIZE_LIMIT, admin=ADMIN,
            admin_password=ADMIN_PASSWORD, policy=POLICY if policy else "",
            modules="\n".join(["moduleload memberof"] * bool(member_of)
                              + ["moduleload ppolicy"] * policy)))
        made = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\n"
                "dc: example\no: Example\n"]
        made += [f"dn: uid={name},{BASE}\nobjectClass: account\nobjectClass: posixAccount\n"
                 "objectClass: shadowAccount\n"
                 f"uid: {name}\ncn: {name}\nuidNumber: {uid}\ngidNumber: {primary or uid}\n"
                 f"homeDirectory: /nonexistent\nloginShell: /bin/sh\n"
                 + (f"userPassword: {password}\n" if password else "")
                 + "".join(f"memberOf: {dn}\n" for dn in (member_of or {}).get(name, ()))
                 for name, uid in people.items()]
        made += [f"dn: cn={escaped(name)},{BASE}\nobjectClass: posixGroup\ncn: {name}\n"
                 f"gidNumber: {gid}\n" + "".join(f"memberUid: {m}\n" for m in members)
                 for name, (gid, members) in groups.items()]
        self.add("\n".join([*made, *[POLICY_ENTRY] * policy, *entries]))

    def add(self, entries: str) -> None:
        """Entries in LDIF, while slapd does not run."""
        done = subprocess.run(["/usr/sbin/slapadd", "-q", "-f", str(self.config)], check=False,
                              input=entries, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT)
        assert done.returncode == 0, done.stdout

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def modify(self, name: str, changes: str) -> None:
        """Changes a person's entry, as its administrator; `changes` as in ldif(5)."""
        done = subprocess.run(
            ["ldapmodify", "-x", "-H", self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD],
            input=f"dn: uid={name},{BASE}\nchangetype: modify\n{changes}\n", text=True,
            capture_output=True, timeout=LIMIT)
        assert done.returncode == 0, done.stderr

    # --- slapd -----------------------------------------------------------------------------------

    def start(self) -> None:
        assert self._slapd is None
        self._slapd = subprocess.Popen(
            [SLAPD, "-h", self.url, "-f", str(self.config), "-d", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.is_listening, "slapd listens")

    def is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        end(self._slapd)
        self._slapd = None

    def pause(self) -> None:
        """It takes connections, and answers nothing."""
        assert self._slapd is not None
        self._slapd.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._slapd is not None
        self._slapd.send_signal(signal.SIGCONT)

    # --- the name service ------------------------------------------------------------------------

    def nslcd_config(self) -> Path:
        path = self.directory / "nslcd.conf"
        path.write_text(f"uid nslcd\ngid nslcd\nuri {self.url}\nbase {BASE}\n"
                        "bind_timelimit 2\ntimelimit 2\n"
                        "reconnect_sleeptime 1\nreconnect_retrytime 1\n")
        os.chown(path, 0, pwd.getpwnam("nslcd").pw_gid)
        os.chmod(path, 0o640)
        return path

    def start_nslcd(self, inside: Any) -> None:
        """In a namespace where /etc/nslcd.conf is ours and /run/nslcd is empty."""
        assert self._nslcd is None
        command: Sequence[str] = inside([NSLCD, "--nofork"])
        self._nslcd = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop_nslcd(self) -> None:
        end(self._nslcd)
        self._nslcd = None

    def close(self) -> None:
        self.stop_nslcd()
        self.stop()
        with contextlib.suppress(OSError):
            subprocess.run(["rm", "-rf", str(self.directory)], check=True, timeout=LIMIT)

    def __enter__(self) -> "Ldap":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
