# SPDX-License-Identifier: GPL-2.0-or-later
# A real OCSP responder (openssl ocsp) for tests. It would listen on every address of the machine,
# so it runs in a network namespace of its own; what comes to a port of the loopback is carried
# there.
"""OCSP responders for tests: Responder."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Optional

from cryptography import x509

from tests.lib.ports import share
from tests.pki import authority as ca
from tests.pki.pki import Pki

CLONE_NEWNET = 0x40000000
LIMIT = 30.0
INSIDE = 8080  # the namespace is the responder's alone
OCSP_SIGNING = x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING


def _enter_network(pid: int) -> None:
    """Moves the calling thread, and no other, into the network of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if os.fstat(fd).st_ino == os.stat("/proc/self/ns/net").st_ino:
            raise OSError("it has no network of its own yet")
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)


class Responder:
    """Answers for the company's CA of a Pki, by a certificate that this CA delegated to it."""

    def __init__(self, directory: Path, pki: Pki, authority: str = "company",
                 minutes: int = 60) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.minutes = minutes
        self.asked = 0  # connections that were carried to it
        self.silent = False  # takes questions, and says nothing
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self._rows: dict[str, str] = {}
        issuer = pki.authorities[authority]
        key = ca.make_key("p256")
        signer = issuer.issue(ca.name("ocsp responder"), key, extensions=[
            (x509.ExtendedKeyUsage([OCSP_SIGNING]), False), (ca.key_usage(), True)])
        ca.write_file(self.directory / "ca.pem", issuer.certificate_pem())
        ca.write_file(self.directory / "signer.pem", signer.certificate_pem())
        ca.write_file(self.directory / "signer.key", signer.key_pem(), 0o600)
        self._write_index()
        self._listener = self._listen()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _listen() -> socket.socket:
        for port in share():
            listener = socket.socket()
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen(64)
                return listener
            except OSError:
                listener.close()
        raise AssertionError("no port of the loopback is free")

    # --- what it knows -----------------------------------------------------------------------

    def set(self, device: dict[str, Any], status: str = "V") -> None:
        """Of one certificate of the index: V good, R revoked, "" unknown; from the next start."""
        serial = device["serial"].upper()
        serial = serial if len(serial) % 2 == 0 else "0" + serial
        gone = "240101000000Z" if status == "R" else ""
        fields = (status, "491231235959Z", gone, serial, "unknown", f"/CN={serial}")
        self._rows[serial] = "\t".join(fields) + "\n" if status else ""
        self._write_index()

    def _write_index(self) -> None:
        (self.directory / "index.txt").write_text("".join(self._rows.values()))

    # --- life --------------------------------------------------------------------------------

    def start(self) -> "Responder":
        self.stop()
        command = (f"ip link set lo up && exec openssl ocsp -port {INSIDE} -index index.txt "
                   f"-CA ca.pem -rsigner signer.pem -rkey signer.key -nmin {self.minutes}")
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(["unshare", "-n", "/bin/sh", "-c", command],
                                            cwd=self.directory, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + LIMIT
        # It is not tried: openssl ocsp hangs after a connection that asks nothing.
        while "waiting for OCSP client" not in self.log():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """From here on nobody answers: connections are closed at once."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    def close(self) -> None:
        self._closed = True
        self.stop()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> "Responder":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    # --- carrying ----------------------------------------------------------------------------

    def _connect(self) -> Optional[socket.socket]:
        """To the responder; leaves the thread in its network."""
        process = self.process
        try:
            if process is None:
                return None
            _enter_network(process.pid)
            return socket.create_connection(("127.0.0.1", INSIDE), 5.0)
        except OSError:
            return None

    def _accept(self) -> None:
        while not self._closed:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self._carry, args=(stream,), daemon=True).start()

    def _carry(self, stream: socket.socket) -> None:
        """One question and its answer, after which the responder closes."""
        with stream:
            stream.settimeout(LIMIT)
            if self.silent:
                while stream.recv(4096):
                    pass
                return
            inside = self._connect()
            if inside is None:
                return
            with inside:
                inside.settimeout(LIMIT)
                back = threading.Thread(target=_pass_on, args=(inside, stream), daemon=True)
                back.start()
                _pass_on(stream, inside)
                back.join(LIMIT)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while True:
            piece = source.recv(65536)
            if not piece:
                break
            target.sendall(piece)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
