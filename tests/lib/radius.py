# SPDX-License-Identifier: GPL-2.0-or-later
# A real FreeRADIUS with the module, made of the sample configuration of conf/raddb, and a small
# RADIUS client that can do what radclient cannot: answer a challenge, retransmit under the same id,
# keep hundreds of requests waiting.
"""FreeRADIUS and its clients for tests."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Union

from tests.lib import ports
from tests.lib.mschap import MICROSOFT, Exchange
from tests.lib.site import Site
from tests.sim.client import Sim

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("DEVTRUST_BUILD", ROOT / "build"))
SAMPLES = ROOT / "conf" / "raddb"
SERVER = "/usr/sbin/freeradius"
MODULES = "/usr/lib/freeradius"
SHARE = "/usr/share/freeradius"

SECRET = b"a-secret-of-the-tests"
PASSWORD = "correct horse"
START_LIMIT = 60.0
STOP_LIMIT = 30.0

ACCEPT, REJECT, CHALLENGE = 2, 3, 11
ACCOUNTING_RESPONSE = 5
NAMES = {ACCEPT: "Access-Accept", REJECT: "Access-Reject", CHALLENGE: "Access-Challenge"}

ATTRIBUTES = {"User-Name": 1, "User-Password": 2, "Bare-User-Password": 2, "CHAP-Password": 3,
              "NAS-IP-Address": 4, "Framed-IP-Address": 8,
              "Filter-Id": 11, "Reply-Message": 18, "Class": 25, "Session-Timeout": 27,
              "Tunnel-Type": 64, "Tunnel-Medium-Type": 65, "Tunnel-Client-Endpoint": 66,
              "Tunnel-Private-Group-Id": 81, "NAS-Port-Type": 61,
              "State": 24, "Called-Station-Id": 30, "Calling-Station-Id": 31,
              "NAS-Identifier": 32, "Proxy-State": 33, "Acct-Session-Id": 44, "EAP-Message": 79,
              "Message-Authenticator": 80, "NAS-IPv6-Address": 95, "Acct-Status-Type": 40}

SHOWN_AS_NUMBERS = (5, 6, 7, 12, 27, 28, 61)  # by eapol_test
VENDOR_SPECIFIC, CISCO, CISCO_AVPAIR = 26, 9, 1
VENDORS = {"Cisco-AVPair": (CISCO, CISCO_AVPAIR), "MS-CHAP-Challenge": (MICROSOFT, 11),
           "MS-CHAP2-Response": (MICROSOFT, 25)}

Value = Union[str, bytes]


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    """A port of the loopback that nobody uses now."""
    return ports.free_port(kind)


# --- the server --------------------------------------------------------------------------------

RADIUSD_CONF = """
prefix = /usr
localstatedir = {dir}
logdir = {dir}
raddbdir = {dir}
confdir = {dir}
modconfdir = {dir}/mods-config
certdir = {dir}/certs
run_dir = {dir}
db_dir = {dir}
libdir = {libdir}
pidfile = {dir}/radiusd.pid
max_request_time = {max_request_time}
cleanup_delay = 5
max_requests = 16384
hostname_lookups = no
proxy_requests = yes
log {{
    destination = files
    file = {dir}/radius.log
    auth = no
}}
security {{
    max_attributes = 200
    reject_delay = {reject_delay}
    status_server = no
}}
thread pool {{
    start_servers = {start_servers}
    max_servers = {max_servers}
    min_spare_servers = 3
    max_spare_servers = 10
    max_requests_per_server = 0
}}
client tests {{
    ipaddr = 127.0.0.1
    secret = {secret}
    require_message_authenticator = yes
}}
modules {{
    $INCLUDE {dir}/mods-enabled/
}}
policy {{
}}
{extra}
$INCLUDE {dir}/sites-enabled/
"""

FILES_MODULE = """
files {
    filename = ${modconfdir}/users
}
"""

PAP_MODULE = """
pap {
}
"""

MSCHAP_MODULE = """
mschap {
}
"""

ALWAYS_MODULE = """
always ok {
    rcode = ok
}
always reject {
    rcode = reject
}
"""

ATTR_FILTER_MODULE = """
attr_filter attr_filter.access_reject {
    key = "%{User-Name}"
    filename = ${modconfdir}/access_reject
}
"""

ACCESS_REJECT = """
DEFAULT
    EAP-Message =* ANY,
    State =* ANY,
    Message-Authenticator =* ANY,
    Error-Cause =* ANY,
    Reply-Message =* ANY,
    MS-CHAP-Error =* ANY,
    Proxy-State =* ANY
