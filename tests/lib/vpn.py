# SPDX-License-Identifier: GPL-2.0-or-later
# VPN gateways in front of the server under test, each in a network namespace of its own with its
# client in another: OpenVPN with its RADIUS plugin, and strongSwan with eap-radius. They run with
# the presets of conf/, and no line of these is changed but paths, secret and timers of a test.
"""OpenVPN and strongSwan for tests."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

import pexpect

from tests.lib import radius as rad

CONF = rad.ROOT / "conf"
DEVICE = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"  # as a directory knows it
GATEWAY, LAPTOP = "198.51.100.1", "198.51.100.7"
INSIDE = "10.97.0.1"  # behind the gateway
# Where the server under test sees the gateways' packets come from, so that each has its entry.
OPENVPN_SOURCE, STRONGSWAN_SOURCE = "127.0.0.2", "127.0.0.3"
CLIENTS = f"""
client openvpn {{
    ipaddr = {OPENVPN_SOURCE}
    secret = {rad.SECRET.decode()}
    require_message_authenticator = no
}}
client strongswan {{
    ipaddr = {STRONGSWAN_SOURCE}
    secret = {rad.SECRET.decode()}
    require_message_authenticator = yes
    virtual_server = devtrust-ikev2
}}
"""
CLONE_NEWNET = 0x40000000
START_LIMIT = 60.0


def missing(*tools: str) -> str:
    """What this machine lacks; "" when it can be done."""
    lacking = [tool for tool in ("ip", *tools) if shutil.which(tool) is None]
    if lacking:
        return ", ".join(lacking) + " not installed"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return "" if os.geteuid() == 0 else "root is needed for network namespaces"


def wait_for(condition: Callable[[], Any], told: Callable[[], str],
             timeout: float = START_LIMIT) -> Any:
    """The condition's value as soon as it is true."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)
    return value


# --- the network -------------------------------------------------------------------------------

def _run(*command: str) -> None:
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"


def socket_in(namespace: str, address: tuple[str, int],
              kind: int = socket.SOCK_DGRAM) -> socket.socket:
    """A socket, of UDP or another kind, that is bound in that network namespace."""
    made: list[Any] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{namespace}", "rb") as file:
            if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                made.append(OSError(ctypes.get_errno(), "setns"))
                return
        one = socket.socket(socket.AF_INET, kind)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(address)
        made.append(one)

    thread = threading.Thread(target=make)  # the namespace is that of this thread alone
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


class Network:
    """A context manager: two network namespaces with a cable between them."""

    def __init__(self) -> None:
        tag = secrets.token_hex(3)
        self.gateway, self.laptop = f"dtg{tag}", f"dtl{tag}"
        self.cards = f"dtx{tag}", f"dty{tag}"

    def __enter__(self) -> "Network":
        for space in (self.gateway, self.laptop):
            _run("ip", "netns", "add", space)
        _run("ip", "link", "add", self.cards[0], "netns", self.gateway, "type", "veth", "peer",
             "name", self.cards[1], "netns", self.laptop)
        for space, card, address in ((self.gateway, self.cards[0], GATEWAY),
                                     (self.laptop, self.cards[1], LAPTOP)):
            _run("ip", "-n", space, "address", "add", address + "/24", "dev", card)
            _run("ip", "-n", space, "link", "set", card, "up")
            _run("ip", "-n", space, "link", "set", "lo", "up")
        _run("ip", "-n", self.gateway, "address", "add", INSIDE + "/24", "dev", "lo")
        return self

    def __exit__(self, *_: object) -> None:
        for space in (self.gateway, self.laptop):
            subprocess.run(["ip", "netns", "delete", space], stderr=subprocess.DEVNULL,
                           check=False)


@dataclass
class Packet:
    """A RADIUS packet that went by."""

    at: float
    code: int
    attributes: list[tuple[int, bytes]] = field(default_factory=list)

    def all(self, kind: int) -> list[bytes]:
        return [value for name, value in self.attributes if name == kind]


def _read(data: bytes) -> Packet:
    packet = Packet(time.monotonic(), data[0])
    at = 20
    while at + 2 <= len(data) and data[at + 1] >= 2:
        packet.attributes.append((data[at], data[at + 2:at + data[at + 1]]))
        at += data[at + 1]
    return packet


ACCESS_REQUEST, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 1, 4, 5
USER_NAME, CALLING_STATION_ID, ACCT_STATUS_TYPE, ACCT_SESSION_ID = 1, 31, 40, 44
START, STOP, ALIVE = b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3"


