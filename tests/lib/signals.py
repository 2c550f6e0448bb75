# SPDX-License-Identifier: GPL-2.0-or-later
# Runs the real devtrust-signals for a test: an own directory, an own user where the test is root,
# and a look at what it writes.
"""devtrust-signals under test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Optional

from tests.lib.ports import free_port

BUILD = Path(os.environ["DEVTRUST_BUILD"])
PROGRAM = BUILD / "devtrust-signals"
UNPRIVILEGED = 65534
LIMIT = 60.0  # seconds; generous, for a loaded machine

HEAD = """[okta]
org_url = https://example.okta.com
[device_trust]
trusted_when = vpn-client
"""


def wait_for(what: Callable[[], Any], why: str, limit: float = LIMIT) -> Any:
    deadline = time.monotonic() + limit
    while not (got := what()):
        assert time.monotonic() < deadline, why
        time.sleep(0.002)
    return got


class Signals:
    """One installation of devtrust-signals, and the process."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="devtrust-signals."))
        self.config = self.directory / "devtrust.conf"
        self.run = self.directory / "run"
        self.run.mkdir()
        self.news_path = self.run / "news"
        self.log_path = self.directory / "log"
        self.port = free_port()
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.directory.chmod(0o755)
        self._own(self.run)

    @staticmethod
    def _own(*paths: Path) -> None:
        if os.geteuid() == 0:
            for path in paths:
                os.chown(path, UNPRIVILEGED, UNPRIVILEGED)

    def secret(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text, encoding="ascii")
        path.chmod(0o600)
        self._own(path)
        return path

    def public(self, name: str, source: Path) -> Path:
        path = self.directory / name
        shutil.copy(source, path)
        path.chmod(0o644)
        return path

    def configure(self, text: str) -> None:
        """`text` has the sections after [signals]'s news and listen."""
        self.config.write_text(f"{HEAD}[signals]\nnews = {self.news_path}\n"
                               f"listen = 127.0.0.1:{self.port}\n{text}", encoding="utf-8")

    def start(self, *, wait: bool = True) -> "Signals":
        as_user = ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}",
                   "--clear-groups"] if os.geteuid() == 0 else []
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*as_user, PROGRAM, "--foreground", "--config", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            wait_for(lambda: self.status() or self.process.poll() is not None, "no status")
            assert self.process.poll() is None, self.log()
        return self

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LIMIT)
        self.process = None
        return code

    def close(self) -> None:
        try:
            code = self.stop()
            assert code == 0, self.log()
            assert "Sanitizer" not in self.log()
        finally:
            shutil.rmtree(self.directory)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def status(self) -> dict[str, Any]:
        try:
            return json.loads(Path(f"{self.news_path}.status").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}

    def transmitter(self) -> dict[str, Any]:
        return self.status()["transmitters"][0]

    def news(self) -> list[dict[str, Any]]:
        """All whole lines, those of the former file first."""
        text = "".join(path.read_text(encoding="utf-8")
                       for path in (Path(f"{self.news_path}.1"), self.news_path) if path.exists())
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def news_of(self, reference: str) -> list[dict[str, Any]]:
        return [line for line in self.news() if line["ref"] == reference]