"""


class Radius:
    """A FreeRADIUS of its own: configuration directory, process, log."""

    def __init__(self, directory: Union[str, Path], site: Site, *,
                 pki: Optional[Mapping[str, Any]] = None,
                 replace: Optional[Mapping[str, str]] = None,
                 users: Optional[Mapping[str, str]] = None, max_request_time: int = 65,
                 start_servers: int = 5, max_servers: int = 32, reject_delay: int = 0,
                 extra: str = "", sites: Optional[Mapping[str, str]] = None,
                 modules: Optional[Mapping[str, str]] = None, users_text: str = "") -> None:
        """`replace` changes the samples' text (old -> new, each must occur in one of them); `sites`
        are further virtual servers by file name, `modules` further modules; `users` maps names to
        passwords, `users_text` comes before them in the users file."""
        self.directory = Path(directory)
        self.site = site
        self.pki = pki or site.pki
        self.vpn_port = free_port()
        self.wifi_port = free_port()
        self.vpn_accounting_port = free_port()
        self.wifi_accounting_port = free_port()
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.log = self.directory / "radius.log"
        self.output = self.directory / "output.log"
        self.replace = dict(replace or {})
        self.users = dict(users or {})
        self.settings = {"max_request_time": max_request_time, "start_servers": start_servers,
                         "max_servers": max_servers, "reject_delay": reject_delay,
                         "extra": extra}
        self.sites = dict(sites or {})
        self.modules = dict(modules or {})
        self.users_text = users_text
        self._write()

    # --- configuration -----------------------------------------------------------------------

    def _write(self) -> None:
        for name in ("mods-enabled", "mods-config", "sites-enabled", "certs"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self._put("radiusd.conf", RADIUSD_CONF.format(
            dir=self.directory, libdir=f"{BUILD}:{MODULES}", secret=SECRET.decode(),
            **self.settings))
        self._put("dictionary", f"$INCLUDE {SHARE}/dictionary\n")
        self._put("mods-enabled/files", FILES_MODULE)
        self._put("mods-enabled/pap", PAP_MODULE)
        self._put("mods-enabled/mschap", MSCHAP_MODULE)
        self._put("mods-enabled/always", ALWAYS_MODULE)
        self._put("mods-enabled/attr_filter", ATTR_FILTER_MODULE)
        self._put("mods-config/access_reject", ACCESS_REJECT)
        for name, text in self.modules.items():
            self._put("mods-enabled/" + name, text)
        self.set_users(self.users)
        self._certificates()
        self._samples()
        for name, text in self.sites.items():
            self._put("sites-enabled/" + name, text)

    def set_users(self, users: Mapping[str, str]) -> None:
        """Who is known by which password; everybody else has PASSWORD. Read at start."""
        lines = [f'{name} Cleartext-Password := "{password}"' for name, password in users.items()]
        lines.append(f'DEFAULT Cleartext-Password := "{PASSWORD}"')
        self._put("mods-config/users", self.users_text + "\n\n".join(lines) + "\n")

    def _certificates(self) -> None:
        certs = self.directory / "certs"
        server = self.pki["radius_server"]
        shutil.copy(server["chain"], certs / "radius-server.pem")
        shutil.copy(server["key"], certs / "radius-server.key")
        authorities = self.pki["authorities"]
        (certs / "eap-ca.pem").write_text(
            "".join(Path(authorities[name]).read_text()
                    for name in ("company_ca", "joined_ca", "shared_ca")))
        (certs / "tls-cache").mkdir(mode=0o700, exist_ok=True)

    def _samples(self) -> None:
        """The shipped samples, with this test's paths and ports and nothing else changed."""
        certs = self.directory / "certs"
        places = {
            "/etc/devtrust/radius.conf": str(self.site.config_path),
            "/etc/devtrust/radius-server.pem": str(certs / "radius-server.pem"),
            "/etc/devtrust/radius-server.key": str(certs / "radius-server.key"),
            "/etc/devtrust/eap-ca.pem": str(certs / "eap-ca.pem"),
            "/var/lib/devtrust-radius/tls-cache": str(certs / "tls-cache"),
            "port = 1812": f"port = {self.vpn_port}",
            "port = 1822": f"port = {self.wifi_port}",
            "port = 1813": f"port = {self.vpn_accounting_port}",
            "port = 1823": f"port = {self.wifi_accounting_port}",
            "ipaddr = *": "ipaddr = 127.0.0.1",
        }
        unused = set(self.replace)
        for kind in ("mods", "sites"):
            for sample in sorted((SAMPLES / (kind + "-available")).iterdir()):
                text = sample.read_text()
                unused -= {old for old in self.replace if old in text}
                for old, new in {**self.replace, **places}.items():
                    text = text.replace(old, new)
                self._put(f"{kind}-enabled/{sample.name}", text)
        if unused:
            raise AssertionError(f"not in the samples: {unused}")

    def _put(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)

    # --- life --------------------------------------------------------------------------------

    def command(self, *more: str) -> list[str]:
        return [SERVER, "-d", str(self.directory), "-n", "radiusd", *more]

    def environment(self) -> dict[str, str]:
        preload = os.environ.get("DEVTRUST_PRELOAD", "")
        return {**os.environ, **({"LD_PRELOAD": preload} if preload else {})}

    def check(self) -> "subprocess.CompletedProcess[str]":
        """radiusd -C: reads everything, starts nothing."""
        return subprocess.run(self.command("-C", "-X"), env=self.environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=START_LIMIT)

    def start(self, *more: str) -> "Radius":
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(self.command("-f", *more), stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env=self.environment())
        deadline = time.monotonic() + START_LIMIT
        while "Ready to process requests" not in self.log_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError("freeradius did not start:\n" + self.log_text())
            time.sleep(0.02)
        return self

    def log_text(self) -> str:
        texts = [p.read_text(errors="replace") for p in (self.log, self.output) if p.exists()]
        return "\n".join(texts)

    def stop(self) -> int:
        """Ends it; its exit status. A server that does not end is killed, and -9 tells."""
        process, self.process = self.process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def __enter__(self) -> "Radius":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def threads(self) -> int:
        assert self.process is not None
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def client(self, port: Optional[int] = None, **defaults: Value) -> "Client":
        return Client(port or self.vpn_port, **defaults)


