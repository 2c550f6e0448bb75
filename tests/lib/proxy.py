# SPDX-License-Identifier: GPL-2.0-or-later
# HTTP proxies on the way out of a test's world: a real one, and one that says and does what a test
# wants, over TLS where that is asked for.
"""TinyProxy and OddProxy."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Iterator, Optional

from tests.lib import ports

LIMIT = 60.0  # seconds
HEAD_MAX = 64 * 1024
PIECE = 64 * 1024


class TinyProxy:
    """A running tinyproxy."""

    def __init__(self, directory: Path, allowed_ports: list[int], credentials: str = "") -> None:
        self.port = ports.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = directory / "tinyproxy.log"
        user, _, password = credentials.partition(":")
        lines = [f"Port {self.port}", "Listen 127.0.0.1", "Allow 127.0.0.1", "Timeout 600",
                 f'LogFile "{self.log_path}"', "LogLevel Info", "MaxClients 200"]
        lines += [f"ConnectPort {port}" for port in allowed_ports]
        lines += [f"BasicAuth {user} {password}"] if credentials else []
        (directory / "tinyproxy.conf").write_text("\n".join(lines) + "\n")
        program = shutil.which("tinyproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program, "tinyproxy is not installed"
        self._process = subprocess.Popen(
            [program, "-d", "-c", str(directory / "tinyproxy.conf")], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + LIMIT
        while not self._listens():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tunnels(self, port: int) -> int:
        """How many times it was asked for a tunnel to that port."""
        return self.log().count(f"CONNECT 127.0.0.1:{port} ")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class OddProxy:
    """A proxy that answers every CONNECT with `status`, and makes the tunnel where that is 200.

    `certificate`: a PEM file and its key, with which the connection to the proxy is TLS. `then`:
    "tunnel"; "close" instead of any answer; "impersonate": answers itself where the service should.
    """

    def __init__(self, status: int = 200, *, certificate: Optional[tuple[Any, Any]] = None,
                 then: str = "tunnel") -> None:
        self.status, self.then = status, then
        self.heads: list[bytes] = []  # of what it was asked
        self.connections = 0
        self._tls: Optional[ssl.SSLContext] = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.set_ciphers("DEFAULT:@SECLEVEL=0")  # a small key, where a test wants one
            self._tls.load_cert_chain(*certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(raw):
            raw.settimeout(LIMIT)
            client = self._tls.wrap_socket(raw, server_side=True) if self._tls else raw
            with contextlib.closing(client):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_MAX:
            piece = client.recv(PIECE)
            if not piece:
                return
            head += piece
        self.heads.append(head)
        if self.then == "close":
            return
        if self.status != 200:
            client.sendall(f"HTTP/1.1 {self.status} Said\r\nContent-Length: 4\r\n"
                           'Proxy-Authenticate: Basic realm="p"\r\n'
                           "Connection: close\r\n\r\nbody".encode())
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
        if self.then == "impersonate":
            self._impersonate(client)
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port)), LIMIT) as service:
            _relay(client, service)

    def _impersonate(self, client: socket.socket) -> None:
        """The TLS of the service, within the tunnel, with the certificate of the proxy."""
        assert self._tls is not None
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = self._tls.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                inner.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.sendall(outgoing.read())
                incoming.write(client.recv(PIECE))
        client.sendall(outgoing.read())
        self.then = "impersonated"

    def close(self) -> None:
        self._listener.close()


def _relay(client: socket.socket, service: socket.socket) -> None:
    def one_way() -> None:
        with contextlib.suppress(OSError):
            while piece := service.recv(PIECE):
                client.sendall(piece)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    other = threading.Thread(target=one_way, daemon=True)
    other.start()
    with contextlib.suppress(OSError):
        while piece := client.recv(PIECE):
            service.sendall(piece)
    with contextlib.suppress(OSError):
        service.shutdown(socket.SHUT_RDWR)
    other.join(LIMIT)


@contextlib.contextmanager
def odd_proxy(*arguments: Any, **options: Any) -> Iterator[OddProxy]:
    proxy = OddProxy(*arguments, **options)
    try:
        yield proxy
    finally:
        proxy.close()


def basic(credentials: str) -> bytes:
    """The header line that these credentials make."""
    return b"Proxy-Authorization: Basic " + base64.b64encode(credentials.encode())
