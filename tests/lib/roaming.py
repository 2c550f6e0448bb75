# SPDX-License-Identifier: GPL-2.0-or-later
# A switch port that 802.1X guards, and a laptop at it: hostapd (driver wired) and wpa_supplicant
# over a pair of virtual Ethernet cards, the laptop's in a network namespace of its own.
"""hostapd and wpa_supplicant for tests."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Optional, Union

from tests.lib import radius as rad

NEEDED = ("ip", "hostapd", "wpa_supplicant")

HOSTAPD_CONF = """
interface={card}
driver=wired
ieee8021x=1
use_pae_group_addr=1
eap_reauth_period={period}
auth_server_addr=127.0.0.1
auth_server_port={port}
auth_server_shared_secret={secret}
nas_identifier={nas}
logger_stdout=-1
logger_stdout_level=1
{more}"""

SUPPLICANT_CONF = """
ap_scan=0
fast_reauth=1
{network}
"""


def missing() -> str:
    """What this machine lacks for it; "" when it can be done."""
    lacking = [tool for tool in NEEDED if shutil.which(tool) is None]
    if lacking:
        return ", ".join(lacking) + " not installed"
    return "" if os.geteuid() == 0 else "root is needed for network namespaces"


def _run(*command: str) -> None:
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"


class Port:
    """A context manager: the port, and the laptop whose supplicant has `network`, which is as for
    eapol_test. The port re-authenticates every `period` seconds; `more` are further lines of
    hostapd.conf."""

    def __init__(self, directory: Union[str, Path], radius: rad.Radius, network: str, *,
                 period: int, nas: str = "switch-1", more: str = "") -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        tag = secrets.token_hex(3)
        self.card, self.laptop, self.space = f"dta{tag}", f"dtb{tag}", f"dtn{tag}"
        self.port_log = self.directory / "hostapd.log"
        self.laptop_log = self.directory / "wpa_supplicant.log"
        self._write("hostapd.conf", HOSTAPD_CONF.format(
            card=self.card, period=period, port=radius.wifi_port, secret=rad.SECRET.decode(),
            nas=nas, more=more))
        self._write("wpa.conf", SUPPLICANT_CONF.format(network=network))
        self.processes: list["subprocess.Popen[bytes]"] = []

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def _start(self, log: Path, *command: str) -> None:
        with open(log, "wb") as out:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                                   stderr=out))

    def __enter__(self) -> "Port":
        _run("ip", "netns", "add", self.space)
        try:
            _run("ip", "link", "add", self.card, "type", "veth", "peer", "name", self.laptop)
            _run("ip", "link", "set", self.laptop, "netns", self.space)
            _run("ip", "link", "set", self.card, "up")
            _run("ip", "-n", self.space, "link", "set", self.laptop, "up")
            self._start(self.port_log, "hostapd", "-d", str(self.directory / "hostapd.conf"))
            self._start(self.laptop_log, "ip", "netns", "exec", self.space, "wpa_supplicant", "-d",
                        "-D", "wired", "-i", self.laptop, "-c", str(self.directory / "wpa.conf"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        subprocess.run(["ip", "link", "delete", self.card], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["ip", "netns", "delete", self.space], stderr=subprocess.DEVNULL,
                       check=False)

    # --- what happened -----------------------------------------------------------------------

    def _text(self, log: Path) -> str:
        return log.read_text(errors="replace") if log.exists() else ""

    @property
    def events(self) -> list[str]:
        """What the supplicant came to, in order: SUCCESS, FAILURE."""
        return re.findall(r"CTRL-EVENT-EAP-(SUCCESS|FAILURE)", self._text(self.laptop_log))

    @property
    def successes(self) -> int:
        return self.events.count("SUCCESS")

    @property
    def failures(self) -> int:
        return self.events.count("FAILURE")

    @property
    def port_closings(self) -> int:
        """How often the port was closed after it had been open."""
        states = re.findall(r"unauthorizing port|authorizing port", self._text(self.port_log))
        return sum(1 for before, now in zip(states, states[1:])
                   if before == "authorizing port" and now == "unauthorizing port")

    @property
    def refusals(self) -> int:
        """How often the port said no. A supplicant whose handshake went through takes no
        EAP-Failure for an end (RFC 4137 section 4.1.1), and tells nothing of it."""
        return len(re.findall(r"IEEE 802.1X: authentication failed", self._text(self.port_log)))

    def wait_refused(self, timeout: float) -> None:
        """Until the port said no."""
        deadline = time.monotonic() + timeout
        while self.refusals == 0:
            assert time.monotonic() < deadline, self._text(self.port_log)[-3000:]
            time.sleep(0.05)

    def wait_failure(self, timeout: float) -> None:
        """Until an authentication failed."""
        deadline = time.monotonic() + timeout
        while self.failures == 0:
            assert time.monotonic() < deadline, self.events
            time.sleep(0.05)

    def wait(self, successes: int, timeout: float,
             failures: Optional[int] = None) -> None:
        """Until so many authentications succeeded; too many failures, or none in time, fail."""
        deadline = time.monotonic() + timeout
        while self.successes < successes:
            told = f"{self.events}\n" + self._text(self.laptop_log)[-3000:]
            assert failures is None or self.failures <= failures, told
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