@dataclass
class World:
    """The simulation, a site and a server over it: what most tests start from."""

    sim: Sim
    pki: Mapping[str, Any]
    site: Site
    radius: Radius

    def accounting(self, **more: Value) -> "Client":
        """The same gateway at the port for accounting."""
        return self.radius.client(self.radius.vpn_accounting_port, **{
            "NAS-Identifier": "gateway-1", "Calling-Station-Id": "198.51.100.7", **more})

    def client(self, **more: Value) -> "Client":
        """A gateway, and somebody behind it."""
        return self.radius.client(**{"NAS-Identifier": "gateway-1",
                                     "Calling-Station-Id": "198.51.100.7", **more})

    def person(self, name: str, *factors: str, **more: Any) -> str:
        """Somebody new in the Okta org; the name that goes into User-Name."""
        self.sim.add_user(name + "@example.com", factors=factors, **more)
        return name

    def passcode(self, name: str) -> str:
        return self.sim.passcode(name + "@example.com")

    @contextlib.contextmanager
    def okta_down(self) -> Iterator[None]:
        """Nobody listens where Okta was."""
        self.sim.listener("okta", "down")
        try:
            yield
        finally:
            self.sim.listener("okta", "up")

    def outcomes(self, user: str, cause: str = "") -> list[dict[str, Any]]:
        """The audit events so far of how the user's sign-ons ended."""
        return [e for e in self.site.sign_ons(user)
                if cause in ("", e["debugContext"]["debugData"]["cause"])]

    def outcome(self, user: str, cause: str, count: int = 1,
                timeout: float = 30.0) -> dict[str, Any]:
        """Waits until `count` sign-ons ended so; the debug data of the last one's event."""
        deadline = time.monotonic() + timeout
        while len(self.outcomes(user, cause)) < count:
            assert time.monotonic() < deadline, (
                f"{cause} of {user} not among:\n" + "\n".join(
                    str(e["debugContext"]["debugData"]) for e in self.outcomes(user)[-20:]))
            time.sleep(0.02)
        return self.outcomes(user, cause)[count - 1]["debugContext"]["debugData"]


