# SPDX-License-Identifier: GPL-2.0-or-later
# HTTP/2 for a simulated service: nghttpx in front of it, with the simulation's own certificate.
"""Http2Front: a real HTTP/2 server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.lib import ports
from tests.sim.client import Sim

LIMIT = 60.0  # seconds
LOG_FORMAT = '$remote_port $alpn $status "$request"'


class Http2Front:
    """Speaks HTTP/2 to clients, and HTTP/1.1 to the simulated Okta org."""

    def __init__(self, directory: Path, sim: Sim) -> None:
        self.port = ports.free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.log_path = directory / "nghttpx.log"
        certificates = Path(sim.ca_file).parent
        program = shutil.which("nghttpx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program, "nghttpx is not installed (nghttp2-proxy)"
        self._command = [
            program, "--conf=/dev/null", "--no-ocsp", "--workers=1", "--insecure",
            "--backend-max-backoff=1",  # a service that was away is asked again soon
            f"--frontend=127.0.0.1,{self.port}",
            f"--backend=127.0.0.1,{urlsplit(sim.okta_url).port};;tls",
            f"--accesslog-file={self.log_path}", f"--accesslog-format={LOG_FORMAT}",
            f"--errorlog-file={directory / 'nghttpx-errors.log'}",
            str(certificates / "tls-good.key"), str(certificates / "tls-good.pem")]
        self.start()

    def start(self) -> None:
        deadline = time.monotonic() + LIMIT
        self._launch()
        while not self._listens():
            assert time.monotonic() < deadline
            if self._process.poll() is not None:  # a worker of the former one still has the port
                self._launch()
            time.sleep(0.02)

    def _launch(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def requests(self) -> list[list[str]]:
        """Of each request that was answered: the client's port, protocol, status, request line."""
        if not self.log_path.exists():
            return []
        return [line.split(" ", 3) for line in self.log_path.read_text().splitlines()]

    def connections(self) -> int:
        """How many connections, each with a TLS handshake, those requests came by."""
        return len({request[0] for request in self.requests()})

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