class Relay:
    """A context manager: carries RADIUS from 127.0.0.1 of a namespace to the server under test, and
    writes down what goes by. Each port of the gateway keeps one of its own."""

    def __init__(self, namespace: str, source: str, ports: Mapping[int, int]) -> None:
        self.source = source
        self.packets: list[Packet] = []
        self.inner = {socket_in(namespace, ("127.0.0.1", near)): far
                      for near, far in ports.items()}
        self.outer: dict[tuple[socket.socket, Any], socket.socket] = {}
        self.back: dict[socket.socket, tuple[socket.socket, Any]] = {}
        self.silent: set[int] = set()  # codes that are dropped
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._carry)

    def _link(self, near: socket.socket, sender: Any) -> socket.socket:
        key = (near, sender)
        if key not in self.outer:
            link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            link.bind((self.source, 0))
            link.connect(("127.0.0.1", self.inner[near]))
            self.outer[key], self.back[link] = link, key
        return self.outer[key]

    def _carry(self) -> None:
        while not self.ended.is_set():
            for ready in select.select([*self.inner, *self.back], [], [], 0.2)[0]:
                with contextlib.suppress(ConnectionError):
                    data, sender = ready.recvfrom(4096)
                    self.packets.append(_read(data))
                    if data[0] in self.silent:
                        continue
                    if ready in self.inner:
                        self._link(ready, sender).send(data)
                    else:
                        near, client = self.back[ready]
                        near.sendto(data, client)

    def of(self, code: int, kind: int = 0, value: bytes = b"") -> list[Packet]:
        """Those of that code, and with that attribute."""
        return [p for p in list(self.packets)
                if p.code == code and (not kind or value in p.all(kind))]

    def __enter__(self) -> "Relay":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        for one in (*self.inner, *self.back):
            one.close()


class Processes:
    """What a test started; ended with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.running: list["subprocess.Popen[bytes]"] = []

    def start(self, namespace: str, log: str, *command: str,
              env: Optional[Mapping[str, str]] = None) -> "subprocess.Popen[bytes]":
        with open(self.directory / log, "ab") as out:
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env={**os.environ, **(env or {})})
        self.running.append(process)
        return process

    def text(self, log: str) -> str:
        path = self.directory / log
        return path.read_text(errors="replace") if path.exists() else ""

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)

    def end_all(self) -> None:
        for process in list(reversed(self.running)):
            self.end(process)


def preset(name: str, changes: Mapping[str, str]) -> str:
    """A file of conf/ with these changes, each of which must fit."""
    text = (CONF / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


# --- OpenVPN -----------------------------------------------------------------------------------

OPENVPN_SERVER = """
dev tun
topology subnet
server 10.98.0.0 255.255.255.0
port 1194
ca {ca}
cert {cert}
key {key}
dh none
status {dir}/status.log 1
status-version 1
tmp-dir {dir}
client-config-dir {dir}/ccd
verb 4
{more}
config {dir}/preset.conf
"""

OPENVPN_CLIENT = """
client
dev tun
remote {gateway} 1194
ca {ca}
remote-cert-tls server
nobind
verb 4
auth-retry none
connect-retry-max 1
{more}
"""


class OpenVpn:
    """A context manager: the gateway. `changes` are to its preset, `more` are further lines."""

    def __init__(self, directory: Path, radius: rad.Radius, *, more: str = "",
                 changes: Optional[Mapping[str, str]] = None,
                 plugin: Optional[Mapping[str, str]] = None) -> None:
        self.radius, self.directory = radius, directory
        self.network = Network()
        self.processes = Processes(directory)
        (directory / "ccd").mkdir()
        server = radius.pki["radius_server"]
        self.ca = radius.pki["authorities"]["radius_ca"]
        (directory / "preset.conf").write_text(preset("openvpn/server.conf", {
            "/etc/openvpn/radiusplugin.cnf": f"{directory}/radiusplugin.cnf", **(changes or {})}))
        (directory / "radiusplugin.cnf").write_text(preset("openvpn/radiusplugin.cnf", {
            "/etc/openvpn/server.conf": f"{directory}/server.conf",
            "change-me-and-make-me-long-and-random": rad.SECRET.decode(), **(plugin or {})}))
        (directory / "server.conf").write_text(OPENVPN_SERVER.format(
            dir=directory, ca=self.ca, cert=server["chain"], key=server["key"], more=more))
        self.relay: Optional[Relay] = None

    def __enter__(self) -> "OpenVpn":
        self.network.__enter__()
        try:
            self.relay = Relay(self.network.gateway, OPENVPN_SOURCE, {
                1812: self.radius.vpn_port, 1813: self.radius.vpn_accounting_port}).__enter__()
            self.processes.start(self.network.gateway, "server.log", "openvpn", "--cd",
                                 str(self.directory), "--config", "server.conf")
            wait_for(lambda: "Initialization Sequence Completed" in self.log, lambda: self.log)
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
        return self.processes.text("server.log")

    def client(self, user: str, password: str = rad.PASSWORD, *, answer: Optional[str] = None,
               more: str = "") -> "OpenVpnClient":
        """Not started yet. `answer` is what is typed at the preset's static-challenge; None: the
        client has none."""
        return OpenVpnClient(self, user, password, answer, more)


class OpenVpnClient:
    """A context manager: a person's OpenVPN."""

    def __init__(self, gateway: OpenVpn, user: str, password: str, answer: Optional[str],
                 more: str) -> None:
        self.gateway, self.answer = gateway, answer
        name = secrets.token_hex(4)
        self.log_path = gateway.directory / f"client-{name}.log"
        login = gateway.directory / f"login-{name}"
        login.write_text(f"{user}\n{password}\n")
        login.chmod(0o600)
        changes = {"auth-user-pass\n": f"auth-user-pass {login}\n"}
        if answer is None:
            changes['static-challenge "Passcode (empty for a push)" 1\n'] = ""
        self.config = gateway.directory / f"client-{name}.conf"
        self.config.write_text(
            OPENVPN_CLIENT.format(gateway=GATEWAY, ca=gateway.ca, more=more)
            + preset("openvpn/client.conf", changes))
        self.child: Optional[pexpect.spawn] = None

    def __enter__(self) -> "OpenVpnClient":
        self.child = pexpect.spawn("ip", ["netns", "exec", self.gateway.network.laptop, "openvpn",
                                          "--config", str(self.config)],
                                   timeout=START_LIMIT, encoding="utf-8", codec_errors="replace",
                                   logfile=open(self.log_path, "w", encoding="utf-8"))
        self.child.setecho(False)
        if self.answer is not None:
            self.child.expect("CHALLENGE: ")
            self.child.sendline(self.answer)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.child is not None
        if self.child.isalive():
            self.child.kill(signal.SIGTERM)
        with contextlib.suppress(pexpect.TIMEOUT):
            self.child.expect(pexpect.EOF, timeout=15)
        self.child.close(force=True)
        self.child.logfile.close()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def _expect(self, what: Any, timeout: float) -> int:
        assert self.child is not None
        try:
            return int(self.child.expect(what, timeout=timeout))
        except (pexpect.TIMEOUT, pexpect.EOF) as e:
            raise AssertionError(f"{what} not in:\n{self.log[-4000:]}\n--- server:\n"
                                 f"{self.gateway.log[-6000:]}") from e

    def wait_connected(self, timeout: float = 90.0) -> None:
        self._expect("Initialization Sequence Completed", timeout)

    def wait_refused(self, timeout: float = 90.0) -> None:
        assert self._expect(["AUTH_FAILED", "Initialization Sequence Completed"], timeout) == 0

    def wait_renegotiated(self, timeout: float = 60.0) -> None:
        """Until a further handshake has ended."""
        self._expect("Control Channel: TLS", timeout)

    @property
    def is_connected(self) -> bool:
        return self.child is not None and self.child.isalive() and "SIGTERM" not in self.log