@contextlib.contextmanager
def start_world(directory: Path, pki: Mapping[str, Any], *, settings: Optional[Any] = None,
                policies: Optional[Any] = None,
                prepare: Optional[Callable[[Site], None]] = None,
                **server: Any) -> Iterator[World]:
    """Everything started; everything ended. `prepare` sees the site before the server does;
    `server` goes to Radius."""
    with Sim.start(directory / "sim") as sim:
        site = Site(directory / "site", sim, pki, settings=settings, policies=policies)
        if prepare is not None:
            prepare(site)
        with Radius(directory / "raddb", site, **server) as radius:
            yield World(sim, pki, site, radius)


# --- the client --------------------------------------------------------------------------------

@dataclass
class Reply:
    """What came back: code, attributes in their order."""

    code: int
    attributes: list[tuple[int, bytes]]
    elapsed: float

    def all(self, name: str) -> list[bytes]:
        return [value for kind, value in self.attributes if kind == ATTRIBUTES[name]]

    def vendor(self, vendor: int, kind: int) -> list[bytes]:
        """Values of a vendor's attribute, one in each Vendor-Specific as FreeRADIUS sends them."""
        head = struct.pack("!IB", vendor, kind)
        return [v[6:] for k, v in self.attributes if k == VENDOR_SPECIFIC and v[:5] == head]

    @property
    def message(self) -> str:
        return b"".join(self.all("Reply-Message")).decode()

    @property
    def words(self) -> str:
        """The message of a refusal without its code, which must be there, another each time."""
        words, code = self.message.rsplit("\nCode: ", 1)
        assert len(code) == 9, self.message
        return words

    @property
    def state(self) -> bytes:
        states = self.all("State")
        assert len(states) == 1, f"{len(states)} State attributes in {self}"
        return states[0]

    def __str__(self) -> str:
        return f"{NAMES.get(self.code, self.code)} {self.message!r} after {self.elapsed:.2f} s"


@dataclass
class Pending:
    """A request under way: its bytes can be sent again as they are."""

    client: "Client"
    packet: bytes
    authenticator: bytes
    socket: socket.socket
    started: float = field(default_factory=time.monotonic)
    reply: Optional[Reply] = None

    def send(self) -> "Pending":
        self.socket.send(self.packet)
        return self

    def poll(self, timeout: float = 0.0) -> Optional[Reply]:
        """The reply if it is there, or comes in time."""
        deadline = time.monotonic() + timeout
        ready = select.poll()  # select(2) knows descriptors below 1024 only
        ready.register(self.socket, select.POLLIN)
        while self.reply is None:
            left = deadline - time.monotonic()
            if not ready.poll(max(0.0, left) * 1000):
                return None
            self._read(self.socket.recv(4096))
        return self.reply

    def _read(self, data: bytes) -> None:
        if data[1] != self.packet[1]:
            return
        self.reply = decode_reply(data, self.authenticator, self.client.secret,
                                  time.monotonic() - self.started)

    def wait(self, timeout: float = 40.0) -> Reply:
        reply = self.poll(timeout)
        assert reply is not None, f"no reply within {timeout} s"
        self.close()
        return reply

    def close(self) -> None:
        self.socket.close()


