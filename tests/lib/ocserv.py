# SPDX-License-Identifier: GPL-2.0-or-later
# ocserv, a gateway of AnyConnect's protocol, in front of the server under test, and openconnect as
# a person runs it: each in a network namespace of its own. ocserv asks RADIUS by radcli.
"""ocserv and openconnect for tests."""

from __future__ import annotations

import contextlib
import secrets
import signal
from pathlib import Path
from typing import Any, Optional

import pexpect

from tests.lib import radius as rad
from tests.lib import vpn

NEEDED = ("ocserv", "openconnect")
SOURCE = "127.0.0.4"  # where the server under test sees radcli's packets come from
PORT = 4443
POOL = "10.96.0"
LIMIT = 60.0
CONFIGURED = r"Configured as (\d+\.\d+\.\d+\.\d+)"
REFUSED = "Password:|401 Authentication failed"  # a challenge has "Password1:"

OCSERV_CONF = """
auth = "radius[config={dir}/radcli.conf{more}]"
acct = "radius[config={dir}/radcli.conf]"
stats-report-time = 2
listen-host = {gateway}
tcp-port = {port}
run-as-user = root
run-as-group = root
socket-file = {dir}/socket
pid-file = {dir}/pid
server-cert = {cert}
server-key = {key}
isolate-workers = false
max-clients = 16
max-same-clients = 4
rate-limit-ms = 0
max-ban-score = 0
keepalive = 60
mobile-dpd = 120
dpd = 60
try-mtu-discovery = false
cisco-client-compat = true
auth-timeout = 90
cookie-timeout = 60
rekey-time = 0
use-occtl = false
device = vpns
predictable-ips = false
ipv4-network = {pool}.0
ipv4-netmask = 255.255.255.0
ping-leases = false
log-level = 3
"""

RADCLI_CONF = """
nas-identifier ocserv
authserver 127.0.0.1
acctserver 127.0.0.1
servers {dir}/servers
dictionary /etc/radcli/dictionary
default_realm
radius_timeout {timeout}
radius_retries 1
bindaddr *
"""


def missing() -> str:
    """What this machine lacks for it; "" when it can be done."""
    return vpn.missing(*NEEDED)


class Ocserv:
    """A context manager: the gateway. It waits `timeout` seconds for an answer; with
    `group_config` RADIUS tells it addresses and limits of people, too."""

    def __init__(self, directory: Path, radius: rad.Radius, *, timeout: int = 60,
                 group_config: bool = False) -> None:
        self.radius, self.directory = radius, directory
        self.ports = {1812: radius.vpn_port, 1813: radius.vpn_accounting_port}
        self.network = vpn.Network()
        self.processes = vpn.Processes(directory)
        self.relay: Optional[vpn.Relay] = None
        server = radius.pki["radius_server"]
        self.ca = radius.pki["authorities"]["radius_ca"]
        (directory / "ocserv.conf").write_text(OCSERV_CONF.format(
            dir=directory, gateway=vpn.GATEWAY, port=PORT, cert=server["chain"], key=server["key"],
            pool=POOL, more=",groupconfig=true" if group_config else ""))
        (directory / "radcli.conf").write_text(RADCLI_CONF.format(dir=directory, timeout=timeout))
        servers = directory / "servers"
        servers.write_text(f"127.0.0.1 {rad.SECRET.decode()}\n")
        servers.chmod(0o600)

    def __enter__(self) -> "Ocserv":
        self.network.__enter__()
        try:
            self.relay = vpn.Relay(self.network.gateway, SOURCE, self.ports).__enter__()
            self.processes.start(self.network.gateway, "ocserv.log", "ocserv", "-f", "-d", "1",
                                 "-c", str(self.directory / "ocserv.conf"))
            vpn.wait_for(lambda: "listening (TCP)" in self.log, lambda: self.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.end_all()
        if self.relay is not None:
            self.relay.__exit__()
        self.network.__exit__()

    @property
    def log(self) -> str:
        return self.processes.text("ocserv.log")

    def client(self, user: str) -> "Openconnect":
        """Not started yet."""
        return Openconnect(self, user)


class Openconnect:
    """A context manager: a person's openconnect, at the prompt for the password."""

    def __init__(self, gateway: Ocserv, user: str) -> None:
        self.gateway, self.user = gateway, user
        self.log_path = gateway.directory / f"openconnect-{secrets.token_hex(4)}.log"
        self.child: Optional[pexpect.spawn] = None
        self.connected = False

    def __enter__(self) -> "Openconnect":
        self.child = pexpect.spawn(
            "ip", ["netns", "exec", self.gateway.network.laptop, "openconnect", "--cafile",
                   self.gateway.ca, "--resolve", f"radius.example.com:{vpn.GATEWAY}", "--no-dtls",
                   "--script", "/bin/true", "--user", self.user, "-v",
                   f"https://radius.example.com:{PORT}/"],
            timeout=LIMIT, encoding="utf-8", codec_errors="replace",
            logfile=open(self.log_path, "w", encoding="utf-8"))
        self.wait_asked()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.child is not None
        if self.child.isalive():
            self.child.kill(signal.SIGINT if self.connected else signal.SIGTERM)
        with contextlib.suppress(pexpect.TIMEOUT):
            self.child.expect(pexpect.EOF, timeout=15)
        self.child.close(force=True)
        self.child.logfile.close()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def expect(self, what: Any, timeout: float = LIMIT) -> int:
        """Which of them came; what did not come fails the test."""
        assert self.child is not None
        try:
            return int(self.child.expect(what, timeout=timeout))
        except (pexpect.TIMEOUT, pexpect.EOF) as e:
            raise AssertionError(f"{what} not in:\n{self.log[-4000:]}\n--- ocserv:\n"
                                 f"{self.gateway.log[-4000:]}") from e

    def answer(self, text: str) -> None:
        """Types it at the prompt."""
        assert self.child is not None
        self.child.sendline(text)

    def wait_asked(self) -> str:
        """The next form: what it says before its prompt."""
        assert self.child is not None
        self.expect(r"Password\d*:")
        return str(self.child.before)

    def wait_connected(self, timeout: float = LIMIT) -> str:
        """The address that the gateway gave."""
        assert self.child is not None
        self.expect(CONFIGURED, timeout)
        self.connected = True
        return str(self.child.match[1])

    def wait_refused(self, timeout: float = LIMIT) -> str:
        """Until the gateway says that it is over, or begins again; what it said."""
        assert self.child is not None
        assert self.expect([REFUSED, CONFIGURED], timeout) == 0, self.log
        return str(self.child.before)