# --- strongSwan --------------------------------------------------------------------------------

# Not all that are installed: "resolve" and others change files of the machine.
PLUGINS = ("random nonce aes sha1 sha2 md5 hmac kdf pem pkcs1 pubkey x509 constraints openssl "
           "curve25519 kernel-libipsec kernel-netlink socket-default vici eap-identity ")

CHARON = """
charon {{
    load = {plugins}
    install_routes = no
    filelog {{
        log {{
            path = {dir}/charon.log
            default = 1
            ike = 2
            cfg = 2
            flush_line = yes
        }}
    }}
    plugins {{
        vici {{
            socket = unix://{dir}/vici
        }}
    }}
    {more}
}}
{include}
"""

STRONGSWAN_CLIENT = """
connections {{
    home {{
        version = 2
        remote_addrs = {gateway}
        vips = 0.0.0.0
        proposals = aes128-sha256-curve25519
        {more}
        local {{
            auth = {method}
            eap_id = {user}
            id = {user}
        }}
        remote {{
            auth = pubkey
            id = radius.example.com
            cacerts = {ca}
        }}
        children {{
            net {{
                remote_ts = 10.97.0.0/24
                esp_proposals = aes128-sha256
            }}
        }}
    }}
}}
secrets {{
    eap {{
        id = {user}
        secret = "{password}"
    }}
}}
"""