def decode_reply(data: bytes, authenticator: bytes, secret: bytes, elapsed: float) -> Reply:
    """Checks length, Response Authenticator and Message-Authenticator, which must be there."""
    code, _, length = struct.unpack("!BBH", data[:4])
    assert length == len(data), "RADIUS length differs"
    wanted = hashlib.md5(data[:4] + authenticator + data[20:] + secret).digest()
    assert wanted == data[4:20], "wrong Response Authenticator"
    attributes, at = [], 20
    while at < length:
        kind, size = data[at], data[at + 1]
        assert size >= 2 and at + size <= length, "broken attribute"
        value = data[at + 2:at + size]
        attributes.append((kind, value))
        if kind == ATTRIBUTES["Message-Authenticator"]:
            zeroed = (data[:4] + authenticator + data[20:at + 2] + bytes(16) + data[at + size:])
            assert hmac.new(secret, zeroed, "md5").digest() == value, "wrong Message-Authenticator"
        at += size
    return Reply(code, attributes, elapsed)


def _hide(password: bytes, authenticator: bytes, secret: bytes) -> bytes:
    """User-Password, RFC 2865 section 5.2."""
    padded = password + bytes(-len(password) % 16 or (0 if password else 16))
    hidden, last = b"", authenticator
    for i in range(0, len(padded), 16):
        mask = hashlib.md5(secret + last).digest()
        last = bytes(a ^ b for a, b in zip(padded[i:i + 16], mask))
        hidden += last
    return hidden


class Client:
    """A NAS. `defaults` are attributes of every request, by name with - written as _."""

    source = ""  # the address that its packets come from; "" = the system's choice, by IPv4

    def __init__(self, port: int, secret: bytes = SECRET, **defaults: Value) -> None:
        self.port = port
        self.secret = secret
        self.defaults = {k.replace("_", "-"): v for k, v in defaults.items()}

    def request(self, attributes: Iterable[tuple[str, Value]]) -> Pending:
        """Not sent yet; from a socket of its own, so that ids never collide."""
        authenticator = secrets.token_bytes(16)
        body = b""
        for name, value in attributes:
            raw = value.encode() if isinstance(value, str) else value
            if name == "User-Password":
                raw = _hide(raw, authenticator, self.secret)
            if name in VENDORS:
                raw = struct.pack("!IBB", *VENDORS[name], len(raw) + 2) + raw
            kind = VENDOR_SPECIFIC if name in VENDORS else ATTRIBUTES[name]
            body += bytes([kind, len(raw) + 2]) + raw
        body += bytes([ATTRIBUTES["Message-Authenticator"], 18]) + bytes(16)
        head = struct.pack("!BBH", 1, secrets.randbelow(256), 20 + len(body))
        mac = hmac.new(self.secret, head + authenticator + body, "md5").digest()
        over_6 = ":" in self.source
        link = socket.socket(socket.AF_INET6 if over_6 else socket.AF_INET, socket.SOCK_DGRAM)
        if self.source:
            link.bind((self.source, 0))
        link.connect(("::1" if over_6 else "127.0.0.1", self.port))
        return Pending(self, head + authenticator + body[:-16] + mac, authenticator, link)

    def start(self, user: str, password: Value = PASSWORD, state: Optional[bytes] = None,
              **more: Value) -> Pending:
        """Sends a login and gives it back while it waits."""
        given = {**self.defaults, **{k.replace("_", "-"): v for k, v in more.items()}}
        attributes: list[tuple[str, Value]] = [("User-Name", user), ("User-Password", password)]
        for name, values in given.items():
            attributes += [(name, v) for v in (values if isinstance(values, list) else [values])]
        if state is not None:
            attributes.append(("State", state))
        return self.request(attributes).send()

    def login(self, user: str, password: Value = PASSWORD, state: Optional[bytes] = None,
              timeout: float = 40.0, **more: Value) -> Reply:
        return self.start(user, password, state, **more).wait(timeout)

    def account(self, status: int, user: str, timeout: float = 20.0,
                **more: Value) -> bool:
        """Sends an Accounting-Request (1 Start, 2 Stop, 3 Interim) with the defaults and `more`;
        whether it was answered (RFC 2866)."""
        given = {**self.defaults, **{k.replace("_", "-"): v for k, v in more.items()}}
        body = struct.pack("!BBI", ATTRIBUTES["Acct-Status-Type"], 6, status)
        for name, value in [("User-Name", user), *given.items()]:
            raw = value.encode() if isinstance(value, str) else value
            body += bytes([ATTRIBUTES[name], len(raw) + 2]) + raw
        head = struct.pack("!BBH", 4, secrets.randbelow(256), 20 + len(body))
        authenticator = hashlib.md5(head + bytes(16) + body + self.secret).digest()
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as link:
            link.connect(("127.0.0.1", self.port))
            link.settimeout(timeout)
            link.send(head + authenticator + body)
            try:
                data = link.recv(4096)
            except (TimeoutError, ConnectionError):
                return False
        good = hashlib.md5(data[:4] + authenticator + data[20:] + self.secret).digest()
        assert data[4:20] == good, "wrong Response Authenticator"
        return data[0] == ACCOUNTING_RESPONSE and data[1] == head[1]

    def mschap(self, user: str, password: str = PASSWORD,
               timeout: float = 40.0) -> tuple[Reply, Exchange]:
        """A login by MS-CHAPv2, and what was exchanged in it."""
        exchange = Exchange(user, password)
        attributes: list[tuple[str, Value]] = [("User-Name", user),
                                               ("MS-CHAP-Challenge", exchange.authenticator),
                                               ("MS-CHAP2-Response", exchange.response)]
        for name, values in self.defaults.items():
            attributes += [(name, v) for v in (values if isinstance(values, list) else [values])]
        return self.request(attributes).send().wait(timeout), exchange


def radclient(port: int, attributes: Mapping[str, str], timeout: int = 40) -> str:
    """FreeRADIUS's own client; everything it printed."""
    lines = [f'{name} = "{value}"' for name, value in attributes.items()]
    done = subprocess.run(["radclient", "-x", "-r", "1", "-t", str(timeout),
                           f"127.0.0.1:{port}", "auth", SECRET.decode()],
                          input=", ".join(lines) + "\n", text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=timeout + 20)
    return done.stdout


# --- the supplicant ----------------------------------------------------------------------------

@dataclass
class Eap:
    """The end of one or more EAP authentications by eapol_test."""

    success: bool
    output: str

    @property
    def accepts(self) -> int:
        return len(re.findall(r"code=2 \(Access-Accept\)", self.output))

    @property
    def rejects(self) -> int:
        return len(re.findall(r"code=3 \(Access-Reject\)", self.output))

    @property
    def packets(self) -> list[tuple[int, list[tuple[int, bytes]]]]:
        """The RADIUS packets that it shows, sent and received: code and attributes."""
        found: list[tuple[int, list[tuple[int, bytes]]]] = []
        for line in self.output.splitlines():
            packet = re.match(r"RADIUS message: code=(\d+) ", line.strip())
            attribute = re.match(r"Attribute (\d+) \(", line.strip())
            if packet:
                found.append((int(packet[1]), []))
            elif attribute and found:
                found[-1][1].append((int(attribute[1]), b""))
            elif line.strip().startswith("Value:") and found and found[-1][1]:
                kind, text = found[-1][1][-1][0], line.split("Value:", 1)[1].strip()
                try:
                    value = text.encode() if kind in SHOWN_AS_NUMBERS else bytes.fromhex(text)
                except ValueError:
                    value = text.encode()
                found[-1][1][-1] = (kind, value)
        return found

    @property
    def identifiers(self) -> Optional[tuple[int, int]]:
        """Those of the last EAP response, and of the EAP-Failure that the Access-Reject answered
        it with; None where that carried none, and nothing else."""
        response = -1
        for code, attributes in self.packets:
            eap = b"".join(value for kind, value in attributes if kind == ATTRIBUTES["EAP-Message"])
            if code == 1 and eap:
                response = eap[1]
            if code == REJECT:
                return (response, eap[1]) if len(eap) == 4 and eap[0] == 4 else None
        return None

    @property
    def resumed(self) -> bool:
        return "session reused" in self.output.lower() or "resumed" in self.output.lower()