class Charon(Processes):
    """strongSwan's daemon in a namespace, and swanctl for it."""

    def __init__(self, directory: Path, namespace: str, plugins: str, *, more: str = "",
                 include: str = "") -> None:
        super().__init__(directory)
        self.namespace = namespace
        (directory / "strongswan.conf").write_text(CHARON.format(
            plugins=PLUGINS + plugins, dir=directory, more=more, include=include))

    def begin(self) -> None:
        """Starts it, and waits until it can be spoken to."""
        self.start(self.namespace, "daemon.log", "charon-systemd",
                   env={"STRONGSWAN_CONF": str(self.directory / "strongswan.conf")})
        wait_for(lambda: (self.directory / "vici").exists(), lambda: self.log)

    @property
    def log(self) -> str:
        return self.text("charon.log") + self.text("daemon.log")

    def swanctl(self, *arguments: str, timeout: float = 120.0) -> str:
        """What it printed; an error of it is the caller's to find there."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, "swanctl", *arguments, "--uri",
             f"unix://{self.directory}/vici"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, timeout=timeout,
            env={**os.environ, "STRONGSWAN_CONF": str(self.directory / "strongswan.conf")})
        return done.stdout

    def load(self, text: str) -> None:
        """Loads connections and secrets."""
        path = self.directory / "swanctl.conf"
        path.write_text(text)
        path.chmod(0o600)
        done = self.swanctl("--load-all", "--file", str(path))
        assert "loaded connection" in done and "loading" not in done, done + self.log


class StrongSwan:
    """A context manager: the gateway. `changes` are to its presets."""

    def __init__(self, directory: Path, radius: rad.Radius, *,
                 changes: Optional[Mapping[str, str]] = None,
                 connection: Optional[Mapping[str, str]] = None,
                 use_preset: bool = True) -> None:
        self.radius, self.directory = radius, directory
        directory.mkdir(parents=True, exist_ok=True)
        self.network = Network()
        self.ca = radius.pki["authorities"]["radius_ca"]
        server = radius.pki["radius_server"]
        conf = directory / "devtrust.conf"
        conf.write_text(preset("strongswan/devtrust.conf", {
            "change-me-and-make-me-long-and-random": rad.SECRET.decode(), **(changes or {})}))
        self.connection = preset("strongswan/swanctl.conf", {
            "gateway.pem": server["certificate"],
            "pools = people\n": "pools = people\n\t\tproposals = aes128-sha256-curve25519\n"
                                f"\t\tlocal_addrs = {GATEWAY}\n",
            "local_ts = 0.0.0.0/0\n":
                "local_ts = 10.97.0.0/24\n\t\t\t\tesp_proposals = aes128-sha256\n",
            "auth = pubkey\n": "auth = pubkey\n\t\t\tid = radius.example.com\n",
            **(connection or {})})
        self.charon = Charon(directory / "gateway", self.network.gateway, "eap-radius",
                             include=f"include {conf}")
        (directory / "gateway" / "private").mkdir()
        shutil.copy(server["key"], directory / "gateway" / "private")
        self.relay: Optional[Relay] = None

    def __enter__(self) -> "StrongSwan":
        self.network.__enter__()
        try:
            self.relay = Relay(self.network.gateway, STRONGSWAN_SOURCE, {
                1832: self.radius.vpn_port, 1833: self.radius.vpn_accounting_port}).__enter__()
            self.charon.begin()
            self.charon.load(self.connection)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.charon.end_all()
        if self.relay is not None:
            self.relay.__exit__()
        self.network.__exit__()

    def client(self, user: str, password: str = rad.PASSWORD, *, method: str = "eap-mschapv2",
               more: str = "", settings: str = "") -> "StrongSwanClient":
        """Not started yet. `more` goes into its connection, `settings` into its daemon's."""
        return StrongSwanClient(self, STRONGSWAN_CLIENT.format(
            gateway=GATEWAY, method=method, user=user, ca=self.ca, password=password, more=more),
            settings)


class StrongSwanClient:
    """A context manager: a person's strongSwan."""

    def __init__(self, gateway: StrongSwan, connection: str, settings: str) -> None:
        self.gateway, self.connection = gateway, connection
        self.charon = Charon(gateway.directory / f"client-{secrets.token_hex(4)}",
                             gateway.network.laptop, "eap-mschapv2 eap-gtc eap-md5",
                             more=settings)

    def __enter__(self) -> "StrongSwanClient":
        try:
            self.charon.begin()
            self.charon.load(self.connection)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.charon.swanctl("--terminate", "--ike", "home", "--timeout", "5", timeout=20)
        self.charon.end_all()

    def connect(self, seconds: int = 90) -> bool:
        """Whether there is a tunnel then."""
        told = self.charon.swanctl("--initiate", "--child", "net", "--timeout", str(seconds),
                                   timeout=seconds + 30)
        return "initiate completed successfully" in told

    @property
    def is_connected(self) -> bool:
        told = self.charon.swanctl("--list-sas")
        return "ESTABLISHED" in told and "INSTALLED" in told

    @property
    def log(self) -> str:
        return self.charon.log + "\n--- gateway:\n" + self.gateway.charon.log