def plain_network(radius: Radius, method: str, identity: str, password: str) -> str:
    """An EAP method without a tunnel: MD5, MSCHAPV2, GTC, PWD."""
    return _network(method, identity, radius.pki["authorities"]["radius_ca"],
                    [f'password="{password}"'])


def _network(method: str, identity: str, ca: str, lines: Iterable[str]) -> str:
    body = [f'eap={method}', f'identity="{identity}"', "key_mgmt=IEEE8021X",
            "eapol_flags=0", f'ca_cert="{ca}"', *lines]
    return "network={\n" + "\n".join("    " + line for line in body) + "\n}\n"


def tls_network(radius: Radius, identity: str, certificate: Mapping[str, Any]) -> str:
    files = certificate["files"]
    return _network("TLS", identity, radius.pki["authorities"]["radius_ca"],
                    [f'client_cert="{files["chain"]}"', f'private_key="{files["key"]}"'])


def ttls_network(radius: Radius, identity: str, password: str,
                 certificate: Optional[Mapping[str, Any]] = None) -> str:
    """With `certificate`, the client shows it in the outer handshake."""
    shown = []
    if certificate is not None:
        files = certificate["files"]
        shown = [f'client_cert="{files["chain"]}"', f'private_key="{files["key"]}"']
    return _network("TTLS", identity, radius.pki["authorities"]["radius_ca"],
                    [f'password="{password}"', 'anonymous_identity="anonymous"',
                     'phase2="auth=PAP"', *shown])


def peap_network(radius: Radius, identity: str, password: Optional[str], inner: str = "MSCHAPV2",
                 certificate: Optional[Mapping[str, Any]] = None) -> str:
    """PEAP with EAP-MSCHAPv2 or EAP-GTC inside; `certificate` is shown in the outer handshake."""
    lines = ['anonymous_identity="anonymous"', f'phase2="auth={inner}"']
    if password is not None:
        lines.append(f'password="{password}"')
    if certificate is not None:
        files = certificate["files"]
        lines += [f'client_cert="{files["chain"]}"', f'private_key="{files["key"]}"']
    return _network("PEAP", identity, radius.pki["authorities"]["radius_ca"], lines)


def eap_peap(radius: Radius, identity: str, password: Optional[str], inner: str = "MSCHAPV2", *,
             times: int = 1, timeout: int = 40, station: str = "02-00-00-00-00-03",
             certificate: Optional[Mapping[str, Any]] = None) -> Eap:
    return eapol_test(radius, peap_network(radius, identity, password, inner, certificate),
                      times=times, timeout=timeout, station=station)


def eap_tls(radius: Radius, identity: str, certificate: Mapping[str, Any], *, times: int = 1,
            timeout: int = 40, station: str = "02-00-00-00-00-01") -> Eap:
    """EAP-TLS with a device certificate of the test PKI; `times` - 1 reauthentications resume."""
    return eapol_test(radius, tls_network(radius, identity, certificate), times=times,
                      timeout=timeout, station=station)


def eap_ttls(radius: Radius, identity: str, password: str, *, times: int = 1, timeout: int = 40,
             station: str = "02-00-00-00-00-02",
             certificate: Optional[Mapping[str, Any]] = None) -> Eap:
    """EAP-TTLS with PAP."""
    return eapol_test(radius, ttls_network(radius, identity, password, certificate), times=times,
                      timeout=timeout, station=station)


def eapol_test(radius: Radius, network: str, *, times: int = 1, timeout: int = 40,
               station: str = "02-00-00-00-00-01", port: Optional[int] = None,
               keys: bool = True) -> Eap:
    """`port` other than the server's: of a Meddler's. Without `keys` the method is to give none."""
    with Supplicant(radius, network, times=times, timeout=timeout, station=station,
                    port=port, keys=keys) as running:
        return running.finish()


def with_attribute(request: bytes, kind: int, value: bytes) -> bytes:
    """The request with another value of the same length in that attribute, signed anew."""
    out = bytearray(request)
    at, signature, found = 20, 0, False
    while at < len(out):
        size = out[at + 1]
        if out[at] == kind:
            assert size == len(value) + 2, (size, value)
            out[at + 2:at + size] = value
            found = True
        elif out[at] == 80:
            signature = at + 2
        at += size
    assert found and signature
    out[signature:signature + 16] = bytes(16)
    out[signature:signature + 16] = hmac.digest(SECRET, bytes(out), "md5")
    return bytes(out)


class Meddler:
    """A context manager: between an access point and the server. It counts requests, and changes
    the one of that number, from 1 on."""

    def __init__(self, radius: Radius, number: int = 0,
                 change: Callable[[bytes], bytes] = bytes) -> None:
        self.count = 0
        self.number, self.change = number, change
        self.inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.outer.bind(("127.0.0.1", 0))
        self.inner.connect(("127.0.0.1", radius.wifi_port))
        self.port = int(self.outer.getsockname()[1])
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._carry)

    def _carry(self) -> None:
        client = None
        while not self.ended.is_set():
            for ready in select.select([self.outer, self.inner], [], [], 0.2)[0]:
                packet, sender = ready.recvfrom(4096)
                if ready is self.outer:
                    client = sender
                    self.count += 1
                    self.inner.send(self.change(packet) if self.count == self.number else packet)
                elif client is not None:
                    self.outer.sendto(packet, client)

    def __enter__(self) -> "Meddler":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        self.inner.close()
        self.outer.close()


class Supplicant:
    """eapol_test under way: authenticates `times` times, 0.1 s apart, or until it is refused. Later
    ones resume the TLS session where the server lets them."""

    def __init__(self, radius: Radius, network: str, *, times: int, timeout: int = 40,
                 station: str, port: Optional[int] = None, keys: bool = True,
                 more: Iterable[str] = ()) -> None:
        """`more` are further arguments."""
        self.limit = times * timeout + 30
        with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as config:
            config.write(network)
        self.config = Path(config.name)
        # An access point tells a MAC address; whatever else is asked for goes into the attribute.
        mac = re.fullmatch(r"([0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}", station)
        told = ["-M", station.replace("-", ":")] if mac else ["-N", f"31:s:{station}"]
        command = ["eapol_test", "-c", config.name, "-a", "127.0.0.1", "-p",
                   str(port or radius.wifi_port), "-s", SECRET.decode(), "-t", str(timeout),
                   "-r", str(times - 1), *([] if keys else ["-n"]), *told, *more]
        self.log = self.config.with_suffix(".log")
        with open(self.log, "wb") as log:  # not a pipe: nobody reads while it runs
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def finish(self) -> Eap:
        self.process.wait(timeout=self.limit)
        output = self.log.read_text(errors="replace")
        lines = output.strip().splitlines()
        return Eap(bool(lines) and lines[-1] == "SUCCESS", output)

    def __enter__(self) -> "Supplicant":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.config.unlink()
        self.log.unlink()
